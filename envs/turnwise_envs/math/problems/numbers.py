"""Arithmetic and number theory."""

from __future__ import annotations

import math
import random
from fractions import Fraction

from turnwise_envs.math.problems.problem import Problem, Rational, number_problem, tex

NAMES = ("Ada", "Ben", "Chloe", "Dev", "Elif", "Femi", "Grace", "Hugo", "Ines", "Jun")
_THINGS = ("pens", "apples", "stickers", "marbles", "cards", "shells", "beads", "coins")


# -------------------------------------------------------------------- arithmetic


def expression(rng: random.Random, level: int) -> Problem:
    """Sums, differences and products with precedence."""
    terms, values, hasty = [], [], rng.randint(2, 60)
    first = hasty
    terms.append(str(first))
    values.append(first)
    for _ in range(level):
        sign, factor = rng.choice((-1, 1)), rng.randint(2, 30)
        if rng.random() < 0.5:
            other = rng.randint(2, 9 + 3 * level)
            terms.append(f"{'+' if sign > 0 else '-'} {factor} * {other}")
            values.append(sign * factor * other)
            hasty = (hasty + sign * factor) * other
        else:
            terms.append(f"{'+' if sign > 0 else '-'} {factor}")
            values.append(sign * factor)
            hasty += sign * factor
    text = " ".join(terms)
    slips = [hasty, sum(map(abs, values)), *(sum(values) - 2 * value for value in values[1:])]
    shown = text.replace("*", r"\times")
    return number_problem(f"Compute ${shown}$.", sum(values), slips, f"print({text})")


