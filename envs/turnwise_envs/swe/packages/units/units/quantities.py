"""Numbers with a unit."""

from fractions import Fraction

from units.names import UnitError, parse_unit, write_dimension


class Quantity:
    """An amount of something, kept in base units."""

    def __init__(self, amount: Fraction | int, unit: str = "") -> None:
        size, self.dimension = parse_unit(unit)
        self.base = amount * size

    @classmethod
    def of_base(cls, base: Fraction, dimension: tuple[int, ...]) -> "Quantity":
        """Returns so much of the base units."""
        result = cls(0)
        result.base, result.dimension = base, dimension
        return result

    def to(self, unit: str) -> Fraction:
        """Returns the number of units that this is."""
        size, dimension = parse_unit(unit)
        if dimension != self.dimension:
            raise UnitError(f"{unit!r} does not measure this")
        return Fraction(self.base) / size

    def show(self, unit: str | None = None, digits: int = 2) -> str:
        """Returns number and unit, by default the base units, without zeros at the end."""
        wanted = write_dimension(self.dimension) if unit is None else unit
        number = Fraction(self.base) if unit is None else self.to(unit)
        shown = f"{float(number):.{digits}f}"
        if "." in shown:
            shown = shown.rstrip("0").rstrip(".")
        return f"{shown} {wanted}" if wanted else shown

    def _same(self, other: "Quantity") -> Fraction:
        if self.dimension != other.dimension:
            raise UnitError("these measure different things")
        return other.base

    def __add__(self, other: "Quantity") -> "Quantity":
        return Quantity.of_base(self.base + self._same(other), self.dimension)

    def __sub__(self, other: "Quantity") -> "Quantity":
        return Quantity.of_base(self.base - self._same(other), self.dimension)

    def __mul__(self, other: "Quantity") -> "Quantity":
        powers = zip(self.dimension, other.dimension, strict=True)
        return Quantity.of_base(self.base * other.base, tuple(a + b for a, b in powers))

    def __truediv__(self, other: "Quantity") -> "Quantity":
        if other.base == 0:
            raise UnitError("nothing can be divided by nothing")
        powers = zip(self.dimension, other.dimension, strict=True)
        return Quantity.of_base(Fraction(self.base) / other.base, tuple(a - b for a, b in powers))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Quantity):
            return NotImplemented
        return self.base == other.base and self.dimension == other.dimension

    def __hash__(self) -> int:
        return hash((self.base, self.dimension))

    def __lt__(self, other: "Quantity") -> bool:
        return self.base < self._same(other)


def parse_quantity(text: str) -> Quantity:
    """Reads "12.5 km/h" or "3/4 h": a number, then a unit if there is one."""
    number, _, unit = text.strip().partition(" ")
    try:
        return Quantity(Fraction(number), unit.strip())
    except ValueError as error:
        raise UnitError(f"{number!r} is no number") from error
