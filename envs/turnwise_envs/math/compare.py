"""Whether two answers are the same: structure first, formulas by whoever can do the algebra.

Rules beyond the equality of values (`exact`, `values`):

- Tuples, lists in brackets, vectors and matrices keep their order; sets, unions and lists without
  brackets do not. A list without brackets fits a tuple in its order, and a set as a set.
- Brackets of intervals must be the same, except at infinity.
- An inequality with one variable alone is the interval it describes.
- `x = 3` is 3, and `f(x) = 2x` is 2x, where the other side has no name or the same one; names of
  functions and y are interchangeable. Every other member of a chain must be right too.
- `2/3 ≈ 0.67` is 2/3 and 0.67, as long as the one is the other, rounded.
- Equations are the same if their sides are, or if their differences are proportional.
- A unit that is missing or unknown on one side does no harm; two known units must be the same.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Protocol

from turnwise_envs.math.answers import (
    Answer,
    Group,
    Leaf,
    Matrix,
    Relation,
    Union,
    Words,
)
from turnwise_envs.math.exact import numbers_agree
from turnwise_envs.math.units import units_agree

_NAME = re.compile(
    r"\\?[A-Za-z]+(?:_\{?\w+\}?)?'?|\\(?:vec|hat)\{\w+\}|\\(?:angle|triangle) ?\w+|\|?[A-Z]{2}\|?"
)
_FUNCTION = re.compile(r"\\?[A-Za-z]+(?:_\{?\w+\}?)?(?:\^\{-1\})?'?\((?:\\?[A-Za-z]+(?:, ?)?)+\)")
_KNOWN_FUNCTION = re.compile(
    r"\\?(?:arc|a)?(?:sin|cos|tan|cot|sec|csc)h?|\\?(?:log|ln|exp|sqrt|abs|max|min|gcd|lcm|det)"
)
_IDLE_SPACE = re.compile(r"(?<![0-9A-Za-z]) | (?![0-9A-Za-z])")
_INFINITE = re.compile(r"[-+]?(?:\\infty|∞|\\?infinity|inf|oo)")
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "~": "~", "!=": "!="}


class NeedsAlgebra(Exception):
    """A pair of formulas must be compared by value."""


class Algebra(Protocol):
    """Decides about formulas, given as text."""

    def equal(self, gold: str, prediction: str) -> bool:
        """Returns whether two formulas have the same value."""
        ...

    def proportional(
        self, gold: tuple[str, str], prediction: tuple[str, str], positive: bool
    ) -> bool:
        """Returns whether the differences of two pairs have a constant (positive) ratio."""
        ...

    def rounded(self, exact: str, decimal: str) -> bool:
        """Returns whether a decimal is a formula's value, rounded or cut off."""
        ...


class NoAlgebra:
    """Decides nothing: every formula that is not plain raises `NeedsAlgebra`."""

    def equal(self, gold: str, prediction: str) -> bool:
        """Raises `NeedsAlgebra`."""
        raise NeedsAlgebra

    def proportional(
        self, gold: tuple[str, str], prediction: tuple[str, str], positive: bool
    ) -> bool:
        """Raises `NeedsAlgebra`."""
        raise NeedsAlgebra

    def rounded(self, exact: str, decimal: str) -> bool:
        """Raises `NeedsAlgebra`."""
        raise NeedsAlgebra


