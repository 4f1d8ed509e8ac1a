"""Changes within a line."""

from diffs.common import changes, common


def _words(line: str) -> list[str]:
    """Returns words and what is between them, one character each."""
    found: list[str] = []
    joined = False
    for letter in line:
        if letter.isalnum() and joined:
            found[-1] += letter
        else:
            found.append(letter)
        joined = letter.isalnum()
    return found


def inline(old: str, new: str) -> str:
    """Returns a line in which what goes is in square brackets, and what comes in braces."""
    before, after = _words(old), _words(new)
    result = []
    place = 0
    for change in changes(before, after):
        result.append("".join(before[place : change.start]))
        if change.end > change.start:
            result.append(f"[{''.join(before[change.start : change.end])}]")
        if change.last > change.first:
            result.append(f"{{{''.join(after[change.first : change.last])}}}")
        place = change.end
    return "".join(result) + "".join(before[place:])


def similarity(old: str, new: str) -> float:
    """Returns the share of the characters that two lines have in common, from 0 to 1."""
    if not old and not new:
        return 1.0
    return 2 * len(common(old, new)) / (len(old) + len(new))


def renamed(old: dict[str, str], new: dict[str, str], least: float = 0.6) -> dict[str, str]:
    """Returns for files that are gone the most similar of those that are new, each once.

    The most similar pairs are taken first, and none that is less similar than `least`.
    """
    gone = sorted(set(old) - set(new))
    come = sorted(set(new) - set(old))
    pairs = [(-similarity(old[one], new[other]), one, other) for one in gone for other in come]
    found: dict[str, str] = {}
    for negative, one, other in sorted(pairs):
        if -negative >= least and one not in found and other not in found.values():
            found[one] = other
    return found
