"""What a new version must be called."""

from collections.abc import Sequence

from versions.numbers import Version, parse

KINDS = ("patch", "minor", "major")


def bump(text: str, kind: str, label: str = "") -> str:
    """Returns the next version of a kind; with a label what comes before it.

    The release that something comes before is next where it is large enough. A label that is there
    already gets the next number.
    """
    old = parse(text)
    if kind not in KINDS:
        raise ValueError(f"there is no kind {kind!r}")
    release = _raised(old, kind)
    if not label:
        return str(Version(*release))
    number = 1
    if old.release == release and old.label and old.label[0] == label:
        number = int(old.label[1]) + 1 if len(old.label) > 1 else 1
    return str(Version(*release, label=f"{label}.{number}"))


def _raised(old: Version, kind: str) -> tuple[int, int, int]:
    major, minor, patch = old.release
    if old.label:
        fits = {"patch": True, "minor": patch == 0, "major": minor == 0 and patch == 0}
        if fits[kind]:
            return old.release
    if kind == "major":
        return major + 1, 0, 0
    if kind == "minor":
        return major, minor + 1, 0
    return major, minor, patch + 1


def classify(old: str, new: str) -> str:
    """Returns what changed first: major, minor, patch, label, or nothing; back if it is older."""
    before, after = parse(old), parse(new)
    if after < before:
        return "back"
    for name, one, other in zip(
        ("major", "minor", "patch"), before.release, after.release, strict=True
    ):
        if one != other:
            return name
    return "nothing" if before == after else "label"


def next_release(text: str, messages: Sequence[str]) -> str:
    """Returns the version that follows from messages such as "fix: ..." or "feat!: ...".

    A mark of exclamation before the colon breaks something; before 1.0.0 this is a minor change.
    Messages of other kinds change nothing.
    """
    highest = -1
    for message in messages:
        head, colon, _ = message.partition(":")
        if not colon:
            continue
        if head.endswith("!"):
            highest = max(highest, 2 if parse(text).major > 0 else 1)
        elif head == "feat":
            highest = max(highest, 1)
        elif head == "fix":
            highest = max(highest, 0)
    return bump(text, KINDS[highest]) if highest >= 0 else text