class Comparison:
    """Compares answers with the help of an `Algebra`."""

    def __init__(self, algebra: Algebra) -> None:
        self._algebra = algebra

    def same(self, gold: Answer, prediction: Answer) -> bool:
        """Returns whether the prediction is the gold answer.

        Raises:
            NeedsAlgebra: If that takes algebra and there is none.
        """
        if isinstance(gold, Relation) and isinstance(prediction, Relation):
            return self._relations(gold, prediction)
        gold, prediction = _as_interval(gold), _as_interval(prediction)
        if isinstance(gold, Union) and isinstance(prediction, Group):
            prediction = _as_union(prediction)
        elif isinstance(prediction, Union) and isinstance(gold, Group):
            gold = _as_union(gold)
        if isinstance(gold, Relation) or isinstance(prediction, Relation):
            return self._named(gold, prediction)
        if isinstance(gold, Words) or isinstance(prediction, Words):
            return _plain(gold) == _plain(prediction)
        if isinstance(gold, Leaf) and isinstance(prediction, Leaf):
            values, others = _branches(gold), _branches(prediction)
            if len(values) == len(others) == 2:
                return self._match(values, others)
            return len(values) == len(others) and self.leaves(gold, prediction)
        if isinstance(gold, Union) and isinstance(prediction, Union):
            return self._unordered(gold.parts, prediction.parts)
        if any(isinstance(one, Leaf) and "\\begin" in one.text for one in (gold, prediction)):
            return self._algebra.equal(_text(gold), _text(prediction))  # sums of matrices, ...
        gold, prediction = _as_matrix(gold), _as_matrix(prediction)
        if isinstance(gold, Matrix) or isinstance(prediction, Matrix):
            return self._matrices(gold, prediction)
        if isinstance(gold, Group) and isinstance(prediction, Group):
            return self._groups(gold, prediction)
        return self._one_item(gold, prediction)

    def leaves(self, gold: Leaf, prediction: Leaf) -> bool:
        """Returns whether two numbers or formulas are the same."""
        if not units_agree(gold.unit, prediction.unit):
            return "degree" in (gold.unit, prediction.unit) and self._algebra.equal(
                gold.full, prediction.full
            )
        if gold.number is not None and prediction.number is not None:
            return numbers_agree(gold.number, prediction.number)
        if _squeezed(gold.text) == _squeezed(prediction.text):
            return True
        if _INFINITE.fullmatch(gold.text) or _INFINITE.fullmatch(prediction.text):
            return _infinity(gold) == _infinity(prediction)
        if gold.unit == prediction.unit or "degree" not in (gold.unit, prediction.unit):
            return self._algebra.equal(gold.text, prediction.text)
        return self._algebra.equal(gold.text, prediction.text) or self._algebra.equal(
            gold.full, prediction.full
        )

    # ---------------------------------------------------------------- collections

    def _groups(self, gold: Group, prediction: Group) -> bool:
        kinds = {gold.opening + gold.closing, prediction.opening + prediction.closing}
        ordered, unordered = {"()", "[]", "<>"}, {"{}", ""}
        if kinds <= unordered:
            return self._unordered(gold.items, prediction.items)
        if len(gold.items) != len(prediction.items):
            return False
        if "{}" in kinds or ("" in kinds and not kinds <= ordered | unordered):
            return False
        vectors = kinds <= ordered and (len(gold.items) != 2 or kinds == {"()", "<>"})
        if len(kinds) == 2 and "" not in kinds and not vectors:
            return self._half_open_at_infinity(gold, prediction)
        return self._in_order(gold.items, prediction.items)

    def _half_open_at_infinity(self, gold: Group, prediction: Group) -> bool:
        """Compares intervals with different brackets: the same only where the ends are infinite."""
        if len(gold.items) != 2:
            return False
        for brackets, end in zip(
            ((gold.opening, prediction.opening), (gold.closing, prediction.closing)),
            gold.items,
            strict=True,
        ):
            if brackets[0] != brackets[1] and not (isinstance(end, Leaf) and _infinity(end)):
                return False
        return self._in_order(gold.items, prediction.items)

    def _in_order(self, gold: tuple[Answer, ...], prediction: tuple[Answer, ...]) -> bool:
        if len(gold) != len(prediction):
            return False
        return all(self.same(one, other) for one, other in zip(gold, prediction, strict=True))

    def _unordered(self, gold: tuple[Answer, ...], prediction: tuple[Answer, ...]) -> bool:
        """Compares as multisets; both values of a formula with ± are items."""
        gold, prediction = _spread(gold), _spread(prediction)
        left, right = _by_name(gold), _by_name(prediction)
        if left is None or right is None or left.keys() != right.keys():
            return self._match(_unnamed(gold, right), _unnamed(prediction, left))
        return all(self.same(left[name], right[name]) for name in sorted(left))

    def _match(self, gold: tuple[Answer, ...], prediction: tuple[Answer, ...]) -> bool:
        rest = list(prediction)
        for one in gold:
            place = next((i for i, other in enumerate(rest) if self.same(one, other)), None)
            if place is None:
                return False
            del rest[place]
        return not rest

    def _matrices(self, gold: Answer, prediction: Answer) -> bool:
        left, right = _rows(gold), _rows(prediction)
        if left is None or right is None:
            return False
        if isinstance(gold, Matrix) != isinstance(prediction, Matrix):
            flat = [tuple(cell for row in rows for cell in row) for rows in (left, right)]
            return min(len(left), len(left[0])) == 1 and self._in_order(*flat)
        shapes = [(len(rows), len(rows[0])) for rows in (left, right)]
        if shapes[0] != shapes[1]:
            return False
        return all(self._in_order(one, other) for one, other in zip(left, right, strict=True))

    def _one_item(self, gold: Answer, prediction: Answer) -> bool:
        """Compares a collection of one item, or the two values of ±, with something else."""
        for one, other in ((gold, prediction), (prediction, gold)):
            if isinstance(one, Group) and one.opening in ("", "{") and isinstance(other, Leaf):
                values = _branches(other)
                if len(values) == len(one.items) > 0:
                    pair = (one.items, values) if one is gold else (values, one.items)
                    return self._match(*pair)
        return False

    # ---------------------------------------------------------------- relations

    def _relations(self, gold: Relation, prediction: Relation) -> bool:
        is_equation = {*gold.operators, *prediction.operators} <= {"=", "~"}
        if is_equation and _names_agree(gold, prediction):
            return self._named(gold.members[1], prediction)
        if len(gold.members) != len(prediction.members):
            return False
        if self._sides(gold, prediction) or self._sides(gold, _flip(prediction)):
            return True
        return len(gold.members) == 2 and self._proportional(gold, prediction)

    def _sides(self, gold: Relation, prediction: Relation) -> bool:
        return gold.operators == prediction.operators and self._in_order(
            gold.members, prediction.members
        )

    def _proportional(self, gold: Relation, prediction: Relation) -> bool:
        pairs = []
        for relation in (gold, prediction):
            sides = relation.members
            if not all(isinstance(side, Leaf) for side in sides):
                return False
            texts = tuple(side.full for side in sides if isinstance(side, Leaf))
            if relation.operators[0] in (">", ">="):
                texts = texts[::-1]
            pairs.append((texts[0], texts[1]))
        operators = [
            {">": "<", ">=": "<="}.get(relation.operators[0], relation.operators[0])
            for relation in (gold, prediction)
        ]
        return operators[0] == operators[1] and self._algebra.proportional(
            pairs[0], pairs[1], operators[0] in ("<", "<=")
        )

    def _named(self, gold: Answer, prediction: Answer) -> bool:
        """Compares "x = 3" with 3: every member but the name must be right."""
        relation = gold if isinstance(gold, Relation) else prediction
        assert isinstance(relation, Relation)
        if not set(relation.operators) <= {"=", "~"}:
            return False
        values = relation.members
        if _name(values[0]):
            values = values[1:]
        elif len(values) == 2 and _name(values[1]):
            values = values[:1]
        if "~" in relation.operators and len(values) == 2:
            return self._rounded(gold, prediction, relation, values[0], values[1])
        for value in values:
            pair = (value, prediction) if relation is gold else (gold, value)
            if not self.same(*pair):
                return False
        return True

    def _rounded(
        self, gold: Answer, prediction: Answer, relation: Relation, value: Answer, rough: Answer
    ) -> bool:
        """Compares "2/3 ≈ 0.67" with 2/3 or with 0.67; the one must be the other, rounded."""
        if not isinstance(value, Leaf) or not isinstance(rough, Leaf):
            return False
        if not self._algebra.rounded(value.full, rough.full):
            return False
        if relation is gold:
            return self.same(value, prediction) or self.same(rough, prediction)
        return self.same(gold, value) or self.same(gold, rough)


