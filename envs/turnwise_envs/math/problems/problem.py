"""`Problem`, and how its parts are written."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

Rational = int | Fraction


@dataclass(frozen=True, slots=True)
class Problem:
    """A question with its answer.

    Attributes:
        question: what is asked.
        answer: the answer in normal form: two answers of one template differ if their texts do.
        slips: wrong answers of likely mistakes (the right one and repetitions may be among them).
        code: Python, standard library only, that prints the answer found in another way.
    """

    question: str
    answer: str
    slips: tuple[str, ...]
    code: str


Template = Callable[[random.Random, int], Problem]
"""(source of randomness, level from 1 to 5) -> a problem."""


def tex(value: Rational) -> str:
    """Returns an integer or a fraction in lowest terms."""
    value = Fraction(value)
    if value.denominator == 1:
        return str(value.numerator)
    sign = "-" if value < 0 else ""
    return rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def number_problem(
    question: str, answer: Rational, slips: Sequence[Rational], code: str
) -> Problem:
    """Returns a problem whose answers are rational numbers."""
    return Problem(question, tex(answer), tuple(tex(slip) for slip in slips), code)


def near(answer: Fraction) -> Iterator[Fraction]:
    """Yields other numbers, nearest mistakes first, without end."""
    yield from (-answer, 2 * answer, answer / 2)
    if answer.denominator != 1:
        yield 1 / answer
        yield 1 - answer
    for step in range(1, 1000):
        share = Fraction(step, answer.denominator)
        yield from (answer + share, answer - share, answer + 10 * step)


def polynomial(coefficients: Sequence[Rational], name: str = "x") -> str:
    """Returns a polynomial's text; `coefficients` run from the constant upwards."""
    text = ""
    for power in range(len(coefficients) - 1, -1, -1):
        value = Fraction(coefficients[power])
        if value == 0:
            continue
        sign = ("-" if value < 0 else "") if not text else (" - " if value < 0 else " + ")
        size = tex(abs(value))
        factor = "" if power == 0 else name if power == 1 else f"{name}^{{{power}}}"
        text += sign + (factor if size == "1" and factor else size + factor)
    return text or "0"


def polynomial_slips(coefficients: Sequence[Rational], rng: random.Random) -> tuple[str, ...]:
    """Returns polynomials that differ in a coefficient or two."""
    found = []
    for _ in range(40):
        other = list(coefficients)
        for _ in range(rng.choice((1, 1, 2))):
            place = rng.randrange(len(other))
            other[place] += rng.choice((-3, -2, -1, 1, 2, 3)) if rng.random() < 0.7 else 0
            if rng.random() < 0.3:
                other[place] = -other[place]
        found.append(polynomial(other))
    return tuple(found)


def tuple_slips(values: Sequence[Rational], rng: random.Random) -> tuple[tuple[Rational, ...], ...]:
    """Returns tuples that differ in an entry, a sign or the order."""
    found: list[tuple[Rational, ...]] = [tuple(values[::-1]), tuple(-value for value in values)]
    for _ in range(80):
        other = list(values)
        for _ in range(rng.choice((1, 1, 2))):
            place = rng.randrange(len(other))
            change = other[place] + nonzero(rng, 4)
            other[place] = rng.choice((-other[place], change, change))
        found.append(tuple(other))
    return tuple(found)


def radical(square: int) -> str:
    r"""Returns the root of a positive integer as k\sqrt{m} with m square-free."""
    outside, inside = 1, square
    for prime in range(2, math.isqrt(square) + 1):
        while inside % (prime * prime) == 0:
            inside //= prime * prime
            outside *= prime
    if inside == 1:
        return str(outside)
    return rf"{'' if outside == 1 else outside}\sqrt{{{inside}}}"


def nonzero(rng: random.Random, size: int) -> int:
    """Returns a number from -size to size, not 0."""
    return rng.choice((-1, 1)) * rng.randint(1, size)


def matrix(rows: Sequence[Sequence[Rational]]) -> str:
    """Returns a matrix in LaTeX."""
    body = r" \\ ".join(" & ".join(tex(value) for value in row) for row in rows)
    return rf"\begin{{pmatrix}} {body} \end{{pmatrix}}"
