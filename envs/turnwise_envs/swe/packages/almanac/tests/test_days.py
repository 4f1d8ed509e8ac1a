import pytest
from almanac import add_months, date_of, day_number, is_leap, month_length, valid


def test_leap_years():
    """Every fourth year is a leap year, full centuries only every fourth time."""
    assert [is_leap(year) for year in (2023, 2024, 1900, 2000)] == [False, True, False, True]


def test_lengths_of_months():
    """February has 29 days in a leap year, and there is no month 13."""
    assert [month_length(2024, month) for month in (1, 2, 4, 12)] == [31, 29, 30, 31]
    with pytest.raises(ValueError):
        month_length(2024, 13)


def test_numbers_of_days():
    """Days are counted from the first of January of the year 1."""
    assert day_number((1, 1, 1)) == 1
    assert day_number((2000, 1, 1)) == 730120


def test_dates_of_numbers():
    """The date of a day number is the date that has this number."""
    assert date_of(730120) == (2000, 1, 1)
    assert date_of(366) == (2, 1, 1)


def test_dates_that_are_none():
    """The 29th of February is a date in leap years only."""
    assert valid((2024, 2, 29)) is True
    assert valid((2023, 2, 29)) is False
    with pytest.raises(ValueError):
        day_number((2023, 2, 29))


def test_months_later():
    """A month after the end of January is the end of February."""
    assert add_months((2023, 1, 31), 1) == (2023, 2, 28)
    assert add_months((2023, 11, 15), 3) == (2024, 2, 15)
