"""Dates are (year, month, day), or the number of a day: 1 is the first of January of year 1."""

Date = tuple[int, int, int]

_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def is_leap(year: int) -> bool:
    """Says whether a year has 366 days."""
    if year % 400 == 0:
        return True
    return year % 4 == 0 and year % 100 != 0


def month_length(year: int, month: int) -> int:
    """Returns the number of days of a month."""
    if month < 1 or month > 12:
        raise ValueError(f"there is no month {month}")
    if month == 2 and is_leap(year):
        return 29
    return _LENGTHS[month - 1]


def valid(date: Date) -> bool:
    """Says whether there is such a date."""
    year, month, day = date
    return year >= 1 and 1 <= month <= 12 and 1 <= day <= month_length(year, month)


def day_of_year(date: Date) -> int:
    """Returns 1 for the first of January, up to 366."""
    year, month, day = date
    return sum(month_length(year, earlier) for earlier in range(1, month)) + day


def day_number(date: Date) -> int:
    """Returns how many days there are until a date, itself included."""
    if not valid(date):
        raise ValueError(f"there is no date {date}")
    before = date[0] - 1
    return before * 365 + before // 4 - before // 100 + before // 400 + day_of_year(date)


def date_of(number: int) -> Date:
    """Returns the date of a day number."""
    if number < 1:
        raise ValueError("days are counted from 1")
    # A year is 365.2425 days long on average: the estimate is at most one too small.
    year = (number - 1) * 400 // 146097 + 1
    while day_number((year, 12, 31)) < number:
        year += 1
    while day_number((year, 1, 1)) > number:
        year -= 1
    left = number - day_number((year, 1, 1)) + 1
    month = 1
    while left > month_length(year, month):
        left -= month_length(year, month)
        month += 1
    return year, month, left


def add_months(date: Date, months: int) -> Date:
    """Returns the date so many months later; a day that the month lacks becomes its last."""
    year, month, day = date
    count = year * 12 + (month - 1) + months
    year, month = count // 12, count % 12 + 1
    return year, month, min(day, month_length(year, month))
