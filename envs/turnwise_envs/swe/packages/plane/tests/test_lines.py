from fractions import Fraction

from plane import crossing, intersect, on_segment, turn


def test_turns():
    """A way turns left or right, or goes straight on."""
    assert turn((0, 0), (2, 0), (3, 1)) == 1
    assert turn((0, 0), (2, 0), (3, -1)) == -1
    assert turn((0, 0), (2, 0), (1, 0)) == 0


def test_points_on_a_segment():
    """A segment has its ends and what is between them, but not what is behind."""
    segment = ((0, 0), (4, 2))
    assert [on_segment(point, segment) for point in ((4, 2), (2, 1), (6, 3), (2, 2))] == [
        True,
        True,
        False,
        False,
    ]


def test_segments_that_meet():
    """Segments that cross or touch have a point in common, others have none."""
    assert intersect(((0, 0), (4, 4)), ((0, 4), (4, 0))) is True
    assert intersect(((0, 0), (4, 0)), ((2, 0), (2, 5))) is True
    assert intersect(((0, 0), (1, 1)), ((3, 0), (0, 3))) is False


def test_where_lines_cross():
    """Lines cross in an exact point, parallel ones nowhere."""
    assert crossing(((0, 0), (1, 1)), ((0, 1), (3, 0))) == (Fraction(3, 4), Fraction(3, 4))
    assert crossing(((0, 0), (1, 1)), ((1, 0), (2, 1))) is None
