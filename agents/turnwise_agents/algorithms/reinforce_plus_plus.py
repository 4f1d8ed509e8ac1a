"""REINFORCE++: no critic; the advantages of the whole batch are normalised together.

Hu et al. 2025, "REINFORCE++", arXiv:2501.03262. Two forms:

    REINFORCE++           G_t = sum_{k >= t} gamma^{k - t} r_k   over the episode's tokens, with
                          A_t = (G_t - mean(G)) / std(G)         the KL penalty (k1) in their reward

    REINFORCE++-baseline  A'_i = R_i - mean(R_g)                 several episodes a task, and
                          A_i = (A'_i - mean(A')) / std(A')      the KL term (k2) in the loss

Mean and std are over all trainable tokens of the iteration. A batch's std is the same for every
task, so that easy and hard tasks keep the weight that a group's own std takes from them.

Deviations from the paper and from its published code:

- The chain of tokens goes through all turns of an episode; a turn's reward lies on its last token.
- gamma counts tokens, as in the published trainers. At the default 1 it makes no difference.
- Baseline form: a group whose members are all equal keeps advantage 0. The published code subtracts
  the batch's mean from it too, which pushes on all its tokens alike although they taught nothing;
  the mean is not 0, since it is over tokens and the group's mean is over episodes.
- Baseline form: the paper's KL weight could not be checked; it is the shared 0.01.
- The penalty for invalid actions counts at its own turn only, see `policy_gradient`.

Metrics: those of `policy_gradient`; `credit/kl` of REINFORCE++, `loss/kl` of the baseline form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from turnwise_agents.algorithms.base import AlgorithmConfig
from turnwise_agents.algorithms.policy_gradient import PolicyGradient, PolicyGradientConfig
from turnwise_agents.estimators import batch_normalized_advantages, discounted_returns, whiten
from turnwise_agents.estimators.checks import expect_range
from turnwise_agents.losses import KLEstimator
from turnwise_agents.types import Credit, Group


@dataclass(frozen=True, kw_only=True)
class REINFORCEPlusPlusBaselineConfig(PolicyGradientConfig):
    """Configuration of `REINFORCEPlusPlusBaseline`."""

    kl_estimator: KLEstimator = "k2"
    """Estimator of the KL term. Paper: k2."""
    ent_coef: float = 0.0
    """Weight of the entropy bonus; the paper has none."""
    dual_clip: float | None = None
    """None: the paper has no dual clip."""


@dataclass(frozen=True, kw_only=True)
class REINFORCEPlusPlusConfig(REINFORCEPlusPlusBaselineConfig):
    """Configuration of `REINFORCEPlusPlus`."""

    group_size: int = 1
    """Episodes per task. Paper: 1; nothing compares them."""
    groups_per_iteration: int = 128
    """Tasks per iteration."""
    gamma: float = 1.0
    """Discount per token, in [0, 1]. Paper: 1."""
    kl_coef: float = 0.01
    """Weight of the KL penalty. OpenRLHF: 0.01."""
    kl_estimator: KLEstimator = "k1"
    """Estimator of the KL penalty. Paper: k1."""
    kl_in_reward: bool = True
    """Whether the KL penalty is part of the reward."""

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_range("gamma", self.gamma, 0.0, 1.0)


class REINFORCEPlusPlus(PolicyGradient):
    """REINFORCE with token returns, normalised over the batch."""

    Config: ClassVar[type[AlgorithmConfig]] = REINFORCEPlusPlusConfig

    def assign_credit(self, groups: list[Group]) -> list[Credit]:
        """Returns the whitened return that follows each token."""
        table = self.table(groups)
        tokens = self.tokens(table)
        returns = discounted_returns(tokens.rewards, tokens.trajectory_ids, gamma=self.config.gamma)
        returns = returns + table.immediate_rewards[tokens.turn_rows]
        return tokens.credits(whiten(returns, tokens.trainable))


class REINFORCEPlusPlusBaseline(PolicyGradient):
    """REINFORCE with the group's mean as baseline, normalised over the batch."""

    Config: ClassVar[type[AlgorithmConfig]] = REINFORCEPlusPlusBaselineConfig

    def assign_credit(self, groups: list[Group]) -> list[Credit]:
        """Returns the whitened difference from the group's mean, the same at every turn."""
        table = self.table(groups)
        tokens = self.tokens(table)
        advantages = batch_normalized_advantages(
            table.returns, table.group_ids, tokens.trained_counts
        )
        return tokens.credits(advantages[tokens.trajectory_ids])
