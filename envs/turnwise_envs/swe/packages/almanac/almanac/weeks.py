"""Weeks begin on Monday, which is day 0 of the week."""

from almanac.days import Date, date_of, day_number, month_length

NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def weekday(date: Date) -> int:
    """Returns 0 for Monday up to 6 for Sunday."""
    return (day_number(date) - 1) % 7


def iso_week(date: Date) -> tuple[int, int]:
    """Returns year and number of the week of a date; a week belongs to the year of its Thursday."""
    thursday = date_of(day_number(date) - weekday(date) + 3)
    year = thursday[0]
    passed = day_number(thursday) - day_number((year, 1, 1))
    return year, passed // 7 + 1


def nth_weekday(year: int, month: int, which: int, nth: int) -> Date | None:
    """Returns the nth Monday, Tuesday, ... of a month, from its end if `nth` is negative.

    None where the month has not so many.
    """
    if nth == 0:
        raise ValueError("weekdays are counted from 1, or from -1")
    length = month_length(year, month)
    if nth > 0:
        day = (which - weekday((year, month, 1))) % 7 + 1 + (nth - 1) * 7
    else:
        day = length - (weekday((year, month, length)) - which) % 7 + (nth + 1) * 7
    return (year, month, day) if 1 <= day <= length else None


def month_table(year: int, month: int) -> list[str]:
    """Returns the lines of a month's calendar sheet: the names of the days, then a line a week."""
    cells = ["  "] * weekday((year, month, 1))
    cells += [f"{day:2}" for day in range(1, month_length(year, month) + 1)]
    lines = [" ".join(name[:2] for name in NAMES)]
    for start in range(0, len(cells), 7):
        lines.append(" ".join(cells[start : start + 7]).rstrip())
    return lines
