"""`verify`: is this answer the reference's?"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from turnwise_envs.errors import UsageError
from turnwise_envs.math.answers import NoAnswer, clean, read
from turnwise_envs.math.compare import Comparison, NeedsAlgebra, NoAlgebra
from turnwise_envs.math.exact import numbers_agree, read_number
from turnwise_envs.math.extract import MAX_ANSWER_CHARS, closing_brace, extract
from turnwise_envs.math.pool import Job, WorkerPool

REASONS = (
    "correct",
    "wrong",
    "no_answer",
    "no_reference",
    "too_long",
    "unreadable",
    "too_large",
    "timeout",
    "memory",
    "failed",
)
"""The reason codes of `Verdict`."""

TIMEOUT_S = 5.0
"""Seconds that a comparison may take, by default."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of comparing an answer with a reference.

    Attributes:
        correct: whether the answer is right; what `bool(verdict)` is.
        reason: "correct" or "wrong" where that was decided; else why it was not: "no_answer" (the
            text gives none), "no_reference" (the gold is empty or NaN), "too_long", "unreadable"
            (no mathematics that anybody here reads), "too_large" (a number beyond use),
            "timeout", "memory", "failed" (a library's defect).
        method: who decided: "exact" (numbers), "structure" (texts, tuples, ... of numbers),
            "values" (formulas by value), "math-verify", "reasoning-gym" or "none".
        answer: the answer that was found in the text.
        found: how it was found; see `extract`.
        detail: for a person.
    """

    correct: bool
    reason: str
    method: str
    answer: str
    found: str
    detail: str = ""

    def __bool__(self) -> bool:
        return self.correct


_shared: WorkerPool | None = None
_lock = threading.Lock()


def shared_pool() -> WorkerPool:
    """Returns this process's pool; it starts no worker before one is needed."""
    global _shared
    with _lock:
        if _shared is None:
            _shared = WorkerPool()
        return _shared


def _after_fork() -> None:
    global _shared, _lock
    if _shared is not None:
        _shared.forget()
    _shared, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def verify(
    gold: str,
    prediction: str,
    *,
    timeout_s: float = TIMEOUT_S,
    pool: WorkerPool | None = None,
) -> Verdict:
    r"""Compares the answer that a solution gives with the reference. Thread-safe.

        verify("1/2", r"So it is \boxed{0.5}.").correct             # True
        verify("3", "9**9**9**9").reason                            # "too_large"

    Args:
        gold: the reference: an answer, or a solution with a box or a "####" line.
        prediction: the solution, or an answer alone; `extract` says where the answer is looked for.
        timeout_s: seconds of processor time that a comparison by value may take before its process
            is killed; on a busy machine up to four times as long by the clock.
        pool: the processes; None for those that everybody in this process shares.

    Raises:
        UsageError: If an argument cannot be used.
        EnvironmentFault: If worker processes cannot be started; no verdict on the answer.
    """
    return verify_batch([(gold, prediction)], timeout_s=timeout_s, pool=pool)[0]


def verify_batch(
    pairs: Sequence[tuple[str, str]],
    *,
    timeout_s: float = TIMEOUT_S,
    pool: WorkerPool | None = None,
) -> list[Verdict]:
    """Compares many (gold, prediction) pairs, in several processes where that takes algebra.

    Args:
        pairs: what `verify` takes.
        timeout_s: seconds for each comparison.
        pool: the processes; None for the shared ones.

    Returns:
        The verdicts, in the order of `pairs`.

    Raises:
        UsageError: As `verify`.
        EnvironmentFault: As `verify`.
    """
    if not timeout_s > 0:
        raise UsageError(f"timeout_s must be positive, got {timeout_s!r}.")
    verdicts: list[Verdict] = []
    hard: list[tuple[int, Job, str, str]] = []
    for gold, prediction in pairs:
        decided = _decide(gold, prediction)
        if isinstance(decided, Verdict):
            verdicts.append(decided)
        else:
            hard.append((len(verdicts), *decided))
            verdicts.append(_NOTHING)
    if hard:
        replies = (pool or shared_pool()).run([job for _, job, *_ in hard], timeout_s)
        for (place, _, answer, found), reply in zip(hard, replies, strict=True):
            reason, method, detail = reply
            verdicts[place] = Verdict(reason == "correct", reason, method, answer, found, detail)
    return verdicts


async def verify_async(gold: str, prediction: str, *, timeout_s: float = TIMEOUT_S) -> Verdict:
    """Does what `verify` does without blocking the running event loop, whichever it is."""
    return await asyncio.to_thread(verify, gold, prediction, timeout_s=timeout_s)


_NOTHING = Verdict(False, "no_answer", "none", "", "none")


def _decide(gold: str, prediction: str) -> Verdict | tuple[Job, str, str]:
    """Returns the verdict where no algebra is needed, else the job, the answer and its finding."""
    for name, text in (("gold", gold), ("prediction", prediction)):
        if not isinstance(text, str):
            raise UsageError(f"{name} must be a text, got {type(text).__name__}.")
    reference = reference_answer(gold)
    if not reference or reference.lower() == "nan":
        return Verdict(False, "no_reference", "none", "", "none", "the reference is no answer")
    found = extract(prediction)
    answer = found.answer
    if not answer:
        return _NOTHING
    if len(answer) > MAX_ANSWER_CHARS or len(reference) > MAX_ANSWER_CHARS:
        detail = f"an answer has at most {MAX_ANSWER_CHARS} characters"
        return Verdict(False, "too_long", "none", answer[:80], found.how, detail)

    def verdict(same: bool, method: str) -> Verdict:
        return Verdict(same, "correct" if same else "wrong", method, answer, found.how)

    one, other = read_number(reference), read_number(answer)
    if one is not None and other is not None:
        return verdict(numbers_agree(one, other), "exact")
    try:
        left = read(reference)
        if clean(reference) == clean(answer):
            return verdict(True, "structure")
        return verdict(Comparison(NoAlgebra()).same(left, read(answer)), "structure")
    except NeedsAlgebra:
        return {"gold": reference, "prediction": answer}, answer, found.how
    except NoAnswer as error:
        return Verdict(False, "unreadable", "structure", answer, found.how, str(error))


def reference_answer(gold: str) -> str:
    r"""Returns the answer in a reference: the last box, what follows "####", or all of it."""
    gold = gold.strip()
    start = max(gold.rfind("\\boxed{"), gold.rfind("\\fbox{"))
    if start >= 0:
        opening = gold.index("{", start)
        end = closing_brace(gold, opening)
        if end > 0:
            return gold[opening + 1 : end].strip()
    return gold.rpartition("####")[2].strip()
