from fractions import Fraction

import pytest
from units import (
    Quantity,
    UnitError,
    celsius,
    fahrenheit,
    known_units,
    parse_quantity,
    parse_unit,
    split,
    total,
)


def test_there_and_back():
    """Converting there and back gives the same number."""
    for unit in ("ft", "mi", "cm", "m", "km", "Mm"):
        assert Quantity(Quantity(7, unit).to("ft"), "ft").to(unit) == 7


def test_sizes_of_derived_units():
    """Derived units have the size and dimension of their definition."""
    assert parse_unit("kW*h") == (3600000, (2, 1, -2))
    assert parse_unit("J/s") == parse_unit("W")
    assert parse_unit("cm^3") == (Fraction(1, 1000000), (3, 0, 0))
    assert parse_unit("t/m^3") == (1000, (-3, 1, 0))


def test_negative_exponents():
    """A negative exponent divides, and after a stroke it multiplies."""
    assert parse_unit("s^-2*m") == parse_unit("m/s^2")
    assert parse_unit("m/s^-1") == parse_unit("m*s")
    assert parse_unit("") == (1, (0, 0, 0))


def test_which_units_take_prefixes():
    """Only some units have prefixes, and a prefix alone is no unit."""
    for bad in ("kft", "kmin", "kh", "k", "mkm", "xm"):
        with pytest.raises(UnitError):
            parse_unit(bad)
    assert known_units((0, 0, 1)) == ["s", "min", "h"]
    assert known_units((9, 9, 9)) == []


def test_base_units_are_written():
    """Without a unit, quantities are shown as products of base units."""
    assert Quantity(5, "N").show() == "5 m*kg/s^2"
    assert Quantity(2, "s^-1").show() == "2 /s"
    assert Quantity(Fraction(1, 3)).show() == "0.33"
    assert Quantity(100, "m^2").show(digits=0) == "100 m^2"
    assert Quantity(1, "mi").show("km", digits=4) == "1.6093 km"


def test_comparing():
    """Quantities are compared by size, equal ones are equal whatever their unit."""
    assert Quantity(1, "ft") < Quantity(1, "m")
    assert not Quantity(100, "cm") < Quantity(1, "m")
    assert Quantity(100, "cm") == Quantity(1, "m")
    assert hash(Quantity(60, "s")) == hash(Quantity(1, "min"))
    assert Quantity(1, "m") != Quantity(1, "s")
    with pytest.raises(UnitError):
        min(Quantity(1, "m"), Quantity(1, "g"))


def test_differences():
    """Differences may be negative; ratios of the same kind are mere numbers."""
    left = Quantity(1, "h") - Quantity(90, "min")
    assert left.to("min") == -30
    assert (Quantity(1, "h") / Quantity(1, "min")).to("") == 60
    with pytest.raises(UnitError, match="divided"):
        Quantity(1, "m") / Quantity(0, "s")


def test_reading_mistakes():
    """A text without a number is refused; one without a unit is a number."""
    for bad in ("", "km", "1,5 km", "1 2 m"):
        with pytest.raises(UnitError):
            parse_quantity(bad)
    assert parse_quantity("-2").to("") == -2


def test_sums():
    """Quantities of one kind add up, in any units; nothing has no sum."""
    assert total([Quantity(1, "km"), Quantity(20, "m"), Quantity(300, "cm")]).to("m") == 1023
    assert total([Quantity(4, "g")]).to("g") == 4
    with pytest.raises(UnitError):
        total([])


def test_temperatures_there_and_back():
    """The two scales of temperature agree, down to the absolute zero."""
    for degrees in (-40, 0, 37):
        assert celsius(fahrenheit(degrees)) == degrees
    assert fahrenheit(-40) == -40
    assert celsius(fahrenheit(Fraction(-27315, 100))) == Fraction(-27315, 100)
    with pytest.raises(UnitError):
        fahrenheit(-274)
    with pytest.raises(UnitError):
        celsius(-460)


def test_splitting_rounds_the_last():
    """The smallest unit is rounded, and units of which there are none are left out."""
    assert split(Quantity(Fraction(71999, 10), "s"), ["h", "s"]) == [(2, "h")]
    assert split(Quantity(0, "s"), ["min", "h"]) == [(0, "min")]
    assert split(Quantity(3601, "s"), ["h", "min", "s"]) == [(1, "h"), (1, "s")]
    assert split(Quantity(1234, "m"), ["m", "km"]) == [(1, "km"), (234, "m")]
    with pytest.raises(UnitError, match="positive"):
        split(Quantity(-5, "s"), ["s"])
