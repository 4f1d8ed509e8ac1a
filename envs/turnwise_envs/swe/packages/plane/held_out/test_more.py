from fractions import Fraction

import pytest
from plane import (
    Box,
    area2,
    bounding,
    closest,
    contains,
    covered,
    cross,
    crossing,
    diameter,
    hull,
    intersect,
    is_convex,
    on_segment,
    perimeter_squares,
    reversed_if_clockwise,
)
from plane.polygons import lattice_points

POINTS = [((7 * i * i + 3 * i) % 23, (5 * i * i + 11 * i) % 19) for i in range(17)]
COMB = [(0, 0), (9, 0), (9, 5), (7, 5), (7, 2), (5, 2), (5, 5), (3, 5), (3, 2), (0, 5)]


def test_areas_of_triangles():
    """The area of a triangle does not depend on where it is, its sign on its direction."""
    assert cross((0, 0), (3, 1), (1, 2)) == cross((5, -7), (8, -6), (6, -5)) == 5
    assert cross((3, 1), (0, 0), (1, 2)) == -5


def test_upright_segments():
    """Points above or below an upright segment are not on it."""
    segment = ((2, 5), (2, 1))
    assert [on_segment((2, y), segment) for y in (0, 1, 3, 5, 6)] == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert on_segment((3, 3), segment) is False
    assert on_segment((1, 0), ((0, 0), (0, 0))) is False


def test_segments_on_one_line():
    """Segments on one line meet only where they overlap or touch."""
    base = ((0, 0), (4, 2))
    assert intersect(base, ((2, 1), (6, 3))) is True
    assert intersect(base, ((4, 2), (8, 4))) is True
    assert intersect(base, ((6, 3), (8, 4))) is False
    assert intersect(((0, 0), (9, 0)), ((3, 0), (4, 0))) is True
    assert intersect(base, ((0, 1), (4, 3))) is False


def test_segments_that_end_too_early():
    """Segments whose lines cross beyond their ends do not meet."""
    assert intersect(((0, 0), (9, 0)), ((5, 1), (5, 4))) is False
    assert intersect(((5, 1), (5, 4)), ((0, 0), (9, 0))) is False
    assert intersect(((0, 0), (9, 0)), ((5, 1), (6, -1))) is True


def test_crossings_lie_on_both_lines():
    """The point where lines cross lies on both, beyond the ends of segments too."""
    lines = [((0, 0), (1, 2)), ((3, 1), (0, 5)), ((-2, 4), (-2, 7)), ((1, -3), (6, -3))]
    for first in lines:
        for second in lines:
            found = crossing(first, second)
            assert (found is None) == (first == second)
            if found:
                assert cross(*first, found) == cross(*second, found) == 0
    assert crossing(lines[2], lines[3]) == (-2, -3)
    assert crossing(lines[0], lines[3]) == (Fraction(-3, 2), -3)


def test_every_point_of_a_grid():
    """Of all points of a grid exactly those in the figure are in it."""
    found = [(x, y) for x in range(-1, 11) for y in range(-1, 7) if contains(COMB, (x, y))]
    strict = [point for point in found if contains(COMB, point, border=False)]
    assert (len(strict), len(found) - len(strict)) == lattice_points(COMB) == (17, 37)
    assert contains(COMB, (6, 3)) is contains(COMB, (2, 4)) is False
    assert contains(COMB, (4, 5)) is contains(COMB, (1, 3)) is True


def test_points_within_and_on():
    """Points with whole coordinates are counted, inside and on the border."""
    assert lattice_points([(0, 0), (4, 0), (0, 6)]) == (7, 12)
    assert lattice_points([(0, 0), (0, 1), (1, 1), (1, 0)]) == (0, 4)


