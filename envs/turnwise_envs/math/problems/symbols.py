"""Algebra and calculus."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction

from turnwise_envs.math.problems.problem import (
    Problem,
    Rational,
    nonzero,
    number_problem,
    polynomial,
    polynomial_slips,
    tuple_slips,
)

Coefficients = Sequence[Rational]


def times(one: Coefficients, other: Coefficients) -> list[Rational]:
    """Returns the product of two polynomials, constants first."""
    product: list[Rational] = [0] * (len(one) + len(other) - 1)
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            product[i + j] += a * b
    return product


def derivative(coefficients: Coefficients) -> list[Rational]:
    """Returns the derivative of a polynomial."""
    return [power * value for power, value in enumerate(coefficients)][1:] or [0]


def at(coefficients: Coefficients, x: Rational) -> Rational:
    """Returns the value of a polynomial."""
    value: Rational = 0
    for coefficient in reversed(coefficients):
        value = value * x + coefficient
    return value


def some_polynomial(rng: random.Random, degree: int, size: int) -> list[Rational]:
    """Returns a polynomial of exactly this degree."""
    return [*(rng.randint(-size, size) for _ in range(degree)), nonzero(rng, size)]


# -------------------------------------------------------------------- algebra


def linear(rng: random.Random, level: int) -> Problem:
    """Solves a linear equation."""
    size = 3 + 4 * level
    a, b, d = nonzero(rng, size), rng.randint(-5 * size, 5 * size), rng.randint(-size, size)
    c = 0 if level == 1 else nonzero(rng, size)
    while c == a:
        c = nonzero(rng, size)
    answer = Fraction(d - b, a - c)
    left, right = polynomial([b, a]), polynomial([d, c])
    slips: list[Rational] = [Fraction(d + b, a - c), Fraction(b - d, a - c), Fraction(d - b, a)]
    slips += [] if a == -c else [Fraction(d - b, a + c)]
    code = (
        "from fractions import Fraction\n"
        f"f = lambda x: {a} * x + {b} - ({c} * x + {d})\n"
        "print(Fraction(-f(0), f(1) - f(0)))"
    )
    return number_problem(f"Solve ${left} = {right}$ for $x$.", answer, slips, code)


def system(rng: random.Random, level: int) -> Problem:
    """Solves two linear equations."""
    size = 2 + 2 * level
    x, y = rng.randint(-size, size), rng.randint(-size, size)
    a, b, c, d = (nonzero(rng, size) for _ in range(4))
    while a * d == b * c:
        d = nonzero(rng, size)
    lines = [
        f"{polynomial([0, p])} {'-' if q < 0 else '+'} {polynomial([0, abs(q)], 'y')} "
        f"= {p * x + q * y}"
        for p, q in ((a, b), (c, d))
    ]
    e, f = a * x + b * y, c * x + d * y
    code = (
        "from fractions import Fraction\n"
        f"det = ({a}) * ({d}) - ({b}) * ({c})\n"
        f"print((Fraction({e} * ({d}) - ({b}) * ({f}), det).numerator, "
        f"Fraction({a} * ({f}) - ({e}) * ({c}), det).numerator))"
    )
    question = f"Solve ${lines[0]}$ and ${lines[1]}$. Give the pair $(x, y)$."
    slips = tuple(f"({one}, {other})" for one, other in tuple_slips((x, y), rng))
    return Problem(question, f"({x}, {y})", slips, code)


def quadratic(rng: random.Random, level: int) -> Problem:
    """Finds both roots of a quadratic equation."""
    size = 8 + 3 * level
    one, other = rng.randint(-size, size), rng.randint(-size, size)
    while other == one:
        other = rng.randint(-size, size)
    lead = 1 if level < 3 else nonzero(rng, level)
    shown = polynomial([lead * one * other, -lead * (one + other), lead])
    low, high = sorted((one, other))
    wrong = {tuple(sorted(map(int, pair))) for pair in tuple_slips((low, high), rng)}
    slips = tuple(f"{a}, {b}" for a, b in sorted(wrong) if a != b)
    code = (
        f"print(*[x for x in range(-50, 51) if "
        f"{lead} * x * x - {lead} * ({one + other}) * x + {lead} * ({one * other}) == 0], sep=', ')"
    )
    question = f"Find both solutions of ${shown} = 0$, separated by a comma."
    return Problem(question, f"{low}, {high}", slips, code)


def expand(rng: random.Random, level: int) -> Problem:
    """Multiplies out."""
    size = 2 + 2 * level
    factors = [some_polynomial(rng, 1, size) for _ in range(2 if level < 4 else 3)]
    if level in (2, 3, 5):
        factors[0] = some_polynomial(rng, 2, size)
    product: list[Rational] = [1]
    for factor in factors:
        product = times(product, factor)
    shown = "".join(f"({polynomial(factor)})" for factor in factors)
    degree = len(product) - 1
    code = (
        "from fractions import Fraction\n"
        f"factors = {factors}\n"
        "def value(x):\n    result = Fraction(1)\n    for f in factors:\n"
        "        result *= sum(c * x**k for k, c in enumerate(f))\n    return result\n"
        "# Newton's divided differences give the coefficients back.\n"
        f"xs = list(range({degree + 1}))\nys = [value(x) for x in xs]\nnewton = []\n"
        "while ys:\n    newton.append(ys[0])\n    k = len(newton)\n"
        "    ys = [(b - a) / k for a, b in zip(ys, ys[1:])]\n"
        "poly = [Fraction(0)]\n"
        "for x, c in reversed(list(zip(xs, newton))):\n"
        "    shifted = [Fraction(0)] + poly\n"
        "    poly = [s - x * p for s, p in zip(shifted, poly + [Fraction(0)])]\n"
        "    poly[0] += c\n"
        "print(' + '.join(f'({c})*x^{k}' for k, c in enumerate(poly) if c))"
    )
    question = f"Expand ${shown}$ and collect like terms."
    return Problem(question, polynomial(product), polynomial_slips(product, rng), code)


def ages(rng: random.Random, level: int) -> Problem:
    """Two ages with a ratio now and another then (held out of the other splits)."""
    child, years = rng.randint(4, 8 + 4 * level), rng.randint(1, 4 + 3 * level)
    parent = child + rng.randint(18, 40)
    sum_then = parent + child + 2 * years
    question = (
        f"A mother is {parent - child} years older than her daughter. In {years} years they will "
        f"be {sum_then} years old together. How old is the daughter now?"
    )
    slips = [child + years, parent, sum_then // 2 - years, (sum_then - (parent - child)) // 2]
    code = (
        f"print(next(d for d in range(200) if d + {years} + d + {parent - child} + {years} "
        f"== {sum_then}))"
    )
    return number_problem(question, child, slips, code)


# -------------------------------------------------------------------- calculus


def slope(rng: random.Random, level: int) -> Problem:
    """The derivative at a point."""
    f = some_polynomial(rng, 1 + level, 2 + level)
    x = rng.randint(-2 - level, 2 + level)
    answer = at(derivative(f), x)
    slips = [at(f, x), at(derivative(derivative(f)), x), at(derivative(f), -x)]
    code = (
        f"f = {f}\nx = {x}\n"
        "# The remainder of f divided by (t - x)^2 is f(x) + f'(x)(t - x): divide twice.\n"
        "def divide(f):\n    quotient, carry = [], 0\n    for c in reversed(f):\n"
        "        carry = carry * x + c\n        quotient.append(carry)\n"
        "    return quotient[:-1][::-1], carry\n"
        "print(divide(divide(f)[0])[1])"
    )
    question = f"Let $f(x) = {polynomial(f)}$. What is $f'({x})$?"
    return number_problem(question, answer, slips, code)


def differentiate(rng: random.Random, level: int) -> Problem:
    """The derivative of a polynomial."""
    f = some_polynomial(rng, 1 + level, 4 + 2 * level)
    result = derivative(f)
    slips = (polynomial(f), polynomial([value / 2 for value in map(Fraction, result)]))
    code = (
        f"f = {f}\nd = {{k - 1: k * c for k, c in enumerate(f) if k and c}}\n"
        "print(' + '.join(f'({c})*x^{k}' for k, c in d.items()) or 0)"
    )
    question = f"Differentiate $f(x) = {polynomial(f)}$ with respect to $x$."
    return Problem(question, polynomial(result), slips + polynomial_slips(result, rng), code)


def integral(rng: random.Random, level: int) -> Problem:
    """The integral of a polynomial between two bounds."""
    f = some_polynomial(rng, level, 3 + level)
    low = rng.randint(-level, level)
    high = low + rng.randint(1, 2 + level)
    whole: list[Rational] = [Fraction(0), *(Fraction(c) / (k + 1) for k, c in enumerate(f))]
    answer = at(whole, high) - at(whole, low)
    slips = [at(whole, high), at(f, high) - at(f, low), at(whole, high) + at(whole, low), -answer]
    code = (
        "from fractions import Fraction\n"
        f"f, a, b, n = {f}, {low}, {high}, {level + 1}\n"
        "# Newton-Cotes weights of degree n integrate f exactly; find them by moments.\n"
        "xs = [Fraction(i, n) for i in range(n + 1)]\n"
        "rows = [[x**k for x in xs] + [Fraction(1, k + 1)] for k in range(n + 1)]\n"
        "for i in range(n + 1):\n"
        "    p = next(r for r in range(i, n + 1) if rows[r][i])\n"
        "    rows[i], rows[p] = rows[p], rows[i]\n"
        "    rows[i] = [v / rows[i][i] for v in rows[i]]\n"
        "    for r in range(n + 1):\n"
        "        if r != i:\n"
        "            rows[r] = [v - rows[r][i] * w for v, w in zip(rows[r], rows[i])]\n"
        "g = lambda x: sum(c * x**k for k, c in enumerate(f))\n"
        "print((b - a) * sum(r[-1] * g(a + (b - a) * x) for r, x in zip(rows, xs)))"
    )
    question = rf"Compute $\int_{{{low}}}^{{{high}}} \left({polynomial(f)}\right) dx$."
    return number_problem(question, answer, slips, code)


def limit(rng: random.Random, level: int) -> Problem:
    """A limit where numerator and denominator vanish."""
    size = 2 + 2 * level
    x = rng.randint(-size, size)
    top = some_polynomial(rng, 1 + level // 2, size)
    bottom = [rng.randint(-size, size), nonzero(rng, size)]
    while at(bottom, x) == 0:
        bottom = [rng.randint(-size, size), nonzero(rng, size)]
    answer = Fraction(at(top, x)) / Fraction(at(bottom, x))
    over, under = times(top, [-x, 1]), times(bottom, [-x, 1])
    slips = [Fraction(0), Fraction(top[-1]) / bottom[-1], Fraction(at(top, x)), -answer]
    slips += [Fraction(at(top, 0)) / bottom[0]] if bottom[0] else []
    code = (
        "from fractions import Fraction\n"
        f"top, bottom, x = {over}, {under}, {x}\n"
        "# Both vanish at x once: the ratio of their derivatives there.\n"
        "slope = lambda f: sum(k * c * Fraction(x) ** (k - 1) for k, c in enumerate(f) if k)\n"
        "print(slope(top) / slope(bottom))"
    )
    shown = rf"\lim_{{x \to {x}}} \frac{{{polynomial(over)}}}{{{polynomial(under)}}}"
    return number_problem(f"Find ${shown}$.", answer, slips, code)


def extremum(rng: random.Random, level: int) -> Problem:
    """The extreme value of a parabola (held out of the other splits)."""
    size = 2 + 3 * level
    a, b, c = nonzero(rng, 1 + level), rng.randint(-size, size), rng.randint(-5 * size, 5 * size)
    best = c - Fraction(b * b, 4 * a)
    word = "largest" if a < 0 else "smallest"
    slips = [Fraction(-b, 2 * a), Fraction(c), c + Fraction(b * b, 4 * a), -best]
    code = (
        "from fractions import Fraction\n"
        f"a, b, c = {a}, {b}, {c}\nx = Fraction(-b, 2 * a)\nprint(a * x * x + b * x + c)"
    )
    question = f"What is the {word} value of ${polynomial([c, b, a])}$ over all real $x$?"
    return number_problem(question, best, slips, code)
