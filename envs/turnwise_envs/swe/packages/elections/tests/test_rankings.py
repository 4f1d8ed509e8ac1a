from elections import Ballot, borda, condorcet, first_choices, pairwise, runoff, tidy


def ballots():
    return [Ballot([*names], count) for names, count in (("abc", 4), ("bca", 3), ("cba", 2))]


def test_first_choices():
    """A ballot counts for the first on it who is standing."""
    assert first_choices(ballots(), "abc") == {"a": 4, "b": 3, "c": 2}
    assert first_choices(ballots(), "ab") == {"a": 4, "b": 5}


def test_pairs():
    """For each pair it is counted who is liked better."""
    assert pairwise(ballots(), "abc")["b"] == {"a": 5, "c": 7}


def test_who_beats_everybody():
    """Who wins against each other candidate is found, and nobody if there is none."""
    assert condorcet(ballots(), "abc") == "b"
    circle = [Ballot([*names]) for names in ("abc", "bca", "cab")]
    assert condorcet(circle, "abc") is None


def test_points():
    """Points depend on the place on each ballot."""
    assert borda(ballots(), "abc") == {"a": 8, "b": 12, "c": 7}


def test_rounds():
    """The weakest leaves, until somebody has more than half."""
    assert runoff(ballots(), "abc") == [{"a": 4, "b": 3, "c": 2}, {"a": 4, "b": 5}]


def test_ballots_that_are_not_valid():
    """Ballots that name somebody twice do not count, unknown names are struck out."""
    found = tidy([Ballot(["a", "x", "b"]), Ballot(["a", "a"]), Ballot(["a", "b"], 2)], "ab")
    assert [(ballot.ranking, ballot.count) for ballot in found] == [(["a", "b"], 3)]
