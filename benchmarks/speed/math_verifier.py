"""How many pairs a second `verify` grades, beside Math-Verify in the same run.

    python benchmarks/speed/math_verifier.py

Everyday answers: integers, decimals, plain fractions, and boxed forms of them. Algebra: LaTeX whose
equality takes algebra. Both sides get the same pairs in batches of 256, in turn, after a warm-up;
Math-Verify runs as its users run it (`parse` of both sides, then `verify`), its memo of earlier
texts emptied by never asking the same pair twice. Best and median over the repeats.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable

import math_verify

from turnwise_envs.math import WorkerPool, verify_batch

BATCH = 256
Pair = tuple[str, str]


def everyday(rng: random.Random) -> Pair:
    """Returns a number and a way to write it, or another number."""
    kind = rng.randrange(3)
    if kind == 0:
        value = rng.randrange(-10_000, 1_000_000)
        forms = [str(value), f"{value:,}", f"{value}.0"]
        gold = str(value)
    elif kind == 1:
        cents = rng.randrange(1, 100_000)
        forms = [f"{cents / 100:.2f}", f"{cents / 100}"]
        gold = f"{cents / 100:.2f}"
    else:
        top, bottom = rng.randrange(1, 400), rng.randrange(2, 400)
        forms = [
            f"{top}/{bottom}",
            rf"\frac{{{top}}}{{{bottom}}}",
            rf"\frac{{{-top}}}{{{-bottom}}}",
        ]
        gold = rf"\frac{{{top}}}{{{bottom}}}"
    answer = rng.choice(forms) if rng.random() < 0.6 else str(rng.randrange(1000))
    return gold, rf"\boxed{{{answer}}}" if rng.random() < 0.7 else answer


def algebra(rng: random.Random) -> Pair:
    """Returns a formula and another form of it, or of one that differs in a coefficient."""
    a, b, c = rng.randrange(2, 30), rng.randrange(1, 60), rng.randrange(2, 9)
    d = b if rng.random() < 0.6 else b + 1
    gold, answer = rng.choice(
        [
            (rf"{c}\sqrt{{{a * a * b}}}", rf"{a * c}\sqrt{{{d}}}"),
            (rf"(x-{a})(x+{b})", rf"x^2+{d - a}x-{a * d}"),
            (rf"\frac{{{a}}}{{\sqrt{{{b}}}}}", rf"\frac{{{a}\sqrt{{{d}}}}}{{{d}}}"),
            (rf"\frac{{{a}\pi}}{{{b}}}+{c}", rf"{c}+\frac{{\pi}}{{{d}}}\cdot {a}"),
            (rf"{a}x^{c}y-{b}x^{c}", rf"x^{c}({a}y-{d})"),
            (rf"{a}\ln {b}+\ln {c}", rf"\ln({c}\cdot {d}^{{{a}}})"),
            (rf"\left({a},\sqrt{{{4 * b}}}\right)", rf"({a}, 2\sqrt{{{d}}})"),
            (rf"\frac{{x+{a}}}{{x-{b}}}", rf"1+\frac{{{a + b}}}{{x-{d}}}"),
        ]
    )
    return gold, rf"\boxed{{{answer}}}"


def ours(pairs: list[Pair], pool: WorkerPool) -> list[bool]:
    """Grades by `verify_batch`."""
    return [verdict.correct for verdict in verify_batch(pairs, pool=pool)]


def theirs(pairs: list[Pair]) -> list[bool]:
    """Grades by Math-Verify, both sides in its math delimiters."""
    graded = []
    for gold, answer in pairs:
        left, right = math_verify.parse(f"${gold}$"), math_verify.parse(f"${answer}$")
        graded.append(math_verify.verify(left, right))
    return graded


def compare(
    name: str, make: Callable[[random.Random], Pair], pool: WorkerPool, repeats: int
) -> None:
    """Prints both rates and their ratio on fresh pairs."""
    rng = random.Random(0)
    ours([make(rng) for _ in range(BATCH)], pool)
    theirs([make(rng) for _ in range(BATCH // 4)])
    rates: dict[str, list[float]] = {"turnwise": [], "math-verify": []}
    agree = total = 0
    for _ in range(repeats):
        pairs = [make(rng) for _ in range(BATCH)]
        start = time.perf_counter()
        mine = ours(pairs, pool)
        middle = time.perf_counter()
        others = theirs(pairs)
        end = time.perf_counter()
        rates["turnwise"].append(BATCH / (middle - start))
        rates["math-verify"].append(BATCH / (end - middle))
        agree += sum(a == b for a, b in zip(mine, others, strict=True))
        total += BATCH
    print(f"{name}: {repeats} batches of {BATCH}, both agree on {agree} of {total}")
    for who, found in rates.items():
        best, median = max(found), statistics.median(found)
        print(f"  {who:<12} {best:10,.0f} pairs/s (median {median:,.0f})")
    ratios = [a / b for a, b in zip(rates["turnwise"], rates["math-verify"], strict=True)]
    print(f"  ratio        {max(ratios):10.1f} (median {statistics.median(ratios):.1f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--workers", type=int, default=None, help="processes; default one a core")
    arguments = parser.parse_args()
    pool = WorkerPool(size=arguments.workers)
    compare("everyday answers", everyday, pool, arguments.repeats)
    compare("answers that need algebra", algebra, pool, arguments.repeats)
    pool.close()


if __name__ == "__main__":
    main()
