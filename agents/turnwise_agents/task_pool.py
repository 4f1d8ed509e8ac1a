"""The run's tasks with their sampling statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from turnwise_agents.rollout import stream_key
from turnwise_agents.types import Group
from turnwise_envs import TaskSet, UsageError


@dataclass(frozen=True)
class TaskSource:
    """The tasks of one environment in the mixture.

    Attributes:
        env_id: registered id.
        tasks: its task set.
        weight: share of the draws, relative to the other sources.
        limit: use the first `limit` tasks only; None uses all. A limited source is a fixed set of
            training tasks and should be named as such in results.
    """

    env_id: str
    tasks: TaskSet
    weight: float = 1.0
    limit: int | None = None

    @property
    def size(self) -> int | None:
        """Number of tasks drawn from; None for an unbounded stream."""
        if not self.tasks.finite:
            return self.limit
        return len(self.tasks) if self.limit is None else min(self.limit, len(self.tasks))


class MixturePool:
    """Draws tasks from weighted sources without replacement, epoch by epoch.

    Every draw depends only on the seed and on how many draws came before it, so a resumed run
    draws what the interrupted one would have drawn.

    Args:
        sources: at least one.
        seed: the run's seed.
    """

    def __init__(self, sources: Sequence[TaskSource], seed: int) -> None:
        if not sources:
            raise UsageError("sources must hold at least one environment, got none.")
        for source in sources:
            if source.weight <= 0:
                raise UsageError(
                    f"weight of {source.env_id} must be positive, got {source.weight}."
                )
            if source.size is not None and source.size < 1:
                raise UsageError(f"{source.env_id} must have at least one task, got {source.size}.")
        self.sources = list(sources)
        self.seed = seed
        self.iteration = 0
        self._drawn = [0] * len(sources)
        self._stats: dict[tuple[str, str], list[float]] = {}
        self._orders: dict[tuple[int, int], np.ndarray] = {}

    def draw(self, count: int) -> list[tuple[str, str]]:
        """Returns `count` (env_id, task_id) pairs; each source in proportion to its weight."""
        weights = np.array([source.weight for source in self.sources])
        weights = weights / weights.sum()
        pairs: list[tuple[str, str]] = []
        for _ in range(count):
            # The source furthest behind its share comes next: exact proportions, no random run.
            total = sum(self._drawn) + 1
            number = int(np.argmax(weights * total - np.array(self._drawn)))
            source = self.sources[number]
            pairs.append((source.env_id, source.tasks[self._next_index(number)].id))
        return pairs

    def _next_index(self, number: int) -> int:
        source = self.sources[number]
        position = self._drawn[number]
        self._drawn[number] += 1
        if source.size is None:
            return stream_key(self.seed, "task", number, position) >> 1
        epoch, offset = divmod(position, source.size)
        order = self._orders.get((number, epoch))
        if order is None:
            rng = np.random.default_rng(stream_key(self.seed, "epoch", number, epoch))
            order = rng.permutation(source.size)
            self._orders = {k: v for k, v in self._orders.items() if k[0] != number}
            self._orders[number, epoch] = order
        return int(order[offset])

    def kind(self, env_id: str, task_id: str) -> str:
        """Returns the task's type."""
        return next(s for s in self.sources if s.env_id == env_id).tasks.lookup(task_id).kind

    def lookup(self, env_id: str, task_id: str) -> Mapping[str, float]:
        """Returns "visits" (episodes), "mean_return" and "success_rate"; zeros if never played."""
        visits, returns, successes = self._stats.get((env_id, task_id), (0.0, 0.0, 0.0))
        return {
            "visits": visits,
            "mean_return": returns / visits if visits else 0.0,
            "success_rate": successes / visits if visits else 0.0,
        }

    def update(self, groups: list[Group]) -> None:
        """Adds the valid trajectories of finished groups."""
        for group in groups:
            stats = self._stats.setdefault((group.env_id, group.task_id), [0.0, 0.0, 0.0])
            for trajectory in group.valid:
                stats[0] += 1
                stats[1] += trajectory.episode_return
                stats[2] += trajectory.success

    def state_dict(self) -> dict[str, Any]:
        """Returns draws and statistics as plain data."""
        return {
            "drawn": list(self._drawn),
            "stats": [[env, task, *values] for (env, task), values in self._stats.items()],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Reverses `state_dict`."""
        if len(state["drawn"]) != len(self.sources):
            raise UsageError(
                f"The checkpoint has {len(state['drawn'])} task sources, the run "
                f"{len(self.sources)}. Resume with the run's own configuration."
            )
        self._drawn = list(state["drawn"])
        self._stats = {(row[0], row[1]): list(row[2:]) for row in state["stats"]}
