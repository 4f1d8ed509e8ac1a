"""Dates that come again and again."""

from dataclasses import dataclass

from almanac.days import Date, add_months, date_of, day_number
from almanac.weeks import weekday


@dataclass
class Rule:
    """Every `every` days, weeks, months or years; with `on`, weeks have these days."""

    unit: str
    every: int = 1
    on: tuple[int, ...] = ()
    count: int = 0
    """How many dates there are at most, 0 for any number."""


def occurrences(rule: Rule, start: Date, until: Date) -> list[Date]:
    """Returns the dates of a rule that begins at `start`, up to `until`, which belongs to them."""
    if rule.every < 1:
        raise ValueError("a rule must go on")
    last = day_number(until)
    if rule.unit in ("month", "year"):
        found = _by_months(rule.every * (12 if rule.unit == "year" else 1), start, last)
    elif rule.unit == "week" and rule.on:
        found = _by_weeks(rule, start, last)
    elif rule.unit in ("day", "week"):
        step = rule.every * (7 if rule.unit == "week" else 1)
        found = [date_of(number) for number in range(day_number(start), last + 1, step)]
    else:
        raise ValueError(f"there is no unit {rule.unit!r}")
    return found[: rule.count] if rule.count > 0 else found


def _by_months(step: int, start: Date, last: int) -> list[Date]:
    """Steps from the start, so that a short month shortens no other; months too short count."""
    found: list[Date] = []
    months = 0
    while True:
        date = add_months(start, months)
        if day_number(date) > last:
            return found
        found.append(date)
        months += step


def _by_weeks(rule: Rule, start: Date, last: int) -> list[Date]:
    first = day_number(start)
    monday = first - weekday(start)
    found: list[Date] = []
    while monday <= last:
        for day in sorted(set(rule.on)):
            if first <= monday + day <= last:
                found.append(date_of(monday + day))
        monday += 7 * rule.every
    return found