def test_direction_of_corners():
    """Corners are put counterclockwise from the same one on."""
    assert reversed_if_clockwise([(0, 0), (0, 4), (4, 4)]) == [(0, 0), (4, 4), (0, 4)]
    assert reversed_if_clockwise([(0, 0), (4, 4), (0, 4)]) == [(0, 0), (4, 4), (0, 4)]
    assert area2(COMB) == 69
    assert perimeter_squares([(0, 0), (3, 4), (3, 0)]) == [25, 16, 9]


def test_which_polygons_are_convex():
    """Corners on a line do no harm, but a line is no polygon."""
    assert is_convex([(0, 0), (2, 0), (4, 0), (4, 4)]) is True
    assert is_convex([(4, 4), (4, 0), (0, 0)]) is True
    assert is_convex([(0, 0), (1, 1), (2, 2)]) is False
    assert is_convex([(0, 0), (1, 1)]) is False
    assert is_convex(COMB) is False


def test_all_points_are_in_the_hull():
    """The hull is convex and has all points in it, and no corner lies within a side."""
    corners = hull(POINTS)
    assert is_convex(corners) is True
    assert area2(corners) > 0
    assert corners[0] == min(POINTS)
    assert all(contains(corners, point) for point in POINTS)
    assert all(cross(a, b, c) > 0 for a, b, c in zip(corners, corners[1:], corners[2:]))


def test_hulls_of_few_points():
    """A point, two, and points on a line have a hull without area."""
    assert hull([(1, 1), (1, 1)]) == [(1, 1)]
    assert hull([(2, 2), (1, 1)]) == [(1, 1), (2, 2)]
    assert hull([(3, 3), (2, 2), (1, 1)]) == [(1, 1), (3, 3)]
    assert diameter([(1, 1)]) == 0


def test_near_and_far_among_many():
    """Nearest and farthest points are those found by trying all pairs."""
    points = sorted(set(POINTS))
    pairs = [(a, b) for i, a in enumerate(points) for b in points[i + 1 :]]
    lengths = {(a, b): (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 for a, b in pairs}
    assert diameter(points) == max(lengths.values())
    assert closest(points) == min(pairs, key=lambda pair: (lengths[pair], pair))
    assert closest([(5, 0), (1, 0), (3, 0)]) == ((1, 0), (3, 0))
    with pytest.raises(ValueError):
        closest([(0, 0)])


def test_boxes_within_boxes():
    """A box lies in another up to its border; boxes grow and shrink on all sides."""
    box = Box(1, 2, 5, 8)
    assert box.around(Box(1, 2, 5, 8)) is True
    assert box.around(box.grown(-2)) is True
    assert box.grown(1).around(box) is True
    assert box.grown(1).area() == 48
    for other in (Box(0, 3, 4, 4), Box(2, 1, 4, 4), Box(2, 3, 6, 4), Box(2, 3, 4, 9)):
        assert box.around(other) is False
    with pytest.raises(ValueError):
        box.grown(-3)


def test_boxes_that_touch():
    """Boxes that only touch have a side in common, which has no area."""
    common = Box(0, 0, 2, 2).common(Box(2, 1, 4, 5))
    assert common == Box(2, 1, 2, 2)
    assert common.area() == 0
    assert Box(0, 0, 2, 2).common(Box(0, 3, 2, 4)) is None


def test_boxes_around_points():
    """The box around points touches the outermost ones; no points have none."""
    assert bounding([(3, 9), (-1, 4), (2, -5)]) == Box(-1, -5, 3, 9)
    with pytest.raises(ValueError):
        bounding([])


def test_area_of_many_boxes():
    """Boxes within, beside and above each other cover the right area."""
    assert covered([]) == 0
    assert covered([Box(0, 0, 9, 9), Box(1, 1, 3, 3), Box(4, 4, 9, 9)]) == 81
    assert covered([Box(0, 0, 2, 1), Box(0, 5, 2, 6), Box(1, 0, 3, 6)]) == 14
    assert covered([Box(0, 0, 2, 2), Box(2, 0, 4, 2), Box(0, 3, 4, 3)]) == 8
