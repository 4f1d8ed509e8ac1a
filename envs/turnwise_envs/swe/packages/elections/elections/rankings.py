"""Who wins by rankings."""

from collections.abc import Collection, Sequence

from elections.ballots import Ballot, first_choices, pairwise, winners


def borda(ballots: Sequence[Ballot], candidates: Collection[str]) -> dict[str, int]:
    """Returns points: the last of n candidates gets 0, the first n - 1, who is not named 0."""
    points = dict.fromkeys(sorted(candidates), 0)
    highest = len(points) - 1
    for ballot in ballots:
        for place, name in enumerate(ballot.ranking):
            if name in points:
                points[name] += (highest - place) * ballot.count
    return points


def condorcet(ballots: Sequence[Ballot], candidates: Collection[str]) -> str | None:
    """Returns who beats everybody else, None if nobody does."""
    table = pairwise(ballots, candidates)
    for one in table:
        if all(table[one][other] > table[other][one] for other in table[one]):
            return one
    return None


def runoff(ballots: Sequence[Ballot], candidates: Collection[str]) -> list[dict[str, int]]:
    """Returns the counts of each round, until somebody has more than half of those that count.

    The one with the fewest first choices leaves; of several the one with the fewest in the round
    before, or else the last by name.
    """
    standing = set(candidates)
    rounds: list[dict[str, int]] = []
    while True:
        counts = first_choices(ballots, standing)
        rounds.append(counts)
        if 2 * max(counts.values()) > sum(counts.values()) or len(standing) == 1:
            return rounds
        standing.remove(_weakest(counts, rounds))


def _weakest(counts: dict[str, int], rounds: list[dict[str, int]]) -> str:
    fewest = min(counts.values())
    last = [name for name, count in counts.items() if count == fewest]
    if len(last) > 1 and len(rounds) > 1:
        before = rounds[-2]
        least = min(before[name] for name in last)
        last = [name for name in last if before[name] == least]
    return max(last)


def schulze(ballots: Sequence[Ballot], candidates: Collection[str]) -> list[list[str]]:
    """Returns the candidates from best to worst by strongest paths, equal ones together."""
    table = pairwise(ballots, candidates)
    strength = {
        one: {o: (n if n > table[o][one] else 0) for o, n in row.items()}
        for one, row in table.items()
    }
    for middle in strength:
        for one in strength:
            for other in strength:
                if len({one, middle, other}) == 3:
                    over = min(strength[one][middle], strength[middle][other])
                    strength[one][other] = max(strength[one][other], over)
    wins = {
        one: sum(number > strength[other][one] for other, number in row.items())
        for one, row in strength.items()
    }
    result = []
    while wins:
        best = winners(wins)
        result.append(best)
        wins = {name: number for name, number in wins.items() if name not in best}
    return result
