"""Tasks of a folder of QuixBugs' layout: one broken program each.

    python_programs/NAME.py            the broken program; node.py may be shared
    correct_python_programs/NAME.py    the right one
    python_testcases/test_NAME.py      its tests, with what they share (load_testdata.py, node.py)
    json_testcases/NAME.json           a line for each case, [arguments, result]; read by the tests

Licence: the published folder has its own; nothing of it is part of this package.
"""

import ast
from functools import cached_property, lru_cache
from pathlib import Path
from random import Random

from turnwise_envs.errors import DataError, EnvironmentFault
from turnwise_envs.sandbox import Isolation, Limits
from turnwise_envs.splits import content_id
from turnwise_envs.swe.grading import TEST_LIMITS, TestReport, run_tests
from turnwise_envs.swe.mutations import sample_mutations
from turnwise_envs.swe.tasks import Grade, edit_between
from turnwise_envs.swe.workspace import COMMAND_LIMITS, Tree

PROGRAMS, CORRECT = "python_programs", "correct_python_programs"
TESTS, CASES = "python_testcases", "json_testcases"
_SHARED = "node.py"
_LARGEST_PROGRAM = 1 << 16
_TEST_TIMEOUT_S = 3.0
_DISTRACTORS = 6
_COMMAND = "python -m pytest -q --tb=short -p no:cacheprovider --color=no"

_CONFTEST = f"""\
import os
import sys

import pytest

pytest.use_correct = False
pytest.run_slow = False
sys.path[:0] = [os.path.dirname(__file__), os.path.join(os.path.dirname(__file__), "{TESTS}")]
"""
"""Stands for the folder's own: chooses the broken programs, and leaves out the slowest cases."""

_CASE_TEST = f"""\
import json
import os

import pytest

from {PROGRAMS}.{{name}} import {{name}}

with open(os.path.join(os.path.dirname(__file__), "..", "{CASES}", "{{name}}.json")) as file:
    CASES = [json.loads(line) for line in file if line.strip()]


@pytest.mark.parametrize("arguments, expected", CASES)
def test_{{name}}(arguments, expected):
    assert {{name}}(*arguments if isinstance(arguments, list) else [arguments]) == expected
"""
"""For a program that has cases and no test."""


def is_layout(folder: Path) -> bool:
    """Says whether a folder has this layout."""
    return (folder / PROGRAMS).is_dir() and any((folder / p).is_dir() for p in (TESTS, CASES))


def survey(folder: Path) -> tuple[list[str], list[str]]:
    """Returns the names of the programs that are tasks, and what is wrong with the others."""
    names, problems = [], []
    for path in sorted((folder / PROGRAMS).glob("*.py")):
        name = path.stem
        if path.name in (_SHARED, "__init__.py") or name.endswith("_test"):
            continue
        correct = folder / CORRECT / path.name
        tested = (folder / TESTS / f"test_{name}.py", folder / CASES / f"{name}.json")
        if not correct.is_file():
            problems.append(f"{path}: {correct} must be there, to know which tests can be passed.")
        elif not any(file.is_file() for file in tested):
            problems.append(f"{path}: {tested[0]} or {tested[1]} must be there.")
        elif problem := _unreadable(path) or _unreadable(correct):
            problems.append(problem)
        elif path.read_bytes() == correct.read_bytes():
            problems.append(f"{path} must differ from {correct}: there is nothing to repair.")
        else:
            names.append(name)
    return names, problems


def _unreadable(path: Path) -> str:
    if path.stat().st_size > _LARGEST_PROGRAM:
        return f"{path} must have at most {_LARGEST_PROGRAM} bytes."
    try:
        ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        return f"{path} must be Python in UTF-8: {error}."
    return ""


def _files(folder: Path, part: str, pattern: str) -> Tree:
    paths = sorted((folder / part).glob(pattern)) if (folder / part).is_dir() else []
    return {f"{part}/{path.name}": path.read_bytes() for path in paths if path.is_file()}


