import pytest
from plane import Box, area2, closest, contains, covered, diameter, hull, is_convex

SQUARE = [(0, 0), (4, 0), (4, 4), (0, 4)]
ARROW = [(0, 0), (4, 2), (0, 4), (1, 2)]


def test_areas():
    """The area is that of the figure, negative for corners that go clockwise."""
    assert area2(SQUARE) == 32
    assert area2(ARROW[::-1]) == -12


def test_points_in_a_polygon():
    """Points inside are told from those outside, in a corner that points inwards too."""
    assert contains(ARROW, (2, 2)) is True
    assert contains(ARROW, (0, 2)) is False


def test_convex_polygons():
    """A polygon with a corner that points inwards is not convex."""
    assert is_convex(SQUARE) is True
    assert is_convex(ARROW) is False


def test_the_hull():
    """The hull has the outer points only, counterclockwise."""
    assert hull([*ARROW, (2, 1), (0, 1)]) == [(0, 0), (4, 2), (0, 4)]


def test_near_and_far():
    """The nearest and the farthest points are found."""
    points = [(0, 0), (7, 1), (3, 4), (4, 4), (0, 9)]
    assert closest(points) == ((3, 4), (4, 4))
    assert diameter(points) == 113


def test_boxes():
    """Boxes that overlap have a box in common."""
    common = Box(0, 0, 4, 4).common(Box(2, 1, 9, 3))
    assert (common.left, common.low, common.right, common.high) == (2, 1, 4, 3)
    assert Box(0, 0, 1, 1).common(Box(2, 0, 3, 1)) is None
    with pytest.raises(ValueError):
        Box(1, 0, 0, 1)


def test_covered_area():
    """What several boxes cover is counted once."""
    assert covered([Box(0, 0, 4, 4), Box(2, 2, 6, 6), Box(3, 3, 4, 4)]) == 28