# -------------------------------------------------------------------- forms


def _plain(answer: Answer) -> str | None:
    if isinstance(answer, Words):
        return answer.text
    if isinstance(answer, Leaf) and re.fullmatch(r"\\?[A-Za-z]+", answer.text):
        return answer.text.lower()
    return None


def _text(answer: Answer) -> str:
    return answer.full if isinstance(answer, Leaf) else "\\begin"


def _squeezed(text: str) -> str:
    return _IDLE_SPACE.sub("", text)


def _spread(items: tuple[Answer, ...]) -> tuple[Answer, ...]:
    """Returns items with both values of every formula with ±."""
    return tuple(
        value
        for item in items
        for value in (_branches(item) if isinstance(item, Leaf) else (item,))
    )


def _infinity(leaf: Leaf) -> int:
    if not _INFINITE.fullmatch(leaf.text.replace(" ", "")):
        return 0
    return -1 if leaf.text.startswith("-") else 1


def _name(answer: Answer) -> str:
    """Returns the variable or function that a formula is, "" for any other."""
    if isinstance(answer, Words):
        return answer.text if len(answer.text) == 1 else ""
    if not isinstance(answer, Leaf) or answer.number is not None or answer.unit:
        return ""
    text = _squeezed(answer.text)
    if text in ("e", "i", "\\pi", "pi", "\\infty") or _KNOWN_FUNCTION.match(text):
        return ""
    return text if _NAME.fullmatch(text) or _FUNCTION.fullmatch(text) else ""


