"""Where the agent's commands run: a sandbox here, a container, or a script for tests."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping

from turnwise_envs.sandbox import (
    Completed,
    Container,
    Isolation,
    Limits,
    Sandbox,
    open_isolated,
)

COMMAND_LIMITS = Limits(
    wall_s=40.0, cpu_s=20.0, memory_mb=512, processes=64, file_mb=16, disk_mb=64
)
"""For one command of the agent."""

_ENVIRONMENT = {
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTHONHASHSEED": "0",  # pytest lists what differs between two dicts in a set's order
}

Tree = dict[str, bytes]
"""A work tree: path -> content of every regular file."""


class Workspace(ABC):
    """A work tree in which commands run. Nothing but regular files is kept between commands."""

    @abstractmethod
    def run(self, command: str, tree: Tree) -> tuple[Completed, Tree]:
        """Runs a shell command in a work tree.

        Args:
            command: for `sh -c`.
            tree: the work tree before.

        Returns:
            What came of it, and the work tree after.

        Raises:
            EnvironmentFault: If the machinery broke.
        """

    @abstractmethod
    def close(self) -> None:
        """Ends and removes everything; harmless when called again."""


class SandboxWorkspace(Workspace):
    """A sandbox or a container, opened with the first command.

    Args:
        isolation: a name, as for `open_sandbox`, or the image of a container.
        limits: of one command.
    """

    def __init__(self, isolation: Isolation = "auto", limits: Limits = COMMAND_LIMITS) -> None:
        self._isolation, self._limits = isolation, limits
        self._sandbox: Sandbox | Container | None = None
        self._known: Tree = {}
        self._stamps: dict[str, tuple[int, ...]] = {}

    def run(self, command: str, tree: Tree) -> tuple[Completed, Tree]:
        """Runs a command in the sandbox."""
        if self._sandbox is None:
            self._sandbox = open_isolated(self._isolation, self._limits)
        changed = {path: c for path, c in tree.items() if self._known.get(path) != c}
        self._sandbox.change(changed, sorted(self._known.keys() - tree.keys()))
        for path in changed:
            self._stamps.pop(path, None)
        completed = self._sandbox.run(["sh", "-c", command], env=_ENVIRONMENT)
        self._known = self._look(tree)
        return completed, dict(self._known)

    def _look(self, tree: Tree) -> Tree:
        """Returns the work tree; reads only what was written since the last look."""
        assert self._sandbox is not None
        stamps = self._sandbox.stamps()
        known = {path: stamp for path, stamp in self._stamps.items() if path in tree}
        written = [path for path, stamp in stamps.items() if known.get(path) != stamp]
        # What its own user cannot read is as if it were not there.
        found = self._sandbox.read_all(written)
        kept = {path: tree[path] for path in stamps.keys() - written}
        self._stamps = stamps
        return dict(sorted((kept | found).items()))

    def close(self) -> None:
        """Closes the sandbox."""
        if self._sandbox is not None:
            self._sandbox.close()
        self._sandbox, self._known, self._stamps = None, {}, {}


Completions = dict[tuple[str, bytes], tuple[Completed, Tree | None]]
"""(command, digest of the work tree) -> what came of it, and the tree after if it is another."""
_MOST_REMEMBERED = 4096


class RememberingWorkspace(Workspace):
    """Answers some commands from memory where they were run in the same work tree before.

    Meant for commands whose result depends on nothing but the work tree. Any other command may
    leave more behind than a tree tells (links, mode bits, processes): after one, everything is run,
    until the workspace is closed. What a limit struck is not remembered.

    Args:
        workspace: where commands are run.
        commands: those that are remembered.
        memory: shared by workspaces that are alike; when it is full, the oldest entry goes.
    """

    def __init__(
        self, workspace: Workspace, commands: Iterable[str], memory: Completions | None = None
    ) -> None:
        self._workspace = workspace
        self._commands = frozenset(commands)
        self._memory = {} if memory is None else memory
        self._only_these = True

    def run(self, command: str, tree: Tree) -> tuple[Completed, Tree]:
        """Looks a command up, or runs it."""
        self._only_these &= command in self._commands
        if not self._only_these:
            return self._workspace.run(command, tree)
        key = command, tree_digest(tree)
        if key in self._memory:
            completed, after = self._memory[key]
            return completed, dict(tree if after is None else after)
        completed, after = self._workspace.run(command, tree)
        if completed.killed_by is None:
            if len(self._memory) >= _MOST_REMEMBERED:
                del self._memory[next(iter(self._memory))]
            self._memory[key] = completed, None if after == tree else dict(after)
        return completed, after

    def close(self) -> None:
        """Closes the workspace; the memory stays."""
        self._workspace.close()
        self._only_these = True


def tree_digest(tree: Tree) -> bytes:
    """Returns the digest of all paths and contents, 32 bytes."""
    found = hashlib.blake2b(digest_size=32)
    for path, content in sorted(tree.items()):
        name = path.encode("utf-8", "surrogateescape")
        found.update(b"%d %d " % (len(name), len(content)) + name + content)
    return found.digest()


class DummyWorkspace(Workspace):
    """Answers commands from a script, for tests of what uses a workspace.

    Args:
        answers: command -> what came of it, or a function of the tree that says so and the tree
            after.
    """

    def __init__(
        self,
        answers: Mapping[str, Completed | Callable[[Tree], tuple[Completed, Tree]]],
    ) -> None:
        self._answers = answers

    def run(self, command: str, tree: Tree) -> tuple[Completed, Tree]:
        """Looks the command up."""
        answer = self._answers[command]
        return (answer, tree) if isinstance(answer, Completed) else answer(tree)

    def close(self) -> None:
        """Does nothing."""
