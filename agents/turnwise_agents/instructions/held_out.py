"""Training questions that are kept for verification: never trained on, never reflected on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from turnwise_agents.policies import keyed_seed
from turnwise_agents.types import Group
from turnwise_envs.errors import UsageError

if TYPE_CHECKING:
    from turnwise_agents.algorithms.base import TaskPool

MAX_KEPT = 1024
"""Held-out questions remembered of a world, the newest."""

_BUCKETS = 1 << 20
_ROUNDS = 256


def is_held_out(task_id: str, share: float) -> bool:
    """Returns whether a task is among the held-out `share`, by its id alone."""
    return keyed_seed("held out", task_id) % _BUCKETS < share * _BUCKETS


class TrainingPool:
    """A task pool without the held-out questions; those that it meets are put aside.

    Args:
        pool: the run's.
        share: of the tasks that are held out; 0 for none.
        kept: gives the list of a world's held-out tasks met so far, which is added to.
    """

    def __init__(self, pool: TaskPool, share: float, kept: Callable[[str], list[str]]) -> None:
        self._pool = pool
        self._share = share
        self._kept = kept

    @property
    def iteration(self) -> int:
        """Number of the current iteration."""
        return self._pool.iteration

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self._pool.seed

    def draw(self, count: int) -> list[tuple[str, str]]:
        """Returns `count` (env_id, task_id) pairs to train on.

        Raises:
            UsageError: If nearly all tasks are held out.
        """
        found: list[tuple[str, str]] = []
        for _ in range(_ROUNDS):
            for env_id, task_id in self._pool.draw(count - len(found)):
                if not is_held_out(task_id, self._share):
                    found.append((env_id, task_id))
                    continue
                kept = self._kept(env_id)
                if task_id not in kept:
                    kept.append(task_id)
                    del kept[:-MAX_KEPT]
            if len(found) == count:
                return found
        raise UsageError(
            f"held_out_share must leave tasks to train on, got {self._share:g}. "
            "Lower it, or train on more tasks."
        )

    def lookup(self, env_id: str, task_id: str) -> Mapping[str, float]:
        """Returns the statistics of a task."""
        return self._pool.lookup(env_id, task_id)

    def update(self, groups: list[Group]) -> None:
        """Adds finished groups to the statistics."""
        self._pool.update(groups)
