"""Quantities with units of measurement, exact to the fraction."""

from units.names import UnitError, known_units, parse_unit
from units.quantities import Quantity, parse_quantity
from units.scales import celsius, fahrenheit, split, total

__all__ = [
    "Quantity",
    "UnitError",
    "celsius",
    "fahrenheit",
    "known_units",
    "parse_quantity",
    "parse_unit",
    "split",
    "total",
]
