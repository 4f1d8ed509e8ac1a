"""Tasks over a repository: a commit's files, an issue, tests that are copied in for grading."""

import difflib
import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from random import Random

from turnwise_envs.core import digest
from turnwise_envs.errors import DataError, EnvironmentFault
from turnwise_envs.sandbox import Isolation, Limits
from turnwise_envs.swe.inprocess import judge, run_in_process, run_limits
from turnwise_envs.swe.instances import Instance
from turnwise_envs.swe.mutations import sample_mutations
from turnwise_envs.swe.protected import graded_tree, is_protected
from turnwise_envs.swe.repositories import (
    is_repository,
    patched,
    resolve_commit,
    tree_at,
    tree_of_folder,
)
from turnwise_envs.swe.tasks import Grade, edit_between
from turnwise_envs.swe.workspace import COMMAND_LIMITS, Tree

LARGEST_PATCH = 1 << 20
"""Bytes of all files together that a submission changes."""
_DISTRACTORS = 6
_KEPT_GRADES = 64
_SHOWN_ENTRIES = 60
_PYTEST = "env -u PYTEST_DISABLE_PLUGIN_AUTOLOAD PYTHONPATH=.:src python -m pytest -q --tb=short"
_REPORTED = (0, 1, 2)
"""Exit codes of a test runner that did its work."""


def find_repository(instance: Instance, folders: Sequence[Path]) -> Path | None:
    """Returns where an instance's repository is: OWNER/NAME, OWNER__NAME or NAME in a folder.

    Args:
        instance: its `repo` may also be a path, relative to one of the folders or not.
        folders: where to look, in order.
    """
    given = Path(instance.repo).expanduser()
    names = [given] if given.is_absolute() else []
    if not names:
        forms = (instance.repo, instance.repo.replace("/", "__"), instance.repo.split("/")[-1])
        names = [folder / form for folder in folders for form in forms]
    return next((path for path in names if path.is_dir()), None)


