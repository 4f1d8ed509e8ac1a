import pytest
from formulas import (
    Cells,
    FormulaError,
    derivative,
    evaluate,
    parse,
    simplified,
    unparse,
    variables,
)


def test_names_have_values():
    """Names stand for the values that are given."""
    assert evaluate(parse("a * b + 1"), {"a": 3, "b": 4}) == 13
    with pytest.raises(FormulaError, match="c has no value"):
        evaluate(parse("c"), {"a": 1})


def test_division():
    """A division that comes out even gives a whole number, one by zero is refused."""
    assert (evaluate(parse("6 / 3")), evaluate(parse("7 / 2"))) == (2, 3.5)
    with pytest.raises(FormulaError, match="divided"):
        evaluate(parse("1 / (2 - 2)"))


def test_names_in_a_formula():
    """The names of a formula are listed once each; functions are no names."""
    assert variables(parse("b + min(a, b)")) == ["a", "b"]


def test_derivatives():
    """The derivative of a polynomial is the known one."""
    assert unparse(derivative(parse("x^3 + 2*x + 7"), "x")) == "3 * x^2 + 2"


def test_shorter_formulas():
    """Zeros and ones that change nothing are left out."""
    assert simplified(parse("0 + 1 * x - 0")) == "x"


def test_cells():
    """A cell that uses another changes with it."""
    cells = Cells()
    cells.put("a", "2")
    cells.put("b", "a * 10")
    assert cells.get("b") == 20
    cells.put("a", "3")
    assert cells.get("b") == 30


def test_circles():
    """A cell cannot depend on itself, not over others either."""
    cells = Cells()
    cells.put("a", "b + 1")
    cells.put("b", "c")
    with pytest.raises(FormulaError, match="itself"):
        cells.put("c", "a")
