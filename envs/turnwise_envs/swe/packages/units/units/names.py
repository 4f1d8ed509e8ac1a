"""Units by name: what they measure, and how large they are."""

from fractions import Fraction


class UnitError(Exception):
    """A unit that is unknown, or that does not fit."""


BASE = ("m", "kg", "s")
_PREFIXES = {
    "k": Fraction(1000),
    "c": Fraction(1, 100),
    "m": Fraction(1, 1000),
    "M": Fraction(1000000),
}
_PREFIXED = ("m", "g", "s", "N", "J", "W")
_UNITS: dict[str, tuple[Fraction, tuple[int, int, int]]] = {
    "m": (Fraction(1), (1, 0, 0)),
    "ft": (Fraction(3048, 10000), (1, 0, 0)),
    "mi": (Fraction(1609344, 1000), (1, 0, 0)),
    "g": (Fraction(1, 1000), (0, 1, 0)),
    "t": (Fraction(1000), (0, 1, 0)),
    "s": (Fraction(1), (0, 0, 1)),
    "min": (Fraction(60), (0, 0, 1)),
    "h": (Fraction(3600), (0, 0, 1)),
    "N": (Fraction(1), (1, 1, -2)),
    "J": (Fraction(1), (2, 1, -2)),
    "W": (Fraction(1), (2, 1, -3)),
}


def known_units(dimension: tuple[int, int, int]) -> list[str]:
    """Returns the units without prefix that measure something, smallest first."""
    found = [name for name, (_, powers) in _UNITS.items() if powers == dimension]
    return sorted(found, key=lambda name: _UNITS[name][0])


def find_unit(name: str) -> tuple[Fraction, tuple[int, int, int]]:
    """Returns size and dimension of one unit, which may have a prefix."""
    if name in _UNITS:
        return _UNITS[name]
    prefix, rest = name[:1], name[1:]
    if prefix in _PREFIXES and rest in _PREFIXED:
        size, dimension = _UNITS[rest]
        return size * _PREFIXES[prefix], dimension
    raise UnitError(f"there is no unit {name!r}")


def parse_unit(text: str) -> tuple[Fraction, tuple[int, ...]]:
    """Returns size and dimension of a product such as "kg*m/s^2"; "" is a mere number.

    A stroke divides by the one unit behind it.
    """
    size = Fraction(1)
    dimension: tuple[int, ...] = (0, 0, 0)
    if not text:
        return size, dimension
    sign = 1
    for part in text.replace("*", " * ").replace("/", " / ").split():
        if part in "*/":
            sign = -1 if part == "/" else 1
            continue
        name, caret, exponent = part.partition("^")
        if caret and not exponent.lstrip("-").isdigit():
            raise UnitError(f"{exponent!r} is no exponent")
        times = sign * (int(exponent) if caret else 1)
        factor, powers = find_unit(name)
        size *= factor**times
        dimension = tuple(old + times * new for old, new in zip(dimension, powers, strict=True))
    return size, dimension


def write_dimension(dimension: tuple[int, ...]) -> str:
    """Returns a dimension as a product of base units, the powers below zero after a stroke."""
    above, below = [], []
    for name, exponent in zip(BASE, dimension, strict=True):
        if exponent > 0:
            above.append(name if exponent == 1 else f"{name}^{exponent}")
        elif exponent < 0:
            below.append(f"/{name}" if exponent == -1 else f"/{name}^{-exponent}")
    return "*".join(above) + "".join(below)
