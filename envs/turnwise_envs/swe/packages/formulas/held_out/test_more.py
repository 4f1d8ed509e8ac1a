import pytest
from formulas import (
    Cells,
    FormulaError,
    derivative,
    evaluate,
    parse,
    simplified,
    tokens,
    unparse,
    variables,
)


def test_there_and_back():
    """A formula that is written and read again is the same formula."""
    for text in ("a - (b - c)", "(a^b)^c", "a^b^c", "-(a + b)", "(-a)^2", "a / (b / c) % d"):
        assert unparse(parse(text)) == text
        assert parse(unparse(parse(text))) == parse(text)
    assert unparse(parse("f( a,(b) )")) == "f(a, b)"


def test_tokens_without_blanks():
    """Blanks are needed nowhere, and numbers end where names begin."""
    assert tokens("2x") == ["2", "x"]
    assert tokens(".5%a1 ") == [".5", "%", "a1"]
    with pytest.raises(FormulaError, match="belong"):
        tokens("a_b + _c")


def test_mixed_signs():
    """Signs of all levels in one formula are read as they should be."""
    assert evaluate(parse("2 + 3 * 4 ^ 2 / 6 - -1")) == 11
    assert evaluate(parse("7 % 4 * 2")) == 6
    assert evaluate(parse("2 ^ -1")) == 0.5
    assert evaluate(parse("-2 ^ 2")) == -4
    assert evaluate(parse("- - 3")) == 3


def test_brackets_and_commas():
    """Brackets and commas must be complete."""
    for bad in ("f(", "f(1,", "f(1,)", "f(,1)", "(1))", "()", "f(1 2)"):
        with pytest.raises(FormulaError):
            parse(bad)


def test_values_of_functions():
    """Functions have their values, with the right number of arguments."""
    assert evaluate(parse("min(3, 1, 2) + max(4, 9)")) == 10
    assert evaluate(parse("sqrt(16) + abs(-2) + floor(2.9)")) == 8
    for bad in ("abs(1, 2)", "min()", "nothing(1)", "sqrt(-1)", "f(1, 2)", "abs()"):
        with pytest.raises(FormulaError):
            evaluate(parse(bad))


def test_only_one_branch_is_evaluated():
    """Of the two branches of a choice only one is evaluated, the last one for zero."""
    assert evaluate(parse("if(x, 10 / x, 0)"), {"x": 5}) == 2
    assert evaluate(parse("if(x, 10 / x, 7)"), {"x": 0}) == 7
    with pytest.raises(FormulaError, match="3 arguments"):
        evaluate(parse("if(1, 2)"))


def test_powers_of_zero():
    """Zero has powers, but no negative ones; remainders by zero are refused as well."""
    assert evaluate(parse("0 ^ 2")) == 0
    for bad in ("0 ^ -1", "3 % 0"):
        with pytest.raises(FormulaError):
            evaluate(parse(bad))
    assert variables(parse("3 + f()")) == []
    with pytest.raises(FormulaError):
        evaluate("x")


def test_products_and_ratios_are_differentiated():
    """Derivatives have the slope that the formula has."""
    for text in ("x * (x + y)", "(x + 1) / (x - y)", "-(x^4)", "y^3 + (2 * x - y)^3 * x"):
        tree = parse(text)
        slope = derivative(tree, "x")
        for x in (1.0, 2.5):
            ends = [evaluate(tree, {"x": x + h, "y": 7}) for h in (-1e-5, 1e-5)]
            assert abs((ends[1] - ends[0]) / 2e-5 - evaluate(slope, {"x": x, "y": 7})) < 1e-4


def test_what_has_no_derivative():
    """Exponents with the variable in them, and functions of it, have no derivative here."""
    for bad in ("2^x", "abs(x)", "x % 2"):
        with pytest.raises(FormulaError):
            derivative(parse(bad), "x")
    assert derivative(parse("abs(y) + 2^y"), "x") == 0


def test_what_can_be_calculated_is():
    """Parts without names are calculated, and two minus signs are none."""
    assert simplified(parse("x * (2 + 3)")) == ("*", "x", 5)
    assert simplified(parse("--x")) == "x"
    assert simplified(parse("0 - x")) == ("neg", "x")
    assert simplified(parse("x * 0 + y / 1")) == "y"
    assert simplified(parse("(0 / x) + x^0 + x^1")) == ("+", 1, "x")
    assert simplified(parse("1 * f(x, 1 * y)")) == ("f", "x", "y")
    assert simplified(parse("x - 1")) == ("-", "x", 1)


def test_cells_are_calculated_once():
    """A value is calculated again only after a change that concerns it."""
    cells = Cells()
    for name, formula in (("a", "1"), ("b", "a + 1"), ("c", "b + a"), ("d", "5")):
        cells.put(name, formula)
    assert (cells.get("c"), cells.get("c"), cells.calculations) == (3, 3, 3)
    cells.put("d", "6")
    assert (cells.get("c"), cells.calculations) == (3, 3)
    cells.put("b", "a + 2")
    assert (cells.get("c"), cells.calculations) == (4, 5)


def test_who_depends_on_a_cell():
    """A cell's dependents are those over others too; one without a value is told."""
    cells = Cells()
    cells.put("c", "b")
    cells.put("b", "a + x")
    assert cells.dependents("a") == ["b", "c"]
    assert cells.dependents("c") == []
    for name in "ca":
        with pytest.raises(FormulaError, match="no value"):
            cells.get(name)
    with pytest.raises(FormulaError):
        cells.put("a", "a")
