"""Derivatives, and formulas made shorter."""

from formulas.evaluation import evaluate, variables
from formulas.syntax import FormulaError, Tree


def derivative(tree: Tree, name: str) -> Tree:
    """Returns the derivative by a variable, simplified; powers have exponents without it."""
    return simplified(_derivative(tree, name))


def _derivative(tree: Tree, name: str) -> Tree:
    if name not in variables(tree):
        return 0
    if isinstance(tree, str):
        return 1
    sign, *parts = tree
    if sign == "neg":
        return ("neg", _derivative(parts[0], name))
    if sign not in ("+", "-", "*", "/", "^"):
        raise FormulaError(f"{sign} has no derivative here")
    a, b = parts
    da, db = _derivative(a, name), _derivative(b, name)
    if sign in ("+", "-"):
        return (sign, da, db)
    if sign == "*":
        return ("+", ("*", da, b), ("*", a, db))
    if sign == "/":
        return ("/", ("-", ("*", da, b), ("*", a, db)), ("^", b, 2))
    if db != 0:
        raise FormulaError("the exponent must not have the variable in it")
    return ("*", ("*", b, ("^", a, ("-", b, 1))), da)


def simplified(tree: Tree) -> Tree:
    """Calculates what has no names, and leaves out zeros and ones that change nothing."""
    if not isinstance(tree, tuple):
        return tree
    sign, *parts = tree
    parts = [simplified(part) for part in parts]
    shorter = (sign, *parts)
    if not variables(shorter):
        return evaluate(shorter)
    if sign == "neg" and isinstance(parts[0], tuple) and parts[0][0] == "neg":
        return parts[0][1]
    return _binary(sign, *parts) if len(parts) == 2 else shorter


def _binary(sign: str, a: Tree, b: Tree) -> Tree:
    if sign == "+" and a == 0:
        return b
    if sign in ("+", "-") and b == 0:
        return a
    if sign == "-" and a == 0:
        return ("neg", b)
    if sign == "*" and 0 in (a, b):
        return 0
    if sign == "*" and a == 1:
        return b
    if sign in ("*", "/", "^") and b == 1:
        return a
    if sign == "/" and a == 0:
        return 0
    if sign == "^" and b == 0:
        return 1
    return (sign, a, b)
