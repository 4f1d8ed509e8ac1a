"""OPRL with a part of its step rewards taken away: controls that say what the rest does.

Each is OPRL but for the step rewards that enter its step advantage; the reward model that gives
them is trained as ever.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from turnwise_agents.algorithms.base import Services
from turnwise_agents.algorithms.oprl import CHANNEL, OPRL
from turnwise_agents.estimators.returns import Floats
from turnwise_agents.types import Group, Turn


class ChangedOPRL(OPRL):
    """OPRL whose step rewards are changed, group by group."""

    def shape(self, groups: list[Group], services: Services) -> None:
        """Writes the step rewards, trains the reward model and changes what was written."""
        super().shape(groups, services)
        for group in groups:
            if group.purpose != "train":
                continue
            turns = [turn for trajectory in group.trajectories for turn in trajectory.turns]
            rewards = np.array([turn.channels[CHANNEL] for turn in turns])
            for turn, reward in zip(turns, self.change(turns, rewards).tolist(), strict=True):
                turn.channels[CHANNEL] = reward

    def change(self, turns: Sequence[Turn], rewards: Floats) -> Floats:
        """Returns [S]: the step rewards of a group as they shall be."""
        raise NotImplementedError


class ShuffledOPRL(ChangedOPRL):
    """Step rewards dealt out anew among the steps of their group: only their size is left."""

    def change(self, turns: Sequence[Turn], rewards: Floats) -> Floats:
        """Returns [S]: the same step rewards, in random places."""
        return _permuted(rewards)


class TurnShuffledOPRL(ChangedOPRL):
    """Dealt out anew among steps of the same turn: it is left when something was done, not what."""

    def change(self, turns: Sequence[Turn], rewards: Floats) -> Floats:
        """Returns [S]: the same step rewards, in random places of the same turn index."""
        changed = rewards.copy()
        for at in _by_turn(turns):
            changed[at] = _permuted(rewards[at])
        return changed


class TurnCentredOPRL(ChangedOPRL):
    """Less the mean over steps of the same turn: it is left what was done, not when."""

    def change(self, turns: Sequence[Turn], rewards: Floats) -> Floats:
        """Returns [S]: step rewards whose mean is 0 at every turn index."""
        changed = rewards.copy()
        for at in _by_turn(turns):
            changed[at] -= rewards[at].mean()
        return changed


def _by_turn(turns: Sequence[Turn]) -> list[np.ndarray]:
    indices = np.array([turn.turn_index for turn in turns])
    return [np.flatnonzero(indices == index) for index in np.unique(indices)]


def _permuted(rewards: Floats) -> Floats:
    # From the rewards themselves: the same in a run that is interrupted and goes on.
    rng = np.random.default_rng(zlib.crc32(rewards.tobytes()))
    return rng.permutation(rewards)
