"""Ranges: ">=1.2 <2", "^1.2.3", "~1.2", "1.x", several joined by "||"."""

from dataclasses import dataclass

from versions.numbers import Version, parse

_SIGNS = (">=", "<=", ">", "<", "^", "~", "=")


@dataclass
class Bound:
    """One condition."""

    sign: str
    version: Version

    def holds(self, version: Version) -> bool:
        """Says whether a version fulfils it."""
        if self.sign == ">=":
            return self.version <= version
        if self.sign == "<=":
            return version <= self.version
        if self.sign == ">":
            return self.version < version
        if self.sign == "<":
            return version < self.version
        return version == self.version


@dataclass
class Range:
    """Alternatives, each of conditions that must all hold."""

    alternatives: list[list[Bound]]

    def allows(self, version: Version) -> bool:
        """Says whether a version is in the range.

        Something before a release is only where a condition names one of the same release.
        """
        return any(_fits(bounds, version) for bounds in self.alternatives)

    def best(self, versions: list[Version]) -> Version | None:
        """Returns the newest version that is allowed, None if there is none."""
        found = [version for version in versions if self.allows(version)]
        return max(found) if found else None


def _fits(bounds: list[Bound], version: Version) -> bool:
    if not all(bound.holds(version) for bound in bounds):
        return False
    if not version.label:
        return True
    named = [bound.version for bound in bounds if bound.version.label]
    return any(other.release == version.release for other in named)


def parse_range(text: str) -> Range:
    """Reads a range; "*" and "" allow everything that is released."""
    alternatives = []
    for part in text.split("||"):
        bounds: list[Bound] = []
        for word in part.split():
            bounds += _bounds(word)
        alternatives.append(bounds)
    return Range(alternatives)


def _bounds(word: str) -> list[Bound]:
    sign = next((sign for sign in _SIGNS if word.startswith(sign)), "")
    rest = word.removeprefix(sign)
    if rest in ("*", "x"):
        return []
    fixed = [part for part in rest.split(".") if part not in ("x", "*")]
    version = parse(".".join(fixed))
    if sign in (">=", "<=", ">", "<"):
        return [Bound(sign, version)]
    if sign == "^":
        return _between(version, _caret(version))
    if sign == "~" or (not sign and len(fixed) < 3):
        return _between(version, _tilde(version, len(fixed)))
    return [Bound("=", version)]


def _between(first: Version, beyond: Version) -> list[Bound]:
    return [Bound(">=", first), Bound("<", beyond)]


def _caret(version: Version) -> Version:
    """Returns the first version that may break what works with this one."""
    if version.major > 0:
        return Version(version.major + 1)
    if version.minor > 0:
        return Version(0, version.minor + 1)
    return Version(0, 0, version.patch + 1)


def _tilde(version: Version, count: int) -> Version:
    if count == 1:
        return Version(version.major + 1)
    return Version(version.major, version.minor + 1)
