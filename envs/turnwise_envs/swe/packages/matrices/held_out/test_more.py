from fractions import Fraction

import pytest
from matrices import (
    add,
    determinant,
    identity,
    inverse,
    multiply,
    power,
    rank,
    reduced,
    solve,
    trace,
    transpose,
)

HILBERT = [[Fraction(1, i + j + 1) for j in range(3)] for i in range(3)]


def test_sizes_are_checked():
    """Matrices that are empty, ragged, or of sizes that do not match are refused."""
    for bad in ([], [[]], [[1, 2], [3]]):
        with pytest.raises(ValueError):
            transpose(bad)
    with pytest.raises(ValueError, match="columns"):
        multiply([[1, 2]], [[1, 2]])


def test_differences():
    """A multiple of a matrix can be added, a negative one too."""
    assert add([[1, 2], [3, 4]], [[1, 1], [0, 2]], times=-2) == [[-1, 0], [3, 0]]


def test_small_powers():
    """The power 0 is the identity, 1 the matrix itself, and none is negative."""
    assert power([[2, 3], [0, 1]], 0) == identity(2)
    assert power([[2, 3], [0, 1]], 1) == [[2, 3], [0, 1]]
    assert power([[2, 3], [0, 1]], 2) == [[4, 9], [0, 1]]
    with pytest.raises(ValueError):
        power([[1]], -1)


def test_a_product_with_its_inverse():
    """A matrix times its inverse is the identity, on both sides."""
    for matrix in (HILBERT, [[0, 1], [1, 0]], [[3]]):
        assert multiply(matrix, inverse(matrix)) == identity(len(matrix))
        assert multiply(inverse(matrix), matrix) == identity(len(matrix))


def test_the_determinant_of_a_product():
    """Determinants multiply, and exchanging two rows changes the sign."""
    other = [[0, 2, 1], [1, 0, 3], [4, 4, 1]]
    expected = determinant(HILBERT) * determinant(other)
    assert determinant(multiply(HILBERT, other)) == expected == Fraction(26, 2160)
    assert determinant([other[1], other[0], other[2]]) == -determinant(other)


def test_a_determinant_of_zero():
    """Dependent rows, or a column of zeros, give the determinant 0."""
    assert determinant([[1, 2, 3], [4, 5, 6], [7, 8, 9]]) == 0
    assert determinant([[0, 1], [0, 2]]) == 0
    assert determinant([[7]]) == 7


def test_the_reduced_form():
    """The reduced form has leading ones with zeros above and below."""
    form, pivots = reduced([[0, 2, 4], [1, 1, 1], [1, 3, 5]])
    assert form == [[1, 0, -1], [0, 1, 2], [0, 0, 0]]
    assert pivots == [0, 1]
    form, pivots = reduced([[1, 2, 3], [1, 2, 4]], columns=2)
    assert (form, pivots) == ([[1, 2, 3], [0, 0, 1]], [0])


def test_rank_of_a_transposed_matrix():
    """A matrix has the rank of its transpose; zeros have none."""
    matrix = [[1, 2, 3, 4], [2, 4, 6, 9], [3, 6, 9, 13]]
    assert rank(matrix) == rank(transpose(matrix)) == 2
    assert rank([[0, 0]]) == 0


def test_every_solution_solves():
    """Points that are reached along the free directions are solutions as well."""
    matrix, values = [[1, 2, 0, -1], [0, 0, 1, 3]], [5, 6]
    found = solve(matrix, values)
    assert len(found.directions) == 2
    for weights in ([0, 0], [1, 0], [2, -3]):
        x = found.at(weights)
        assert multiply(matrix, [[value] for value in x]) == [[5], [6]]
    assert found.at([1, 0])[1] == 1
    with pytest.raises(ValueError, match="2 weights"):
        found.at([1])


def test_redundant_equations():
    """An equation that says what others say takes no solution away."""
    found = solve([[1, 1], [1, -1], [2, 0]], [3, 1, 4])
    assert (found.point, found.directions) == ([2, 1], [])
    with pytest.raises(ValueError, match="each row"):
        solve([[1, 1]], [1, 2])


def test_traces_of_products():
    """The trace does not depend on the order of two factors."""
    a, b = [[1, 2, 3], [4, 5, 6]], [[1, 0], [2, 1], [0, 3]]
    assert trace(multiply(a, b)) == trace(multiply(b, a)) == 5 + 23
