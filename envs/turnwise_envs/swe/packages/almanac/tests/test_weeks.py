from almanac import Rule, easter, iso_week, month_table, nth_weekday, occurrences, weekday, workdays


def test_days_of_the_week():
    """The first of January 2000 was a Saturday."""
    assert weekday((2000, 1, 1)) == 5
    assert weekday((2024, 7, 1)) == 0


def test_weeks_at_new_year():
    """A week belongs to the year that has most of its days."""
    assert iso_week((2021, 1, 3)) == (2020, 53)
    assert iso_week((2021, 1, 4)) == (2021, 1)


def test_second_monday():
    """The nth weekday of a month is counted from its begin, or from its end."""
    assert nth_weekday(2024, 7, 0, 2) == (2024, 7, 8)
    assert nth_weekday(2024, 7, 0, -1) == (2024, 7, 29)


def test_a_sheet():
    """A calendar sheet starts each line with Monday."""
    assert month_table(2021, 2)[:3] == [
        "Mo Tu We Th Fr Sa Su",
        " 1  2  3  4  5  6  7",
        " 8  9 10 11 12 13 14",
    ]


def test_dates_that_come_again():
    """A rule for some days of the week begins at its start and ends with its last date."""
    found = occurrences(Rule("week", on=(0, 3)), (2024, 7, 2), (2024, 7, 11))
    assert found == [(2024, 7, 4), (2024, 7, 8), (2024, 7, 11)]


def test_feasts_and_work():
    """Easter is where it was, and nobody works at weekends."""
    assert easter(2024) == (2024, 3, 31)
    assert workdays((2024, 7, 1), (2024, 7, 14)) == 10
