r"""A worker process of the verifier: reads jobs, writes verdicts, one JSON line each.

    {"gold": "...", "prediction": "...", "cpu_s": 11}  ->  ["correct", "values", ""]

Before Math-Verify is imported, which takes longer than most comparisons, the line "loading" goes
out, and "loaded" after it: the time in between is nobody's answer's fault.

The kernel ends the process when a job's CPU time is used up, so nothing runs on after a parent
that was killed.
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys
from typing import Any, TextIO

from turnwise_envs.math.judge import judge, judge_by_math_verify
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
        _say(replies, _answer(job["gold"], job["prediction"], replies))


def _answer(gold: str, prediction: str, replies: TextIO) -> tuple[str, str, str]:
    method = "values"
    try:
        try:
            return judge(gold, prediction)
        except NotationError:
            method = "math-verify"
            if "math_verify" not in sys.modules:
                _say(replies, "loading")
                import math_verify  # noqa: F401

                _say(replies, "loaded")
            return judge_by_math_verify(gold, prediction)
    except MemoryError:
        return "memory", method, "the comparison needed too much memory"
    except RecursionError:
        return "unreadable", method, "the answer is nested too deep"
    except Exception as error:
        # A defect of a library, brought out by this pair: reported, never taken for "wrong".
        return "failed", method, f"{type(error).__name__}: {error}"[:300]


def _say(replies: TextIO, what: Any) -> None:
    replies.write(json.dumps(what) + "\n")
    replies.flush()
