"""Formulas in text: reading, evaluating, writing and differentiating them."""

from formulas.calculus import derivative, simplified
from formulas.cells import Cells
from formulas.evaluation import evaluate, variables
from formulas.syntax import FormulaError, parse, tokens, unparse

__all__ = [
    "Cells",
    "FormulaError",
    "derivative",
    "evaluate",
    "parse",
    "simplified",
    "tokens",
    "unparse",
    "variables",
]
