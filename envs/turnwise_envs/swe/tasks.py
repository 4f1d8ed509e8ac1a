"""Repair tasks: what is broken, what is said about it, and how a repair is graded."""

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from random import Random
from typing import Any

from turnwise_envs.errors import UsageError
from turnwise_envs.sandbox import Isolation
from turnwise_envs.splits import STREAM, Task, TaskSet, content_id
from turnwise_envs.swe.grading import TestReport, run_tests
from turnwise_envs.swe.library import SPLITS, Package, load_package
from turnwise_envs.swe.mutations import Mutation, mutated, sample_mutations
from turnwise_envs.swe.tools import render_replace
from turnwise_envs.swe.workspace import COMMAND_LIMITS, Tree

GENERATOR = "repairs-1"
MANIFESTS = Path(__file__).parent / "manifests"
"""One file a package, made by `making.py`."""
_MOST_SYMPTOMS = 3
_DISTRACTORS = 6
_LARGEST_PATCH = 1 << 20


@dataclass(frozen=True)
class Grade:
    """What a submitted work tree is worth."""

    verdict: str
    """resolved, tests_failed, empty_patch, patch_too_large, timeout or tampered."""
    modified: bool = False
    fixed: float = 0.0
    """Share of the failing tests that pass now, in [0, 1]."""
    broken: float = 0.0
    """Share of the passing tests that do not pass any more, in [0, 1]."""


class Repair:
    """One generated task.

    Args:
        package: the package as it should be.
        mutations: the bugs in it.
        failing: ids of the tests that fail with them.
    """

    image = ""
    command_limits = COMMAND_LIMITS
    test_command = "python -m pytest -q --tb=short -p no:cacheprovider --color=no tests"

    def __init__(
        self, package: Package, mutations: Sequence[Mutation], failing: Sequence[str]
    ) -> None:
        self.package, self.mutations = package, tuple(mutations)
        self.failing = frozenset(failing)
        self.broken_code = mutated(package.code, mutations)
        self.tree: Tree = {**self.broken_code, **package.tests}
        self.solution: Tree = package.code

    @cached_property
    def statement(self) -> str:
        """What is reported: what does not hold any more, never where."""
        said = _docstrings(self.package.name)
        # What can be seen to fail comes first.
        known = sorted(self.failing, key=lambda name: (name.startswith("held_out"), name))
        lines = "\n".join(f"- {said[name]}" for name in known[:_MOST_SYMPTOMS])
        return (
            f"The package `{self.package.name}` in this work tree has a bug, or more than one. "
            f"People who use it report that this does not hold any more:\n\n{lines}\n\n"
            "Find out why and repair the package. The folder `tests` has some of its tests; what "
            "you submit is graded by these and by others, whatever you do to the files there.\n\n"
            "Files:\n" + "\n".join(sorted(self.tree))
        )

    def code_of(self, tree: Tree) -> Tree:
        """Returns the part of a work tree that is graded: the package's own Python files."""
        folder = f"{self.package.name}/"
        return {
            path: content
            for path, content in sorted(tree.items())
            if path.startswith(folder) and path.endswith(".py")
        }

    def grade(self, tree: Tree, isolation: Isolation = "auto") -> Grade:
        """Grades a work tree in fresh sandboxes; tests come from the package, not from the tree.

        Raises:
            EnvironmentFault: If the tests could not be run.
        """
        code = self.code_of(tree)
        if code == self.broken_code:
            return Grade("empty_patch")
        if sum(map(len, code.values())) > _LARGEST_PATCH:
            return Grade("patch_too_large", modified=True)
        report = _judge(self.package.name, tuple(code.items()), isolation)
        if report.killed_by is not None:
            return Grade("timeout", modified=True)
        sound = all_tests(self.package.name) - self.failing
        fixed = len(self.failing & report.passed) / len(self.failing)
        broken = len(sound - report.passed) / max(1, len(sound))
        passes = report.exit_code == 0 and not report.failed and fixed == 1 and broken == 0
        return Grade("resolved" if passes else "tests_failed", True, fixed, broken)

    @cached_property
    def edits(self) -> list[str]:
        """The commands that take the bugs out, one each."""
        found = []
        for mutation in self.mutations:
            others = [other for other in self.mutations if other is not mutation]
            without = mutated(self.package.code, others)[mutation.path].decode()
            found.append(
                edit_between(mutation.path, self.broken_code[mutation.path].decode(), without)
            )
        return found

    def wrong_edits(self, seed: str) -> list[str]:
        """Returns commands for edits that look alike and repair nothing, chosen by `seed`."""
        right = set(self.package.code.values())
        found: dict[str, None] = {}
        for mutation in sample_mutations(self.broken_code, 2 * _DISTRACTORS, Random(seed)):
            before = self.broken_code[mutation.path].decode()
            after = mutation.apply(before)
            if after.encode() not in right:
                found[edit_between(mutation.path, before, after)] = None
        return [edit for edit in found if edit not in self.edits][:_DISTRACTORS]


