"""`SWESandboxEnv`: repair a repository in a sandbox."""

from __future__ import annotations

import base64
import re
import shlex
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from turnwise_envs.core import StepResult, TextEnv, digest
from turnwise_envs.errors import UsageError
from turnwise_envs.sandbox import ContainerImage, Isolation, Limits, SandboxFileError
from turnwise_envs.sandbox.engine import BASE_IMAGE
from turnwise_envs.spaces import cut_middle
from turnwise_envs.splits import Task, TaskSet
from turnwise_envs.swe import tools
from turnwise_envs.swe.assignments import Assignment
from turnwise_envs.swe.library import SPLITS
from turnwise_envs.swe.loading import loaded_tasks
from turnwise_envs.swe.menus import can_replace, edit_menu
from turnwise_envs.swe.tasks import repair_tasks
from turnwise_envs.swe.tools import Call, Refused
from turnwise_envs.swe.workspace import (
    Completions,
    RememberingWorkspace,
    SandboxWorkspace,
    Tree,
    Workspace,
)

_SECONDS = re.compile(r" in \d+\.\d+s( \([\d:]+\))?")
_SHOWN_CHARS = 8_000
BACKENDS = ("local", "docker")
LEVELS = ("completion", "modification", "resolution")
SOURCES = ("metrics/fixed", "metrics/broken", "metrics/limit_struck", "cost/commands")
_TESTS: dict[tuple[Isolation, Limits], Completions] = {}
"""What tests have said in this process."""


