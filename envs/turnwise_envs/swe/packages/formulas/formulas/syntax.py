"""Text to trees and back.

A tree is a number, a name, or a tuple: operator or function, then its arguments. A minus sign
before a term is the operator "neg".
"""

from typing import Any

Tree = Any

_LEVELS = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "^": 4}
_NEGATION = 3
_ATOM = 5


class FormulaError(ValueError):
    """A formula that cannot be read, or has no value."""


def tokens(text: str) -> list[str]:
    """Returns numbers, names and signs, in order."""
    found = []
    place = 0
    while place < len(text):
        end = place + 1
        letter = text[place]
        if letter.isspace():
            place = end
            continue
        if letter.isdigit() or letter == ".":
            while end < len(text) and (text[end].isdigit() or text[end] == "."):
                end += 1
        elif letter.isalpha():
            while end < len(text) and (text[end].isalnum() or text[end] == "_"):
                end += 1
        elif letter not in "+-*/%^(),":
            raise FormulaError(f"{letter!r} does not belong into a formula")
        found.append(text[place:end])
        place = end
    return found


def parse(text: str) -> Tree:
    """Returns the tree of a formula."""
    left = tokens(text)[::-1]
    tree = _expression(left, 0)
    if left:
        raise FormulaError(f"{left[-1]!r} is one too many")
    return tree


def _expression(left: list[str], level: int) -> Tree:
    """Reads operators that bind closer than `level`; only powers are read from the right."""
    tree = _term(left)
    while left and _LEVELS.get(left[-1], 0) > level:
        sign = left.pop()
        own = _LEVELS[sign]
        tree = (sign, tree, _expression(left, own - 1 if sign == "^" else own))
    return tree


def _term(left: list[str]) -> Tree:
    if not left:
        raise FormulaError("the formula ends too early")
    token = left.pop()
    if token == "-":
        return ("neg", _expression(left, _NEGATION))
    if token == "(":
        tree = _expression(left, 0)
        _expect(left, ")")
        return tree
    if token[0].isalpha():
        return _call(left, token) if left and left[-1] == "(" else token
    if token[0].isdigit() or token[0] == ".":
        try:
            return float(token) if "." in token else int(token)
        except ValueError as error:
            raise FormulaError(f"{token!r} is no number") from error
    raise FormulaError(f"{token!r} is at a wrong place")


def _call(left: list[str], name: str) -> Tree:
    left.pop()
    arguments = []
    if left and left[-1] == ")":
        left.pop()
        return (name,)
    arguments.append(_expression(left, 0))
    while left and left[-1] == ",":
        left.pop()
        arguments.append(_expression(left, 0))
    _expect(left, ")")
    return (name, *arguments)


def _expect(left: list[str], token: str) -> None:
    if not left or left.pop() != token:
        raise FormulaError(f"{token!r} is missing")


def unparse(tree: Tree) -> str:
    """Returns the text of a tree, with no more brackets than it needs."""
    return _write(tree)[0]


def _write(tree: Tree) -> tuple[str, int]:
    if not isinstance(tree, tuple):
        return str(tree), _ATOM
    sign, *arguments = tree
    if sign == "neg":
        return "-" + _bracketed(arguments[0], _NEGATION), _NEGATION
    if sign not in _LEVELS:
        return f"{sign}({', '.join(unparse(argument) for argument in arguments)})", _ATOM
    level = _LEVELS[sign]
    right_first = sign == "^"
    before = _bracketed(arguments[0], level + 1 if right_first else level)
    after = _bracketed(arguments[1], level if right_first else level + 1)
    space = "" if right_first else " "
    return f"{before}{space}{sign}{space}{after}", level


def _bracketed(tree: Tree, least: int) -> str:
    text, level = _write(tree)
    return f"({text})" if level < least else text
