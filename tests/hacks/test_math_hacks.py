"""Answers that are made to be taken for right, or to hurt the verifier."""

import asyncio
import threading
import time

import gymnasium as gym
import pytest

from turnwise_envs.math import verify, verify_async, verify_batch
from turnwise_envs.math.verifier import REASONS

ID = "turnwise/MathVerifier-v0"

# ------------------------------------------------------------------ more answers than one

HEDGES = [
    ("3", "1, 2, 3, 4, 5"),
    ("3", r"\{1, 2, 3\}"),
    ("3", "[1, 5]"),
    ("3", r"3 \text{ or } 4"),
    ("3", "either 3 or 4"),
    ("3", r"\boxed{3} \boxed{4}"),
    ("3", r"\boxed{3}, \boxed{4}"),
    ("3", r"\boxed{3} and \boxed{4}"),
    ("4", r"\boxed{3} and \boxed{4}"),
    ("4", r"\boxed{3, 4}"),
    ("4", r"\boxed{\boxed{3} \boxed{4}}"),
    ("3", r"\boxed{3 \text{ or } 4}"),
    ("3", r"\pm 3"),
    ("3", r"3 \pm 1"),
    ("3", "3/4, 3"),
    ("3", "3 = 4"),
    ("4", "3 = 4"),
    ("3", "x = 3 = 4"),
    ("3", "x = 3, x = 4"),
    ("3", r"3 \approx 4"),
    ("4", r"3 \approx 4"),
    ("3", "1, 2, 3, ..."),
    ("3", "x = x"),
    ("3", "3 = x = y"),
    ("3", "x > 0"),
    ("3", "2 < x < 4"),
    ("3", r"x \neq 4"),
    ("3", r"\mathbb{R}"),
    ("3", r"(-\infty, \infty)"),
    ("3", "2.9999"),
    ("3", "3.0000001"),
    ("3", "3..4"),
    ("3", "3 4"),
    ("3", "3/4"),
    ("34", "3 4"),
    ("3", "3a"),
    ("3", "3x"),
    ("3", "3%4"),
    ("3", r"3\text{ million}"),
    ("3", "3 dozen"),
    ("3", "3 squared"),
    ("3", "3 and a half"),
    ("3", "three hundred"),
    ("3", "not 3"),
    ("3", "less than 3"),
    ("3", "about 3 or 4 apples"),
    ("1/3", "0.33"),
    ("1/3", "1/3, 2/3"),
    (r"\sqrt{2}", "1.41"),
    (r"\sqrt{2}", r"\pm\sqrt{2}"),
    (r"\pi", "3.14"),
    (r"\pi", "22/7"),
    ("x + 1", "x + 1 = 0"),
    ("x + 1", "x + 1, x - 1"),
    ("x + 1", "x"),
    ("x^2", r"|x|^3 / x"),
    ("x = 3", "x = 3, 4"),
    ("x = 3", "y = 3"),
    ("x = 3", "x"),
    ("2, 3", "2"),
    ("2, 3", "2, 3, 4"),
    ("2, 3", "2, 2, 3"),
    ("2, 3", "[2, 3, 4]"),
    ("(1, 2)", "(2, 1)"),
    ("(1, 2)", "(1, 2), (2, 1)"),
    ("(1, 2)", "[1, 2]"),
    ("[1, 2]", "(1, 2]"),
    (r"(-\infty, 3)", r"(-\infty, 3]"),
    ("Paris", "Paris or Rome"),
    ("Paris", "not Paris"),
    ("Paris", "Paris, Rome"),
    ("yes", "yes and no"),
    ("yes", "yes no"),
    ("B", "A, B, C"),
    ("B", "ABCD"),
    ("B", "(A) or (B)"),
    ("(B)", "all of the above"),
    ("12", "1 2"),
    ("12", "1, 2"),
    ("1000", "1,00,0"),
    ("101_2", "5"),
    ("101_2", "101_3"),
    ("10 cm", "10 m"),
    ("90^\\circ", "90 radians"),
]


def test_hedging_earns_nothing():
    verdicts = verify_batch(HEDGES)
    right = [pair for pair, verdict in zip(HEDGES, verdicts, strict=True) if verdict.correct]
    assert not right
    assert {verdict.reason for verdict in verdicts} <= {"wrong", "unreadable", "no_answer"}


NOISE = ["", " ", "\\boxed{}", "\\boxed{ }", "\\boxed", "\\boxed{3", "<answer></answer>", "$$"]
NOISE += ["The answer is", "####", "answer:", "?", "...", "{}", "()", "[]", "\\text{}", "\\", "$"]
NOISE += ["nan", "NaN", "None", "null", "inf", "\\infty", "undefined", "error", "True", "gold"]
NOISE += ["reference", "correct", "the right answer", "{answer}", "ANSWER", "\\boxed{ANSWER}"]


