"""Hulls of points, and points that are near or far."""

from collections.abc import Sequence

from plane.segments import Point, distance2, turn


def hull(points: Sequence[Point]) -> list[Point]:
    """Returns the corners of the smallest convex polygon around points, counterclockwise.

    It begins at the leftmost point, the lower one of two, and has no point within a side.
    """
    ordered = sorted(set(points))
    if len(ordered) < 3:
        return ordered
    lower = _chain(ordered)
    upper = _chain(ordered[::-1])
    return lower[:-1] + upper[:-1]


def _chain(points: Sequence[Point]) -> list[Point]:
    result: list[Point] = []
    for point in points:
        while len(result) >= 2 and turn(result[-2], result[-1], point) <= 0:
            result.pop()
        result.append(point)
    return result


def diameter(points: Sequence[Point]) -> int:
    """Returns the square of the largest distance of two points, 0 for fewer."""
    corners = hull(points)
    best = 0
    for place, corner in enumerate(corners):
        for other in corners[place + 1 :]:
            best = max(best, distance2(corner, other))
    return best


def closest(points: Sequence[Point]) -> tuple[Point, Point]:
    """Returns the two nearest points, the smaller one first; of several pairs the smallest."""
    if len(points) < 2:
        raise ValueError("there must be two points")
    ordered = sorted(points)
    best = (distance2(ordered[0], ordered[1]), ordered[0], ordered[1])
    first = 0
    for place, point in enumerate(ordered):
        # Points further left than the best distance cannot be nearer.
        while (point[0] - ordered[first][0]) ** 2 > best[0]:
            first += 1
        for other in ordered[first:place]:
            best = min(best, (distance2(other, point), other, point))
    return best[1], best[2]
