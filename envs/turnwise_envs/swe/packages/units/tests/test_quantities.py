from fractions import Fraction

import pytest
from units import Quantity, UnitError, fahrenheit, parse_quantity, split


def test_conversion():
    """A speed is converted exactly."""
    assert Quantity(90, "km/h").to("m/s") == 25


def test_what_does_not_fit():
    """A length is not converted to a time, nor added to one."""
    with pytest.raises(UnitError):
        Quantity(1, "m").to("s")
    with pytest.raises(UnitError):
        Quantity(1, "m") + Quantity(1, "s")


def test_calculating():
    """Products and ratios of quantities have the right units."""
    way, time = Quantity(3, "km"), Quantity(2, "min")
    assert (way / time).to("m/s") == 25
    assert (Quantity(2, "N") * Quantity(3, "m")) == Quantity(6, "J")


def test_showing():
    """A quantity is shown without superfluous zeros."""
    assert Quantity(1500, "m").show("km") == "1.5 km"
    assert Quantity(20, "m/s").show() == "20 m/s"


def test_reading():
    """Numbers with fractions are read together with their unit."""
    assert parse_quantity("3/4 h").to("min") == 45
    assert parse_quantity(" 12.5  km ").to("m") == 12500


def test_temperatures():
    """Water boils at 212 degrees Fahrenheit."""
    assert (fahrenheit(100), fahrenheit(Fraction(37, 2))) == (212, Fraction(653, 10))


def test_splitting():
    """A time is told in hours, minutes and seconds."""
    assert split(Quantity(3725, "s"), ["s", "min", "h"]) == [(1, "h"), (2, "min"), (5, "s")]