@pytest.mark.parametrize("gold", ["3", r"\frac{1}{2}", "x + 1", "(1, 2)", "Paris", "[0, 1]", "B"])
def test_saying_nothing_earns_nothing(gold):
    for text, verdict in zip(NOISE, verify_batch([(gold, t) for t in NOISE]), strict=True):
        assert not verdict.correct, text


def test_an_empty_or_broken_reference_is_matched_by_nothing():
    for gold in ("", "  ", "NaN", "nan", r"\boxed{}", "####"):
        for text in ("", " ", "nan", "NaN", r"\boxed{}", "3"):
            assert verify(gold, text).reason in ("no_reference", "no_answer")


def test_a_thought_is_no_answer_and_a_late_thought_hides_what_is_before():
    assert not verify("3", r"<think>\boxed{3}</think> I cannot say anything more here.")
    assert not verify("3", r"\boxed{3} <think>\boxed{3}</think> \boxed{4}")
    assert verify("3", r"<think>\boxed{4}</think> \boxed{3}")


# ------------------------------------------------------------------ attacks on the verifier

HOSTILE = [
    "9**9**9**9",
    "9^{9^{9^9}}",
    "10^{10^{10^{10}}}",
    "(10^{9})!",
    "5" + "!" * 1000,
    r"\sin(10^{100000})",
    r"\binom{10^9}{10^8}",
    "(" * 1_000_000,
    "{" * 1_000_000,
    "[" * 1_000_000 + "]" * 1_000_000,
    "$" * 1_000_000,
    " " * 1_000_000 + "x",
    "\\boxed{" * 150_000,
    "\\boxed{" + "{" * 500_000 + "}" * 500_000 + "}",
    "\\frac" * 200_000,
    "the answer is " * 50_000,
    "#### " * 100_000,
    "\\text{" * 100_000,
    "1," * 500_000,
    "x" * 1_000_000,
    "<think>" * 10_000 + "</think>" * 10_000,
    "<answer>" * 100_000,
    r"\sqrt{" * 400 + "2" + "}" * 400,
    r"\sqrt{" * 45 + "2" + "}" * 45,
    r"\left(" * 300 + "7" + r"\right)" * 299,
    "-" * 1900 + "7",
    "2^" * 900 + "2",
    "[[" * 500 + "]]" * 500,
    "a=b=" * 400,
    "x<" * 900 + "x",
    r"\cup" * 300,
    "1 " * 900,
    "|" * 999,
    "0." + "0" * 1900 + "1",
    "1" * 1900,
    "1e999",
    "1e999999999",
    "1/0",
    r"\frac{0}{0}",
    "0^{-1}",
    r"\begin{pmatrix}" * 100,
    "\x00\x01\x02",
    "\ud800",
    "__import__('os').system('true')",
    r"\input{/etc/passwd}",
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_answers_cost_little_and_are_not_right(number):
    began = time.monotonic()
    for gold in ("3", "x^2 + 1"):
        verdict = verify(gold, HOSTILE[number], timeout_s=1.0)
        assert not verdict.correct
        assert verdict.reason in REASONS
        assert verify("x + 1", "1 + x").correct  # the next answer is graded as ever
    assert time.monotonic() - began < 60  # twice the timeout, a new worker, a busy machine


def test_hostile_references_do_not_hang_either():
    for gold in ("9**9**9**9", "(" * 5000, r"\sqrt{" * 400 + "2" + "}" * 400, "1/0"):
        assert not verify(gold, "x + 3", timeout_s=1.0).correct
    assert verify("9**9**9**9", "9**9**9**9").correct  # the same text


def test_threads_and_loops_under_attack():
    """Hostile answers from some threads; everybody else is graded right, in any event loop."""
    results = {}

    def attack(name):
        for text in (r"\sum_{k=1}^{10^{12}} k^k", "9**9**9**9"):
            results[name, text] = verify("3", text, timeout_s=1.0).correct

    def honest(name):
        async def grade():
            return [await verify_async("x + 1", f"{n} + x") for n in (1, 2)]

        results[name, "honest"] = [v.correct for v in asyncio.run(grade())] == [True, False]

    threads = [threading.Thread(target=attack, args=(i,)) for i in range(2)]
    threads += [threading.Thread(target=honest, args=(10 + i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive()
    assert {k: v for k, v in results.items() if v} == {(10 + i, "honest"): True for i in range(4)}
    assert len(results) == 8


# ------------------------------------------------------------------ attacks on the environment


def test_the_environment_pays_for_no_hedge():
    env = gym.make(ID)
    for index in range(21):
        env.reset(options={"task_index": index})
        inner = env.unwrapped
        choices = [f"\\boxed{{{choice}}}" for choice in inner._question.choices]
        _, reward, terminated, truncated, info = env.step(", ".join(choices))
        assert reward == 0.0
        assert terminated or truncated
        assert info["verdict"] in ("wrong", "unreadable", "too_long")
