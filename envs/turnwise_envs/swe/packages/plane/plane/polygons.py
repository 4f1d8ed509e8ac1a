"""Polygons as lists of corners, without the first one at the end."""

from collections.abc import Iterator, Sequence

from plane.segments import Point, Segment, distance2, on_segment, turn


def _sides(corners: Sequence[Point]) -> Iterator[Segment]:
    for place, corner in enumerate(corners):
        yield corner, corners[(place + 1) % len(corners)]


def area2(corners: Sequence[Point]) -> int:
    """Returns twice the area, negative if the corners go clockwise."""
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in _sides(corners))


def reversed_if_clockwise(corners: Sequence[Point]) -> list[Point]:
    """Returns the corners counterclockwise, from the same one on."""
    if area2(corners) >= 0:
        return list(corners)
    return [corners[0], *corners[:0:-1]]


def perimeter_squares(corners: Sequence[Point]) -> list[int]:
    """Returns the squares of the lengths of the sides, in order."""
    return [distance2(a, b) for a, b in _sides(corners)]


def is_convex(corners: Sequence[Point]) -> bool:
    """Says whether a polygon without crossings has no corner that points inwards."""
    if len(corners) < 3:
        return False
    turns = set()
    for place in range(len(corners)):
        before, here = corners[place - 2], corners[place - 1]
        turns.add(turn(before, here, corners[place]))
    return not {1, -1} <= turns and turns != {0}


def contains(corners: Sequence[Point], point: Point, border: bool = True) -> bool:
    """Says whether a point is in a polygon; points on its border count if `border` is set."""
    inside = False
    for a, b in _sides(corners):
        if on_segment(point, (a, b)):
            return border
        if (a[1] > point[1]) == (b[1] > point[1]):
            continue
        low, high = (a, b) if a[1] < b[1] else (b, a)
        if turn(low, high, point) > 0:
            inside = not inside
    return inside


def lattice_points(corners: Sequence[Point]) -> tuple[int, int]:
    """Returns how many points with whole coordinates are inside, and how many on the border."""
    border = 0
    for a, b in _sides(corners):
        border += _common(abs(a[0] - b[0]), abs(a[1] - b[1]))
    # Pick's theorem, solved for the points inside.
    return (abs(area2(corners)) - border + 2) // 2, border


def _common(a: int, b: int) -> int:
    while b > 0:
        a, b = b, a % b
    return a
