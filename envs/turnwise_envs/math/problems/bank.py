"""The table of templates, and `build`."""

from __future__ import annotations

import hashlib
import random

from turnwise_envs.math.problems import figures, numbers, symbols
from turnwise_envs.math.problems.problem import Problem, Template

GENERATOR = "math-1"
"""Name and version of the generator; part of every task's id."""

_TEMPLATES: dict[str, tuple[Template, ...]] = {
    "arithmetic": (
        numbers.expression,
        numbers.fractions,
        numbers.boxes,
        numbers.percent,
        numbers.speeds,
    ),
    "algebra": (symbols.linear, symbols.system, symbols.quadratic, symbols.expand, symbols.ages),
    "number_theory": (
        numbers.common_divisor,
        numbers.power_remainder,
        numbers.divisors,
        numbers.base,
        numbers.remainders,
    ),
    "combinatorics": (
        figures.committees,
        figures.arrangements,
        figures.paths,
        figures.dice,
        figures.sharing,
    ),
    "geometry": (
        figures.rectangle,
        figures.hypotenuse,
        figures.polygon,
        figures.circle,
        figures.distance,
    ),
    "calculus": (
        symbols.slope,
        symbols.differentiate,
        symbols.integral,
        symbols.limit,
        symbols.extremum,
    ),
    "linear_algebra": (
        figures.determinant,
        figures.dot,
        figures.image,
        figures.cramer,
        figures.trace_of_square,
    ),
}
"""Topic -> templates; the last of each is held out for the split "ood_templates"."""

TOPICS = tuple(_TEMPLATES)
LEVELS = (1, 2, 3, 4, 5)
_PARTS = {"train": range(8), "stream": range(8), "valid": range(8, 9), "test": range(9, 10)}
_TRIES = 1000


def part_of(question: str) -> int:
    """Returns the tenth, 0 to 9, in which every question has its fixed place."""
    return hashlib.blake2b(question.encode(), digest_size=8).digest()[0] % 10


def build(topic: str, level: int, split: str, seed: int) -> Problem:
    """Builds a problem.

    No question is in two of the splits train, valid and test: each has its tenths.

    Args:
        topic: one of `TOPICS`.
        level: from 1 to 5.
        split: "train", "valid", "test", "ood_templates" or "stream".
        seed: of all randomness.
    """
    rng = random.Random(seed)
    if split == "ood_templates":
        return _TEMPLATES[topic][-1](rng, level)
    for _ in range(_TRIES):
        problem = rng.choice(_TEMPLATES[topic][:-1])(rng, level)
        if part_of(problem.question) in _PARTS[split]:
            return problem
    raise AssertionError(f"{topic} of level {level} must have questions for {split}.")
