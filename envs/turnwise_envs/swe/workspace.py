"""Where the agent's commands run: one interface, a local sandbox, and a scripted one for tests."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from turnwise_envs.sandbox import Completed, Limits, Sandbox, SandboxFileError, open_sandbox

COMMAND_LIMITS = Limits(
    wall_s=40.0, cpu_s=20.0, memory_mb=512, processes=64, file_mb=16, disk_mb=64
)
"""For one command of the agent."""

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


class LocalWorkspace(Workspace):
    """A sandbox on this machine, opened with the first command.

    Args:
        isolation: as for `open_sandbox`.
        limits: of one command.
    """

    def __init__(self, isolation: str = "auto", limits: Limits = COMMAND_LIMITS) -> None:
        self._isolation, self._limits = isolation, limits
        self._sandbox: Sandbox | None = None
        self._known: Tree = {}
        self._stamps: dict[str, tuple[int, ...]] = {}

    def run(self, command: str, tree: Tree) -> tuple[Completed, Tree]:
        """Runs a command in the sandbox."""
        if self._sandbox is None:
            self._sandbox = open_sandbox(self._isolation, self._limits)
        for path in self._known.keys() - tree.keys():
            self._sandbox.delete(path)
        for path, content in tree.items():
            if self._known.get(path) != content:
                self._sandbox.write(path, content)
                self._stamps.pop(path, None)
        env = {"PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        completed = self._sandbox.run(["sh", "-c", command], env=env)
        self._known = self._look(tree)
        return completed, dict(self._known)

    def _look(self, tree: Tree) -> Tree:
        """Returns the work tree; reads only what was written since the last look."""
        assert self._sandbox is not None
        stamps, found = self._sandbox.stamps(), {}
        for path, stamp in stamps.items():
            if self._stamps.get(path) == stamp:
                found[path] = tree[path]
                continue
            try:
                found[path] = self._sandbox.read(path)
            except SandboxFileError:
                continue  # unreadable to its own user: as if it were not there
        self._stamps = stamps
        return found

    def close(self) -> None:
        """Closes the sandbox."""
        if self._sandbox is not None:
            self._sandbox.close()
        self._sandbox, self._known, self._stamps = None, {}, {}


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
