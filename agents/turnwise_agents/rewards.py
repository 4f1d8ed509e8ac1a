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

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from turnwise_agents.levels import RewardLevel, open_levels
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

    A shaper may also have `replaces_reward = True`, for a channel that stands in the place of the
    environment's reward; `sources`, names (`turnwise_agents.levels`) of what the environments must
    report, checked before the first rollout; and `metrics`, which are logged.
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


@dataclass(frozen=True)
class GatedEpisode:
    """What a gate made of one episode of T turns.

    Attributes:
        values: [K] value of each level, before weight and cap.
        opened: [K] whether every higher level reached its threshold.
        counted: [T] the reward that counts.
        hidden: [T] the reward of closed levels.
    """

    values: list[float]
    opened: list[bool]
    counted: list[float]
    hidden: list[float]


@dataclass
class RewardGate:
    """Puts reward levels in the environment's place; a level counts where all higher ones did well.

        counted_t = sum_k M_k(episode) * w_k * r^k_t,   M_k = 1 if R_j >= v_j for all j above k

    The channel holds `counted_t`, for every algorithm whose outcome is the return. `gate_hidden`
    holds what closed levels would have given; it counts nowhere.

    Attributes:
        levels: from `parse_levels`.
        gated: False counts every level always: the plain sum.
        metrics: of the last call's training groups, see `algorithms.gra`.
    """

    levels: Sequence[RewardLevel]
    gated: bool = True
    channel: str = "gate"
    immediate: bool = False
    replaces_reward: bool = True
    hidden_channel: str = "gate_hidden"
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def sources(self) -> frozenset[str]:
        """What the environments must have."""
        return frozenset(source for level in self.levels for source in level.sources)

    def apply(self, trajectory: Trajectory) -> GatedEpisode:
        """Returns what counts of an episode and what does not."""
        rows = [level.values(trajectory) for level in self.levels]
        values = [math.fsum(row) for row in rows]
        opened = open_levels(self.levels, values)
        rewards = [level.rewards(row) for level, row in zip(self.levels, rows, strict=True)]
        counts = [is_open or not self.gated for is_open in opened]

        def summed(counted: bool) -> list[float]:
            chosen = [row for row, c in zip(rewards, counts, strict=True) if c is counted]
            return [math.fsum(row[t] for row in chosen) for t in range(len(trajectory.turns))]

        return GatedEpisode(values, opened, counted=summed(True), hidden=summed(False))

    def __call__(self, groups: list[Group], services: Services) -> None:
        """Writes both channels."""
        seen: list[tuple[Trajectory, GatedEpisode]] = []
        for group in groups:
            for trajectory in group.valid:
                episode = self.apply(trajectory)
                rows = zip(trajectory.turns, episode.counted, episode.hidden, strict=True)
                for turn, counted, hidden in rows:
                    turn.channels[self.channel] = counted
                    turn.channels[self.hidden_channel] = hidden
                if group.purpose == "train" and trajectory.turns:
                    seen.append((trajectory, episode))
        self.metrics = self._metrics(seen)

    def _metrics(self, seen: Sequence[tuple[Trajectory, GatedEpisode]]) -> dict[str, float]:
        if not seen:
            return {}
        episodes = [episode for _, episode in seen]
        values = np.array([episode.values for episode in episodes])  # [B, K]
        opened = np.array([episode.opened for episode in episodes])
        metrics = {}
        for k, level in enumerate(self.levels):
            metrics[f"gate/value/{level.name}"] = float(values[:, k].mean())
            metrics[f"gate/open/{level.name}"] = float(opened[:, k].mean())
            if level.threshold is not None:
                reached = [level.reached(value) for value in values[:, k]]
                metrics[f"gate/reached/{level.name}"] = float(np.mean(reached))
        hidden = [np.array(episode.hidden) for episode in episodes]
        metrics["gate/return"] = float(np.mean([sum(episode.counted) for episode in episodes]))
        metrics["gate/hidden_gain"] = float(np.mean([row.clip(min=0).sum() for row in hidden]))
        metrics["gate/hidden_penalty"] = float(np.mean([row.clip(max=0).sum() for row in hidden]))
        metrics["gate/hidden_share"] = float(np.mean([row.any() for row in hidden]))
        metrics["gate/unlisted_reward"] = float(
            np.mean([self._unlisted(trajectory) for trajectory, _ in seen])
        )
        return metrics

    def _unlisted(self, trajectory: Trajectory) -> float:
        """Returns the environment's reward in components that no level names."""
        if "turn/reward" in self.sources:
            return 0.0
        components = [turn.reward_components.items() for turn in trajectory.turns]
        return math.fsum(v for row in components for name, v in row if name not in self.sources)


def _generated(trajectory: Trajectory) -> int:
    return sum(
        len(g.completion_ids) for t in trajectory.turns for g in t.generations if g.trainable
    )
