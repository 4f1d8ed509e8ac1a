"""The value of a formula."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from formulas.syntax import FormulaError, Tree

_FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "abs": (1, abs),
    "sqrt": (1, math.sqrt),
    "floor": (1, math.floor),
}
_MANY: dict[str, Callable[..., Any]] = {"min": min, "max": max}


def evaluate(tree: Tree, values: Mapping[str, Any] | None = None) -> Any:
    """Returns the value of a tree; names have the values given."""
    if isinstance(tree, str):
        if values is None or tree not in values:
            raise FormulaError(f"{tree} has no value")
        return values[tree]
    if not isinstance(tree, tuple):
        return tree
    sign = tree[0]
    if sign == "if":
        return _choose(tree, values)
    arguments = [evaluate(part, values) for part in tree[1:]]
    if len(arguments) == 2 and sign in "+-*/%^":
        return _combine(sign, arguments[0], arguments[1])
    return -arguments[0] if sign == "neg" else _apply(sign, arguments)


def _choose(tree: Tree, values: Mapping[str, Any] | None) -> Any:
    """Returns the second argument where the first is positive, otherwise the third."""
    if len(tree) != 4:
        raise FormulaError("if wants 3 arguments")
    positive = evaluate(tree[1], values) > 0
    return evaluate(tree[2] if positive else tree[3], values)


def _combine(sign: str, a: Any, b: Any) -> Any:
    if sign in "/%" and b == 0:
        raise FormulaError("nothing can be divided by 0")
    if sign == "+":
        return a + b
    if sign == "-":
        return a - b
    if sign == "*":
        return a * b
    if sign == "%":
        return a % b
    if sign == "^":
        if a == 0 and b < 0:
            raise FormulaError("0 has no negative powers")
        return a**b
    return a // b if a % b == 0 else a / b


def _apply(name: str, arguments: list[Any]) -> Any:
    if name in _MANY and arguments:
        return _MANY[name](arguments)
    if name not in _FUNCTIONS:
        raise FormulaError(f"there is no function {name} of {len(arguments)} arguments")
    count, function = _FUNCTIONS[name]
    if len(arguments) != count:
        raise FormulaError(f"{name} wants {count} argument, got {len(arguments)}")
    if name == "sqrt" and arguments[0] < 0:
        raise FormulaError("a negative number has no root")
    return function(*arguments)


def variables(tree: Tree) -> list[str]:
    """Returns the names in a tree, each once, sorted."""
    if isinstance(tree, str):
        return [tree]
    if not isinstance(tree, tuple):
        return []
    return sorted({name for part in tree[1:] for name in variables(part)})
