"""Reward shapers: what an algorithm adds to the environment's reward, as named channels.

A shaper writes `turn.channels[channel]` for every turn and touches nothing else. It is called once
an iteration, with all groups, before credit is assigned. An own one is a class like

    class Brevity:
        channel = "brevity"
        immediate = False            # True: does not flow back to the returns of earlier turns

        def __call__(self, groups: list[Group], services: Services) -> None:
            for turn in turns_of(groups):
                turn.channels[self.channel] = -0.01 * len(turn.action)

    algorithm = GiGPO(GiGPOConfig(), shapers=[Brevity()])

From the command line: subclass the algorithm, pass the shaper in its `__init__`, and run
`--algorithm my_module:MyAlgorithm`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from turnwise_agents.types import Group, Turn

if TYPE_CHECKING:
    from turnwise_agents.algorithms.base import Services


class RewardShaper(Protocol):
    """Writes one reward channel.

    Attributes:
        channel: name of the channel, unique among an algorithm's shapers.
        immediate: whether the channel counts at its own turn only, and does not flow back into the
            discounted returns of the turns before it. It is part of the episode's return anyway.
    """

    channel: str
    immediate: bool

    def __call__(self, groups: list[Group], services: Services) -> None:
        """Writes `turn.channels[self.channel]`: one float per turn, or one per token."""
        ...


def turns_of(groups: Sequence[Group]) -> Iterator[Turn]:
    """Yields every turn of the valid trajectories."""
    return (turn for g in groups for t in g.valid for turn in t.turns)


@dataclass
class InvalidActionPenalty:
    """Subtracts `penalty` at every turn whose action was not applicable (or did not parse).

    Attributes:
        penalty: in units of reward, non-negative.
    """

    penalty: float
    channel: str = "invalid_action"
    immediate: bool = True

    def __call__(self, groups: list[Group], services: Services) -> None:
        """Writes the channel."""
        for turn in turns_of(groups):
            turn.channels[self.channel] = 0.0 if turn.action_is_valid else -self.penalty
