"""Two lists that come from one, brought together."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from diffs.common import common


@dataclass
class Merge:
    """The lines, and (mine, theirs) for each place where both changed differently.

    There the lines have both versions between marks.
    """

    lines: list[str] = field(default_factory=list)
    conflicts: list[tuple[list[str], list[str]]] = field(default_factory=list)


def merge(base: Sequence[str], mine: Sequence[str], theirs: Sequence[str]) -> Merge:
    """Merges two changed versions of a list of lines."""
    to_mine, to_theirs = dict(common(base, mine)), dict(common(base, theirs))
    result = Merge()
    start = first_mine = first_theirs = 0
    stable = [place for place in range(len(base)) if place in to_mine and place in to_theirs]
    for place in [*stable, len(base)]:
        end_mine = to_mine.get(place, len(mine))
        end_theirs = to_theirs.get(place, len(theirs))
        _add(
            result,
            list(base[start:place]),
            list(mine[first_mine:end_mine]),
            list(theirs[first_theirs:end_theirs]),
        )
        if place < len(base):
            result.lines.append(base[place])
        start, first_mine, first_theirs = place + 1, end_mine + 1, end_theirs + 1
    return result


def _add(result: Merge, base: list[str], mine: list[str], theirs: list[str]) -> None:
    """Adds what lies between two lines that all three have."""
    if mine in (base, theirs):
        result.lines += theirs
    elif theirs == base:
        result.lines += mine
    else:
        result.conflicts.append((mine, theirs))
        result.lines += ["<<<", *mine, "===", *theirs, ">>>"]


def resolve(merged: Merge, choice: str) -> list[str]:
    """Returns the lines with "mine", "theirs" or "both" in the place of every conflict."""
    if choice not in ("mine", "theirs", "both"):
        raise ValueError(f"there is no choice {choice!r}")
    result = []
    side = ""
    for line in merged.lines:
        if line == "<<<":
            side = "mine"
        elif line == "===" and side == "mine":
            side = "theirs"
        elif line == ">>>" and side:
            side = ""
        elif side in ("", choice) or choice == "both":
            result.append(line)
    return result
