"""Feasts that move, and days on which people work."""

from collections.abc import Collection

from almanac.days import Date, date_of, day_number
from almanac.weeks import weekday


def easter(year: int) -> Date:
    """Returns Easter Sunday: the Sunday after the first full moon of spring."""
    golden = year % 19
    century = year // 100
    skipped = century - century // 4
    moon = (skipped - (8 * century + 13) // 25 + 19 * golden + 15) % 30
    if moon == 29 or (moon == 28 and golden > 10):
        moon -= 1
    full = day_number((year, 3, 21)) + moon
    return date_of(full + 7 - weekday(date_of(full + 1)))


def workdays(first: Date, last: Date, holidays: Collection[Date] = ()) -> int:
    """Returns how many days from first to last, both included, are for work."""
    days = range(day_number(first), day_number(last) + 1)
    return sum(1 for number in days if _is_workday(date_of(number), holidays))


def add_workdays(date: Date, days: int, holidays: Collection[Date] = ()) -> Date:
    """Returns the date `days` days of work later, or earlier if it is negative."""
    number = day_number(date)
    step = 1 if days > 0 else -1
    left = abs(days)
    while left > 0:
        number += step
        if _is_workday(date_of(number), holidays):
            left -= 1
    return date_of(number)


def _is_workday(date: Date, holidays: Collection[Date]) -> bool:
    return weekday(date) < 5 and date not in holidays
