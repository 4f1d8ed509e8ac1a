import pytest
from matrices import add, identity, multiply, power, trace, transpose


def test_a_product():
    """A product has the rows of the left and the columns of the right matrix."""
    assert multiply([[1, 2, 3]], [[1, 0], [0, 1], [2, 2]]) == [[7, 8]]


def test_the_identity_changes_nothing():
    """Multiplying by the identity leaves a matrix as it is."""
    assert identity(2) == [[1, 0], [0, 1]]
    assert multiply([[5, 6], [7, 8]], identity(2)) == [[5, 6], [7, 8]]


def test_transposition():
    """Transposing exchanges rows and columns."""
    assert transpose([[1, 2, 3], [4, 5, 6]]) == [[1, 4], [2, 5], [3, 6]]


def test_powers():
    """Powers of the Fibonacci matrix have Fibonacci numbers."""
    assert power([[1, 1], [1, 0]], 10) == [[89, 55], [55, 34]]


def test_sums_want_one_size():
    """Matrices of different size are not added."""
    assert add([[1, 2]], [[3, 5]]) == [[4, 7]]
    with pytest.raises(ValueError):
        add([[1, 2]], [[1], [2]])


def test_the_trace():
    """The trace adds up the main diagonal and wants a square."""
    assert trace([[1, 9], [9, 3]]) == 4
    with pytest.raises(ValueError, match="square"):
        trace([[1, 2]])
