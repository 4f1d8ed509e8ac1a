"""Boxes with sides along the axes, from a lower left corner up to an upper right one."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from plane.segments import Point


@dataclass(frozen=True)
class Box:
    """A box; it may have no area."""

    left: int
    low: int
    right: int
    high: int

    def __post_init__(self) -> None:
        if self.left > self.right or self.low > self.high:
            raise ValueError("the corners are exchanged")

    def area(self) -> int:
        """Returns width times height."""
        return (self.right - self.left) * (self.high - self.low)

    def grown(self, by: int) -> "Box":
        """Returns the box with all sides moved outwards, or inwards if `by` is negative."""
        return Box(self.left - by, self.low - by, self.right + by, self.high + by)

    def common(self, other: "Box") -> "Box | None":
        """Returns what two boxes have in common, None if nothing."""
        left, right = max(self.left, other.left), min(self.right, other.right)
        low, high = max(self.low, other.low), min(self.high, other.high)
        if left > right or low > high:
            return None
        return Box(left, low, right, high)

    def around(self, other: "Box") -> bool:
        """Says whether another box lies in this one, touching it or not."""
        wide = self.left <= other.left and other.right <= self.right
        return wide and self.low <= other.low and other.high <= self.high


def bounding(points: Sequence[Point]) -> Box:
    """Returns the smallest box around points."""
    if not points:
        raise ValueError("there must be a point")
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return Box(min(xs), min(ys), max(xs), max(ys))


def covered(boxes: Sequence[Box]) -> int:
    """Returns the area that is covered by at least one box."""
    edges = sorted({edge for box in boxes for edge in (box.left, box.right)})
    total = 0
    for left, right in itertools.pairwise(edges):
        spans = sorted((b.low, b.high) for b in boxes if b.left <= left and b.right >= right)
        top: int | None = None
        for low, high in spans:
            begin = low if top is None else max(low, top)
            if high > begin:
                total += (high - begin) * (right - left)
            top = high if top is None else max(top, high)
    return total
