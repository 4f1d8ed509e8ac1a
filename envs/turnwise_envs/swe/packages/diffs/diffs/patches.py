"""Patches: changes with the lines around them.

A hunk is the number of its first old line, from 0, and lines with a sign in front: a blank for
what stays, "-" for what goes and "+" for what comes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from diffs.common import Change, changes

_OPPOSITE = {"+": "-", "-": "+", " ": " "}


class PatchError(ValueError):
    """A patch that cannot be read, or does not fit."""


@dataclass
class Hunk:
    """Changes that are near each other."""

    start: int
    lines: list[str]

    @property
    def old(self) -> list[str]:
        """The lines that it wants to find."""
        return [line[1:] for line in self.lines if line[0] != "+"]

    @property
    def new(self) -> list[str]:
        """The lines that it leaves."""
        return [line[1:] for line in self.lines if line[0] != "-"]


def hunks(old: Sequence[str], new: Sequence[str], around: int = 2) -> list[Hunk]:
    """Returns the changes with `around` lines before and behind; those that touch are joined."""
    groups: list[list[Change]] = []
    for change in changes(old, new):
        if groups and change.start - groups[-1][-1].end <= 2 * around:
            groups[-1].append(change)
        else:
            groups.append([change])
    return [_hunk(old, new, group, around) for group in groups]


def _hunk(old: Sequence[str], new: Sequence[str], group: Sequence[Change], around: int) -> Hunk:
    place = begin = max(0, group[0].start - around)
    lines: list[str] = []
    for change in group:
        lines += [f" {line}" for line in old[place : change.start]]
        lines += [f"-{line}" for line in old[change.start : change.end]]
        lines += [f"+{line}" for line in new[change.first : change.last]]
        place = change.end
    lines += [f" {line}" for line in old[place : place + around]]
    return Hunk(begin, lines)


def apply(lines: Sequence[str], patch: Sequence[Hunk], farthest: int = 3) -> list[str]:
    """Returns the lines after a patch, which may fit up to `farthest` lines from where it says."""
    result: list[str] = []
    done = shift = 0
    for number, hunk in enumerate(patch, start=1):
        place = _find(lines, hunk, hunk.start + shift, done, farthest)
        if place is None:
            raise PatchError(f"hunk {number} does not fit")
        shift = place - hunk.start
        result += lines[done:place]
        result += hunk.new
        done = place + len(hunk.old)
    return result + list(lines[done:])


def _find(lines: Sequence[str], hunk: Hunk, expected: int, first: int, farthest: int) -> int | None:
    """Returns the place nearest to the expected one where a hunk fits, the earlier of two."""
    wanted = hunk.old
    for distance in range(farthest + 1):
        for place in (expected - distance, expected + distance):
            if place >= first and list(lines[place : place + len(wanted)]) == wanted:
                return place
    return None


def reverse(patch: Sequence[Hunk]) -> list[Hunk]:
    """Returns the patch that takes a patch back."""
    result = []
    shift = 0
    for hunk in patch:
        lines = [_OPPOSITE[line[0]] + line[1:] for line in hunk.lines]
        result.append(Hunk(hunk.start + shift, lines))
        shift += len(hunk.new) - len(hunk.old)
    return result


def write_patch(patch: Sequence[Hunk]) -> str:
    """Returns a patch as text: before each hunk a line with its place and its sizes."""
    lines = []
    for hunk in patch:
        lines.append(f"@ {hunk.start + 1} -{len(hunk.old)} +{len(hunk.new)}")
        lines += hunk.lines
    return "".join(line + "\n" for line in lines)


def read_patch(text: str) -> list[Hunk]:
    """Reverses `write_patch`, and checks the sizes."""
    patch: list[Hunk] = []
    sizes: list[list[str]] = []
    for line in text.split("\n")[:-1]:
        if line.startswith("@"):
            parts = line.split()
            if len(parts) != 4 or not parts[1].isdigit():
                raise PatchError(f"{line!r} is no head of a hunk")
            patch.append(Hunk(int(parts[1]) - 1, []))
            sizes.append(parts[2:])
        elif not patch or line[:1] not in _OPPOSITE:
            raise PatchError(f"{line!r} is at a wrong place")
        else:
            patch[-1].lines.append(line)
    for hunk, size in zip(patch, sizes, strict=True):
        if size != [f"-{len(hunk.old)}", f"+{len(hunk.new)}"]:
            raise PatchError(f"the hunk at line {hunk.start + 1} is not complete")
    return patch
