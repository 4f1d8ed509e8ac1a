"""Units as people write them after a number."""

from __future__ import annotations

import re

_SPELLINGS = {
    "centimeter": "cm centimeter centimetre",
    "millimeter": "mm millimeter millimetre",
    "meter": "m meter metre",
    "kilometer": "km kilometer kilometre",
    "inch": "in inch inches",
    "foot": "ft foot feet",
    "yard": "yd yard",
    "mile": "mi mile",
    "gram": "g gram",
    "kilogram": "kg kilogram kilo",
    "milligram": "mg milligram",
    "pound": "lb lbs pound",
    "ounce": "oz ounce",
    "ton": "ton tonne",
    "second": "s sec second",
    "minute": "min minute",
    "hour": "h hr hrs hour",
    "day": "day",
    "week": "week",
    "month": "month",
    "year": "yr yrs year",
    "liter": "l liter litre",
    "milliliter": "ml milliliter millilitre",
    "dollar": "dollar usd buck",
    "cent": "cent",
    "euro": "euro eur",
    "degree": "degree deg",
    "radian": "rad radian",
    "percent": "percent percentage pct",
    "unit": "unit",
    "watt": "w watt",
    "volt": "v volt",
    "newton": "n newton",
    "joule": "j joule",
    "hertz": "hz hertz",
    "mile/hour": "mph",
    "kilometer/hour": "kph kmh",
}
_KNOWN = {word: name for name, words in _SPELLINGS.items() for word in words.split()}
_SCALES = {"dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_CHANGES_THE_NUMBER = frozenset(
    "trillion quadrillion squared cubed plus minus times over divided by half halves third thirds "
    "quarter quarters tenth tenths is not more less than or and if mod modulo to from between "
    "about with without where when for any all except factorial power root pi sqrt sin cos tan log "
    "ln exp infinity inf nan base score gross twice double triple negative error wrong".split()
)


def known_unit(words: str) -> str | None:
    """Returns the name of a unit in lower-case words ("km per hour"), None where it is unknown."""
    if words in _SCALES:
        return words
    parts = [part.strip() for part in re.split(r"/| per ", words)]
    names = []
    for part in parts:
        square = re.fullmatch(r"(?:square|sq|cubic|cu) (.+)", part)
        name = _KNOWN.get(square[1] if square else part) or _KNOWN.get(
            (square[1] if square else part).removesuffix("s")
        )
        if name is None:
            return None
        raised = {"s": "^2", "c": "^3"}[part[0]] if square else ""
        names.append(name + raised)
    return "/".join(names)


def unit_name(words: str) -> str | None:
    """Returns what unknown words after a number count: "" ("25 red apples"), None if unclear."""
    parts = words.split()
    if len(parts) > 5 or _CHANGES_THE_NUMBER & set(parts) or _SCALES.keys() & set(parts):
        return None
    return "thing" if max(map(len, parts)) >= 4 else None


def scale_word(unit: str) -> int | None:
    """Returns the factor of "dozen", "thousand", "million", ..., None for a unit."""
    return _SCALES.get(unit)


def units_agree(gold: str, prediction: str) -> bool:
    """Returns whether two units can mean one quantity; an absent or unknown one fits all."""
    vague = ("", "thing", "unit")
    return gold in vague or prediction in vague or gold == prediction
