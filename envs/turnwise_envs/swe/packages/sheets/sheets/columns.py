"""What a column holds."""

from collections.abc import Sequence
from typing import Any

KINDS = ("int", "float", "bool", "text")
_WORDS = {"yes": True, "true": True, "no": False, "false": False}


def convert(cell: str, kind: str) -> Any:
    """Returns the value of a cell; None where it is empty, unless it is a text."""
    if kind == "text":
        return cell
    if cell == "":
        return None
    if kind == "int":
        return int(cell)
    if kind == "float":
        return float(cell)
    if kind == "bool":
        return _WORDS[cell.lower()]
    raise ValueError(f"there is no kind {kind!r}")


def guess(cells: Sequence[str]) -> str:
    """Returns the first kind that all cells have; nothing but empty cells are a text."""
    if not any(cells):
        return "text"
    for kind in KINDS:
        if all(_fits(cell, kind) for cell in cells):
            return kind
    return "text"


def _fits(cell: str, kind: str) -> bool:
    try:
        convert(cell, kind)
    except (KeyError, ValueError):
        return False
    return True


def summary(cells: Sequence[str]) -> dict[str, Any]:
    """Returns the kind, how many cells are empty, and the smallest and largest of the others."""
    kind = guess(cells)
    values = [convert(cell, kind) for cell in cells if cell != ""]
    found: dict[str, Any] = {"kind": kind, "empty": len(cells) - len(values)}
    if values:
        found |= {"min": min(values), "max": max(values)}
        if kind in ("int", "float"):
            found["mean"] = sum(values) / len(values)
    return found
