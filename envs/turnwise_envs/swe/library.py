"""The packages that bugs are injected into: their files, tests, and tests held out."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "packages"

SPLITS: dict[str, tuple[str, ...]] = {
    "train": (
        "ledger",
        "routes",
        "caches",
        "diffs",
        "lexicon",
        "machines",
        "markup",
        "matrices",
        "packing",
        "plane",
        "sheets",
        "stockroom",
        "units",
    ),
    "valid": ("spans", "heaps", "versions"),
    "test": ("typeset", "almanac", "elections", "formulas"),
}
"""Packages of each split: no split has a package of another."""

TASKS_PER_PACKAGE = 60

PACKAGES = tuple(sorted(name for names in SPLITS.values() for name in names))


@dataclass(frozen=True)
class Package:
    """One package; paths are relative to the work tree."""

    name: str
    code: dict[str, bytes]
    """The package's own files."""
    tests: dict[str, bytes]
    """Tests that the agent sees, in the folder tests."""
    held_out: dict[str, bytes]
    """Tests that are only for grading, in the folder held_out."""

    @property
    def all_tests(self) -> dict[str, bytes]:
        """Every test that a repair is graded by."""
        return self.tests | self.held_out


@cache
def load_package(name: str) -> Package:
    """Returns one of `PACKAGES`."""
    folder = _FOLDER / name
    return Package(name, *(_files(folder, part) for part in (name, "tests", "held_out")))


def _files(folder: Path, part: str) -> dict[str, bytes]:
    paths = sorted((folder / part).rglob("*.py"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
