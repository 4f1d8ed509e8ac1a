"""Points, lines and polygons in the plane, with exact whole numbers."""

from plane.boxes import Box, bounding, covered
from plane.hulls import closest, diameter, hull
from plane.polygons import area2, contains, is_convex, perimeter_squares, reversed_if_clockwise
from plane.segments import cross, crossing, intersect, on_segment, turn

__all__ = [
    "Box",
    "area2",
    "bounding",
    "closest",
    "contains",
    "covered",
    "cross",
    "crossing",
    "diameter",
    "hull",
    "intersect",
    "is_convex",
    "on_segment",
    "perimeter_squares",
    "reversed_if_clockwise",
    "turn",
]
