"""From trajectory records to the flat arrays of the estimators, and back to `Credit`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from operator import attrgetter
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from turnwise_agents.estimators.group_relative import encode_ids
from turnwise_agents.estimators.returns import Floats
from turnwise_agents.types import Credit, Group, Turn

Outcome = Literal["return", "score", "none"]

_REWARD = attrgetter("reward")


class TurnTable:
    """All turns of an iteration as arrays, [S] over turns and [B] over trajectories.

    Trajectories that failed or never played a turn are left out everywhere. The prefix that a
    branch copied from its parent counts in the episode's return, so that branches and whole
    episodes are comparable; it gets no credit and is no member of any anchor group
    (`played` is False there).

    Args:
        groups: the groups to train on.
        channels: reward channels (`Turn.channels`) added to the environment's reward.
        immediate: those among the channels that do not flow back to earlier turns' returns.
        replacing: those among the channels that stand in the environment's reward's place.

    Attributes:
        trajectories: [B] the records, in order.
        turns: [S] their turns.
        lengths: [B] number of turns.
        group_ids: [B] int.
        returns: [B] undiscounted sum of rewards and all channels.
        trajectory_ids: [S] int, row of the trajectory.
        turn_group_ids: [S] int.
        rewards: [S] environment's reward plus the channels that flow back.
        immediate_rewards: [S] sum of the channels that do not.
        played: [S] bool, False for turns copied from a parent, which are in no statistics of turns.
        trainable: [S] bool, False also where a turn that was played is kept out of the update.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        *,
        channels: Sequence[str] = (),
        immediate: Sequence[str] = (),
        replacing: Sequence[str] = (),
    ) -> None:
        self.trajectories = [t for g in groups for t in g.trajectories if not t.failed and t.turns]
        self.turns = [turn for trajectory in self.trajectories for turn in trajectory.turns]
        self.lengths = np.array([len(t.turns) for t in self.trajectories], dtype=np.int64)
        self.group_ids = encode_ids([t.group_id for t in self.trajectories])
        self.trajectory_ids = np.repeat(np.arange(len(self.trajectories)), self.lengths)
        self.turn_group_ids = self.spread(self.group_ids)
        outcome: Floats = np.zeros(len(self.turns))
        if not replacing:
            outcome = np.fromiter(map(_REWARD, self.turns), np.float64, len(self.turns))
        for name in replacing:
            outcome = outcome + _channel(self.turns, name)
        self._outcome = self.rewards = outcome
        self.immediate_rewards: Floats = np.zeros(len(self.turns))
        for name in (name for name in channels if name not in replacing):
            values = _channel(self.turns, name)
            if name in immediate:
                self.immediate_rewards += values
            else:
                self.rewards = self.rewards + values
        self.returns: Floats = np.bincount(
            self.trajectory_ids,
            weights=self.rewards + self.immediate_rewards,
            minlength=len(self.trajectories),
        ).astype(np.float64)
        self.played = np.array(
            [turn.generations[-1].trainable or turn.trainable for turn in self.turns], dtype=bool
        )
        self.trainable = self.played.copy()

    def spread(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Returns [S]: each trajectory's value, [B], at all its turns."""
        return np.repeat(values, self.lengths)

    def outcomes(self, source: Outcome = "return") -> Floats:
        """Returns [B]: what each episode came to, all channels included.

        Args:
            source: "return" takes the environment's rewards (or what replaces them), "score" its
                grade in [0, 1] in their place, "none" the other channels alone.
        """
        if source == "return":
            return self.returns
        rewards = np.bincount(
            self.trajectory_ids, weights=self._outcome, minlength=len(self.trajectories)
        )
        if source == "none":
            return self.returns - rewards
        return self.returns - rewards + np.array([t.score for t in self.trajectories])

    def credits(self, advantages: Floats) -> list[Credit]:
        """Returns the credits from [S] advantages; 0 where not trainable or nothing was generated.

        A trajectory without any other turn gets no `Credit`, which keeps it out of the update
        altogether: out of the KL and entropy terms and of the counts too.
        """
        generated = [any(g.completion_ids for g in turn.generations) for turn in self.turns]
        trained = self.trainable & np.array(generated, dtype=bool)
        flat = np.where(trained, advantages, 0.0).tolist()
        ends = list(accumulate(self.lengths.tolist(), initial=0))
        return [
            Credit(trajectory_id=t.trajectory_id, turn=flat[start:end])
            for t, start, end in zip(self.trajectories, ends, ends[1:], strict=False)
            if trained[start:end].any()
        ]


def _channel(turns: Sequence[Turn], name: str) -> Floats:
    """Returns [S]: a channel's value of every turn, summed over tokens, 0 where it is absent."""
    values = [turn.channels.get(name, 0.0) for turn in turns]
    if any(isinstance(value, list) for value in values):
        values = [float(np.sum(value)) for value in values]
    return np.array(values, dtype=np.float64)
