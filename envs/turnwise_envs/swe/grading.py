"""Grading a repair: fresh sandboxes, tests out of the code's reach, a report to go by."""

import importlib.util
import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from turnwise_envs.errors import DependencyNotInstalled, EnvironmentFault, UsageError
from turnwise_envs.sandbox import Completed, Isolation, Limits, open_isolated
from turnwise_envs.sandbox.inside import wire

_INSIDE = Path(__file__).parent / "inside"
_REPORT = "report.xml"
_PROGRAMS = ".judge"
_PASSED, _SOME_FAILED, _INTERRUPTED, _NONE_COLLECTED = 0, 1, 2, 5
_VERDICT_EXITS = (_PASSED, _SOME_FAILED, _INTERRUPTED, _NONE_COLLECTED)

TEST_LIMITS = Limits(wall_s=300.0, cpu_s=60.0, memory_mb=1024, processes=64, output_chars=20_000)
"""For one grading, on each side."""


@dataclass(frozen=True, kw_only=True)
class TestReport:
    """What came of the tests."""

    __test__ = False  # no test of pytest's, in spite of its name

    passed: frozenset[str]
    """Ids of the tests that ran and passed."""
    failed: dict[str, str]
    """Id of every other test, skipped ones too, and the first line of why."""
    exit_code: int
    """Of the test runner: 0 only where everything that was collected passed."""
    killed_by: str | None
    """The limit that ended the test runner, if one did."""
    output: str
    """What the test runner printed."""


def run_tests(
    code: Mapping[str, bytes],
    tests: Mapping[str, bytes],
    *,
    roots: Sequence[str],
    isolation: Isolation = "auto",
    limits: Limits = TEST_LIMITS,
    test_timeout_s: float = 5.0,
) -> TestReport:
    """Runs tests against code, each in a fresh sandbox of its own, joined by a pipe.

    The tests import stand-ins for the code's modules. What is exact data (numbers, texts, lists,
    ...) comes back by value, anything else by number, so that nothing of the code, whatever it
    does, runs where tests, test runner and report are.

    Args:
        code: path and content of the files that are judged.
        tests: likewise of the test files, with all they need; files named `test_*.py` are run.
        roots: names of the top-level modules that are the code's.
        isolation: of both sandboxes; an image must have pytest.
        limits: of each of the two sandboxes.
        test_timeout_s: processor seconds for one test; ten times as many by the clock.

    Raises:
        UsageError: If there are no tests or no roots.
        DependencyNotInstalled: If pytest is missing.
        EnvironmentFault: If the test runner broke, or a sandbox did.
    """
    names = sorted(path for path in tests if os.path.basename(path).startswith("test_"))
    if not names or not roots:
        raise UsageError(f"tests and roots must not be empty, got {names} and {[*roots]}.")
    if isinstance(isolation, str) and importlib.util.find_spec("pytest") is None:
        raise DependencyNotInstalled(
            "Grading a repair needs pytest. Install it with pip install pytest."
        )
    timeout = f"{test_timeout_s}"
    with (
        ThreadPoolExecutor(1) as pool,
        open_isolated(isolation, limits, {**code, **_programs("plain", "worker")}) as workers,
        open_isolated(isolation, limits, {**tests, **_programs("plain", "judge")}) as judges,
    ):
        (requests, to_worker), (replies, to_judge) = os.pipe(), os.pipe()
        patient = replace(limits, wall_s=2 * limits.wall_s)
        work = [workers.python, "-B", f"{_PROGRAMS}/worker.py", timeout]
        env = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONHASHSEED": "0"}
        joint = (requests, to_judge)
        working = pool.submit(workers.run, work, connect=joint, limits=patient, env=env)
        judge = [judges.python, "-B", f"{_PROGRAMS}/judge.py", timeout, ",".join(roots), _REPORT]
        done = judges.run([*judge, *names], connect=(replies, to_worker), env=env)
        workers.send(wire.KILL, b"over")
        working.result()
        report = judges.read(_REPORT) if _REPORT in judges.list() else b""
    return _report(done, report)


def _programs(*names: str) -> dict[str, bytes]:
    return {f"{_PROGRAMS}/{name}.py": (_INSIDE / f"{name}.py").read_bytes() for name in names}


def _report(done: Completed, xml: bytes) -> TestReport:
    if done.killed_by is None and (done.returncode not in _VERDICT_EXITS or not xml):
        raise EnvironmentFault(
            f"The test runner broke, exit code {done.returncode}: {done.stderr[-2000:]}"
        )
    passed, failed = read_junit(xml) if xml else (frozenset(), {})
    return TestReport(
        passed=passed,
        failed=failed,
        exit_code=done.returncode,
        killed_by=done.killed_by,
        output=done.stderr,
    )


def read_junit(xml: bytes) -> tuple[frozenset[str], dict[str, str]]:
    """Returns the tests that passed, and those that did not with the first line of why."""
    passed, failed = set(), {}
    for case in ElementTree.fromstring(xml).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        bad = [part for kind in ("failure", "error", "skipped") for part in case.iter(kind)]
        if bad:
            failed[name] = (bad[0].get("message") or bad[0].tag).strip().split("\n")[0][:200]
        elif name not in failed:
            passed.add(name)
    return frozenset(passed - failed.keys()), failed