class Program:
    """One broken program.

    Args:
        folder: of the layout.
        name: the program's.
    """

    image = ""
    command_limits: Limits = COMMAND_LIMITS
    test_command = f"{_COMMAND} {TESTS}"

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.path = f"{PROGRAMS}/{name}.py"
        try:
            programs = _files(folder, PROGRAMS, "*.py")
            self._right = (folder / CORRECT / f"{name}.py").read_bytes()
            shared = _files(folder, TESTS, "*.py")
            cases = _files(folder, CASES, f"{name}.json")
        except OSError as error:
            raise DataError(f"{folder} must be readable: {error}.") from error
        own = f"{TESTS}/test_{name}.py"
        helpers = {p: c for p, c in shared.items() if not p.startswith(f"{TESTS}/test_")}
        node = next(
            (c for p, c in {**helpers, **programs}.items() if p.endswith(f"/{_SHARED}")), None
        )
        # Tests import it from the top, programs from beside themselves; it is the code's.
        self._beside = {p: c for p, c in programs.items() if p != self.path}
        self._beside |= {_SHARED: node} if node is not None else {}
        test = shared.get(own, _CASE_TEST.format(name=name).encode())
        self._tests = {**helpers, **cases, own: test, "conftest.py": _CONFTEST.encode()}
        self._tests.pop(f"{TESTS}/{_SHARED}", None)
        self._broken = programs[self.path]
        shown = {**self._tests, own: _half_of_tests(test)}
        shown |= {path: _half_of_cases(content) for path, content in cases.items()}
        node_files = {p: c for p, c in self._beside.items() if p.endswith(_SHARED)}
        self.tree: Tree = {self.path: self._broken, **node_files, **shown}

    @property
    def id(self) -> str:
        """Hash of program, repair and tests."""
        files = {**self._tests, **self._beside, self.path: self._broken, "right": self._right}
        return content_id({path: content.hex() for path, content in files.items()})

    @cached_property
    def statement(self) -> str:
        """What is asked for."""
        return (
            f"The program {self.path} in this work tree has a bug, in one place. Find it and "
            f"repair it; what the program is to do is said in the file, or can be seen from "
            f"{TESTS}. What you submit is graded by these tests and by others; only {self.path} is "
            "graded.\n\nFiles:\n" + "\n".join(sorted(self.tree))
        )

    def code_of(self, tree: Tree) -> Tree:
        """Returns the program."""
        return {self.path: tree[self.path]} if self.path in tree else {}

    @property
    def solution(self) -> Tree:
        """The right program."""
        return {self.path: self._right}

    @cached_property
    def edits(self) -> list[str]:
        """The command that repairs the program."""
        return [edit_between(self.path, self._broken.decode(), self._right.decode())]

    def wrong_edits(self, seed: str) -> list[str]:
        """Returns commands for edits that look alike, chosen by `seed`."""
        before = self._broken.decode()
        found = sample_mutations({self.path: self._broken}, 2 * _DISTRACTORS, Random(seed))
        texts = [m.apply(before) for m in found]
        edits = [edit_between(self.path, before, t) for t in texts if t.encode() != self._right]
        return [edit for edit in dict.fromkeys(edits) if edit not in self.edits][:_DISTRACTORS]

    # ---------------------------------------------------------------- grading

    def _report(self, program: bytes, isolation: Isolation) -> TestReport:
        files = tuple({**self._beside, self.path: program}.items())
        return _run(files, tuple(self._tests.items()), isolation)

    def _named(self, isolation: Isolation) -> tuple[frozenset[str], frozenset[str]]:
        """Returns the tests that the right program passes, and those of them that the broken does.

        Cases that the folder itself leaves out as too slow are none.
        """
        right = self._report(self._right, isolation)
        if not right.passed:
            raise EnvironmentFault(
                f"{self.name} cannot be graded: the right program passes no test. "
                f"{right.killed_by or ''}{[*right.failed.values()][:3]} {right.output[-1000:]}"
            )
        return right.passed, right.passed & self._report(self._broken, isolation).passed

    @property
    def failing(self) -> frozenset[str]:
        """Ids of the tests that the right program passes and the broken one does not."""
        named, sound = self._named("auto")
        return named - sound

    def grade(self, tree: Tree, isolation: Isolation = "auto") -> Grade:
        """Grades the program of a work tree by the folder's tests, in sandboxes of their own.

        Raises:
            EnvironmentFault: If the tests could not be run, or the right program fails them all.
        """
        program = tree.get(self.path)
        if program == self._broken:
            return Grade("empty_patch")
        if program is None:
            return Grade("tests_failed", modified=True)
        if len(program) > _LARGEST_PROGRAM:
            return Grade("patch_too_large", modified=True)
        named, sound = self._named(isolation)
        failing = named - sound
        if not failing:
            raise EnvironmentFault(f"{self.name} cannot be graded: its tests show no bug.")
        report = self._report(program, isolation)
        if report.killed_by is not None:
            return Grade("timeout", modified=True)
        fixed = len(failing & report.passed) / len(failing)
        broken = len(sound - report.passed) / max(1, len(sound))
        return Grade("resolved" if named <= report.passed else "tests_failed", True, fixed, broken)


@lru_cache(maxsize=512)
def _run(
    code: tuple[tuple[str, bytes], ...], tests: tuple[tuple[str, bytes], ...], isolation: Isolation
) -> TestReport:
    return run_tests(
        dict(code),
        dict(tests),
        roots=[PROGRAMS, _SHARED.removesuffix(".py")],
        isolation=isolation,
        limits=TEST_LIMITS,
        test_timeout_s=_TEST_TIMEOUT_S,
    )


def _half_of_cases(content: bytes) -> bytes:
    lines = [line for line in content.splitlines(keepends=True) if line.strip()]
    return b"".join(lines[: (len(lines) + 1) // 2])


def _half_of_tests(source: bytes) -> bytes:
    """Returns a test file with the second half of its test functions left out."""
    try:
        module = ast.parse(source.decode())
    except (SyntaxError, ValueError):
        return source
    tests = [n for n in module.body if isinstance(n, ast.FunctionDef) and n.name.startswith("test")]
    lines = source.splitlines(keepends=True)
    for node in reversed(tests[(len(tests) + 1) // 2 :]):
        first = min([node.lineno, *(part.lineno for part in node.decorator_list)])
        del lines[first - 1 : node.end_lineno]
    return b"".join(lines).rstrip() + b"\n"
