"""Finite automata: running, building, combining and shrinking them."""

from machines.algebra import both, difference, either, equivalent, opposite
from machines.automaton import Automaton, words
from machines.building import from_pattern, from_words
from machines.minimal import minimal

__all__ = [
    "Automaton",
    "both",
    "difference",
    "either",
    "equivalent",
    "from_pattern",
    "from_words",
    "minimal",
    "opposite",
    "words",
]
