"""Systems of linear equations."""

from dataclasses import dataclass, field
from fractions import Fraction

from matrices.elimination import reduced
from matrices.grids import Matrix, size


@dataclass
class Solution:
    """All solutions: `point` plus any sum of multiples of `directions`."""

    point: list[Fraction]
    directions: list[list[Fraction]] = field(default_factory=list)

    @property
    def is_unique(self) -> bool:
        """Whether there is one solution only."""
        return not self.directions

    def at(self, weights: list[int]) -> list[Fraction]:
        """Returns the solution with these multiples of the directions."""
        if len(weights) != len(self.directions):
            raise ValueError(f"there must be {len(self.directions)} weights")
        result = list(self.point)
        for weight, direction in zip(weights, self.directions, strict=True):
            result = [a + weight * b for a, b in zip(result, direction, strict=True)]
        return result


def solve(matrix: Matrix, values: list[Fraction]) -> Solution | None:
    """Solves matrix * x = values; returns None where nothing solves it."""
    rows, unknowns = size(matrix)
    if len(values) != rows:
        raise ValueError("there must be one value for each row")
    both = [[*row, value] for row, value in zip(matrix, values, strict=True)]
    form, pivots = reduced(both)
    if unknowns in pivots:
        return None
    point = [Fraction(0)] * unknowns
    for i, pivot in enumerate(pivots):
        point[pivot] = form[i][unknowns]
    directions = []
    for free in range(unknowns):
        if free in pivots:
            continue
        direction = [Fraction(0)] * unknowns
        direction[free] = Fraction(1)
        for i, pivot in enumerate(pivots):
            direction[pivot] = -form[i][free]
        directions.append(direction)
    return Solution(point, directions)