class SWESandboxEnv(TextEnv):
    """Repair a small package: read, edit, run its tests, submit.

    ## Description

    A package with injected bugs lies in a work tree; a report says what does not hold any more,
    never where. The agent has a shell in a sandbox (`turnwise_envs.sandbox`: no network, read-only
    root, limits on everything), an editor and a test runner.

    Packages, tests and bugs are this package's own. Bugs are injected by syntax-tree mutation: a
    boundary, an operator, off by one, a wrong variable of the same group, a missing guard, a
    dropped branch, swapped arguments, a wrong function, a negation; one to three at once. Each task
    was verified: the tests pass without the bugs, and at least one, at most half, fail with them.

    What counts is what the repaired package does. On `submit` its Python files, and no others, go
    into a fresh sandbox; the tests, of which the work tree shows only a part, run in another one.
    The two are joined by a pipe over which calls and plain data go, so that nothing the agent
    writes runs where tests, test runner and report are: a patched test runner, a forged report, an
    exit code, an object that equals everything reach nothing.

    Licence: everything here carries this package's licence.

    With `data_dir` the tasks are a user's own:

    - A folder of QuixBugs' layout (`turnwise_envs.swe.quixbugs`; the published one has its own
      licence): one program each, half of its tests shown, graded by all, as generated tasks are.
    - SWE-bench-style instances, a `.json` or `.jsonl` file (`turnwise_envs.swe.instances`; the
      repositories keep their licences), over git repositories that are found beside the file or in
      `checkouts`. The work tree has the regular files of `base_commit` and no history. With
      `backend="docker"` a row's `image` is what it is worked in, and where its repository is taken
      from if no folder has it. For published images, name their folder and interpreters:
      `image=ContainerImage(work="/testbed", python=..., tests_python=...)`.
      `python -m turnwise_envs.swe.own PATH STATEMENT` makes one of a repository of one's own.

    Suites of whole repositories patch what they test, so tests and code share a process. The
    submission's changes go into a fresh sandbox, but for tests, settings of the test runner and of
    the interpreter, and new files that take a name of the standard library's; then the tests are
    copied in. What is believed is one line, signed with a secret of this run, that agrees with the
    exit code and has every named test passed; and only if the tests, run once more turned round,
    all fail. This cannot hold code that reads expected values from the tests while they run or
    knows them by heart, that tells a test from the same test turned round, or that guesses in
    which of the two runs it is (right at most once in four). Tests that are inherited or generated
    are not turned round.

    ## Action Space

    Text, one command a turn:

        shell COMMAND               view PATH [FIRST LAST]       search TEXT
        create PATH                 replace PATH                 test
        (all lines of the file)     <<<<<<<                      submit
                                    (old lines, occurring once)
                                    =======
                                    (new lines)
                                    >>>>>>>

    What is no command, or cannot be carried out, is answered by the reason, and `action_is_valid`
    is False. A shell command that fails is a valid action.

    With `actions="menu"`, `admissible_actions` holds `view` of each file of the package, `test`,
    `submit`, and replacements that can be made now: the right ones among wrong ones that look like
    them. Typed text is answered all the same.

    ## Observation Space

    Text; what is longer than 8,000 characters is cut in the middle, with a note. The first
    observation is

        The package `ledger` in this work tree has a bug, or more than one. People who use it report
        that this does not hold any more:

        - A transfer takes from one account what it gives to the other.

    with the rules and the list of files after it. A shell command is answered by `exit code N` and
    what it printed.

    ## Rewards

    Reached levels, weighted by `level_rewards`, when the episode is submitted:

    | component | default | when |
    |---|---|---|
    | `completion` | 0.0 | `submit` |
    | `modification` | 0.0 | the submitted package differs from the given one |
    | `resolution` | 1.0 | every test passes |

    ## Starting State

    `seed` draws a task; `options={"task_index": i}` or `{"task_id": id}` names one. Splits `train`,
    `valid`, `test` have different packages. Of a user's tasks, those that name a split are in that
    one ("dev" is `valid`), others in each.

    ## Episode End

    1. Termination: `submit`; verdict "resolved", "tests_failed", "empty_patch", "patch_too_large",
       "timeout" (the tests did not come to an end) or "tampered" (they passed turned round, too).
    2. Truncation: `max_turns` turns were played; verdict "turn_limit".

    ## Info

    | key | type | meaning |
    |---|---|---|
    | `state_key` | str | the content of every file of the work tree, submitted or not |
    | `belief_key` | str | files seen, as they were then, what was changed, what `test` says now |
    | `anchor_key` | str | task and package files, and whether `test` was run on them |
    | `metrics` | dict | after `submit`: the shares `fixed` and `broken` of the tests |
    | `cost` | dict | `commands`: 1.0 for `shell` and `test` |

    Aliasing: the share of visits whose key also covers visits with another best next action.
    Splitting: the mean number of keys over the visits of one `state_key`. Measured by
    `benchmarks/speed/swe.py --keys`, within tasks, on episodes in which every second action is one
    of the menu at random:

    | key | aliasing | splitting |
    |---|---|---|
    | `anchor_key` | 0.00 | 1.14 |
    | `belief_key` | 0.00 | 1.99 |
    | observation text | 0.63 | 1.93 |

    Links, empty folders and mode bits that a shell command leaves are no part of the state; a
    restored episode goes on without them. Where a limit struck a command, `metrics` has
    `limit_struck` 1.0. The other keys are those of `TextEnv`.

    ## Arguments

    | argument | default | meaning |
    |---|---|---|
    | `backend` | "local" | "local" or "docker" sandboxes; or a `Workspace` of one's own |
    | `isolation` | "auto" | of local sandboxes: see `turnwise_envs.sandbox.open_sandbox` |
    | `image` | "turnwise/base:1" | of containers; or a `ContainerImage` of the sandbox package |
    | `data_dir` | None | file or folder of a user's tasks; None: the generated ones |
    | `checkouts` | None | folder with the repositories of instances |
    | `level_rewards` | (0, 0, 1) | of completion, modification, resolution |
    | `remember_tests` | False | answer `test` from memory, see below |

    Many episodes of few tasks test the same work trees again and again. With `remember_tests`,
    `test` is run once for each content of the work tree in this process, as long as no `shell`
    command came before it in the episode; the answers are the same if the tests say the same twice.
    What the tests leave outside the work tree is then missing. Grades of the same code are always
    remembered. A `Workspace` of one's own remembers what it likes.

    ## Registered Configurations

    - `turnwise/SWESandbox-v0`: 30 turns.

    ## Version History

    - v0: first version; generator "repairs-1".
    """

    splits: ClassVar[tuple[str, ...]] = tuple(SPLITS)
    default_max_turns: ClassVar[int] = 30
    default_instruction: ClassVar[str] = (
        "You repair a Python package. Read the report, find the cause in the code, change as "
        "little as possible, run the tests, and submit."
    )
    reward_names = (*LEVELS, *SOURCES)
    grammar = tools.GRAMMAR
    tools = tools.TOOLS

    def __init__(
        self,
        *,
        backend: str | Workspace = "local",
        data_dir: str | None = None,
        checkouts: str | None = None,
        isolation: str = "auto",
        image: str | ContainerImage = BASE_IMAGE,
        level_rewards: tuple[float, float, float] = (0.0, 0.0, 1.0),
        remember_tests: bool = False,
        **common: Any,
    ) -> None:
        if len(level_rewards) != len(LEVELS) or not all(
            isinstance(value, int | float) for value in level_rewards
        ):
            raise UsageError(f"level_rewards must be three numbers, got {level_rewards!r}.")
        super().__init__(**common)
        if not isinstance(backend, Workspace) and backend not in BACKENDS:
            raise UsageError(
                f"backend must be one of {', '.join(BACKENDS)}, or a Workspace, got {backend!r}."
            )
        self._scripted = backend if isinstance(backend, Workspace) else None
        self._remember_tests = remember_tests
        self._isolation: Isolation = _image(image) if backend == "docker" else isolation
        self._data_dir, self._checkouts = data_dir, checkouts
        self._level_rewards = tuple(float(value) for value in level_rewards)
        self._repair: Assignment | None = None
        self._tree: Tree = {}
        self._marked: tuple[Tree, dict[str, str]] = ({}, {})
        self._seen: dict[str, str] = {}
        self._tested = ""
        self._submitted = False
        self._workspace: Workspace | None = None

    @classmethod
    def task_set(cls, split: str, **options: Any) -> TaskSet:
        """Returns the generated tasks of a split, or those of a user's data."""
        if options.get("data_dir") is not None:
            is_docker = options.get("backend") == "docker"
            containers = _image(options.get("image", BASE_IMAGE)) if is_docker else None
            return loaded_tasks(split, options["data_dir"], options.get("checkouts"), containers)
        return repair_tasks(split)

    def task_options(self) -> dict[str, Any]:
        """Returns where a user's data are."""
        options: dict[str, Any] = {"data_dir": self._data_dir, "checkouts": self._checkouts}
        if self._data_dir is not None and isinstance(self._isolation, ContainerImage):
            options |= {"backend": "docker", "image": self._isolation}
        return options

    def identity(self) -> dict[str, Any]:
        """Returns the arguments that a snapshot's reader must share."""
        return {**super().identity(), "level_rewards": list(self._level_rewards)}

    # ---------------------------------------------------------------- the episode

    def start(self, task: Task) -> str:
        """Puts the broken package into the work tree."""
        self._build(task)
        assert self._repair is not None
        self._tree = dict(self._repair.tree)
        self._seen, self._tested, self._submitted = {}, "", False
        return self._repair.statement

    def _build(self, task: Task) -> None:
        self._repair = self.tasks.repair(task)  # type: ignore[attr-defined]
        self._place = self._isolation
        if isinstance(self._place, ContainerImage) and self._repair.image:
            self._place = replace(self._place, name=self._repair.image)
        self._close_workspace()

    def apply(self, action: str) -> StepResult:
        """Carries a command out."""
        try:
            call = tools.parse(action)
            if call.tool == "submit":
                return self._submit()
            if call.tool in ("shell", "test"):
                return self._run(call)
            return StepResult(cut_middle(self._edit(call), _SHOWN_CHARS))
        except Refused as refusal:
            return StepResult(str(refusal), action_is_valid=False)

    def _edit(self, call: Call) -> str:
        if call.tool == "search":
            return tools.search(call, self._tree)
        if call.tool == "view":
            text, path = tools.view(call, self._tree)
            if path:
                self._seen[path] = self._marks()[path]
            return text
        change = tools.replace if call.tool == "replace" else tools.create
        self._put(change(call, self._tree))
        return f"{call.path} was changed."

    def _put(self, tree: Tree) -> None:
        if tree != self._tree:
            self._tree, self._tested = tree, ""  # what the tests said was about another tree

    def _run(self, call: Call) -> StepResult:
        assert self._repair is not None
        if self._workspace is None:
            self._workspace = self._scripted or self._open()
        is_test = call.tool == "test"
        try:
            done, tree = self._workspace.run(
                self._repair.test_command if is_test else call.text, self._tree
            )
        except SandboxFileError as error:
            self._close_workspace()
            raise Refused(f"The work tree cannot be laid out: {error.strerror}.") from error
        self._put(tree)
        output = done.stdout + done.stderr
        if is_test:
            output = _SECONDS.sub("", output)
            self._tested = digest(output)
        ended = f"killed, it used too much: {done.killed_by}" if done.killed_by else ""
        metrics = {"limit_struck": 1.0} if done.killed_by else {}
        observation = f"{ended or f'exit code {done.returncode}'}\n{output}".rstrip()
        return StepResult(
            cut_middle(observation, _SHOWN_CHARS), metrics=metrics, cost={"commands": 1.0}
        )

    def _open(self) -> Workspace:
        assert self._repair is not None
        limits, command = self._repair.command_limits, self._repair.test_command
        workspace = SandboxWorkspace(self._place, limits)
        if not self._remember_tests:
            return workspace
        memory = _TESTS.setdefault((self._place, limits), {})
        return RememberingWorkspace(workspace, [command], memory)

    def _submit(self) -> StepResult:
        assert self._repair is not None
        grade = self._repair.grade(self._tree, self._place)
        self._submitted = True
        reached = (True, grade.modified, grade.verdict == "resolved")
        components = {
            name: value if level else 0.0
            for name, value, level in zip(LEVELS, self._level_rewards, reached, strict=True)
        }
        return StepResult(
            f"Submitted: {grade.verdict.replace('_', ' ')}.",
            reward_components=components,
            terminated=True,
            success=reached[-1],
            score=float(reached[-1]),
            verdict=grade.verdict,
            metrics={"fixed": grade.fixed, "broken": grade.broken},
        )

    # ---------------------------------------------------------------- keys, menu, policies

    def _marks(self) -> dict[str, str]:
        """Returns the digest of each file, reading only those that have changed."""
        tree, marks = self._marked
        if tree is not self._tree:
            known = {path: marks[path] for path, c in self._tree.items() if tree.get(path) is c}
            marks = {path: known.get(path) or digest(c) for path, c in self._tree.items()}
            self._marked = self._tree, marks
        return marks

    def _state(self, parts: dict[str, str]) -> str:
        return digest("\n".join([*(parts[path] for path in sorted(parts)), str(self._submitted)]))

    def keys(self) -> tuple[str, str, str]:
        """Returns the digests described above."""
        assert self._repair is not None
        assert self.task is not None
        seen = [f"{path}\0{mark}" for path, mark in sorted(self._seen.items())]
        parts = {path: f"{path}\0{mark}" for path, mark in self._marks().items()}
        given = self._repair.tree
        changed = [parts.get(path, path) for path in sorted(given.keys() | parts.keys())
                   if self._tree.get(path) != given.get(path)]  # fmt: skip
        marks = [self.task.id, *seen, "", *changed, "", self._tested, str(self._submitted)]
        belief = digest("\n".join(marks))
        code = [parts[path] for path in self._repair.code_of(self._tree)]
        flags = [self.task.id, str(bool(self._tested)), str(self._submitted)]
        return self._state(parts), belief, digest("\n".join(flags + code))

    def _menu(self) -> list[str]:
        assert self._repair is not None
        assert self.task is not None
        views = [f"view {path}" for path in self._repair.code_of(self._tree)]
        edits = edit_menu(self._repair, self.task.id).possible(self._tree)
        return [*views, *edits, "test", "submit"]

    def admissible_actions(self) -> list[str] | None:
        """Returns the menu in menu mode."""
        return self._menu() if self.actions == "menu" and self._repair is not None else None

    def random_action(self, rng: np.random.Generator) -> str:
        """Returns an action of the menu, all alike probable, in either mode."""
        menu = self._menu()
        return menu[int(rng.integers(len(menu)))]

    def expert_action(self) -> str | None:
        """Takes the bugs out one by one, then submits."""
        repair = self._repair
        if repair is None:
            return None
        code = repair.code_of(self._tree)
        if repair.solution is None:
            return None
        if code == repair.solution:
            return "submit"
        for edit in repair.edits:
            if can_replace(tools.parse(edit), self._tree):
                return edit
        for path, content in repair.solution.items():
            if code.get(path) != content:
                return _write_command(path, content)
        return "shell rm " + " ".join(sorted(code.keys() - repair.solution.keys()))

    def gold(self) -> tuple[list[str] | None, list[str] | None]:
        """Returns the edits that repair the package, and the tests that fail before."""
        assert self._repair is not None
        return list(self._repair.edits), sorted(self._repair.failing)

    # ---------------------------------------------------------------- snapshots, end

    def get_world(self) -> dict[str, Any]:
        """Returns how the work tree differs from the task's, and what was seen."""
        assert self._repair is not None
        base = self._repair.tree
        changed = {p: c for p, c in self._tree.items() if base.get(p) != c}
        return {
            "changed": {path: base64.b64encode(c).decode() for path, c in changed.items()},
            "deleted": sorted(base.keys() - self._tree.keys()),
            "seen": dict(self._seen),
            "tested": self._tested,
            "submitted": self._submitted,
        }

    def set_world(self, task: Task, state: Any) -> None:
        """Reverses `get_world`."""
        self._build(task)
        assert self._repair is not None
        tree = {p: c for p, c in self._repair.tree.items() if p not in state["deleted"]}
        tree |= {path: base64.b64decode(c) for path, c in state["changed"].items()}
        self._tree, self._seen = tree, dict(state["seen"])
        self._tested, self._submitted = state["tested"], state["submitted"]

    def _close_workspace(self) -> None:
        if self._workspace is not None:
            self._workspace.close()
        self._workspace = None

    def close(self) -> None:
        """Ends the sandbox."""
        self._close_workspace()
        super().close()

    def __getstate__(self) -> dict[str, Any]:
        # A sandbox stays where it is; a copy opens its own.
        return {**super().__getstate__(), "_workspace": None}


def _image(image: str | ContainerImage) -> ContainerImage:
    return ContainerImage(image) if isinstance(image, str) else image


def _write_command(path: str, content: bytes) -> str:
    """Returns the command that writes a file, whatever it has."""
    text = content.decode(errors="replace").rstrip("\n")
    if f"{text}\n".encode() == content:
        return f"create {path}\n{text}"
    quoted, data = shlex.quote(path), base64.b64encode(content).decode()
    return f'shell mkdir -p "$(dirname {quoted})" && echo {data} | base64 -d > {quoted}'
