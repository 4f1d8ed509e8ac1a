import pytest
from formulas import FormulaError, evaluate, parse, tokens, unparse


def test_tokens():
    """A text is cut into numbers, names and signs."""
    assert tokens("2.5*x_1 - (y)") == ["2.5", "*", "x_1", "-", "(", "y", ")"]


def test_multiplication_binds_closer():
    """Products come before sums, and brackets before both."""
    assert parse("1 + 2 * 3") == ("+", 1, ("*", 2, 3))
    assert evaluate(parse("(1 + 2) * 3")) == 9


def test_order_of_equal_signs():
    """Differences are read from the left, powers from the right."""
    assert evaluate(parse("10 - 4 - 3")) == 3
    assert evaluate(parse("2^3^2")) == 512


def test_minus_signs():
    """A minus sign before a power negates the power, before a product the first factor."""
    assert parse("-x^2") == ("neg", ("^", "x", 2))
    assert evaluate(parse("2 * -3")) == -6


def test_functions():
    """Functions have any number of arguments."""
    assert parse("f()") == ("f",)
    assert parse("max(1, x+2)") == ("max", 1, ("+", "x", 2))


def test_mistakes():
    """What is no formula is refused."""
    for bad in ("", "1 +", "(1", "1 2", "* 3", "a $ b", "1.2.3"):
        with pytest.raises(FormulaError):
            parse(bad)


def test_writing():
    """A formula is written with the brackets that it needs, and no others."""
    assert unparse(parse("((a+b))*(c*d) - (e-f)")) == "(a + b) * (c * d) - (e - f)"
