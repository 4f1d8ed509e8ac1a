r"""Values of parsed expressions: exact where they are rational, else to 50 digits.

Two expressions count as equal if their exact values are, or if they agree to 40 significant
digits at every one of several points where both are defined: positive points, and points of mixed
signs where both sides are real (so that the root of x² is |x|, not x).

Runs in worker processes only: a value can be expensive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import mpmath

from turnwise_envs.math.exact import (
    GOLD_DIGITS,
    PREDICTION_DIGITS,
    Number,
    numbers_agree,
    stands_for,
    terminates,
)
from turnwise_envs.math.latex import Node

_DIGITS = 50
_AGREE = mpmath.mpf(10) ** -40
_MAX_BITS = 100_000
_MAX_LOG2 = 2**31
_POINTS = 4
_NOTHING: frozenset[str] = frozenset()


class ValueTooLarge(ArithmeticError):
    """A number of the expression has too many digits to be worked with."""


# -------------------------------------------------------------------- exact values


def exact(node: Node) -> Fraction | None:
    """Returns the rational value of an expression without symbols and roots, else None.

    Raises:
        ValueTooLarge: If it has more than 100,000 bits.
        ZeroDivisionError: If it divides by zero.
    """
    kind = node[0]
    if kind == "num":
        return node[1].value
    if kind in ("sym", "pm", "mp"):
        return None
    parts = [exact(part) for part in node[1:] if isinstance(part, tuple)]
    if any(part is None for part in parts):
        return None
    values: list[Fraction] = parts  # type: ignore[assignment]
    if kind == "call":
        return _exact_call(node[1], values)
    if kind == "add":
        return _small(sum(values, Fraction(0)))
    if kind == "neg":
        return -values[0]
    if kind == "mul":
        product = Fraction(1)
        for value in values:
            product = _small(product * value)
        return product
    if kind == "div":
        return values[0] / values[1]
    return _exact_power(values[0], values[1])


def _exact_power(base: Fraction, exponent: Fraction) -> Fraction | None:
    if exponent.denominator != 1:
        return None
    if base == 0 and exponent < 0:
        raise ZeroDivisionError
    if base in (0, 1, -1):
        return base ** (int(exponent) % 2 or 2) if exponent else Fraction(1)
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if bits * abs(int(exponent)) > _MAX_BITS:
        return None  # compared to 50 digits, if at all
    return base ** int(exponent)


def _exact_call(name: str, values: list[Fraction]) -> Fraction | None:
    whole = all(value.denominator == 1 for value in values)
    numbers = [int(value) for value in values] if whole else []
    if name == "factorial" and whole and 0 <= numbers[0] <= 2000:
        return Fraction(math.factorial(numbers[0]))
    if name == "binomial" and whole and 0 <= numbers[1] <= 2000 and 0 <= numbers[0] <= 10**6:
        return Fraction(math.comb(*numbers))
    if name == "abs":
        return abs(values[0])
    if name == "floor":
        return Fraction(values[0].__floor__())
    if name == "ceil":
        return Fraction(values[0].__ceil__())
    if name in ("max", "min") and values:
        return max(values) if name == "max" else min(values)
    if name in ("gcd", "lcm") and whole and numbers:
        return Fraction(math.gcd(*numbers) if name == "gcd" else math.lcm(*numbers))
    if name == "sqrt" and values[0] >= 0:
        top, bottom = (math.isqrt(n) for n in (values[0].numerator, values[0].denominator))
        root = Fraction(top, bottom)
        return root if root * root == values[0] else None
    return None


def _small(value: Fraction) -> Fraction:
    if value.numerator.bit_length() + value.denominator.bit_length() > 4 * _MAX_BITS:
        raise ValueTooLarge("a number has too many digits")
    return value


# -------------------------------------------------------------------- numeric values

Point = dict[str, Any]
_ONE_ARGUMENT: dict[str, Callable[[Any], Any]] = {
    "sqrt": mpmath.sqrt,
    "ln": mpmath.log,
    "log10": mpmath.log10,
    "exp": mpmath.exp,
    "abs": mpmath.fabs,
    "cbrt": lambda value: _root(value, mpmath.mpf(3)),
    "conjugate": mpmath.conj,
    "sign": mpmath.sign,
    "Re": mpmath.re,
    "Im": mpmath.im,
    "arg": mpmath.arg,
    **{
        name: getattr(mpmath, name)
        for name in "sin cos tan cot sec csc sinh cosh tanh coth sech csch".split()
    },
    "arcsin": mpmath.asin,
    "arccos": mpmath.acos,
    "arctan": mpmath.atan,
    "arccot": mpmath.acot,
}
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "pi": lambda: +mpmath.pi,
    "e": lambda: +mpmath.e,
    "i": lambda: mpmath.mpc(0, 1),
    "degree": lambda: mpmath.pi / 180,
    "infty": lambda: mpmath.inf,
}


def numeric(node: Node, point: Point) -> Any:
    """Returns the value of an expression at a point, an mpmath number.

    Raises:
        ArithmeticError, ValueError: If it is undefined there.
        ValueTooLarge: If it is beyond any use.
    """
    kind = node[0]
    if kind == "num":
        value = node[1].value
        return mpmath.mpf(value.numerator) / value.denominator
    if kind == "sym":
        return point[node[1]]
    if kind == "call":
        return _call(node[1], [numeric(part, point) for part in node[2:]])
    values = [numeric(part, point) for part in node[1:]]
    if kind == "add":
        return mpmath.fsum(values)
    if kind == "mul":
        return mpmath.fprod(values)
    if kind == "neg":
        return -values[0]
    if kind == "div":
        return values[0] / values[1]
    if kind == "pow":
        return _power(values[0], values[1])
    raise ValueError(f"{kind} has no single value")


def _power(base: Any, exponent: Any) -> Any:
    if base and exponent and mpmath.isfinite(base) and mpmath.isfinite(exponent):
        size = abs(mpmath.log(abs(base), 2) * abs(exponent))
        if size > _MAX_LOG2:
            raise ValueTooLarge("a power is too large")
    return mpmath.power(base, exponent)


def _root(value: Any, index: Any) -> Any:
    """Returns the real root where there is one, as people write it."""
    if mpmath.im(value) == 0 and mpmath.re(value) < 0 and mpmath.isint(index) and int(index) % 2:
        return -mpmath.power(-mpmath.re(value), 1 / index)
    return _power(value, 1 / index)


def _call(name: str, values: list[Any]) -> Any:
    if name in _CONSTANTS:
        return _CONSTANTS[name]()
    if name in ("sin", "cos", "tan", "exp") and abs(values[0]) > _MAX_LOG2:
        raise ValueTooLarge("an argument is too large")
    if name in _ONE_ARGUMENT and len(values) == 1:
        return _ONE_ARGUMENT[name](values[0])
    if name == "root":
        return _root(*values)
    if name == "logbase":
        return mpmath.log(values[0]) / mpmath.log(values[1])
    if name in ("floor", "ceil"):
        return mpmath.floor(values[0]) if name == "floor" else mpmath.ceil(values[0])
    if name in ("factorial", "binomial"):
        if max(abs(value) for value in values) > 10**6:
            raise ValueTooLarge("a factorial is too large")
        return mpmath.factorial(values[0]) if name == "factorial" else mpmath.binomial(*values)
    if name in ("max", "min"):
        return max(values) if name == "max" else min(values)
    raise ValueError(f"{name} has no value here")


# -------------------------------------------------------------------- equality


def symbols(node: Node) -> frozenset[str]:
    """Returns the names of an expression's variables."""
    if node[0] == "sym":
        return frozenset((node[1],))
    return _NOTHING.union(*(symbols(part) for part in node[1:] if isinstance(part, tuple)))


