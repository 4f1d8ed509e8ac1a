"""What needs no division. A matrix is a list of rows of equal length."""

from fractions import Fraction

Matrix = list[list[Fraction]]


def size(matrix: Matrix) -> tuple[int, int]:
    """Returns the numbers of rows and of columns; refuses rows of different length."""
    if not matrix or not matrix[0]:
        raise ValueError("a matrix has at least one row and one column")
    if any(len(row) != len(matrix[0]) for row in matrix):
        raise ValueError("all rows of a matrix have the same length")
    return len(matrix), len(matrix[0])


def square(matrix: Matrix) -> int:
    """Returns the number of rows of a matrix that has as many columns."""
    rows, columns = size(matrix)
    if rows != columns:
        raise ValueError("the matrix is not square")
    return rows


def identity(count: int) -> Matrix:
    """Returns the square matrix that changes nothing."""
    return [[Fraction(int(i == j)) for j in range(count)] for i in range(count)]


def add(left: Matrix, right: Matrix, times: int = 1) -> Matrix:
    """Returns left + times * right."""
    if size(left) != size(right):
        raise ValueError("only matrices of one size can be added")
    rows = zip(left, right, strict=True)
    return [[a + times * b for a, b in zip(p, q, strict=True)] for p, q in rows]


def transpose(matrix: Matrix) -> Matrix:
    """Returns the matrix with rows and columns exchanged."""
    rows, columns = size(matrix)
    return [[matrix[i][j] for i in range(rows)] for j in range(columns)]


def multiply(left: Matrix, right: Matrix) -> Matrix:
    """Returns the product of two matrices."""
    rows, inner = size(left)
    height, columns = size(right)
    if inner != height:
        raise ValueError("the left matrix must have as many columns as the right one has rows")
    result = []
    for i in range(rows):
        row = []
        for j in range(columns):
            row.append(sum((left[i][k] * right[k][j] for k in range(inner)), Fraction(0)))
        result.append(row)
    return result


def power(matrix: Matrix, exponent: int) -> Matrix:
    """Returns a product of equal matrices; the power 0 is the identity."""
    if exponent < 0:
        raise ValueError("the exponent must not be negative")
    result = identity(square(matrix))
    factor = matrix
    while exponent > 0:
        if exponent % 2 == 1:
            result = multiply(result, factor)
        factor = multiply(factor, factor)
        exponent //= 2
    return result


def trace(matrix: Matrix) -> Fraction:
    """Returns the sum of the main diagonal."""
    return sum((matrix[i][i] for i in range(square(matrix))), Fraction(0))
