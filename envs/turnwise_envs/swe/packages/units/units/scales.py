"""Scales with a zero of their own, and sums told in several units."""

from collections.abc import Sequence
from fractions import Fraction

from units.names import UnitError
from units.quantities import Quantity

ABSOLUTE_ZERO = Fraction(-27315, 100)


def fahrenheit(celsius: Fraction | int) -> Fraction:
    """Returns degrees Fahrenheit; refuses what is colder than can be."""
    if celsius < ABSOLUTE_ZERO:
        raise UnitError("nothing is that cold")
    return Fraction(celsius) * 9 / 5 + 32


def celsius(fahrenheit: Fraction | int) -> Fraction:
    """Returns degrees Celsius; refuses what is colder than can be."""
    result = (Fraction(fahrenheit) - 32) * 5 / 9
    if result < ABSOLUTE_ZERO:
        raise UnitError("nothing is that cold")
    return result


def total(quantities: Sequence[Quantity]) -> Quantity:
    """Returns the sum of at least one quantity."""
    if not quantities:
        raise UnitError("a sum of nothing has no unit")
    result = quantities[0]
    for quantity in quantities[1:]:
        result = result + quantity
    return result


def split(quantity: Quantity, units: Sequence[str]) -> list[tuple[int, str]]:
    """Returns whole numbers of each unit, largest first; the last one is rounded to the nearest.

    Units of which there are none are left out, unless there would be nothing left.
    """
    ordered = sorted(units, key=lambda unit: Quantity(1, unit).base, reverse=True)
    smallest = ordered[-1]
    left = round(quantity.to(smallest))
    if left < 0:
        raise UnitError("only positive quantities can be split")
    result = []
    for unit in ordered:
        each = Quantity(1, unit).to(smallest)
        number = int(left // each)
        left -= number * each
        if number > 0:
            result.append((number, unit))
    return result or [(0, smallest)]
