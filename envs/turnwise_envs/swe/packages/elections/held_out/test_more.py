from fractions import Fraction

from elections import (
    Ballot,
    borda,
    by_divisors,
    by_remainders,
    condorcet,
    constituencies,
    first_choices,
    pairwise,
    runoff,
    schulze,
    tidy,
)


def given(**counts):
    return [Ballot([*names], count) for names, count in counts.items()]


def test_tidied_ballots_are_sorted():
    """Equal ballots are put together, the most frequent first, then by name."""
    found = tidy(given(cb=1, ab=2, ba=1, aab=9, xy=3, ca=0, xcxb=1), "abc")
    assert [("".join(ballot.ranking), ballot.count) for ballot in found] == [
        ("ab", 2),
        ("cb", 2),
        ("ba", 1),
    ]


def test_ballots_for_nobody_standing():
    """A ballot on which nobody is standing counts for nobody."""
    assert first_choices(given(xa=2, x=5, b=1), "ab") == {"a": 2, "b": 1}
    assert first_choices([], "b") == {"b": 0}


def test_who_is_not_named():
    """Who is not named comes after all who are, and not before others who are not."""
    table = pairwise(given(b=3, cab=1), "abcd")
    assert table["b"] == {"a": 3, "c": 3, "d": 4}
    assert table["a"] == {"b": 1, "c": 0, "d": 1}
    assert table["d"] == {"a": 0, "b": 0, "c": 0}


def test_points_of_short_ballots():
    """On short ballots points are the same for the same place."""
    assert borda(given(a=3, bc=2), "abcd") == {"a": 9, "b": 6, "c": 4, "d": 0}
    assert borda(given(axb=1), "ab") == {"a": 1, "b": -1}


def test_equal_pairs_are_no_victory():
    """Who is only as strong as another does not beat everybody."""
    assert condorcet(given(ab=2, ba=2), "ab") is None
    assert condorcet(given(ab=2, ba=1), "ab") == "a"
    assert condorcet([], "a") == "a"


def test_more_than_half():
    """Half of the votes is not enough to win at once."""
    assert len(runoff(given(a=3, b=2, c=1), "abc")) == 2
    assert len(runoff(given(a=4, b=2, c=1), "abc")) == 1


def test_ballots_that_are_used_up():
    """A ballot on which nobody is left does not count in later rounds."""
    rounds = runoff(given(a=4, b=3, cb=1, d=1), "abcd")
    assert rounds == [
        {"a": 4, "b": 3, "c": 1, "d": 1},
        {"a": 4, "b": 3, "c": 1},
        {"a": 4, "b": 4},
        {"a": 4},
    ]


def test_who_leaves_first():
    """Of two weakest the one with fewer votes in the round before leaves."""
    rounds = runoff(given(a=6, b=4, c=5, dbc=1), "abcd")
    assert rounds == [
        {"a": 6, "b": 4, "c": 5, "d": 1},
        {"a": 6, "b": 5, "c": 5},
        {"a": 6, "c": 6},
        {"a": 6},
    ]
    assert runoff(given(a=2, b=1, c=1), "abc")[1] == {"a": 2, "b": 1}


def test_the_strongest_paths():
    """The order by strongest paths is that of the known example."""
    ballots = given(acbed=5, adecb=5, bedac=8, cabed=3, caebd=7, cbade=2, dceba=7, ebadc=8)
    assert schulze(ballots, "abcde") == [["e"], ["a"], ["c"], ["b"], ["d"]]


def test_equal_candidates():
    """Candidates whom no path tells apart are equal."""
    assert schulze(given(abc=1, bca=1, cab=1), "abc") == [["a", "b", "c"]]
    assert schulze(given(ab=1, ba=1), "abc") == [["a", "b"], ["c"]]
    assert schulze(given(ba=1), "ab") == [["b"], ["a"]]


def test_all_seats_are_given():
    """However many seats there are, all are given, and more votes never get fewer."""
    votes = {"a": 471, "b": 158, "c": 158, "d": 96, "e": 7, "f": 0}
    for seats in range(30):
        for found in (by_divisors(votes, seats), by_remainders(votes, seats)):
            assert sum(found.values()) == seats
            assert list(found) == [*"abcde"]
            assert found["a"] >= found["b"] >= found["c"] >= found["d"] >= found["e"]


def test_known_quotients():
    """The seats by quotients are those of the known example."""
    votes = {"a": 340, "b": 280, "c": 160, "d": 60}
    assert by_divisors(votes, 7) == {"a": 3, "b": 3, "c": 1, "d": 0}
    assert by_divisors(votes, 7, step=2) == {"a": 3, "b": 2, "c": 1, "d": 1}
    assert by_divisors(votes, 7, first=3) == {"a": 4, "b": 3, "c": 0, "d": 0}


def test_equal_quotients():
    """Of equal quotients the larger party gets the seat, then the first by name."""
    assert by_divisors({"a": 10, "b": 20}, 2) == {"a": 0, "b": 2}
    assert by_divisors({"b": 5, "a": 5}, 3) == {"a": 2, "b": 1}
    assert by_divisors({}, 3) == by_divisors({"a": 0}, 3) == {}


def test_known_remainders():
    """The seats by remainders are those of whole quotas and the largest parts left."""
    votes = {"a": 470, "b": 160, "c": 158, "d": 120, "e": 61, "f": 31}
    assert by_remainders(votes, 10) == {"a": 5, "b": 2, "c": 1, "d": 1, "e": 1, "f": 0}
    assert by_remainders({"a": 1, "b": 1, "c": 1}, 2) == {"a": 1, "b": 1, "c": 0}


def test_thresholds_of_remainders():
    """Votes of parties below the threshold do not count for quotas."""
    found = by_remainders({"a": 60, "b": 36, "c": 4}, 8, threshold=Fraction(5, 100))
    assert found == {"a": 5, "b": 3}


def test_constituencies_without_surplus():
    """Without a surplus the parliament has its size; equal winners are taken by name."""
    results = {"n": {"a": 5, "b": 5}, "s": {"b": 7, "a": 1, "c": 6}}
    assert constituencies(results, 4) == ({"a": 1, "b": 2, "c": 1}, 0)
    assert constituencies({"n": {"a": 1, "b": 0}, "s": {"a": 1}}, 1) == ({"a": 2}, 1)
