from fractions import Fraction

import pytest
from matrices import determinant, inverse, rank, solve


def test_two_equations():
    """Two independent equations have one solution."""
    found = solve([[2, 1], [1, -1]], [5, 1])
    assert found.point == [2, 1]
    assert found.is_unique is True


def test_equations_that_contradict():
    """Equations that contradict each other have no solution."""
    assert solve([[1, 1], [2, 2]], [1, 3]) is None


def test_too_few_equations():
    """With fewer equations than unknowns a direction is free."""
    found = solve([[1, 2]], [4])
    assert found.is_unique is False
    assert (found.point, found.directions) == ([4, 0], [[-2, 1]])


def test_a_determinant():
    """The determinant of a matrix of three rows is that of the rule of Sarrus."""
    assert determinant([[2, 0, 1], [1, 3, 2], [1, 1, 4]]) == 18


def test_an_inverse():
    """The inverse has exact fractions."""
    assert inverse([[2, 1], [4, 4]]) == [[1, Fraction(-1, 4)], [-1, Fraction(1, 2)]]


def test_no_inverse():
    """A matrix of dependent rows has no inverse, and its rank is smaller than its size."""
    assert rank([[1, 2], [2, 4]]) == 1
    with pytest.raises(ValueError, match="no inverse"):
        inverse([[1, 2], [2, 4]])