def edit_between(path: str, before: str, after: str) -> str:
    """Returns the command that makes one text of the other; its old lines occur once."""
    old, new = before.split("\n"), after.split("\n")
    shorter = min(len(old), len(new))
    start = next((i for i in range(shorter) if old[i] != new[i]), shorter)
    tail = next((i for i in range(shorter - start) if old[-1 - i] != new[-1 - i]), shorter - start)
    end = len(old) - tail
    while start == end or _count(old, old[start:end]) != 1:
        start, end = max(0, start - 1), min(len(old), end + 1)
        if (start, end) == (0, len(old)):
            break
    replaced = new[start : len(new) - (len(old) - end)]
    return render_replace(path, "\n".join(old[start:end]), "\n".join(replaced))


def _count(lines: list[str], part: list[str]) -> int:
    return sum(lines[i : i + len(part)] == part for i in range(len(lines) - len(part) + 1))


@cache
def _docstrings(name: str) -> dict[str, str]:
    """Returns what each test of a package says it is about, by its id."""
    found = {}
    for path, content in load_package(name).all_tests.items():
        module = path.removesuffix(".py").replace("/", ".")
        for node in ast.parse(content).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found[f"{module}::{node.name}"] = (ast.get_docstring(node) or "").split("\n")[0]
    return found


def all_tests(name: str) -> frozenset[str]:
    """Returns the ids of all tests of a package."""
    return frozenset(_docstrings(name))


@lru_cache(maxsize=512)
def _judge(name: str, code: tuple[tuple[str, bytes], ...], isolation: Isolation) -> TestReport:
    # The same code always gets the same report, and policies with few actions submit it often.
    return run_tests(dict(code), load_package(name).all_tests, roots=[name], isolation=isolation)


@cache
def _manifest(name: str) -> tuple[dict[str, Any], ...]:
    lines = (MANIFESTS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(json.loads(line) for line in lines)


@lru_cache(maxsize=64)
def _repair(name: str, place: int) -> Repair:
    """Returns the content of a task, by package and line of its manifest."""
    row = _manifest(name)[place]
    mutations = [Mutation(*parts) for parts in row["mutations"]]
    return Repair(load_package(name), mutations, row["fails"])


@cache
def _package_digest(name: str) -> str:
    package = load_package(name)
    files: Mapping[str, bytes] = package.code | package.all_tests
    return content_id({path: content.decode() for path, content in files.items()})


class RepairTasks(TaskSet):
    """The generated tasks of one split, packages in turn."""

    def __init__(self, split: str) -> None:
        super().__init__(split)
        counts = {name: len(_manifest(name)) for name in SPLITS[split]}
        rounds = range(max(counts.values()))
        self._places = [(name, i) for i in rounds for name in SPLITS[split] if i < counts[name]]

    def __len__(self) -> int:
        return len(self._places)

    def task(self, index: int) -> Task:
        """Returns task `index`."""
        name, place = self._places[index]
        row = _manifest(name)[place]
        task_id = content_id([GENERATOR, _package_digest(name), row["mutations"]])
        kinds = [mutation[-1] for mutation in row["mutations"]]
        return Task(task_id, self.split, index, kinds[0] if len(kinds) == 1 else "several", index)

    def repair(self, task: Task) -> Repair:
        """Returns the task's content."""
        return _repair(*self._places[task.payload])


def repair_tasks(split: str) -> RepairTasks:
    """Returns the tasks of a split.

    Raises:
        UsageError: For the split "stream": every task is verified before it is one.
    """
    if split == STREAM:
        raise UsageError(
            'split must be one of the finite ones, got "stream". Tasks are verified beforehand.'
        )
    return RepairTasks(split)
