"""Named cells whose formulas use one another."""

from typing import Any

from formulas.evaluation import evaluate, variables
from formulas.syntax import FormulaError, Tree, parse


class Cells:
    """Cells keep their values until something that they depend on changes."""

    def __init__(self) -> None:
        self._trees: dict[str, Tree] = {}
        self._values: dict[str, Any] = {}
        self.calculations = 0

    def put(self, name: str, formula: str) -> None:
        """Gives a cell a formula; refuses one that would make a circle."""
        tree = parse(formula)
        if name in self._reached(variables(tree)):
            raise FormulaError(f"{name} would depend on itself")
        self._trees[name] = tree
        for other in [name, *self.dependents(name)]:
            self._values.pop(other, None)

    def get(self, name: str) -> Any:
        """Returns the value of a cell."""
        if name not in self._trees:
            raise FormulaError(f"{name} has no value")
        if name not in self._values:
            tree = self._trees[name]
            needed = {other: self.get(other) for other in variables(tree)}
            self._values[name] = evaluate(tree, needed)
            self.calculations += 1
        return self._values[name]

    def dependents(self, name: str) -> list[str]:
        """Returns the cells whose values depend on a cell, sorted."""
        others = [other for other in self._trees if other != name]
        return sorted(other for other in others if name in self._reached([other]))

    def _reached(self, names: list[str]) -> set[str]:
        """Returns some names and all that their formulas use."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += variables(self._trees.get(name, 0))
        return found
