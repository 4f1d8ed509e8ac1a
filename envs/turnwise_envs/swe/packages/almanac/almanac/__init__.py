"""Dates of the Gregorian calendar as numbers of days, weeks, and dates that come again."""

from almanac.days import add_months, date_of, day_number, is_leap, month_length, valid
from almanac.holidays import easter, workdays
from almanac.rules import Rule, occurrences
from almanac.weeks import iso_week, month_table, nth_weekday, weekday

__all__ = [
    "Rule",
    "add_months",
    "date_of",
    "day_number",
    "easter",
    "is_leap",
    "iso_week",
    "month_length",
    "month_table",
    "nth_weekday",
    "occurrences",
    "valid",
    "weekday",
    "workdays",
]
