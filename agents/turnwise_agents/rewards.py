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

import torch

from turnwise_agents.losses import KLEstimator, kl_penalty
from turnwise_agents.types import Group, Trajectory, Turn

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


@dataclass
class KLPenalty:
    """Subtracts coef * KL estimate from the reward of every token.

    The log-probabilities are the learner's own before the update, of policy and reference alike, so
    no sampler's enter. One entry per token; the sum over tokens is part of the episode's return.

    Attributes:
        coef: weight, in units of reward per nat.
        estimator: "k1" is unbiased as a reward; see `losses.kl_penalty`.
        model: name of the reference model.
    """

    coef: float
    estimator: KLEstimator = "k1"
    model: str = "ref"
    channel: str = "kl"
    immediate: bool = False

    def __call__(self, groups: list[Group], services: Services) -> None:
        """Writes the channel."""
        trajectories = [t for g in groups for t in g.valid]
        scores = services.scorer.tokens(trajectories, models=frozenset({self.model}))
        for trajectory in trajectories:
            own = scores["logprobs"][trajectory.trajectory_id]
            reference = scores[self.model][trajectory.trajectory_id]
            for turn, ours, theirs in zip(trajectory.turns, own, reference, strict=True):
                pair = torch.tensor([ours, theirs], dtype=torch.float64)
                mask = torch.ones(1, len(ours), dtype=torch.bool)
                kl = kl_penalty(pair[:1], pair[1:], mask, self.estimator)[0]
                turn.channels[self.channel] = (-self.coef * kl).tolist()


@dataclass
class OverlongPenalty:
    """Punishes episodes that generate nearly too many tokens, softly (DAPO, equation 13).

        0                                   n <= max_tokens - cache_tokens
        (max_tokens - cache_tokens - n) / cache_tokens      in between
        -1                                  n > max_tokens

    n counts the tokens that the episode's own turns generated; the penalty lies on the last turn
    and is part of the return of every turn before it.

    Attributes:
        max_tokens: from here on the penalty is whole.
        cache_tokens: width of the ramp below it.
        scale: the whole penalty, in units of reward.
    """

    max_tokens: int
    cache_tokens: int
    scale: float = 1.0
    channel: str = "overlong"
    immediate: bool = False

    def __call__(self, groups: list[Group], services: Services) -> None:
        """Writes the channel."""
        for trajectory in (t for g in groups for t in g.valid if t.turns):
            for turn in trajectory.turns:
                turn.channels[self.channel] = 0.0
            trajectory.turns[-1].channels[self.channel] = self.penalty(_generated(trajectory))

    def penalty(self, tokens: int) -> float:
        """Returns the penalty of an episode with this many tokens, in [-scale, 0]."""
        over = tokens - (self.max_tokens - self.cache_tokens)
        return -self.scale * min(max(over / self.cache_tokens, 0.0), 1.0)


def _generated(trajectory: Trajectory) -> int:
    return sum(
        len(g.completion_ids) for t in trajectory.turns for g in t.generations if g.trainable
    )
