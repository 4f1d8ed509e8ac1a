import pytest
from almanac import (
    Rule,
    add_months,
    date_of,
    day_number,
    easter,
    iso_week,
    month_length,
    month_table,
    nth_weekday,
    occurrences,
    valid,
    weekday,
    workdays,
)
from almanac.days import day_of_year
from almanac.holidays import add_workdays


def test_every_day_of_some_years():
    """Numbers and dates agree on the first and last days of months and years."""
    number = day_number((1896, 1, 1))
    for year in range(1896, 1906):
        for month in range(1, 13):
            assert day_number((year, month, 1)) == number
            assert date_of(number) == (year, month, 1)
            number += month_length(year, month)
            assert date_of(number - 1) == (year, month, month_length(year, month))


def test_ends_of_centuries():
    """The last days of long periods have their own dates."""
    for year in (4, 100, 399, 400, 2000):
        assert date_of(day_number((year, 12, 31))) == (year, 12, 31)
    assert day_number((400, 12, 31)) == 146097
    with pytest.raises(ValueError):
        date_of(0)


def test_the_day_of_the_year():
    """Days of a year are counted up to 365 or 366."""
    assert [day_of_year(date) for date in ((2023, 12, 31), (2024, 12, 31))] == [365, 366]
    assert [day_of_year(date) for date in ((2024, 1, 1), (2024, 3, 1))] == [1, 61]


def test_what_is_a_date():
    """Months and days below 1, days too many, and years before the first are no dates."""
    for bad in ((0, 1, 1), (2024, 0, 1), (2024, 13, 1), (2024, 4, 0), (2024, 4, 31)):
        assert valid(bad) is False
    assert valid((1, 12, 31)) is True
    with pytest.raises(ValueError):
        month_length(2024, 0)


def test_months_before():
    """Months are taken away over the turn of the year, and leap days are kept where they are."""
    assert add_months((2024, 1, 31), -2) == (2023, 11, 30)
    assert add_months((2024, 2, 29), -12) == (2023, 2, 28)
    assert add_months((2024, 2, 29), 48) == (2028, 2, 29)
    assert add_months((2023, 12, 5), 0) == (2023, 12, 5)


def test_week_numbers():
    """The year of a week may be the next one; week 53 is rare."""
    assert iso_week((2018, 12, 31)) == (2019, 1)
    assert iso_week((2016, 1, 1)) == (2015, 53)
    assert iso_week((2024, 12, 29)) == (2024, 52)
    assert iso_week((2024, 7, 4)) == (2024, 27)


def test_a_fifth_weekday():
    """Where a month has no fifth such weekday there is none; there is no weekday 0."""
    assert nth_weekday(2024, 2, 3, 5) == (2024, 2, 29)
    assert nth_weekday(2024, 2, 4, 5) is None
    assert nth_weekday(2024, 2, 3, -5) == (2024, 2, 1)
    assert nth_weekday(2024, 2, 4, -5) is None
    assert nth_weekday(2024, 9, 6, 1) == (2024, 9, 1)
    with pytest.raises(ValueError):
        nth_weekday(2024, 2, 3, 0)


def test_a_sheet_that_starts_late():
    """The first line of a calendar sheet is indented up to its first day."""
    lines = month_table(2024, 9)
    assert (lines[1], lines[-1], len(lines)) == (" " * 19 + "1".rjust(1), "30", 7)
    assert len(month_table(2021, 2)) == 5


def test_ends_of_months_come_again():
    """A rule for the 31st takes the last day of shorter months, and 31 again after them."""
    found = occurrences(Rule("month"), (2024, 1, 31), (2024, 4, 30))
    assert found == [(2024, 1, 31), (2024, 2, 29), (2024, 3, 31), (2024, 4, 30)]
    found = occurrences(Rule("year", every=2), (2024, 2, 29), (2028, 2, 28))
    assert found == [(2024, 2, 29), (2026, 2, 28)]


def test_rules_with_a_count():
    """A rule ends after its count, or at its last date, whichever is first."""
    rule = Rule("day", every=10, count=3)
    assert occurrences(rule, (2024, 1, 1), (2024, 12, 1)) == [
        (2024, 1, 1),
        (2024, 1, 11),
        (2024, 1, 21),
    ]
    assert len(occurrences(rule, (2024, 1, 1), (2024, 1, 20))) == 2
    assert len(occurrences(Rule("week", every=2), (2024, 1, 1), (2024, 1, 29))) == 3
    found = occurrences(Rule("week", every=2, on=(6, 0)), (2024, 1, 1), (2024, 1, 21))
    assert found == [(2024, 1, 1), (2024, 1, 7), (2024, 1, 15), (2024, 1, 21)]


def test_rules_that_are_none():
    """Rules that do not go on, or have an unknown unit, are refused."""
    with pytest.raises(ValueError):
        occurrences(Rule("day", every=0), (2024, 1, 1), (2024, 1, 2))
    with pytest.raises(ValueError, match="fortnight"):
        occurrences(Rule("fortnight"), (2024, 1, 1), (2024, 1, 2))


def test_easter_in_many_years():
    """Easter is at its known dates, the earliest and the latest ones too."""
    known = {1818: (3, 22), 1943: (4, 25), 1954: (4, 18), 1981: (4, 19), 2008: (3, 23)}
    known |= {2000: (4, 23), 2019: (4, 21), 2025: (4, 20), 2100: (3, 28)}
    for year, date in known.items():
        assert easter(year) == (year, *date)
        assert weekday((year, *date)) == 6


def test_work_around_holidays():
    """Holidays in the week are free; days of work are counted forwards and backwards."""
    holidays = [(2024, 12, 25), (2024, 12, 26), (2024, 12, 29)]
    assert workdays((2024, 12, 23), (2024, 12, 31), holidays) == 5
    assert add_workdays((2024, 12, 24), 1, holidays) == (2024, 12, 27)
    assert add_workdays((2024, 12, 30), -2, holidays) == (2024, 12, 24)
    assert add_workdays((2024, 12, 28), 0, holidays) == (2024, 12, 28)
