"""Versions such as 1.2.3 or 1.2.3-beta.4."""

from collections.abc import Iterable


class Version:
    """A release, or what comes before one: then `label` has the parts behind the hyphen."""

    def __init__(self, major: int, minor: int = 0, patch: int = 0, label: str = "") -> None:
        self.major, self.minor, self.patch = major, minor, patch
        self.label = tuple(label.split(".")) if label else ()

    @property
    def release(self) -> tuple[int, int, int]:
        """The three numbers."""
        return self.major, self.minor, self.patch

    def _key(self) -> tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]:
        # Numbers come before words, and what comes before a release is older than it.
        parts = []
        for part in self.label:
            number = part.isdigit()
            parts.append((not number, int(part) if number else 0, part))
        return self.release, not self.label, tuple(parts)

    def __lt__(self, other: "Version") -> bool:
        return self._key() < other._key()

    def __le__(self, other: "Version") -> bool:
        return self._key() <= other._key()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __str__(self) -> str:
        numbers = ".".join(str(number) for number in self.release)
        return f"{numbers}-{'.'.join(self.label)}" if self.label else numbers


def parse(text: str) -> Version:
    """Reads a version; a "v" in front and what is behind a plus do not count."""
    core, _, _ = text.strip().removeprefix("v").partition("+")
    numbers, hyphen, label = core.partition("-")
    parts = numbers.split(".")
    if len(parts) > 3 or not all(part.isdigit() for part in parts):
        raise ValueError(f"{text!r} is no version")
    if hyphen and not all(label.split(".")):
        raise ValueError(f"{text!r} has an empty label")
    if any(len(part) > 1 and part.startswith("0") for part in parts):
        raise ValueError(f"{text!r} has a number that begins with 0")
    major, minor, patch = [*map(int, parts), 0, 0][:3]
    return Version(major, minor, patch, label)


def newest(texts: Iterable[str], early: bool = False) -> str | None:
    """Returns the newest version; without `early`, of the releases only if there are any."""
    found = sorted((parse(text) for text in texts), reverse=True)
    releases = [version for version in found if not version.label]
    if releases and not early:
        found = releases
    return str(found[0]) if found else None