def decimals(node: Node) -> Iterator[Number]:
    """Yields the decimals in an expression."""
    if node[0] == "num":
        if node[1].places >= 0:
            yield node[1]
        return
    for part in node[1:]:
        if isinstance(part, tuple):
            yield from decimals(part)


def points(names: frozenset[str]) -> Iterator[tuple[bool, Point]]:
    """Yields (whether all are positive, values) for the variables; the same in every process."""
    ordered = sorted(names)
    for turn in range(2 * _POINTS):
        positive = turn < _POINTS
        point: Point = {}
        for place, name in enumerate(ordered):
            # Powers of a root of a prime: algebraically unrelated enough, and never special.
            value = mpmath.sqrt(2 + 3 * turn + 7 * place) / (1 + (turn + place) % 3) + mpmath.mpf(
                place + 1
            ) / (turn + 3)
            negative = not positive and (turn + place) % 2 == 0
            point[name] = -value if negative else value
        yield positive, point
        if not ordered:
            return


def close(left: Any, right: Any) -> bool:
    """Returns whether two values agree to 40 significant digits."""
    if mpmath.isinf(left) or mpmath.isinf(right):
        return bool(left == right)
    scale = max(abs(left), abs(right), mpmath.mpf(10) ** -30)
    return bool(abs(left - right) <= _AGREE * scale)


def equal(gold: Node, prediction: Node) -> bool:
    """Returns whether two expressions have the same value; see the module's text and `exact`.

    Raises:
        ValueTooLarge: If one of them is beyond any use.
        ArithmeticError, ValueError: If one of them is undefined at every point.
    """
    left, right = exact(gold), exact(prediction)
    if left is not None and right is not None:
        return numbers_agree(_as_number(gold, left), _as_number(prediction, right))
    with mpmath.workdps(_DIGITS):
        if _agree_at_points(gold, prediction):
            return True
        return _stands_for(gold, prediction, right, GOLD_DIGITS) or _stands_for(
            prediction, gold, left, PREDICTION_DIGITS
        )


