"""Ballots that rank candidates, the best first; those that are not named come last together."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass
class Ballot:
    """A ranking, and how many people gave it."""

    ranking: list[str]
    count: int = 1


def tidy(ballots: Sequence[Ballot], candidates: Collection[str]) -> list[Ballot]:
    """Returns valid ballots, equal ones together, the most frequent first.

    Names of people who do not stand are struck out. A ballot that names somebody twice, or nobody,
    is not valid.
    """
    counts: dict[tuple[str, ...], int] = {}
    for ballot in ballots:
        names = tuple(name for name in ballot.ranking if name in candidates)
        if not names or len(set(names)) < len(names) or ballot.count <= 0:
            continue
        counts[names] = counts.get(names, 0) + ballot.count
    ordered = sorted(counts, key=lambda names: (-counts[names], names))
    return [Ballot(list(names), counts[names]) for names in ordered]


def first_choices(ballots: Sequence[Ballot], standing: Collection[str]) -> dict[str, int]:
    """Returns how many ballots each candidate leads when only these are standing."""
    found = dict.fromkeys(sorted(standing), 0)
    for ballot in ballots:
        for name in ballot.ranking:
            if name in found:
                found[name] += ballot.count
                break
    return found


def pairwise(ballots: Sequence[Ballot], candidates: Collection[str]) -> dict[str, dict[str, int]]:
    """Returns how many people like one candidate better than another."""
    names = sorted(candidates)
    table = {one: {other: 0 for other in names if other != one} for one in names}
    for ballot in ballots:
        places = {name: place for place, name in enumerate(ballot.ranking)}
        for one in names:
            if one not in places:
                continue
            for other in table[one]:
                if other not in places or places[one] < places[other]:
                    table[one][other] += ballot.count
    return table


def winners(points: dict[str, int]) -> list[str]:
    """Returns who has the most points, sorted."""
    most = max(points.values())
    return sorted(name for name, number in points.items() if number == most)
