"""Matrices of exact fractions: arithmetic, elimination, and systems of equations."""

from matrices.elimination import determinant, inverse, rank, reduced
from matrices.grids import add, identity, multiply, power, trace, transpose
from matrices.systems import Solution, solve

__all__ = [
    "Solution",
    "add",
    "determinant",
    "identity",
    "inverse",
    "multiply",
    "power",
    "rank",
    "reduced",
    "solve",
    "trace",
    "transpose",
]