def rounded(true: Node, decimal: Node) -> bool:
    """Returns whether a decimal is an expression's value, rounded or cut off.

    Raises:
        ValueTooLarge: If one of them is beyond any use.
        ArithmeticError, ValueError: If one of them is undefined.
    """
    if symbols(true) or symbols(decimal) or not any(decimals(decimal)):
        return False
    places = max(number.places for number in decimals(decimal))
    with mpmath.workdps(_DIGITS):
        gap = abs(numeric(true, {}) - numeric(decimal, {}))
        return bool(gap < mpmath.mpf(10) ** -places)


def proportional(gold: Node, prediction: Node, positive: bool) -> bool:
    """Returns whether two expressions have a constant ratio, neither 0 nor undefined.

    Args:
        gold: one expression.
        prediction: another one.
        positive: whether the ratio must be positive, too.

    Raises:
        ValueTooLarge: If one of them is beyond any use.
    """
    ratio = None
    names = symbols(gold) | symbols(prediction)
    if not names:
        return False  # a statement about numbers describes nothing
    with mpmath.workdps(_DIGITS):
        for _, point in points(names):
            try:
                left, right = numeric(gold, point), numeric(prediction, point)
                here = left / right
            except ValueTooLarge:
                raise
            except (ArithmeticError, ValueError):
                continue
            if not left or not mpmath.isfinite(here):
                return False
            if ratio is None:
                ratio = here
            if not close(ratio, here):
                return False
    return ratio is not None and (not positive or (mpmath.im(ratio) == 0 and ratio > 0))


def _as_number(node: Node, value: Fraction) -> Number:
    if node[0] == "num":
        return node[1]
    if node[0] == "neg" and node[1][0] == "num":
        inner = node[1][1]
        return Number(value, inner.places, inner.digits)
    if node[0] == "mul" and any(decimals(node)) and terminates(value):
        # 2.31 \times 10^{-3} is a decimal too.
        text = str(value.numerator * 10**60 // value.denominator).rstrip("0")
        places = 0
        while places < 60 and (value * 10**places).denominator != 1:
            places += 1
        return Number(value, places, len(text.lstrip("-0")))
    return Number(value)


def _agree_at_points(gold: Node, prediction: Node) -> bool:
    tried = 0
    problem: Exception | None = None
    for positive, point in points(symbols(gold) | symbols(prediction)):
        try:
            left, right = numeric(gold, point), numeric(prediction, point)
        except ValueTooLarge:
            raise
        except (ArithmeticError, ValueError) as error:
            problem = error
            continue
        if mpmath.isnan(left) or mpmath.isnan(right):
            continue
        if not positive and (mpmath.im(left) != 0 or mpmath.im(right) != 0):
            continue
        if not close(left, right):
            return False
        tried += positive
    if not tried and problem is not None:
        raise problem
    return tried > 0


def _stands_for(approximate: Node, true: Node, exact_value: Fraction | None, digits: int) -> bool:
    """Returns whether an expression with decimals is another without any, rounded or cut off."""
    given = list(decimals(approximate))
    if not given or any(decimals(true)) or min(number.digits for number in given) < digits:
        return False
    if exact_value is not None:
        if approximate[0] == "num":
            return stands_for(approximate[1], Number(exact_value), digits)
        if terminates(exact_value):
            return False

    for _, point in points(symbols(approximate) | symbols(true)):
        try:
            shown, value = numeric(approximate, point), numeric(true, point)
            slack = _slack(approximate, point) * mpmath.mpf("0.999")
        except ValueTooLarge:
            raise
        except (ArithmeticError, ValueError):
            return False
        if abs(shown - value) > slack:
            return False
    return True


def _slack(node: Node, point: Point) -> Any:
    """Returns by how much the value moves if every decimal moves by one unit in its last place."""
    here = numeric(node, point)
    return mpmath.fsum(
        abs(numeric(_moved(node, turn)[0], point) - here)
        for turn in range(sum(1 for _ in decimals(node)))
    )


def _moved(node: Node, turn: int) -> tuple[Node, int]:
    """Returns the expression with its decimal number `turn` moved, and how many are left to go."""
    if node[0] == "num":
        number = node[1]
        if number.places < 0:
            return node, turn
        if turn == 0:
            step = Fraction(1, 10**number.places)
            return ("num", Number(number.value + step, number.places, number.digits)), -1
        return node, turn - 1
    parts: list[Any] = [node[0]]
    for part in node[1:]:
        if isinstance(part, tuple):
            part, turn = _moved(part, turn)
        parts.append(part)
    return tuple(parts), turn