def _names_agree(gold: Relation, prediction: Relation) -> bool:
    one, other = _name(gold.members[0]), _name(prediction.members[0])
    free = [name == "y" or "(" in name for name in (one, other)]
    return bool(one) and (one == other or all(free))


def _by_name(items: tuple[Answer, ...]) -> dict[str, Answer] | None:
    """Returns the values of "a = 1, b = 2" by name; None where a name is missing or repeated."""
    found: dict[str, Answer] = {}
    for item in items:
        if not isinstance(item, Relation) or item.operators != ("=",):
            return None
        name = _name(item.members[0])
        if not name or name in found:
            return None
        found[name] = item.members[1]
    return found


def _unnamed(items: tuple[Answer, ...], other: dict[str, Answer] | None) -> tuple[Answer, ...]:
    """Returns the values alone, where the other side has no names of its own."""
    if other is not None:
        return items
    return tuple(
        item.members[1]
        if isinstance(item, Relation) and item.operators == ("=",) and _name(item.members[0])
        else item
        for item in items
    )


def _flip(relation: Relation) -> Relation:
    operators = tuple(_FLIPPED[operator] for operator in reversed(relation.operators))
    return Relation(operators, relation.members[::-1])


def _as_interval(answer: Answer) -> Answer:
    """Turns x > 2 and 1 < x <= 2 into intervals; everything else stays as it is."""
    if not isinstance(answer, Relation):
        return answer
    for relation in (answer, _flip(answer)):
        operators, members = relation.operators, relation.members
        if len(members) == 3 and _name(members[1]) and set(operators) <= {"<", "<="}:
            brackets = ("(" if operators[0] == "<" else "[", ")" if operators[1] == "<" else "]")
            return Group(*brackets, (members[0], members[2]))
        if len(members) == 2 and _name(members[0]) and not _name(members[1]):
            if operators[0] in ("<", "<="):
                closing = ")" if operators[0] == "<" else "]"
                return Group("(", closing, (_leaf("-\\infty"), members[1]))
            if operators[0] in (">", ">="):
                opening = "(" if operators[0] == ">" else "["
                return Group(opening, ")", (members[1], _leaf("\\infty")))
    return answer


def _as_union(group: Group) -> Answer:
    """Turns "x < 1 or x > 3" into a union."""
    parts = tuple(_as_interval(item) for item in group.items)
    if group.opening or not all(isinstance(part, Group) and part.opening for part in parts):
        return group
    return Union(parts)


def _leaf(text: str) -> Leaf:
    return Leaf(text, None, "", text)


def _as_matrix(answer: Answer) -> Answer:
    """Turns [[1, 2], [3, 4]] into a matrix."""
    if not isinstance(answer, Group) or answer.opening not in ("[", "(") or not answer.items:
        return answer
    rows = [item.items for item in answer.items if isinstance(item, Group) and item.opening == "["]
    if len(rows) != len(answer.items) or len({len(row) for row in rows}) != 1 or not rows[0]:
        return answer
    return Matrix(tuple(rows)) if len(rows) > 1 or answer.opening == "[" else answer


def _rows(answer: Answer) -> tuple[tuple[Answer, ...], ...] | None:
    if isinstance(answer, Matrix):
        return answer.rows
    if isinstance(answer, Group) and answer.opening + answer.closing in ("()", "[]", "<>"):
        return (answer.items,) if answer.items else None
    return None


def _branches(leaf: Leaf) -> tuple[Answer, ...]:
    r"""Returns the two values of a formula with \pm, else the formula alone."""
    if not re.search(r"\\pm|±", leaf.text):
        return (leaf,)
    both = []
    for plus, minus in (("+", "-"), ("-", "+")):
        text = re.sub(r"\\pm|±", plus, leaf.text)
        text = re.sub(r"\\mp|∓", minus, text).lstrip("+ ")
        both.append(replace(leaf, text=text, full=text))
    return tuple(both)
