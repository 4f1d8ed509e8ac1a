"""What happens inside a worker: a pair of answers is compared by value, or by Math-Verify.

Runs in worker processes only (`pool`): whatever is compared here may take any time and memory.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from turnwise_envs.math import values
from turnwise_envs.math.answers import NoAnswer, read
from turnwise_envs.math.compare import Comparison
from turnwise_envs.math.gym_tasks import make_dataset
from turnwise_envs.math.latex import Node, NotationError, parse


class ByValue:
    """The algebra of `values`, over formulas that `latex.parse` reads."""

    def equal(self, gold: str, prediction: str) -> bool:
        """Returns whether two formulas have the same value."""
        return values.equal(parse(gold), parse(prediction))

    def proportional(
        self, gold: tuple[str, str], prediction: tuple[str, str], positive: bool
    ) -> bool:
        """Returns whether the differences of two pairs have a constant (positive) ratio."""
        return values.proportional(_difference(gold), _difference(prediction), positive)

    def rounded(self, exact: str, decimal: str) -> bool:
        """Returns whether a decimal is a formula's value, rounded or cut off."""
        return values.rounded(parse(exact), parse(decimal))


def _difference(sides: tuple[str, str]) -> Node:
    return ("add", parse(sides[0]), ("neg", parse(sides[1])))


def judge(gold: str, prediction: str) -> tuple[str, str, str]:
    """Returns (reason, method, detail) for two answers; see `Verdict`.

    Raises:
        NotationError: If a formula is beyond the grammar of `latex`.
    """
    try:
        same = Comparison(ByValue()).same(read(gold), read(prediction))
    except NotationError:
        raise
    except (values.ValueTooLarge, OverflowError) as error:
        return "too_large", "values", str(error)
    except (NoAnswer, ArithmeticError, ValueError) as error:
        return "unreadable", "values", str(error) or type(error).__name__
    return ("correct" if same else "wrong"), "values", ""


def judge_by_math_verify(gold: str, prediction: str) -> tuple[str, str, str]:
    """Returns the same as `judge`, decided by Math-Verify without its time limits.

    Only whole formulas count: nothing is searched for in a text.
    """
    from math_verify import LatexExtractionConfig, parse, verify

    def formula(text: str) -> list[Any]:
        return parse(
            f"${text}$",
            extraction_config=[LatexExtractionConfig(boxed_match_priority=-1)],
            fallback_mode="no_fallback",
            parsing_timeout=None,
        )

    left, right = formula(gold), formula(prediction)
    if not left or not right:
        which = "the reference" if not left else "the answer"
        return "unreadable", "math-verify", f"{which} is no formula that can be read"
    same = verify(left, right, timeout_seconds=None)
    return ("correct" if same else "wrong"), "math-verify", ""


def judge_by_reasoning_gym(job: dict[str, Any]) -> tuple[str, str, str]:
    """Returns the same for an answer to an item of reasoning-gym, scored by its data set."""
    dataset = _dataset(job["dataset"], json.dumps(job["options"]), job["seed"], job["size"])
    score = float(dataset.score_answer(job["answer"], entry=dataset[job["index"]]))
    return ("correct" if score >= 1.0 else "wrong"), "reasoning-gym", f"{score:g}"


@lru_cache(maxsize=16)
def _dataset(name: str, options: str, seed: int, size: int) -> Any:
    return make_dataset(name, json.loads(options), seed, size)
