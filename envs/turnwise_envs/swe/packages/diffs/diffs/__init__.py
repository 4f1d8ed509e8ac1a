"""What changed between two lists of lines: finding, writing, applying and merging changes."""

from diffs.common import Change, changes, common
from diffs.merging import Merge, merge
from diffs.patches import PatchError, apply, hunks, read_patch, reverse, write_patch
from diffs.words import inline, similarity

__all__ = [
    "Change",
    "Merge",
    "PatchError",
    "apply",
    "changes",
    "common",
    "hunks",
    "inline",
    "merge",
    "read_patch",
    "reverse",
    "similarity",
    "write_patch",
]
