"""Turns, and segments that meet."""

from fractions import Fraction

Point = tuple[int, int]
Segment = tuple[Point, Point]


def cross(origin: Point, a: Point, b: Point) -> int:
    """Returns twice the area of a triangle, positive if it turns to the left."""
    return (a[0] - origin[0]) * (b[1] - origin[1]) - (a[1] - origin[1]) * (b[0] - origin[0])


def turn(a: Point, b: Point, c: Point) -> int:
    """Returns 1 if the way from a over b to c turns left, -1 if right, 0 if it goes straight."""
    value = cross(a, b, c)
    return (value > 0) - (value < 0)


def on_segment(point: Point, segment: Segment) -> bool:
    """Says whether a point lies on a segment, ends included."""
    (x1, y1), (x2, y2) = segment
    if cross(segment[0], segment[1], point) != 0:
        return False
    inside_x = min(x1, x2) <= point[0] <= max(x1, x2)
    return inside_x and min(y1, y2) <= point[1] <= max(y1, y2)


def intersect(first: Segment, second: Segment) -> bool:
    """Says whether two segments have a point in common."""
    a, b = first
    c, d = second
    if turn(a, b, c) != turn(a, b, d) and turn(c, d, a) != turn(c, d, b):
        return True
    ends = any(on_segment(point, first) for point in second)
    return ends or any(on_segment(point, second) for point in first)


def crossing(first: Segment, second: Segment) -> tuple[Fraction, Fraction] | None:
    """Returns where the lines through two segments meet, None if they are parallel."""
    (x1, y1), (x2, y2) = first
    (x3, y3), (x4, y4) = second
    width, height = x2 - x1, y2 - y1
    below = width * (y4 - y3) - height * (x4 - x3)
    if below == 0:
        return None
    share = Fraction((x3 - x1) * (y4 - y3) - (y3 - y1) * (x4 - x3), below)
    return x1 + share * width, y1 + share * height


def distance2(a: Point, b: Point) -> int:
    """Returns the square of the distance of two points."""
    return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2
