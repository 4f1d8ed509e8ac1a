"""Seats in proportion to votes."""

from collections.abc import Mapping
from fractions import Fraction


def _allowed(votes: Mapping[str, int], threshold: Fraction) -> dict[str, int]:
    """Returns the parties that have at least a share of all votes."""
    least = sum(votes.values()) * threshold
    return {party: count for party, count in sorted(votes.items()) if count >= least and count > 0}


def by_divisors(
    votes: Mapping[str, int],
    seats: int,
    first: int = 1,
    step: int = 1,
    threshold: Fraction = Fraction(0),
) -> dict[str, int]:
    """Gives seats one after the other to the party with the highest quotient.

    Votes are divided by first, first + step, ...: 1, 1 is d'Hondt's rule, 1, 2 Sainte-Laguë's. Of
    equal quotients the one of the party with more votes is higher, then the first by name.
    """
    allowed = _allowed(votes, threshold)
    given = dict.fromkeys(allowed, 0)
    for _ in range(seats if given else 0):
        best = min(
            given,
            key=lambda party: (
                -Fraction(allowed[party], first + step * given[party]),
                -allowed[party],
                party,
            ),
        )
        given[best] += 1
    return given


def by_remainders(
    votes: Mapping[str, int], seats: int, threshold: Fraction = Fraction(0)
) -> dict[str, int]:
    """Gives whole quotas first, then a seat each for the largest remainders, by name if equal."""
    allowed = _allowed(votes, threshold)
    total = sum(allowed.values())
    given, remainders = {}, {}
    for party, count in allowed.items():
        given[party], remainders[party] = divmod(count * seats, total)
    left = seats - sum(given.values())
    ordered = sorted(allowed, key=lambda party: (-remainders[party], party))
    for party in ordered[:left]:
        given[party] += 1
    return given


def constituencies(
    results: Mapping[str, Mapping[str, int]], seats: int
) -> tuple[dict[str, int], int]:
    """Gives the seats of a parliament in which the winners of all constituencies sit.

    Parties get seats for all their votes together; a party that wins more constituencies keeps
    them, which makes the parliament larger. Returns the seats and by how many it is.
    """
    direct: dict[str, int] = {}
    votes: dict[str, int] = {}
    for counts in results.values():
        winner = min(counts, key=lambda party: (-counts[party], party))
        direct[winner] = direct.get(winner, 0) + 1
        for party, count in counts.items():
            votes[party] = votes.get(party, 0) + count
    given = by_divisors(votes, seats, step=2)
    larger = 0
    for party, count in direct.items():
        if count > given[party]:
            larger += count - given[party]
            given[party] = count
    return given, larger
