"""Version numbers, ranges of them, and which versions go together."""

from versions.changes import bump, classify, next_release
from versions.numbers import Version, newest, parse
from versions.ranges import Range, parse_range
from versions.resolving import Conflict, resolve

__all__ = [
    "Conflict",
    "Range",
    "Version",
    "bump",
    "classify",
    "newest",
    "next_release",
    "parse",
    "parse_range",
    "resolve",
]
