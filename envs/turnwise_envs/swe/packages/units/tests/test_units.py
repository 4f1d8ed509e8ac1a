from fractions import Fraction

import pytest
from units import UnitError, known_units, parse_unit


def test_prefixes():
    """A prefix makes a unit larger or smaller."""
    assert parse_unit("km") == (1000, (1, 0, 0))
    assert parse_unit("mg")[0] == Fraction(1, 1000000)


def test_min_is_no_prefix():
    """A name that is a unit by itself is not read as a prefix and another unit."""
    assert parse_unit("min") == (60, (0, 0, 1))
    assert parse_unit("m") == (1, (1, 0, 0))


def test_products():
    """In a product exponents add up, and a stroke divides by the next unit only."""
    assert parse_unit("kg*m/s^2") == parse_unit("N")
    assert parse_unit("m/s*kg")[1] == (1, 1, -1)


def test_unknown_units():
    """Names that nobody knows, and exponents that are none, are refused."""
    for bad in ("parsec", "kmi", "m^x", "m^"):
        with pytest.raises(UnitError):
            parse_unit(bad)


def test_units_for_a_dimension():
    """The units of a length are listed from small to large."""
    assert known_units((1, 0, 0)) == ["ft", "m", "mi"]
