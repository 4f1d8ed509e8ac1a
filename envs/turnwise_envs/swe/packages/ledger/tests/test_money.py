import pytest
from ledger import allocate, format_cents, parse_cents


def test_amounts_are_read():
    """Amounts with thousands separators, signs and short fractions are read as cents."""
    assert parse_cents("1,234.50") == 123450
    assert parse_cents("-3") == -300
    assert parse_cents("0.5") == 50


def test_wrong_amounts_are_refused():
    """A text with three decimals, or without digits, is refused as an amount."""
    for text in ("1.234", "", "-"):
        with pytest.raises(ValueError):
            parse_cents(text)


def test_amounts_are_written():
    """Amounts are written with two decimals and thousands separators."""
    assert format_cents(123450) == "1,234.50"
    assert format_cents(7) == "0.07"


def test_an_even_division():
    """An amount that divides evenly is divided in proportion."""
    assert allocate(900, [1, 2]) == [300, 600]


def test_a_rest_goes_to_the_first():
    """Cents that do not divide evenly go to the first shares."""
    assert allocate(100, [1, 1, 1]) == [34, 33, 33]
