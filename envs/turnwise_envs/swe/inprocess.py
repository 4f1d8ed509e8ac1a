"""The second judge: tests and code in one process, for suites that patch and share fixtures.

Nothing in such a process is out of the code's reach, so nothing it says is believed alone:

- The report is made outside, from one line that the process sends over a pipe, signed by a secret
  of this run; the process's user can write nothing that is read later.
- Report and exit code must agree: every named test has passed, each of its phases once, and the
  test runner ended with 0.
- Then the tests run once more, in another fresh sandbox, as their opposites (`controls`): a
  program that passes those, too, has changed the test runner, the comparison or the report, and
  not repaired anything.

What this cannot hold: code that reads the expected values from the tests while they run, that
tells a test from its opposite, or that guesses which of the two runs is which (right in at most
one case of four). For suites that can do without, `grading.run_tests` holds these, too.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from turnwise_envs.errors import UsageError
from turnwise_envs.sandbox import (
    ContainerImage,
    Isolation,
    Limits,
    SandboxFault,
    SandboxFileError,
    open_isolated,
)
from turnwise_envs.swe.controls import opposite
from turnwise_envs.swe.grading import TestReport, read_junit
from turnwise_envs.swe.workspace import Tree

_WITNESS = Path(__file__).parent / "inside" / "witness.py"
_PROGRAM = ".judge/witness.py"
_CONFIGS = (
    ("pytest.toml", ""),
    (".pytest.toml", ""),
    ("pytest.ini", ""),
    (".pytest.ini", ""),
    ("pyproject.toml", "[tool.pytest"),
    ("tox.ini", "[pytest]"),
    ("setup.cfg", "[tool:pytest]"),
)
"""Where pytest looks for its settings, and what a file must have to be taken."""


def config_of(tree: Tree) -> str:
    """Returns the file at the top of a tree that has pytest's settings, or ""."""
    for name, mark in _CONFIGS:
        if name in tree and mark.encode() in tree[name]:
            return name
    return ""


def run_limits(tree: Tree, seconds: float) -> Limits:
    """Returns the limits of a run of tests that may take some seconds of the processor."""
    size = sum(map(len, tree.values()))
    # There is one inode for every 4 KiB.
    disk_mb = max(256, 3 * size >> 20, len(tree) >> 6)
    return Limits(
        wall_s=2 * seconds,
        cpu_s=seconds,
        memory_mb=2048,
        processes=256,
        disk_mb=disk_mb,
        output_chars=2_000_000,
    )


def run_in_process(
    tree: Tree,
    tests: Sequence[str],
    *,
    isolation: Isolation = "auto",
    limits: Limits,
) -> TestReport:
    """Runs tests in a fresh sandbox, in the process of the code they test.

    Args:
        tree: all files, tests too.
        tests: pytest's ids of what is run; a file stands for all its tests.
        isolation: as for `open_isolated`; an image must have pytest.
        limits: of the whole run.

    Returns:
        What the process said; nothing passed where it did not speak, or not by the secret.

    Raises:
        UsageError: If there are no tests.
        EnvironmentFault: If the sandbox broke, or cannot hold the tree.
    """
    if not tests:
        raise UsageError("tests must not be empty: nothing would have to pass.")
    secret = secrets.token_bytes(32)
    request = {"secret": secret.hex(), "tests": [*tests], "config": config_of(tree)}
    files = {**tree, _PROGRAM: _WITNESS.read_bytes()}
    try:
        with open_isolated(isolation, limits, files) as sandbox:
            done = sandbox.run(
                [_interpreter(isolation) or sandbox.python, "-B", _PROGRAM],
                stdin=json.dumps(request).encode(),
                env={"PYTHONHASHSEED": "0"},
            )
    except SandboxFileError as error:
        raise SandboxFault(f"The files cannot be laid out for grading: {error}.") from error
    code, passed, failed = _heard(done.stdout, secret)
    if code != done.returncode or done.killed_by is not None:
        passed, failed = frozenset(), failed | dict.fromkeys(passed, "no sound report")
    return TestReport(
        passed=passed,
        failed=failed,
        exit_code=done.returncode,
        killed_by=done.killed_by,
        output=done.stderr,
    )


def _interpreter(isolation: Isolation) -> str:
    return isolation.tests_python if isinstance(isolation, ContainerImage) else ""


def _heard(line: str, secret: bytes) -> tuple[int | None, frozenset[str], dict[str, str]]:
    """Returns exit code, passed and failed tests of a signed line; None, nothing of any other."""
    code, _, body = line.partition(" ")
    mark = hmac.new(secret, body.encode(errors="replace"), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(code.encode(errors="replace"), mark.encode()):
        return None, frozenset(), {}
    status, _, report = body.partition(" ")
    try:
        return int(status), *read_junit(base64.b64decode(report))
    except (ValueError, ElementTree.ParseError):
        return None, frozenset(), {}


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a tree is worth by the tests, and by their opposites."""

    report: TestReport
    tampered: bool
    """Whether a test passed, or did not come to an end, as its own opposite."""


def judge(
    tree: Tree, tests: Sequence[str], *, isolation: Isolation = "auto", limits: Limits
) -> Judgement:
    """Runs tests, and where all of them pass, their opposites.

    Args:
        tree: all files, tests too.
        tests: pytest's ids; all of them have to pass.
        isolation: as for `open_isolated`.
        limits: of each of the two runs.

    Raises:
        UsageError: If there are no tests.
        EnvironmentFault: If a sandbox broke.
    """
    report = run_in_process(tree, tests, isolation=isolation, limits=limits)
    if report.exit_code != os.EX_OK or report.passed != frozenset(tests) or report.failed:
        return Judgement(report=report, tampered=False)
    turned, expected = opposites(tree, tests)
    control = run_in_process(turned, tests, isolation=isolation, limits=limits)
    return Judgement(report=report, tampered=not expected <= control.failed.keys())


def opposites(tree: Tree, tests: Sequence[str]) -> tuple[Tree, frozenset[str]]:
    """Returns the tree with tests turned round, and those that must fail in it.

    A test whose function does not lie in its own file, being inherited or generated, stays.
    """
    functions: dict[str, set[str]] = {}
    for test in tests:
        path, name = _function(test)
        functions.setdefault(path, set()).add(name)
    turned: Mapping[str, tuple[bytes, frozenset[str]]] = {
        path: opposite(tree[path], names) for path, names in functions.items() if path in tree
    }
    found = {(path, name) for path, (_, names) in turned.items() for name in names}
    changed = {path: source for path, (source, _) in turned.items()}
    return {**tree, **changed}, frozenset(test for test in tests if _function(test) in found)


def _function(test: str) -> tuple[str, str]:
    """Returns the file of a test and the name of its function, without its parameters."""
    path, _, name = test.partition("::")
    return path, name.partition("[")[0]
