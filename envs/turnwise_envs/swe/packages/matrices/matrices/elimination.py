"""Gauss and Jordan's elimination, and what follows from it."""

from fractions import Fraction

from matrices.grids import Matrix, identity, size, square


def reduced(matrix: Matrix, columns: int | None = None) -> tuple[Matrix, list[int]]:
    """Returns the reduced row echelon form and its pivot columns.

    Pivots are looked for in the first `columns` columns, or in all.
    """
    rows, width = size(matrix)
    result = [[Fraction(value) for value in row] for row in matrix]
    pivots: list[int] = []
    for column in range(width if columns is None else columns):
        here = len(pivots)
        found = [i for i in range(here, rows) if result[i][column] != 0]
        if not found:
            continue
        result[here], result[found[0]] = result[found[0]], result[here]
        pivot = result[here][column]
        result[here] = [value / pivot for value in result[here]]
        for i in range(rows):
            factor = result[i][column]
            if i != here and factor != 0:
                result[i] = [a - factor * b for a, b in zip(result[i], result[here], strict=True)]
        pivots.append(column)
    return result, pivots


def rank(matrix: Matrix) -> int:
    """Returns how many rows are independent."""
    return len(reduced(matrix)[1])


def determinant(matrix: Matrix) -> Fraction:
    """Returns the determinant, by elimination below the diagonal."""
    count = square(matrix)
    left = [[Fraction(value) for value in row] for row in matrix]
    result = Fraction(1)
    for column in range(count):
        found = next((i for i in range(column, count) if left[i][column] != 0), None)
        if found is None:
            return Fraction(0)
        if found != column:
            left[column], left[found] = left[found], left[column]
            result = -result
        result *= left[column][column]
        for i in range(column + 1, count):
            factor = left[i][column] / left[column][column]
            for j in range(column, count):
                left[i][j] -= factor * left[column][j]
    return result


def inverse(matrix: Matrix) -> Matrix:
    """Returns the inverse; refuses a matrix that has none."""
    count = square(matrix)
    both = [row + unit for row, unit in zip(matrix, identity(count), strict=True)]
    result, pivots = reduced(both, columns=count)
    if len(pivots) < count:
        raise ValueError("the matrix has no inverse")
    return [row[count:] for row in result]
