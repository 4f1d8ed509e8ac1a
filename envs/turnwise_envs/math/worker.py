r"""A worker process of the verifier: reads jobs, writes verdicts, one JSON line each.

    {"gold": "...", "prediction": "...", "cpu_s": 11}  ->  ["correct", "values", ""]
    {"dataset": "...", "answer": "...", ..., "cpu_s": 11}  ->  ["wrong", "reasoning-gym", "0.01"]

Before a large library is imported, which takes longer than most comparisons, the line "loading"
goes out, and "loaded" after it: the time in between is nobody's answer's fault.

The kernel ends the process when a job's CPU time is used up, so nothing runs on after a parent
that was killed.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import resource
import sys
from typing import Any, TextIO

from turnwise_envs.math.judge import judge, judge_by_math_verify, judge_by_reasoning_gym
from turnwise_envs.math.latex import NotationError


def serve() -> None:
    """Answers jobs from standard input until it ends; `sys.argv[1]` is the memory limit in MiB."""
    limit = int(sys.argv[1]) * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # nothing that a library prints may look like a reply
    _say(replies, "ready")
    for line in sys.stdin:
        job = json.loads(line)
        used = resource.getrusage(resource.RUSAGE_SELF)
        allowed = math.ceil(used.ru_utime + used.ru_stime + job["cpu_s"])
        resource.setrlimit(resource.RLIMIT_CPU, (allowed, resource.RLIM_INFINITY))
        _say(replies, _answer(job, replies))


def _answer(job: dict[str, Any], replies: TextIO) -> tuple[str, str, str]:
    method = "values"
    try:
        if "dataset" in job:
            method = "reasoning-gym"
            _load("reasoning_gym", replies)
            return judge_by_reasoning_gym(job)
        try:
            return judge(job["gold"], job["prediction"])
        except NotationError:
            method = "math-verify"
            _load("math_verify", replies)
            return judge_by_math_verify(job["gold"], job["prediction"])
    except MemoryError:
        return "memory", method, "the comparison needed too much memory"
    except RecursionError:
        return "unreadable", method, "the answer is nested too deep"
    except Exception as error:
        # A defect of a library, brought out by this pair: reported, never taken for "wrong".
        return "failed", method, f"{type(error).__name__}: {error}"[:300]


def _load(module: str, replies: TextIO) -> None:
    if module not in sys.modules:
        _say(replies, "loading")
        importlib.import_module(module)
        _say(replies, "loaded")


def _say(replies: TextIO, what: Any) -> None:
    replies.write(json.dumps(what) + "\n")
    replies.flush()
