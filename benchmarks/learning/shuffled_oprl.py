"""OPRL whose step rewards are dealt out anew among the steps of their group: a control.

What is left of the step advantage is its size and its spread; which step it rewards is chance. If
OPRL is no better than this, its step rewards tell nothing of use about steps.
"""

from __future__ import annotations

import zlib

import numpy as np

from turnwise_agents.algorithms.base import Services
from turnwise_agents.algorithms.oprl import CHANNEL, OPRL
from turnwise_agents.types import Group


class ShuffledOPRL(OPRL):
    """OPRL, with step rewards in random places; the model that gives them is trained as ever."""

    def shape(self, groups: list[Group], services: Services) -> None:
        """Writes the step rewards, trains the reward model and shuffles within groups."""
        super().shape(groups, services)
        for group in groups:
            if group.purpose != "train":
                continue
            turns = [turn for trajectory in group.trajectories for turn in trajectory.turns]
            rewards = np.array([turn.channels[CHANNEL] for turn in turns])
            # From the rewards themselves: the same in a run that is interrupted and goes on.
            rng = np.random.default_rng(zlib.crc32(rewards.tobytes()))
            for turn, reward in zip(turns, rng.permutation(rewards).tolist(), strict=True):
                turn.channels[CHANNEL] = reward
