from fractions import Fraction

from elections import by_divisors, by_remainders, constituencies

VOTES = {"red": 53, "green": 24, "blue": 23}


def test_highest_quotients():
    """Seats go to the highest quotients."""
    assert by_divisors(VOTES, 7) == {"red": 4, "green": 2, "blue": 1}


def test_other_divisors():
    """Odd divisors are better for small parties."""
    votes = {"red": 53, "green": 10}
    assert by_divisors(votes, 4) == {"red": 4, "green": 0}
    assert by_divisors(votes, 4, step=2) == {"red": 3, "green": 1}


def test_largest_remainders():
    """After whole quotas the largest remainders get a seat each."""
    assert by_remainders(VOTES, 7) == {"blue": 1, "green": 2, "red": 4}


def test_thresholds():
    """Parties below the threshold get no seat, a party that just reaches it does."""
    found = by_divisors(VOTES, 10, threshold=Fraction(24, 100))
    assert found == {"red": 7, "green": 3}


def test_a_parliament_grows():
    """A party that wins more constituencies than it has seats keeps them."""
    results = {"north": {"red": 4, "blue": 3}, "south": {"red": 4, "blue": 3}, "west": {"blue": 9}}
    assert constituencies(results, 2) == ({"red": 2, "blue": 1}, 1)