def fractions(rng: random.Random, level: int) -> Problem:
    """Adds and subtracts fractions."""
    parts = []
    for _ in range(2 + level // 3):
        bottom = rng.randint(2, 5 + 3 * level)
        parts.append(Fraction(rng.randint(1, bottom + 2 * level), bottom) * rng.choice((1, 1, -1)))
    parts[0] = abs(parts[0])
    shown = tex(parts[0])
    for part in parts[1:]:
        shown += (" - " if part < 0 else " + ") + tex(abs(part))
    tops, bottoms = sum(p.numerator for p in parts), sum(p.denominator for p in parts)
    slips = [Fraction(tops, bottoms), sum(map(abs, parts), Fraction(0)), parts[0] - sum(parts[1:])]
    pairs = [(part.numerator, part.denominator) for part in parts]
    code = f"from fractions import Fraction\nprint(sum(Fraction(a, b) for a, b in {pairs}))"
    return number_problem(f"Compute ${shown}$.", sum(parts, Fraction(0)), slips, code)


def boxes(rng: random.Random, level: int) -> Problem:
    """A story of boxes, gifts and shares."""
    name, thing = rng.choice(NAMES), rng.choice(_THINGS)
    count, each = rng.randint(3, 9 + 4 * level), rng.randint(4, 12 + 6 * level)
    gone = rng.randint(1, count * each - 1)
    left = count * each - gone
    text = f"{name} has {count} boxes with {each} {thing} each and gives away {gone} {thing}."
    slips = [count * each + gone, count + each - gone, count * each, abs(each - gone) * count]
    code = f"left = {each} * {count} - {gone}\n"
    if level >= 3:
        more = rng.randint(2, 5)
        text += f" Then the number of {thing} that are left grows {more}-fold."
        slips += [left + more, left]
        left *= more
        code += f"left *= {more}\n"
    if level >= 5:
        friends = rng.randint(3, 9)
        slips += [left // friends]
        text += f" They are put into piles of {friends}; what remains is thrown away."
        left -= left % friends
        code += f"left = left // {friends} * {friends}\n"
    question = f"{text} How many {thing} does {name} have in the end?"
    return number_problem(question, left, slips, code + "print(left)")


def percent(rng: random.Random, level: int) -> Problem:
    """Changes a price by percentages in turn."""
    price = rng.randint(2, 40) * 20
    rates = [nonzero_rate(rng) for _ in range((level + 1) // 2)]
    value, story = Fraction(price), []
    for rate in rates:
        value *= Fraction(100 + rate, 100)
        story.append(f"{'rises' if rate > 0 else 'falls'} by {abs(rate)}%")
    together = Fraction(price) * Fraction(100 + sum(rates), 100)
    slips: list[Rational] = [together, value - price, price + sum(rates)]
    slips.append(Fraction(price * abs(rates[0]), 100))
    question = f"A price of {price} dollars {', then '.join(story)}. What is it then, in dollars?"
    code = (
        f"from fractions import Fraction\nprice = Fraction({price})\nfor rate in {rates}:\n"
        "    price += price * rate / 100\nprint(price)"
    )
    return number_problem(question, value, slips, code)


def nonzero_rate(rng: random.Random) -> int:
    """Returns a percentage that is a multiple of 5."""
    return 5 * rng.randint(1, 12) * rng.choice((-1, 1))


def speeds(rng: random.Random, level: int) -> Problem:
    """Two travellers who meet (held out of the other splits)."""
    one, other = rng.randint(3, 20 + 10 * level), rng.randint(3, 20 + 10 * level)
    hours = Fraction(rng.randint(1, 6 * level), level)
    distance = (one + other) * hours
    question = (
        f"Two cyclists start at the same time from towns {tex(distance)} km apart and ride towards "
        f"each other at {one} and {other} km per hour. After how many hours do they meet?"
    )
    slips = [distance / one, distance / other, 2 * hours, Fraction(one + other, 2)]
    if one != other:
        slips.append(distance / abs(one - other))
    code = (
        f"from fractions import Fraction\nd = Fraction({distance.numerator}, "
        f"{distance.denominator})\nprint(d / ({one} + {other}))"
    )
    return number_problem(question, hours, slips, code)


# -------------------------------------------------------------------- number theory


def common_divisor(rng: random.Random, level: int) -> Problem:
    """Greatest common divisor or least common multiple."""
    common = rng.randint(2, 6 * level + 6)
    one, other = (common * rng.randint(2, 8 + 8 * level) for _ in range(2))
    divisor = math.gcd(one, other)
    multiple = one * other // divisor
    if rng.random() < 0.5:
        question = f"What is the greatest common divisor of {one} and {other}?"
        slips = [common, 1, min(one, other), multiple, divisor * 2, abs(one - other)]
        code = f"print(max(d for d in range(1, {one} + 1) if {one} % d == 0 == {other} % d))"
        return number_problem(question, divisor, slips, code)
    question = f"What is the least common multiple of {one} and {other}?"
    slips = [one * other, divisor, max(one, other), multiple * 2, one + other]
    code = f"n = {one}\nwhile n % {other}:\n    n += {one}\nprint(n)"
    return number_problem(question, multiple, slips, code)


def power_remainder(rng: random.Random, level: int) -> Problem:
    """The remainder of a power."""
    base, modulus = rng.randint(2, 9 + 4 * level), rng.randint(5, 20 + 15 * level)
    exponent = rng.randint(3, 4 + 4**level)
    answer = pow(base, exponent, modulus)
    question = f"What is the remainder of ${base}^{{{exponent}}}$ on division by {modulus}?"
    slips = [base * exponent % modulus, pow(base, exponent - 1, modulus), base % modulus]
    slips += [pow(base, exponent + 1, modulus), modulus - answer, exponent % modulus]
    code = (
        f"value = 1\nfor _ in range({exponent}):\n    value = value * {base} % {modulus}\n"
        "print(value)"
    )
    return number_problem(question, answer, slips, code)


def divisors(rng: random.Random, level: int) -> Problem:
    """How many divisors, or their sum."""
    number = rng.randint(12 * level, 60 + 60 * level**2)
    found = [d for d in range(1, number + 1) if number % d == 0]
    count, total = len(found), sum(found)
    if rng.random() < 0.5:
        question = f"How many positive divisors does {number} have?"
        code = f"n, count, p = {number}, 1, 2\nwhile n > 1:\n    k = 1\n    while n % p == 0:\n"
        code += "        n //= p\n        k += 1\n    count *= k\n    p += 1\nprint(count)"
        return number_problem(question, count, [count - 1, count - 2, total, count // 2], code)
    question = f"What is the sum of the positive divisors of {number}?"
    code = f"n, total, p = {number}, 1, 2\nwhile n > 1:\n    s = power = 1\n    while n % p == 0:\n"
    code += "        n //= p\n        power *= p\n        s += power\n    total *= s\n    p += 1\n"
    return number_problem(
        question,
        total,
        [total - number, total - 1, total - number - 1, count],
        code + "print(total)",
    )


def base(rng: random.Random, level: int) -> Problem:
    """Writes a number in another base."""
    number, radix = rng.randint(5 * level, 40 + 60 * level**2), rng.randint(2, 9)
    answer = digits_of(number, radix)
    others = [number + step for step in range(-8, 9) if step and number + step > 0]
    slips = [answer[::-1].lstrip("0") or "0", *(digits_of(other, radix) for other in others)]
    code = (
        f"n, digits = {number}, ''\nwhile n:\n    n, d = divmod(n, {radix})\n"
        f"    digits = str(d) + digits\nprint(digits + '_{radix}')"
    )
    return Problem(
        f"Write the decimal number {number} in base {radix}, with the base as a subscript.",
        f"{answer}_{radix}",
        tuple(f"{slip}_{radix}" for slip in slips),
        code,
    )


def digits_of(number: int, radix: int) -> str:
    """Returns a positive number's digits in a base up to 10."""
    text = ""
    while number:
        number, digit = divmod(number, radix)
        text = str(digit) + text
    return text


def remainders(rng: random.Random, level: int) -> Problem:
    """The least number with given remainders (held out of the other splits)."""
    moduli: list[int] = []
    while len(moduli) < 2 + level // 4:
        candidate = rng.randint(3, 7 + 4 * level)
        if all(math.gcd(candidate, modulus) == 1 for modulus in moduli):
            moduli.append(candidate)
    product = math.prod(moduli)
    answer = rng.randrange(1, product)
    rests = [answer % modulus for modulus in moduli]
    listed = " and ".join(f"{r} on division by {m}" for r, m in zip(rests, moduli, strict=True))
    question = f"What is the smallest positive integer that leaves the remainder {listed}?"
    slips = [answer + moduli[0], answer + moduli[1], product - answer, answer + product, sum(rests)]
    code = (
        f"print(next(n for n in range(1, {product} + 1) "
        f"if all(n % m == r for m, r in zip({moduli}, {rests}))))"
    )
    return number_problem(question, answer, slips, code)
