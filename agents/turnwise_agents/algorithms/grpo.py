"""GRPO: each episode is compared with the other episodes of its task.

Shao et al. 2024, "DeepSeekMath", arXiv:2402.03300. With episodes of many turns:

    R_i     = sum_t r_{i,t}                                      undiscounted, shaped channels too
    A_{i,t} = (R_i - mean(R_g)) / (std(R_g) + eps)               the same for every turn t of i
    loss    = -min(rho A, clip(rho, 1 - low, 1 + high) A) + kl_coef * k3

With `normalize_std=False` and `loss_aggregation="constant"` this is Dr. GRPO (arXiv:2503.20783);
with `ratio_level="sequence"` and clips 3e-4 and 4e-4, GSPO (arXiv:2507.18071).

Deviations from the paper and from its published code:

- Defaults are those of the multi-turn baseline of the GiGPO paper (see `policy_gradient`). The
  paper itself trains single answers with 64 samples a question, KL weight 0.04, and takes the mean
  over sequences of token means (`loss_aggregation="sequence"`).
- Mean and std are over trajectories, as in the paper. verl and GiGPO's trainer take them over
  rows, one per turn: `statistics="step"`.
- A group of one gets advantage 0; verl gives it its raw score.
- The penalty for invalid actions lowers the return of the *episode*, by the number of invalid
  turns; in the published trainer it lowers the score of that turn's row only.
- Episodes lost to broken infrastructure enter neither the statistics nor the gradient. Turns
  copied from a parent count in the return and get no credit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from turnwise_agents.algorithms.base import AlgorithmConfig
from turnwise_agents.algorithms.policy_gradient import PolicyGradient, PolicyGradientConfig
from turnwise_agents.estimators import group_relative_advantages
from turnwise_agents.estimators.checks import expect_choice
from turnwise_agents.estimators.group_relative import Std, Weight
from turnwise_agents.estimators.returns import Floats
from turnwise_agents.estimators.table import TurnTable
from turnwise_agents.types import Credit, Group


@dataclass(frozen=True, kw_only=True)
class GRPOConfig(PolicyGradientConfig):
    """Configuration of `GRPO`."""

    normalize_std: bool = True
    """Divide by the group's standard deviation. Paper: yes; Dr. GRPO: no."""
    eps: float = 1e-6
    """Added to the standard deviation, in units of return. verl 1e-6, TRL 1e-4."""
    std: Std = "unbiased"
    """"unbiased" (N - 1; as verl and TRL) or "population"."""
    statistics: Weight = "trajectory"
    """"trajectory" counts each episode once (paper), "step" once per turn (published code)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_choice("std", self.std, ("unbiased", "population"))
        expect_choice("statistics", self.statistics, ("trajectory", "step"))


class GRPO(PolicyGradient):
    """Group relative policy optimisation over whole episodes."""

    Config: ClassVar[type[AlgorithmConfig]] = GRPOConfig

    def episode_advantages(self, table: TurnTable, outcomes: Floats | None = None) -> Floats:
        """Returns [B]: one advantage per trajectory, by `outcomes` or its shaped return."""
        return group_relative_advantages(
            table.returns if outcomes is None else outcomes,
            table.group_ids,
            normalize_std=self.config.normalize_std,
            eps=self.config.eps,
            std=self.config.std,
            weight=self.config.statistics,
            lengths=table.lengths,
        )

    def assign_credit(self, groups: list[Group]) -> list[Credit]:
        """Returns the episode's advantage at every turn."""
        table = self.table(groups)
        return table.credits(table.spread(self.episode_advantages(table)))


class TwoLevelGRPO(GRPO):
    """GRPO and a weighted advantage of every step beside it, which subclasses define."""

    def step_level(self, table: TurnTable) -> Floats:
        """Returns [S]: the step advantage of every turn, 0 for turns copied from a parent."""
        raise NotImplementedError

    def assign_credit(self, groups: list[Group]) -> list[Credit]:
        """Returns the episode's advantage plus the weighted step advantage at every turn."""
        table = self.table(groups)
        advantages = table.spread(self.episode_advantages(table))
        if self.config.step_advantage_weight:
            advantages = advantages + self.config.step_advantage_weight * self.step_level(table)
        return table.credits(advantages)
