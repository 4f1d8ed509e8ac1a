"""RLOO: each episode is compared with the mean of the other episodes of its task.

Ahmadian et al. 2024, "Back to Basics: Revisiting REINFORCE Style Optimization for Learning from
Human Feedback in LLMs", arXiv:2402.14740; Kool et al. 2019.

    A_{i,t} = R_i - (1 / (N - 1)) * sum_{j != i} R_j            the same for every turn t of i

It equals N / (N - 1) times GRPO's advantage without the standard deviation.

Deviations from the paper and from its published code:

- The surrogate is clipped (LOOP, arXiv:2502.01600, and the baseline of the GiGPO paper); at the
  first optimiser step of an iteration the gradient is REINFORCE's, unclipped.
- The paper puts a KL penalty (k1) into the reward (`kl_in_reward=True, kl_estimator="k1"`). Here it
  is a loss term, with k2 by default: on on-policy samples its gradient equals that of the expected
  k1 reward penalty.
- Tokens, not whole sequences, carry the ratio; `ratio_level="sequence_product"` gives the paper's.
- A group of one gets advantage 0. For the rest see `grpo` and `policy_gradient`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from turnwise_agents.algorithms.base import AlgorithmConfig
from turnwise_agents.algorithms.policy_gradient import PolicyGradient, PolicyGradientConfig
from turnwise_agents.estimators import leave_one_out_advantages
from turnwise_agents.losses import KLEstimator
from turnwise_agents.types import Credit, Group


@dataclass(frozen=True, kw_only=True)
class RLOOConfig(PolicyGradientConfig):
    """Configuration of `RLOO`."""

    kl_estimator: KLEstimator = "k2"
    """Estimator of the KL term; k2 has the gradient of the paper's k1 penalty in the reward."""


class RLOO(PolicyGradient):
    """REINFORCE with the leave-one-out baseline."""

    Config: ClassVar[type[AlgorithmConfig]] = RLOOConfig

    def assign_credit(self, groups: list[Group]) -> list[Credit]:
        """Returns the episode's advantage at every turn."""
        table = self.table(groups)
        advantages = leave_one_out_advantages(table.returns, table.group_ids)
        return table.credits(table.spread(advantages))
