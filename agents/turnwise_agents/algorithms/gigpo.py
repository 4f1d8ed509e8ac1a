"""GiGPO: GRPO over episodes plus a comparison of steps that start from the same state.

Feng et al. 2025, "Group-in-Group Policy Optimization for LLM Agent Training", arXiv:2505.10978.

    A^E_i     = (R_i - mean(R_g)) / F                       episodes of one task      (equation 3)
    G_{i,t}   = sum_{k >= t} gamma^{k - t} r_{i,k}          return of a step          (equation 5)
    A^S_{i,t} = (G_{i,t} - mean(G_b)) / F                   steps of one anchor group (equation 7)
    A_{i,t}   = A^E_i + omega * A^S_{i,t}                                             (equation 8)

F is the standard deviation (`normalize_std=True`, the ALFWorld and search recipe) or 1 (the WebShop
recipe). With omega = 0 it is GRPO. A step alone in its anchor group has A^S = 0.

Deviations from the paper and from its published code:

- Anchor groups are formed by the environment's `anchor_key`, the task-relevant part of the state.
  The paper groups by observation text, which merges unrelated states where replies are short
  ("Nothing happens."): `anchor="observation"`, or `"similar"` with a threshold.
- Episode statistics are over trajectories, as in the paper; the published default is over rows,
  one per turn: `statistics="step"`.
- A task group of one gets A^E = 0; the published code gives it its raw score. Where it returns to a
  state its own steps are compared, as in every group (equation 7).
- The penalty for invalid actions is subtracted from its turn's own G after discounting, so it does
  not flow back (as in the published trainer), and from the episode's return (there: from that
  turn's row only), so that omega = 0 stays GRPO. Every inapplicable action counts as invalid; the
  published environments check the tags only.
- No row is duplicated to fill batches, which there happens before the statistics.
- The pages of `grpo` and `policy_gradient` hold for the rest: failed episodes, branches, defaults.

Explanation of the logged metrics, besides those of `policy_gradient`; the paper plots the sizes of
anchor groups:

- `credit/merge_rate`: share of turns in anchor groups of two or more; near 0, GiGPO is GRPO.
- `credit/anchor_group_size`: mean number of turns. `singleton_share`, `large_group_share`: share of
  anchor groups with one turn, and with ten or more.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress
from operator import attrgetter
from typing import Any, ClassVar, Literal

import numpy as np

from turnwise_agents.algorithms.base import AlgorithmConfig, Metrics, Services
from turnwise_agents.algorithms.grpo import GRPOConfig, TwoLevelGRPO
from turnwise_agents.estimators import (
    anchor_groups,
    anchor_statistics,
    discounted_returns,
    similar_anchor_groups,
    step_advantages,
)
from turnwise_agents.estimators.checks import expect_choice, expect_range
from turnwise_agents.estimators.returns import Floats, Ints
from turnwise_agents.estimators.table import TurnTable
from turnwise_agents.types import Group
from turnwise_envs.errors import UsageError

Anchor = Literal["anchor_key", "state_key", "observation", "similar"]


@dataclass(frozen=True, kw_only=True)
class GiGPOConfig(GRPOConfig):
    """Configuration of `GiGPO`."""

    gamma: float = 0.95
    """Discount of step returns per turn, in [0, 1]. Published runs: 0.95."""
    step_advantage_weight: float = 1.0
    """Weight omega of the step advantage. Paper: 1; robust between 0.4 and 1.2."""
    anchor: Anchor = "anchor_key"
    """What makes two states the same: "anchor_key" and "state_key" of the environment,
    "observation" (the paper's, exact), or "similar" observations."""
    similarity_threshold: float = 0.95
    """Least similarity for anchor="similar", between 0 and 1. Published: 0.95, search 0.9."""

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_range("gamma", self.gamma, 0.0, 1.0)
        expect_choice("anchor", self.anchor, ("anchor_key", "state_key", "observation", "similar"))
        if not 0.0 < self.similarity_threshold < 1.0:
            raise UsageError(
                "similarity_threshold must be between 0 and 1 (both excluded), "
                f"got {self.similarity_threshold}."
            )


class GiGPO(TwoLevelGRPO):
    """Group-in-group policy optimisation."""

    Config: ClassVar[type[AlgorithmConfig]] = GiGPOConfig

    def __init__(self, config: Any = None, **kwargs: Any) -> None:
        super().__init__(config, **kwargs)
        self._anchor_metrics: Metrics = {}

    def anchors(self, table: TurnTable) -> Ints:
        """Returns [S']: the anchor group of every turn that was played."""
        chosen = table.played
        turns = list(compress(table.turns, chosen.tolist()))
        ids = table.turn_group_ids[chosen]
        if self.config.anchor == "similar":
            texts = [turn.observation for turn in turns]
            return similar_anchor_groups(ids, texts, threshold=self.config.similarity_threshold)
        return anchor_groups(ids, list(map(attrgetter(self.config.anchor), turns)))

    def step_level(self, table: TurnTable) -> Floats:
        """Returns [S]: A^S of every turn, 0 for turns that were copied from a parent."""
        returns = discounted_returns(table.rewards, table.trajectory_ids, gamma=self.config.gamma)
        returns = returns + table.immediate_rewards
        anchors = self.anchors(table)
        self._anchor_metrics = anchor_statistics(anchors)
        advantages = np.zeros(len(table.turns))
        advantages[table.played] = step_advantages(
            returns[table.played],
            anchors,
            normalize_std=self.config.normalize_std,
            eps=self.config.eps,
            std=self.config.std,
        )
        return advantages

    def observe(self, groups: list[Group], services: Services) -> Metrics:
        """Adds how well steps met in the last `assign_credit`."""
        metrics = super().observe(groups, services)
        metrics.update({f"credit/{name}": v for name, v in self._anchor_metrics.items()})
        return metrics
