"""What the environment asks of a task, whether generated or loaded."""

from typing import Protocol

from turnwise_envs.sandbox import Isolation, Limits
from turnwise_envs.swe.tasks import Grade
from turnwise_envs.swe.workspace import Tree


class Assignment(Protocol):
    """A broken work tree, what is said about it, and how a repair of it is graded."""

    @property
    def tree(self) -> Tree:
        """The work tree as the agent gets it."""

    @property
    def statement(self) -> str:
        """The first observation."""

    @property
    def test_command(self) -> str:
        """What the tool `test` runs."""

    @property
    def command_limits(self) -> Limits:
        """Limits of one command of the agent."""

    @property
    def image(self) -> str:
        """Container image to work in; "" where any will do."""

    @property
    def failing(self) -> frozenset[str]:
        """Ids of the tests that a repair makes pass."""

    @property
    def solution(self) -> Tree | None:
        """The graded part of a repaired work tree; None where no repair is known."""

    @property
    def edits(self) -> list[str]:
        """Commands that repair the work tree."""

    def wrong_edits(self, seed: str) -> list[str]:
        """Returns commands for edits that look alike and repair nothing, chosen by `seed`."""

    def code_of(self, tree: Tree) -> Tree:
        """Returns the part of a work tree that is graded."""

    def grade(self, tree: Tree, isolation: Isolation = "auto") -> Grade:
        """Grades a work tree in fresh sandboxes.

        Raises:
            EnvironmentFault: If the tests could not be run.
        """
