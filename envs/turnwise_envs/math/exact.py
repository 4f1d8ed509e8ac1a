r"""Numbers that need no algebra: integers, decimals, fractions, percents, mixed numbers.

`read_number` is the fast path of the verifier and `numbers_agree` its rule for every pair of
rational numbers, whichever way they were read.

The rule. Exact values are equal or not. A decimal may stand for a value that no decimal of its
length can be (1.732 for the root of 3, 0.33333 for 1/3) if it is that value rounded or cut off, and
has at least `GOLD_DIGITS` significant digits in a gold answer, `PREDICTION_DIGITS` in a prediction.
A percentage p% equals p and p/100, because data sets write either; two percentages are compared
as they stand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

GOLD_DIGITS = 4
PREDICTION_DIGITS = 6

_MAX_DIGITS = 400

_LATEX_SPACE = re.compile(r"(?<!\\)\\[,!;: ]|\\q?quad(?![A-Za-z])|~|\s+")
_LATEX_SIZE = re.compile(r"\\(?:displaystyle|left|right|[bB]igg?[lr]?)(?![A-Za-z])")
_PLAIN = re.compile(
    r"""(?P<sign>[-+]?)\s*
    (?:(?P<whole>\d+(?:,\d{3})*|\d{1,3}(?:[ ]\d{3})+)?(?P<places>\.\d*)?
       (?:\s*(?:\\times|\*|×|\\cdot)\s*10\s*(?:\^|\*\*)\s*\{?\s*(?P<power>[-+]?\d{1,3})\s*\}?
         |[eE](?P<e>[-+]?\d{1,3}))?
      |(?P<mixed>\d+(?:\s+|(?=\\)))?
       (?:\\[dt]?frac\s*(?:\{\s*(?P<n1>-?\d+)\s*\}|(?P<n2>\d))\s*
                        (?:\{\s*(?P<d1>\d+)\s*\}|(?P<d2>\d))
         |(?P<n3>\d+)\s*/\s*(?P<d3>-?\d+)))
    \s*(?P<percent>\\?%)?""",
    re.VERBOSE,
)
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+")


@dataclass(frozen=True, slots=True)
class Number:
    """A rational number as it was written.

    Attributes:
        value: its value, a percentage's per cent sign left out.
        places: digits after the decimal point; -1 where it was not written as a decimal.
        digits: significant digits of a decimal.
        percent: whether a per cent sign followed.
    """

    value: Fraction
    places: int = -1
    digits: int = 0
    percent: bool = False


def strip_wrapping(text: str) -> str:
    r"""Returns an answer without math delimiters, spacing commands and a final full stop."""
    if "\\" in text:
        text = _LATEX_SIZE.sub("", text)
    text = _LATEX_SPACE.sub(" ", text).strip()
    while True:
        before = text
        for opening, closing in (("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**")):
            if text.startswith(opening) and text.endswith(closing):
                inside = text[len(opening) : len(text) - len(closing)]
                if inside and opening not in inside:
                    text = inside.strip()
        if len(text) > 1 and text[-1] in ".,;" and text[-2] not in ".\\":
            text = text[:-1].rstrip()
        if text == before:
            return text


def read_number(text: str) -> Number | None:
    """Returns the number that `text` is, None where it is none (or a matter of opinion)."""
    text = strip_wrapping(text)
    if text.startswith(("\\$", "$", "£", "€")):
        text = text.lstrip("\\$£€ ")
    elif text.endswith(("$", "£", "€")):
        text = text.rstrip("\\$£€ ")
    if len(text) > _MAX_DIGITS:
        return None
    found = _PLAIN.fullmatch(text)
    if found is None:
        return None
    if found["whole"] is not None or (found["places"] or "").strip("."):
        return _decimal(found)
    numerator = found["n1"] or found["n2"] or found["n3"]
    if numerator is None:
        return None
    denominator = int(found["d1"] or found["d2"] or found["d3"])
    if denominator == 0:
        return None
    value = Fraction(int(numerator), denominator)
    if found["mixed"]:
        if not 0 < value < 1:
            return None
        value += int(found["mixed"])
    return Number(_signed(found, value), percent=found["percent"] is not None)


def _decimal(found: re.Match[str]) -> Number | None:
    whole, fraction = found["whole"] or "", (found["places"] or "").lstrip(".")
    if "," in whole:
        if not _GROUPED.fullmatch(whole):
            return None
        whole = whole.replace(",", "")
    whole = whole.replace(" ", "")
    power = int(found["power"] or found["e"] or 0)
    if not found["places"] and not power:
        return Number(_signed(found, Fraction(int(whole))), percent=found["percent"] is not None)
    value = _signed(
        found, Fraction(int(whole + fraction)) / 10 ** len(fraction) * Fraction(10) ** power
    )
    digits = len((whole + fraction).lstrip("0"))
    return Number(value, max(0, len(fraction) - power), digits, found["percent"] is not None)


def _signed(found: re.Match[str], value: Fraction) -> Fraction:
    return -value if found["sign"] == "-" else value


def numbers_agree(gold: Number, prediction: Number) -> bool:
    """Returns whether `prediction` is right by the module's rule."""
    if _agree(gold, prediction):
        return True
    if gold.percent == prediction.percent:
        return False
    if gold.percent:
        return _agree(_hundredth(gold), prediction)
    return _agree(gold, _hundredth(prediction))


def _hundredth(number: Number) -> Number:
    places = -1 if number.places < 0 else number.places + 2
    return Number(number.value / 100, places, number.digits)


def _agree(gold: Number, prediction: Number) -> bool:
    if gold.value == prediction.value:
        return True
    return stands_for(gold, prediction, GOLD_DIGITS) or stands_for(
        prediction, gold, PREDICTION_DIGITS
    )


def stands_for(decimal: Number, exact: Number, least_digits: int) -> bool:
    """Returns whether a decimal is `exact`, which is no decimal, rounded or cut off."""
    if decimal.places < 0 or decimal.digits < least_digits or exact.places >= 0:
        return False
    scale = 10**decimal.places
    if terminates(exact.value):
        return False
    scaled = exact.value * scale
    cut = abs(scaled.numerator) // scaled.denominator
    rounded = (abs(scaled) + Fraction(1, 2)).__floor__()
    shown = abs(decimal.value) * scale
    same_sign = (decimal.value < 0) == (exact.value < 0)
    return same_sign and shown in (cut, rounded)


def terminates(value: Fraction) -> bool:
    """Returns whether a rational number has a finite decimal form."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1
