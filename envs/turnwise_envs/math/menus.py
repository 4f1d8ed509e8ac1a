"""Menus: the right answer among plausible wrong ones, for policies over a finite set."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from fractions import Fraction

from turnwise_envs.math.exact import numbers_agree, read_number
from turnwise_envs.math.extract import closing_brace
from turnwise_envs.math.problems.problem import near, tex

CHOICES = 16
"""Answers in a menu; guessing is right with probability 1/16."""


def menu(answer: str, slips: Iterable[str], seed: int) -> list[str]:
    """Returns the right answer and 15 wrong ones in an order that the seed decides.

    Args:
        answer: the right answer.
        slips: answers of likely mistakes; among them may be the right one and repetitions.
        seed: of the choice and the order.
    """
    rng = random.Random(seed)
    wrong = _distinct(answer, slips)
    number = read_number(answer)
    if number is not None and len(wrong) < CHOICES - 1:
        wrong = _distinct(answer, [*wrong, *_neighbours(number.value, answer)])
    if len(wrong) < CHOICES - 1:
        wrong = _distinct(answer, [*wrong, *_altered(answer, rng)])
    found = [answer, *wrong[: CHOICES - 1]]
    rng.shuffle(found)
    return found


def _distinct(answer: str, candidates: Iterable[str]) -> list[str]:
    """Returns the candidates that differ from the answer and from each other, in their order."""
    right = read_number(answer)
    found: dict[object, str] = {}
    for candidate in candidates:
        number = read_number(candidate)
        if candidate == answer or (right and number and numbers_agree(right, number)):
            continue
        found.setdefault(number.value if number else candidate, candidate)
    return list(found.values())


def _neighbours(value: Fraction, answer: str) -> list[str]:
    others = [other for other, _ in zip(near(value), range(4 * CHOICES), strict=False)]
    if "." in answer and "frac" not in answer:
        return [str(float(other)) for other in others]
    return [tex(other) for other in others]


def _altered(answer: str, rng: random.Random) -> list[str]:
    """Returns texts in which whole numbers of the answer differ, or labels and words."""
    if re.fullmatch(r"\(?[A-H]\)?", answer):
        return [answer.replace(answer.strip("()"), letter) for letter in "ABCDEFGHIJKLMNOP"]
    found = []
    spans = [match.span() for match in re.finditer(r"\d+", answer)]
    for step in range(1, 2 * CHOICES):
        if spans:
            start, end = spans[rng.randrange(len(spans))]
            found.append(f"{answer[:start]}{int(answer[start:end][:9]) + step}{answer[end:]}")
        else:
            found.append(f"{answer} + {step}" if step % 2 else f"{step} - {answer}")
    return found


def written(answer: str) -> str:
    r"""Returns the action that gives an answer: in a box, or in a tag where braces do not match."""
    boxed = rf"\boxed{{{answer}}}"
    if closing_brace(boxed, len(r"\boxed")) == len(boxed) - 1:
        return boxed
    return f"<answer>{answer}</answer>"
