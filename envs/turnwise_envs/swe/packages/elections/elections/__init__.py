"""Counting votes: one vote each, rankings, and seats for parties."""

from elections.ballots import Ballot, first_choices, pairwise, tidy
from elections.rankings import borda, condorcet, runoff, schulze
from elections.seats import by_divisors, by_remainders, constituencies

__all__ = [
    "Ballot",
    "borda",
    "by_divisors",
    "by_remainders",
    "condorcet",
    "constituencies",
    "first_choices",
    "pairwise",
    "runoff",
    "schulze",
    "tidy",
]
