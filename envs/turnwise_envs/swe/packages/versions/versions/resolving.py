"""Choosing versions of packages that need each other."""

from collections.abc import Mapping

from versions.numbers import Version, parse
from versions.ranges import parse_range

Index = Mapping[str, Mapping[str, Mapping[str, str]]]


class Conflict(Exception):
    """There is no choice of versions that fits."""


def resolve(index: Index, wanted: Mapping[str, str]) -> dict[str, str]:
    """Returns a version for each package that is needed, as new as possible, sorted by name.

    Args:
        index: package, version, and the ranges of the packages that this version needs.
        wanted: ranges of the packages that are wanted.
    """
    needs = [(name, text) for name, text in sorted(wanted.items())]
    found = _choose(index, needs, {})
    if found is None:
        raise Conflict(f"no versions fit {', '.join(sorted(wanted))}")
    return {name: str(found[name]) for name in sorted(found)}


def _choose(
    index: Index, needs: list[tuple[str, str]], chosen: dict[str, Version]
) -> dict[str, Version] | None:
    """Tries the newest version first for each need, and goes back where it does not work."""
    if not needs:
        return chosen
    (name, text), *rest = needs
    allowed = parse_range(text)
    if name in chosen:
        return _choose(index, rest, chosen) if allowed.allows(chosen[name]) else None
    if name not in index:
        raise Conflict(f"there is no package {name}")
    for written in sorted(index[name], key=parse, reverse=True):
        version = parse(written)
        if not allowed.allows(version):
            continue
        more = sorted(index[name][written].items())
        found = _choose(index, [*rest, *more], {**chosen, name: version})
        if found is not None:
            return found
    return None


def outdated(index: Index, chosen: Mapping[str, str]) -> dict[str, str]:
    """Returns the newest release of each package of which an older version is chosen."""
    found = {}
    for name, text in sorted(chosen.items()):
        releases = [version for version in map(parse, index[name]) if not version.label]
        if releases and parse(text) < max(releases):
            found[name] = str(max(releases))
    return found
