"""Combinatorics, geometry and linear algebra."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from fractions import Fraction

from turnwise_envs.math.problems.problem import (
    Problem,
    Rational,
    matrix,
    number_problem,
    radical,
    tuple_slips,
)

_LETTERS = "ABCDEFGHKLMNOPRSTUVW"


# -------------------------------------------------------------------- combinatorics


def committees(rng: random.Random, level: int) -> Problem:
    """Chooses from one or two groups."""
    women, men = rng.randint(3, 6 + 2 * level), rng.randint(3, 6 + 2 * level)
    w, m = rng.randint(1, min(women, 1 + level)), rng.randint(1, min(men, 1 + level))
    answer = math.comb(women, w) * math.comb(men, m)
    question = (
        f"In how many ways can a committee of {w} women and {m} men be chosen from {women} women "
        f"and {men} men?"
    )
    slips = [
        math.comb(women, w) + math.comb(men, m),
        math.comb(women + men, w + m),
        math.perm(women, w) * math.perm(men, m),
        women * men,
        w * m,
    ]
    code = (
        "from itertools import combinations\n"
        f"one = sum(1 for _ in combinations(range({women}), {w}))\n"
        f"other = sum(1 for _ in combinations(range({men}), {m}))\nprint(one * other)"
    )
    return number_problem(question, answer, slips, code)


def arrangements(rng: random.Random, level: int) -> Problem:
    """Orders letters, some of them alike."""
    length = 3 + level + rng.randint(0, 1)
    letters = rng.sample(_LETTERS, length - 1)
    word = letters + [rng.choice(letters) for _ in range(1 + level // 4)]
    rng.shuffle(word)
    text = "".join(word)
    counts = [text.count(letter) for letter in sorted(set(text))]
    answer = math.factorial(len(text))
    for count in counts:
        answer //= math.factorial(count)
    whole = math.factorial(len(text))
    slips = [
        whole,
        math.factorial(len(set(text))),
        whole // max(counts),
        answer * 2,
        len(text) ** 2,
    ]
    code = (
        "from functools import cache\n@cache\ndef ways(counts):\n"
        "    if not any(counts):\n        return 1\n"
        "    return sum(ways(tuple(sorted(counts[:i] + (c - 1,) + counts[i + 1:])))\n"
        "               for i, c in enumerate(counts) if c)\n"
        f"print(ways({tuple(sorted(counts))}))"
    )
    return number_problem(
        f"How many different arrangements do the letters of {text} have?", answer, slips, code
    )


def paths(rng: random.Random, level: int) -> Problem:
    """Shortest paths in a grid, perhaps through a point."""
    right, up = rng.randint(2, 12 + 2 * level), rng.randint(2, 12 + 2 * level)
    answer = math.comb(right + up, up)
    question = f"How many shortest paths along grid lines lead from $(0, 0)$ to $({right}, {up})$"
    slips = [right * up, 2 ** min(40, right + up), math.comb(right + up, up - 1), right + up]
    x, y = rng.randint(1, right - 1), rng.randint(1, up - 1)
    through = level >= 3
    if through:
        question += f" through $({x}, {y})$"
        slips += [answer, math.comb(x + y, x), math.comb(right + up - x - y, right - x)]
        answer = math.comb(x + y, x) * math.comb(right + up - x - y, right - x)
    code = (
        "def count(r, u):\n    row = [1] * (r + 1)\n    for _ in range(u):\n"
        "        for i in range(1, r + 1):\n            row[i] += row[i - 1]\n    return row[r]\n"
    )
    code += (
        f"print(count({x}, {y}) * count({right - x}, {up - y}))"
        if through
        else f"print(count({right}, {up}))"
    )
    return number_problem(question + "?", answer, slips, code)


def dice(rng: random.Random, level: int) -> Problem:
    """The probability of a sum of dice."""
    number, sides = 2 + level // 3, rng.randint(4, 20 if level < 3 else 12)
    total = rng.randint(number + 1, number * sides - 1)
    ways = {0: 1}
    for _ in range(number):
        rolled: dict[int, int] = {}
        for value, count in ways.items():
            for face in range(1, sides + 1):
                rolled[value + face] = rolled.get(value + face, 0) + count
        ways = rolled
    exact = Fraction(ways[total], sides**number)
    atleast = Fraction(sum(n for value, n in ways.items() if value >= total), sides**number)
    more = rng.random() < 0.5 and level >= 2
    answer = atleast if more else exact
    what = f"at least {total}" if more else f"exactly {total}"
    question = (
        f"{number} fair dice with faces 1 to {sides} are rolled. What is the probability that "
        f"their sum is {what}? Answer with a fraction."
    )
    slips: list[Rational] = [exact, atleast, 1 - answer, Fraction(1, number * sides - number + 1)]
    slips += [Fraction(ways[total], sides), Fraction(total, number * sides)]
    sign = ">=" if more else "=="
    code = (
        "from fractions import Fraction\nfrom itertools import product\n"
        f"rolls = [sum(r) for r in product(range(1, {sides + 1}), repeat={number})]\n"
        f"print(Fraction(sum(r {sign} {total} for r in rolls), len(rolls)))"
    )
    return number_problem(question, answer, slips, code)


def sharing(rng: random.Random, level: int) -> Problem:
    """Alike things for different people (held out of the other splits)."""
    things, people = rng.randint(4, 8 + 3 * level), rng.randint(2, 3 + level // 2)
    least = rng.randint(0, 1) if things >= people else 0
    answer = math.comb(things - least * people + people - 1, people - 1)
    question = (
        f"In how many ways can {things} identical coins be shared among {people} children, "
        + ("each getting at least one?" if least else "some perhaps getting none?")
    )
    slips = [people**things if things < 12 else things**people, math.comb(things, people)]
    slips += [math.comb(things + people - 1, people - 1), math.comb(things - 1, people - 1)]
    slips += [math.comb(things + people, people), things * people]
    code = (
        "from functools import cache\n@cache\ndef ways(n, k):\n    if k == 0:\n"
        "        return n == 0\n"
        f"    return sum(ways(n - i, k - 1) for i in range({least}, n + 1))\n"
        f"print(ways({things}, {people}))"
    )
    return number_problem(question, answer, slips, code)


# -------------------------------------------------------------------- geometry


def rectangle(rng: random.Random, level: int) -> Problem:
    """Area and perimeter, one from the other."""
    wide, high = rng.randint(2, 12 + 8 * level), rng.randint(2, 12 + 8 * level)
    around, area = 2 * (wide + high), wide * high
    if level <= 2:
        question = f"A rectangle is {wide} cm wide and {high} cm high. What is its area in cm²?"
        slips = [around, wide + high, area // 2, 2 * area]
        code = f"print(sum({wide} for _ in range({high})))"
        return number_problem(question, area, slips, code)
    question = f"A rectangle has a perimeter of {around} cm and is {wide} cm wide. "
    question += "What is its area in cm²?"
    slips = [wide * (around - wide), wide * around, wide * (around // 2), around - 2 * wide]
    code = f"h = next(h for h in range(10**4) if 2 * (h + {wide}) == {around})\nprint(h * {wide})"
    return number_problem(question, area, slips, code)


def hypotenuse(rng: random.Random, level: int) -> Problem:
    """A side of a right triangle, as a root."""
    one, other = rng.randint(1, 8 + 3 * level), rng.randint(1, 8 + 3 * level)
    square = one * one + other * other
    question = f"A right triangle has legs of length {one} and {other}. How long is its hypotenuse?"
    if level >= 3:
        question = (
            f"A right triangle has a hypotenuse of length ${radical(square)}$ and a leg of length "
            f"{other}. What is its area?"
        )
        areas: list[Rational] = [one * other, one**2, one]
        areas += [Fraction(square * other, 2), Fraction(one + other, 2)]
        code = (
            f"from fractions import Fraction\nleg = next(n for n in range(10**4) "
            f"if n * n == {square} - {other}**2)\nprint(Fraction(leg * {other}, 2))"
        )
        return number_problem(question, Fraction(one * other, 2), areas, code)
    wrong = [one + other, abs(one * one - other * other) or 1, square + 1, square - 1, 2 * square]
    squares = [wrong[0] ** 2, *wrong[1:], *(square + step for step in range(2, 20))]
    slips = tuple(radical(value) for value in squares)
    code = (
        f"s = {square}\nk = max(k for k in range(1, s + 1) if s % (k * k) == 0)\n"
        "m = s // (k * k)\nprint(k if m == 1 else f'{k}*sqrt({m})')"
    )
    return Problem(question, radical(square), slips, code)


def polygon(rng: random.Random, level: int) -> Problem:
    """The area of a polygon by its corners."""
    corners: list[tuple[int, int]] = []
    twice = 0
    while twice == 0:
        angles = sorted(rng.uniform(0, 2 * math.pi) for _ in range(3 + level // 3))
        radius = [rng.randint(3, 6 + 3 * level) for _ in angles]
        corners = [
            (round(r * math.cos(a)), round(r * math.sin(a)))
            for r, a in zip(radius, angles, strict=True)
        ]
        if len(set(corners)) == len(corners) and _is_simple(corners):
            twice = abs(_twice_area(corners))
    listed = ", ".join(f"({x}, {y})" for x, y in corners)
    question = f"What is the area of the polygon with the corners ${listed}$, in this order?"
    spread = [max(c[i] for c in corners) - min(c[i] for c in corners) for i in (0, 1)]
    slips: list[Rational] = [twice, Fraction(twice, 4)]
    slips += [spread[0] * spread[1], Fraction(spread[0] * spread[1], 2)]
    code = (
        "from fractions import Fraction\n"
        f"p = {corners}\n"
        "# Trapezia under the edges.\n"
        "area = sum(Fraction(b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in zip(p, p[1:] + p[:1]))\n"
        "print(abs(area))"
    )
    return number_problem(question, Fraction(twice, 2), slips, code)


def _twice_area(corners: Sequence[tuple[int, int]]) -> int:
    following = [*corners[1:], corners[0]]
    return sum(a[0] * b[1] - a[1] * b[0] for a, b in zip(corners, following, strict=True))


def _is_simple(corners: Sequence[tuple[int, int]]) -> bool:
    """Returns whether every corner turns the same way, which makes the polygon convex."""
    count = len(corners)
    turns = [
        _twice_area([corners[i], corners[(i + 1) % count], corners[(i + 2) % count]])
        for i in range(count)
    ]
    return all(turn > 0 for turn in turns)


def circle(rng: random.Random, level: int) -> Problem:
    """Area, circumference or ring, as a multiple of pi."""
    radius = rng.randint(2, 40 + 30 * level)
    inner = rng.randint(1, radius - 1)
    cases = [
        (f"What is the area of a circle with radius {radius}?", radius**2, f"{radius}**2"),
        (f"What is the circumference of a circle with radius {radius}?", 2 * radius, f"2*{radius}"),
    ]
    if level >= 3:
        cases = [
            (
                f"What is the area between two circles with the same centre and radii {inner} and "
                f"{radius}?",
                radius**2 - inner**2,
                f"({radius} - {inner}) * ({radius} + {inner})",
            )
        ]
    question, factor, code = rng.choice(cases)
    wrong = [radius**2, 2 * radius, radius, 4 * radius**2, 2 * radius**2, (radius - inner) ** 2]
    wrong += [inner**2, radius**2 + inner**2, *(factor + step for step in range(1, 12))]
    slips = tuple(_pi(value) for value in wrong)
    return Problem(
        f"{question} Give it in terms of $\\pi$.", _pi(factor), slips, f"print(f'{{{code}}}*pi')"
    )


def _pi(factor: int) -> str:
    return r"\pi" if factor == 1 else rf"{factor}\pi"


def distance(rng: random.Random, level: int) -> Problem:
    """The squared distance of two points (held out of the other splits)."""
    size, dimension = 4 + 3 * level, 2 + level // 3
    one, other = ([rng.randint(-size, size) for _ in range(dimension)] for _ in range(2))
    gaps = [a - b for a, b in zip(one, other, strict=True)]
    answer = sum(gap * gap for gap in gaps)
    points = [str(tuple(point)) for point in (one, other)]
    question = f"What is the square of the distance between ${points[0]}$ and ${points[1]}$?"
    slips = [
        sum(map(abs, gaps)),
        sum(gaps) ** 2,
        sum(a * b for a, b in zip(one, other, strict=True)),
    ]
    slips += [sum((a + b) ** 2 for a, b in zip(one, other, strict=True)), answer // 2]
    code = f"print(sum(abs(a - b) ** 2 for a, b in zip({one}, {other})))"
    return number_problem(question, answer, slips, code)


# -------------------------------------------------------------------- linear algebra

Rows = list[list[int]]


def some_matrix(rng: random.Random, rows: int, columns: int, size: int) -> Rows:
    """Returns a matrix of whole numbers."""
    return [[rng.randint(-size, size) for _ in range(columns)] for _ in range(rows)]


def det(rows: Sequence[Sequence[int]]) -> int:
    """Returns a determinant, expanded by the first row."""
    if len(rows) == 1:
        return rows[0][0]
    return sum(
        (-1) ** j * value * det([[*row[:j], *row[j + 1 :]] for row in rows[1:]])
        for j, value in enumerate(rows[0])
    )


def determinant(rng: random.Random, level: int) -> Problem:
    """A determinant."""
    size = 2 if level <= 2 else 3 if level <= 4 else 4
    rows = some_matrix(rng, size, size, 3 + level)
    answer = det(rows)
    diagonal = math.prod(rows[i][i] for i in range(size))
    crossed = math.prod(rows[i][size - 1 - i] for i in range(size))
    slips = [diagonal, diagonal + crossed, crossed, -answer, sum(rows[i][i] for i in range(size))]
    code = (
        "from fractions import Fraction\n"
        f"a = [[Fraction(v) for v in row] for row in {rows}]\nd = Fraction(1)\n"
        "for i in range(len(a)):\n"
        "    p = next((r for r in range(i, len(a)) if a[r][i]), None)\n"
        "    if p is None:\n        d = Fraction(0)\n        break\n"
        "    if p != i:\n        a[i], a[p] = a[p], a[i]\n        d = -d\n"
        "    d *= a[i][i]\n"
        "    for r in range(i + 1, len(a)):\n"
        "        q = a[r][i] / a[i][i]\n"
        "        a[r] = [x - q * y for x, y in zip(a[r], a[i])]\nprint(d)"
    )
    return number_problem(f"Find the determinant of ${matrix(rows)}$.", answer, slips, code)


def dot(rng: random.Random, level: int) -> Problem:
    """A scalar product."""
    count, size = 2 + level // 2, 4 + 2 * level
    one, other = ([rng.randint(-size, size) for _ in range(count)] for _ in range(2))
    products = [a * b for a, b in zip(one, other, strict=True)]
    answer = sum(products)
    slips = [sum(map(abs, products)), sum(one) * sum(other), sum(one) + sum(other)]
    slips += [answer - 2 * product for product in products]
    code = f"total = 0\nfor a, b in zip({one}, {other}):\n    total += a * b\nprint(total)"
    question = f"What is the dot product of ${tuple(one)}$ and ${tuple(other)}$?"
    return number_problem(question, answer, slips, code)


def image(rng: random.Random, level: int) -> Problem:
    """A matrix times a vector."""
    count = 2 if level <= 3 else 3
    rows, vector = (
        some_matrix(rng, count, count, 3 + level),
        some_matrix(rng, 1, count, 3 + level)[0],
    )
    result = [sum(a * b for a, b in zip(row, vector, strict=True)) for row in rows]
    wrong = [*tuple_slips(result, rng)]
    wrong.append(tuple(sum(rows[i][j] * vector[i] for i in range(count)) for j in range(count)))
    column = matrix([[value] for value in vector])
    code = (
        f"a, v = {rows}, {vector}\nprint(tuple(sum(a[i][j] * v[j] for j in range(len(v)))"
        " for i in range(len(a))))"
    )
    return Problem(
        f"Compute ${matrix(rows)}{column}$.",
        matrix([[value] for value in result]),
        tuple(matrix([[value] for value in other]) for other in wrong),
        code,
    )


def cramer(rng: random.Random, level: int) -> Problem:
    """One unknown of a linear system in matrix form."""
    count, size = (2 if level <= 3 else 3), 2 + level
    rows = some_matrix(rng, count, count, size)
    while det(rows) == 0:
        rows = some_matrix(rng, count, count, size)
    right = [rng.randint(-2 * size, 2 * size) for _ in range(count)]
    values = [
        Fraction(det([[*row[:j], b, *row[j + 1 :]] for row, b in zip(rows, right, strict=True)]))
        / det(rows)
        for j in range(count)
    ]
    slips = [values[-1], -values[0], 1 / values[0] if values[0] else Fraction(1), sum(values)]
    unknowns = r" \\ ".join(f"x_{i + 1}" for i in range(count))
    column = matrix([[b] for b in right])
    question = (
        rf"Let ${matrix(rows)}\begin{{pmatrix}} {unknowns} \end{{pmatrix}} = {column}$. "
        "What is $x_1$?"
    )
    code = (
        "from fractions import Fraction\n"
        f"a = [[Fraction(v) for v in row] + [Fraction(b)] for row, b in zip({rows}, {right})]\n"
        "n = len(a)\nfor i in range(n):\n"
        "    p = next(r for r in range(i, n) if a[r][i])\n    a[i], a[p] = a[p], a[i]\n"
        "    a[i] = [v / a[i][i] for v in a[i]]\n    for r in range(n):\n        if r != i:\n"
        "            a[r] = [x - a[r][i] * y for x, y in zip(a[r], a[i])]\nprint(a[0][n])"
    )
    return number_problem(question, values[0], slips, code)


def trace_of_square(rng: random.Random, level: int) -> Problem:
    """The trace of a matrix's square (held out of the other splits)."""
    count = 2 if level <= 3 else 3
    rows = some_matrix(rng, count, count, 3 + level)
    answer = sum(rows[i][j] * rows[j][i] for i in range(count) for j in range(count))
    trace = sum(rows[i][i] for i in range(count))
    squares = sum(value * value for row in rows for value in row)
    slips = [trace**2, squares, sum(rows[i][i] ** 2 for i in range(count)), trace, 2 * trace]
    code = (
        f"a = {rows}\nn = len(a)\n"
        "b = [[sum(a[i][k] * a[k][j] for k in range(n)) for j in range(n)] for i in range(n)]\n"
        "print(sum(b[i][i] for i in range(n)))"
    )
    question = f"Let $A = {matrix(rows)}$. What is the trace of $A^2$?"
    return number_problem(question, answer, slips, code)
