"""The longest common part of two lists, and what is not in it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """Lines from `start` to `end` of the old list become lines from `first` to `last` of the new.

    The ends do not belong to it.
    """

    start: int
    end: int
    first: int
    last: int


def common(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Returns the places of a longest common subsequence, as early as possible in the old list."""
    table = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in range(len(old) - 1, -1, -1):
        for j in range(len(new) - 1, -1, -1):
            if old[i] == new[j]:
                table[i][j] = table[i + 1][j + 1] + 1
            else:
                table[i][j] = max(table[i + 1][j], table[i][j + 1])
    found = []
    i = j = 0
    while i < len(old) and j < len(new):
        if old[i] == new[j]:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif table[i][j + 1] >= table[i + 1][j]:
            j += 1
        else:
            i += 1
    return found


def changes(old: Sequence[str], new: Sequence[str]) -> list[Change]:
    """Returns the changes that make the new list of the old one, in order."""
    found = []
    start = first = 0
    for i, j in [*common(old, new), (len(old), len(new))]:
        if i > start or j > first:
            found.append(Change(start, i, first, j))
        start, first = i + 1, j + 1
    return found
