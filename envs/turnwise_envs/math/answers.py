r"""What kind of thing an answer is: a number, a text, a tuple, an interval, an equation, ...

`read` sorts an answer's text into the small classes below and leaves every formula in it as text.
It is linear in the length of the text (times the depth of its structure, which is bounded) and
evaluates nothing, so it is safe in the caller's process.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from turnwise_envs.math.exact import Number, read_number, strip_wrapping
from turnwise_envs.math.units import known_unit, scale_word, unit_name

MAX_ITEMS = 200
"""A list, set or matrix with more parts than this is not compared."""

_MAX_DEPTH = 8
_OPENING, _CLOSING = "([{", ")]}"
_ENVIRONMENT = re.compile(
    r"\\begin\s*\{([a-z]*matrix|array|cases|aligned|align\*?|gathered)\}"
    r"(?:\s*\{[lcr| ]*\})?(.*)\\end\s*\{\1\}",
    re.DOTALL,
)
_TEXT_COMMANDS = r"\\(?:text|textbf|textit|textrm|textnormal|mathrm|mathbf|mbox|operatorname|rm)"
_TEXT_GROUP = re.compile(_TEXT_COMMANDS + r"\s*\{([^{}]*)\}")
_WORD_JOINT = re.compile(r"\\text\s*\{[\s,]*(and|or)\s*\}|(?<![A-Za-z\\])(and|or)(?![A-Za-z])")
_RELATION = re.compile(
    r"\\(?:leqslant|geqslant|leq|geq|neq|le|ge|ne|lt|gt|in|approx|equiv)(?![A-Za-z])"
    r"|<=|>=|!=|==|[=<>≤≥≠∈≈]"
)
_OPERATORS = {
    **dict.fromkeys(("\\leqslant", "\\leq", "\\le", "<=", "≤"), "<="),
    **dict.fromkeys(("\\geqslant", "\\geq", "\\ge", ">=", "≥"), ">="),
    **dict.fromkeys(("\\neq", "\\ne", "!=", "≠"), "!="),
    **dict.fromkeys(("\\in", "∈"), "in"),
    **dict.fromkeys(("=", "==", "\\equiv"), "="),
    **dict.fromkeys(("\\approx", "≈"), "~"),
    **dict.fromkeys(("<", "\\lt"), "<"),
    **dict.fromkeys((">", "\\gt"), ">"),
}
_SIGNS = {0x2212: "-", 0x2013: "-", 0xA0: " ", 0x2009: " ", 0x202F: " "}  # minus, dash, spaces
_MATH_WORDS = frozenset(
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log exp sqrt cbrt abs gcd lcm max "
    "min floor ceil alpha beta gamma delta epsilon zeta eta theta iota kappa lambda sigma tau phi "
    "chi psi omega rho infinity inf mod det asin acos atan frac times cdot pmod".split()
)
_WORDS = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SHORT_WORDS = frozenset("no yes up am pm on in it he we ok".split())


@dataclass(frozen=True, slots=True)
class Leaf:
    """A number or formula.

    Attributes:
        text: the formula, its unit left out.
        number: its value where it is a plain number.
        unit: what follows it in words, "" for nothing; "degree", "dollar", ...
        full: the formula as it was written.
    """

    text: str
    number: Number | None
    unit: str
    full: str


@dataclass(frozen=True, slots=True)
class Words:
    """An answer in words, in lower case and without articles and punctuation."""

    text: str


@dataclass(frozen=True, slots=True)
class Group:
    """Parts in brackets: `opening` and `closing` are of "([{<"; both "" for a bare list."""

    opening: str
    closing: str
    items: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Union:
    """Parts joined by a union sign."""

    parts: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of equal length."""

    rows: tuple[tuple[Answer, ...], ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """`members` joined by `operators` (=, ~, !=, <, >, <=, >=), one fewer; ~ is roughly."""

    operators: tuple[str, ...]
    members: tuple[Answer, ...]


Answer = Leaf | Words | Group | Union | Matrix | Relation


class NoAnswer(ValueError):
    """The text is no answer of any kind."""


def read(text: str) -> Answer:
    """Returns what `text` is.

    Raises:
        NoAnswer: If it is empty, has too many parts or is nested too deep.
    """
    return _read(clean(text), 0)


def clean(text: str) -> str:
    r"""Returns an answer's text without escapes of escapes, spacing and digit grouping."""
    if "\\\\" in text and (re.search(r"\\\\begin", text) or "\\begin" not in text):
        text = text.replace("\\\\", "\\")  # escaped twice on its way here
    if "{,}" in text or "\\" in text:
        text = re.sub(r"(?<=\d)\s*(?:\{,\}|,\\[!,;: ]|\\[,;:! ])\s*(?=\d{3}(?!\d))", "", text)
    return strip_wrapping(text.translate(_SIGNS))


def _read(text: str, depth: int) -> Answer:
    text = strip_wrapping(text)
    if not text or depth > _MAX_DEPTH:
        raise NoAnswer("there is no answer" if not text else "the answer is nested too deep")
    number = read_number(_TEXT_GROUP.sub(r"\1", text) if text.startswith("\\") else text)
    if number is not None:
        return Leaf(text, number, "dollar" if text.lstrip("\\-").startswith("$") else "", text)
    whole = _TEXT_GROUP.fullmatch(text)
    if whole and re.search(r"\d", whole[1]):
        return _read(whole[1], depth + 1)
    for reader in (_read_words, _read_environment, _read_list, _read_relation, _read_union):
        found = reader(text, depth)
        if found is not None:
            return found
    return _read_brackets(text, depth) or _read_leaf(text)


# -------------------------------------------------------------------- words


def _read_words(text: str, depth: int) -> Answer | None:
    """Reads a name, a label or a short phrase; anything with a digit or an operator is none."""
    bare = _TEXT_GROUP.sub(lambda found: " " + found[1] + " ", text)
    label = re.fullmatch(r"\(? ?([A-Za-z]) ?\)|\(?([A-Z])[).:] .*", bare.strip(), re.DOTALL)
    if depth == 0 and label:
        return Words((label[1] or label[2]).lower())
    if bare != text and not re.search(r"\w", _TEXT_GROUP.sub("", text)):
        if re.fullmatch(r"[\s()]*[A-Za-z][\s().]*", bare):
            return Words(bare.strip(" ().").lower())
        inside = read_number(bare.strip())
        return Words(_plain_words(bare)) if inside is None and _plain_words(bare) else None
    if re.search(r"[\d=<>+*/^_|\\$]", bare):
        return None
    words = _WORDS.findall(bare)
    if any(
        (len(word) > 2 or word.lower() in _SHORT_WORDS) and word.lower() not in _MATH_WORDS
        for word in words
    ):
        if (len(words) > 1 and "," in bare) or _WORD_JOINT.search(bare):
            return None  # a list of names
        return Words(_plain_words(bare))
    return None


def _plain_words(text: str) -> str:
    words = re.findall(r"[\w'’-]+", text.lower())
    return " ".join(word for word in words if word not in ("the", "a", "an") or len(words) == 1)


# -------------------------------------------------------------------- structure


def split_top(text: str, is_cut: Callable[[str, int], int]) -> list[str]:
    """Splits outside all brackets where `is_cut(text, place)` returns a separator's length."""
    parts: list[str] = []
    depth = start = place = 0
    while place < len(text):
        letter = text[place]
        escaped = letter == "\\" and text[place + 1 : place + 2] in ("{", "}")
        if escaped:
            letter = text[place + 1]
        if letter in _OPENING:
            depth += 1
        elif letter in _CLOSING:
            depth -= 1
        elif depth == 0 and (length := is_cut(text, place)):
            parts.append(text[start:place])
            start = place = place + length
            continue
        place += 2 if escaped else 1
    return [*parts, text[start:]]


def _joint_at(text: str, place: int) -> int:
    if text[place] in ",;":
        return 1
    if text[place] in "\\ao":
        found = _WORD_JOINT.match(text, place)
        return len(found[0]) if found else 0
    return 0


def _items(text: str, depth: int, least: int = 1) -> tuple[Answer, ...]:
    """Reads what separators part, where it is at least so many items; else nothing."""
    parts = [part for part in split_top(text, _joint_at) if part.strip()]
    if len(parts) > MAX_ITEMS:
        raise NoAnswer(f"the answer has more than {MAX_ITEMS} parts")
    return tuple(_read(part, depth + 1) for part in parts) if len(parts) >= least else ()


def _read_list(text: str, depth: int) -> Answer | None:
    if not re.search(r"[,;]|and|or", text):
        return None
    items = _items(text, depth, least=2)
    return Group("", "", items) if items else None


def _read_environment(text: str, depth: int) -> Answer | None:
    if not text.startswith("\\begin"):
        return None
    found = _ENVIRONMENT.fullmatch(text)
    if found is None or "\\begin" in found[2]:
        return None
    rows = [row for row in re.split(r"\\\\(?:\[[^\]]*\])?|\\cr", found[2]) if row.strip()]
    cells = [row.split("&") for row in rows]
    if sum(map(len, cells)) > MAX_ITEMS:
        raise NoAnswer(f"the answer has more than {MAX_ITEMS} parts")
    if found[1] in ("vmatrix", "Vmatrix"):
        return None  # a determinant is a value
    if not found[1].endswith("matrix") and found[1] != "array":
        lines = tuple(_read("".join(row).rstrip(" ,"), depth + 1) for row in cells)
        return Group("", "", lines)
    if len({len(row) for row in cells}) != 1:
        raise NoAnswer("the rows of a matrix must be of equal length")
    return Matrix(tuple(tuple(_read(cell, depth + 1) for cell in row) for row in cells))


def _relation_at(text: str, place: int) -> int:
    found = _RELATION.match(text, place) if text[place] in "\\<>=!≤≥≠∈≈" else None
    return len(found[0]) if found else 0


def _read_relation(text: str, depth: int) -> Answer | None:
    if not _RELATION.search(text):
        return None
    parts = split_top(text, _relation_at)
    if len(parts) == 1:
        return None
    signs, place = [], 0
    for part in parts[:-1]:
        place += len(part)
        length = _relation_at(text, place)
        signs.append(_OPERATORS[text[place : place + length]])
        place += length
    if signs[0] == "in":
        return _read(parts[1], depth + 1) if len(parts) == 2 else None
    if len(parts) > 12 or "in" in signs:
        raise NoAnswer("the answer is a chain of too many relations")
    return Relation(tuple(signs), tuple(_read(part, depth + 1) for part in parts))


def _union_at(text: str, place: int) -> int:
    if text.startswith("\\cup", place):
        return 4
    return 1 if text[place] == "∪" else 0


def _read_union(text: str, depth: int) -> Answer | None:
    if "\\cup" not in text and "∪" not in text:
        return None
    parts = split_top(text, _union_at)
    if len(parts) == 1:
        return None
    return Union(tuple(_read(part, depth + 1) for part in parts))


def _read_brackets(text: str, depth: int) -> Answer | None:
    for opening, closing in (("\\langle", "\\rangle"), ("\\lbrace", "\\rbrace"), ("\\{", "\\}")):
        if text.startswith(opening) and text.endswith(closing):
            inside = text[len(opening) : -len(closing)]
            kind = ("<", ">") if opening == "\\langle" else ("{", "}")
            return Group(*kind, _items(inside, depth)) if inside.strip() else Group(*kind, ())
    if text in ("\\emptyset", "\\varnothing", "∅", "{}"):
        return Group("{", "}", ())
    if text[0] not in _OPENING or text[-1] not in _CLOSING or _closes(text) != len(text) - 1:
        return None
    items = _items(text[1:-1], depth)
    if not items:
        return None
    if len(items) == 1 and (text[0] != "[" or isinstance(items[0], Matrix)):
        return items[0]
    if text[0] == "{":
        return Group("", "", items)  # such braces cannot be seen in print
    return Group(text[0], text[-1], items)


def _closes(text: str) -> int:
    """Returns where the bracket that opens `text` is closed; intervals may mix their brackets."""
    depth = 0
    for place, letter in enumerate(text):
        if letter in _OPENING:
            depth += 1
        elif letter in _CLOSING:
            depth -= 1
            if depth == 0:
                return place
    return -1


# -------------------------------------------------------------------- leaves

_LATEX_UNIT = re.compile(
    r"(?P<body>.*[^\s\\]) ?" + _TEXT_COMMANDS + r"\s*\{(?P<unit>[^{}]*)\}"
    r"(?:\s*\^\s*\{?\s*(?P<power>[23])\s*\}?)?",
    re.DOTALL,
)
_DEGREES = re.compile(
    r"(?P<body>.*\S)\s*(?:\^\s*(?:\{\s*\\circ\s*\}|\\circ)|°|\\degree)", re.DOTALL
)
_WORD_UNIT = re.compile(
    r"(?P<body>[^A-Za-z]*\d[\d.]*|\\[dt]?frac\s*\{-?\d+\}\s*\{\d+\})(?P<space>\s*)"
    r"(?P<unit>[A-Za-zµ°][A-Za-z./ ]*)(?:\^\s*\{?(?P<power>[23])\}?|(?P<raised>[²³]))?"
)


_BASED = re.compile(r"([0-9][0-9A-Fa-f]*) ?_ ?(?:\{ ?([0-9]{1,2}) ?\}|([0-9]))")


def _read_leaf(text: str) -> Leaf:
    if based := _BASED.fullmatch(text):
        # The digits with their base, not the value: "write 5 in base 2" is not answered by 5.
        return Leaf(based[1], read_number(based[1]), f"base {based[2] or based[3]}", text)
    found = _LATEX_UNIT.fullmatch(text)
    unit = _unit(found["unit"], found["power"], free=True) if found else None
    if not unit and (found := _DEGREES.fullmatch(text)):
        unit = "degree"
    if not unit and len(text) < 80 and (found := _WORD_UNIT.fullmatch(text)):
        power = found["power"] or {"²": "2", "³": "3"}.get(found["raised"] or "")
        unit = _unit(found["unit"], power, free=bool(found["space"]))
        if unit and len(found["unit"]) == 1 and not found["space"]:
            unit = None  # 5x, 5m: a variable
    if not unit or found is None:
        return Leaf(text, None, "", text)
    body = strip_wrapping(found["body"])
    number = read_number(body)
    if (scale := scale_word(unit)) is not None:
        if number is None or number.percent:
            return Leaf(text, None, "", text)
        return Leaf(body, Number(number.value * scale), "", text)
    if unit == "percent" and number is not None:
        return Leaf(body, Number(number.value, number.places, number.digits, True), "", text)
    return Leaf(body, number, unit, text)


def _unit(words: str, power: str | None, free: bool) -> str | None:
    """Returns the name of a unit; None where the words are none (or change the number)."""
    words = re.sub(r"[\s.~\\]+", " ", words).strip().lower()
    if not words:
        return None
    name = known_unit(words)
    if name is None:
        name = unit_name(words) if free else None
    return f"{name}^{power}" if name and power else name