class Checkout:
    """One instance over a repository that is on this machine.

    Args:
        instance: the row.
        repository: a git repository, or a folder that is none.

    Raises:
        DataError: If commit or patches do not fit the repository.
    """

    def __init__(self, instance: Instance, repository: Path) -> None:
        self.instance, self.repository = instance, repository
        self.image = instance.image
        self.failing = frozenset(instance.fail_to_pass)
        self._grades: dict[str, Grade] = {}
        self._problem: str | None = None
        self._git = is_repository(repository)
        if not self._git and (instance.base_commit or instance.test_patch or instance.patch):
            raise DataError(
                f"{repository} must be a git repository, because {instance.name} names a commit "
                "or has a patch."
            )
        if self._git:
            self._commit = resolve_commit(repository, instance.base_commit or "HEAD")
        self.tree: Tree = tree_at(repository, self._commit) if self._git else tree_of_folder(
            repository
        )  # fmt: skip
        self._tests = self._changed("test_patch", instance.test_patch)
        for test in instance.tests:
            path = test.partition("::")[0]
            content = self._tests.setdefault(path, self.tree.get(path))
            if content is None:
                raise DataError(
                    f"{instance.name}: {path} of {test} must be in the repository at this commit, "
                    "or in test_patch."
                )

    def _changed(self, name: str, patch: str) -> dict[str, bytes | None]:
        try:
            return patched(self.repository, self._commit, patch) if patch else {}
        except DataError as error:
            raise DataError(f"{self.instance.name}: {name} does not fit: {error}") from error

    # ---------------------------------------------------------------- what the agent gets

    @cached_property
    def statement(self) -> str:
        """The issue, and what there is."""
        top = sorted({path.split("/")[0] + "/" * ("/" in path) for path in self.tree})
        if len(top) > _SHOWN_ENTRIES:
            top[_SHOWN_ENTRIES:] = [f"... and {len(top) - _SHOWN_ENTRIES} more"]
        return (
            f"This work tree has the repository `{self.instance.repo.rpartition('/')[2]}`. "
            f"An issue was opened:\n\n{self.instance.problem_statement.strip()}\n\n"
            "Change the code so that it is solved. What you submit is graded by tests, some of "
            "which you do not have; your changes to tests, and to files that configure tests, are "
            "left out.\n\nAt the top of the work tree:\n" + "\n".join(top)
        )

    @property
    def test_command(self) -> str:
        """The row's own, or pytest on the files of the named tests that are there."""
        if self.instance.test_command:
            return self.instance.test_command
        named = dict.fromkeys(test.partition("::")[0] for test in self.instance.tests)
        files = " ".join(shlex.quote(path) for path in named if path in self.tree)
        return f"{_PYTEST} -p no:cacheprovider --color=no {files}".rstrip()

    @cached_property
    def command_limits(self) -> Limits:
        """Limits of a command of the agent: as for generated tasks, with room for the files."""
        seconds = max(COMMAND_LIMITS.cpu_s, self.instance.timeout_s)
        return replace(run_limits(self.tree, seconds), output_chars=COMMAND_LIMITS.output_chars)

    # ---------------------------------------------------------------- grading

    def code_of(self, tree: Tree) -> Tree:
        """Returns the files whose changes count."""
        kept = {p: c for p, c in tree.items() if not is_protected(p, self._tests)}
        return dict(sorted(kept.items()))

    def grade(self, tree: Tree, isolation: Isolation = "auto") -> Grade:
        """Grades a work tree: its changes to the code, with the tests as they should be.

        Raises:
            EnvironmentFault: If a sandbox broke, or the tests do not do here what the row says.
        """
        graded, changes = graded_tree(self.tree, tree, self._tests)
        if not changes:
            return Grade("empty_patch")
        if sum(len(content or b"") for content in changes.values()) > LARGEST_PATCH:
            return Grade("patch_too_large", modified=True)
        key = digest("\n".join(f"{path}\0{digest(c)}" for path, c in sorted(graded.items())))
        if key not in self._grades:
            if len(self._grades) >= _KEPT_GRADES:
                self._grades.clear()
            self._grades[key] = self._grade(graded, isolation)
        return self._grades[key]

    def _grade(self, graded: Tree, isolation: Isolation) -> Grade:
        found = judge(graded, self.instance.tests, isolation=isolation, limits=self._limits)
        report = found.report
        sound = frozenset(self.instance.pass_to_pass) - self.failing
        fixed = len(self.failing & report.passed) / len(self.failing)
        broken = len(sound - report.passed) / max(1, len(sound))
        if found.tampered:
            return Grade("tampered", True)
        if fixed == 1 and broken == 0 and report.exit_code == os.EX_OK and not report.failed:
            return Grade("resolved", True, fixed, broken)
        self._expect_sound(isolation)
        slow = report.killed_by in ("wall", "cpu")
        return Grade("timeout" if slow else "tests_failed", True, fixed, broken)

    @cached_property
    def _limits(self) -> Limits:
        return run_limits(self.tree, self.instance.timeout_s)

    def _expect_sound(self, isolation: Isolation) -> None:
        """Makes sure that a failure is the submission's: that the tests can be passed here.

        By the known repair where there is one, else by what passes before any.
        """
        if self._problem is None:
            self._problem = self.problem(isolation)
        if self._problem:
            raise EnvironmentFault(f"{self.instance.name} cannot be graded here: {self._problem}")

    def problem(self, isolation: Isolation = "auto") -> str:
        """Returns why the named tests do not do here what the row says, or ""."""
        repaired = {**self.tree, **self._changed("patch", self.instance.patch)}
        given = {path: c for path, c in repaired.items() if c is not None}
        tree, _ = graded_tree(self.tree, given, self._tests)
        report = run_in_process(tree, self.instance.tests, isolation=isolation, limits=self._limits)
        if report.killed_by is not None or report.exit_code not in _REPORTED:
            ended = report.killed_by or f"exit code {report.exit_code}"
            return f"the test runner ended early ({ended}): {report.output[-1000:].strip()}"
        closed = {name.partition("::")[0] for name in report.failed if name.endswith("::")}
        wanted = frozenset(self.instance.pass_to_pass) - self.failing
        if self.instance.patch:
            wanted, closed = frozenset(self.instance.tests), set()
        missing = sorted(t for t in wanted - report.passed if t.partition("::")[0] not in closed)
        if missing:
            after = "with the known repair" if self.instance.patch else "before any repair"
            why = report.failed.get(missing[0], "there is no such test")
            return f"{len(missing)} tests that must pass {after} do not, {missing[0]}: {why}"
        return ""

    # ---------------------------------------------------------------- the known repair

    @cached_property
    def solution(self) -> Tree | None:
        """The code with the known repair, None where the row has none."""
        if not self.instance.patch:
            return None
        changed = {**self.tree, **self._changed("patch", self.instance.patch)}
        return self.code_of({path: c for path, c in changed.items() if c is not None})

    @cached_property
    def edits(self) -> list[str]:
        """The known repair, a command for each place; files that are new or go have none."""
        found: list[str] = []
        for path, content in (self.solution or {}).items():
            before = self.tree.get(path, content)
            if before != content:
                found += _edits(path, before, content)
        return found

    def wrong_edits(self, seed: str) -> list[str]:
        """Returns commands for edits of the files that the known repair changes."""
        solution = self.solution or {}
        touched = {
            path: self.tree[path]
            for path, content in solution.items()
            if path.endswith(".py") and self.tree.get(path, content) != content
        }
        found: dict[str, None] = {}
        for mutation in sample_mutations(touched, 2 * _DISTRACTORS, Random(seed)):
            before = touched[mutation.path].decode()
            after = mutation.apply(before)
            if after.encode() != solution[mutation.path]:
                found[edit_between(mutation.path, before, after)] = None
        return [edit for edit in found if edit not in self.edits][:_DISTRACTORS]


def _edits(path: str, before: bytes, after: bytes) -> list[str]:
    """Returns a command for each place in which two texts differ, from the last to the first."""
    try:
        old, new = before.decode().split("\n"), after.decode().split("\n")
    except UnicodeDecodeError:
        return []
    edits, text = [], before.decode()
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for kind, i, j, k, m in reversed(matcher.get_opcodes()):
        if kind != "equal":
            old[i:j] = new[k:m]
            changed = "\n".join(old)
            edits.append(edit_between(path, text, changed))
            text = changed
    return edits
