"""PPO: a learned value function predicts the return, and a turn is credited with what beats it.

Schulman et al. 2017, "Proximal Policy Optimization Algorithms", arXiv:1707.06347; the advantages of
Schulman et al. 2015, arXiv:1506.02438; for language models Ziegler et al. 2019, arXiv:1909.08593.

    delta_t = r_t + gamma * V_{t+1} - V_t
    A_t     = delta_t + gamma * gae_lambda * A_{t+1},      then whitened over the iteration
    R_t     = A_t + V_t                                    (before whitening) the value's target
    loss    = clipped surrogate + vf_coef * max((V - R)^2, (V_clipped - R)^2) / 2

A step t is

- `level="token"`: one token. All tokens of an episode form one chain, across its turns: V after the
  last token of a turn is V at the first token of the next. A turn's reward lies on its last token.
- `level="turn"`: one turn (Li et al. 2025, "Turn-PPO", arXiv:2512.17008). V is read, and trained,
  at the end of the prompt alone, and all tokens of the turn share its advantage. gamma and
  gae_lambda then count turns, so that a long answer is not discounted more than a short one.
  `ratio_level="turn"` clips the ratio of the whole turn too.

V after the last step is 0 where the environment ended the episode, and V(final_prompt_ids) where a
limit cut it. The head sits on the policy's last hidden state; the weights that sampled give V.
PPO's four passes over the data are `--trainer.update-epochs 4`, its learning rate for the critic
`--learner.head-learning-rate`.

Deviations from the paper and from its published code:

- Policy and value share one network, where language-model trainers keep two. The paper has both
  forms; vf_coef weighs the value's gradient.
- The value clip is of the authors' code, not of the paper. TRL: 0.2, verl: 0.5.
- The KL penalty (k1) is in the reward (Ziegler et al.), with TRL's fixed coefficient, not adaptive.
- The penalty for invalid actions counts at its own turn only, see `policy_gradient`: it is added to
  that turn's advantage after GAE, and is not part of the value's target.
- verl's agent trainers run GAE within each turn's row and repeat the episode's score in every row;
  the chain here goes through the whole episode, and each reward counts once.
- One episode a task is the default; with more of them the group is not used.

Explanation of the logged metrics, besides those of `policy_gradient`:

- `loss/value_loss`, `loss/value_clip_fraction`: of V; steps whose value is held back by the clip.
- `credit/explained_variance` of R by V before the update: 1 is a perfect critic, 0 a useless one,
  below 0 a harmful one. `credit/value_mean` and `credit/return_mean`: of V and R.
- `time/scoring_share`: share of the iteration's time that the values took.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from turnwise_agents import losses
from turnwise_agents.algorithms.base import AlgorithmConfig, Batch, Metrics, Outputs, Services
from turnwise_agents.algorithms.policy_gradient import PolicyGradient, PolicyGradientConfig
from turnwise_agents.estimators import explained_variance, gae, whiten
from turnwise_agents.estimators.checks import expect_choice, expect_range
from turnwise_agents.losses import KLEstimator
from turnwise_agents.types import Credit, Group
from turnwise_envs.errors import UsageError

if TYPE_CHECKING:
    from turnwise_agents.learners.base import Learner


@dataclass(frozen=True, kw_only=True)
class PPOConfig(PolicyGradientConfig):
    """Configuration of `PPO`; defaults of TRL's PPO for language models."""

    group_size: int = 1
    """Episodes per task. Nothing compares them; 1 shows the most tasks."""
    groups_per_iteration: int = 128
    """Tasks per iteration. PPO baseline of the GiGPO paper: 128."""
    level: Literal["token", "turn"] = "token"
    """What a step of GAE is."""
    gamma: float = 1.0
    """Discount per step, in [0, 1]. TRL and verl: 1."""
    gae_lambda: float = 0.95
    """In [0, 1]. Paper and TRL: 0.95; verl: 1."""
    whiten_advantages: bool = True
    """Shift and scale the iteration's advantages to mean 0 and variance 1."""
    vf_coef: float = 0.1
    """Weight of the value loss. TRL: 0.1; the paper's Atari runs: 1."""
    value_clip: float | None = 0.2
    """How far, in units of return, an update is credited with moving V; None for no clip."""
    kl_coef: float = 0.05
    """Weight of the KL penalty. TRL: 0.05."""
    kl_estimator: KLEstimator = "k1"
    """Estimator of the KL penalty; k1 is unbiased in the reward."""
    kl_in_reward: bool = True
    """Whether the KL penalty is part of the reward."""
    ent_coef: float = 0.0
    """Weight of the entropy bonus. Paper: 0.01 on Atari, none for continuous control."""
    dual_clip: float | None = None
    """None: the paper has no dual clip."""

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_choice("level", self.level, ("token", "turn"))
        expect_range("gamma", self.gamma, 0.0, 1.0)
        expect_range("gae_lambda", self.gae_lambda, 0.0, 1.0)
        if self.value_clip is not None and not self.value_clip > 0:
            raise UsageError(f"value_clip must be positive or None, got {self.value_clip}.")


class PPO(PolicyGradient):
    """Proximal policy optimisation with a value head."""

    Config: ClassVar[type[AlgorithmConfig]] = PPOConfig

    def __init__(self, config: Any = None, **kwargs: Any) -> None:
        super().__init__(config, **kwargs)
        self.needs = replace(self.needs, outputs=self.needs.outputs | {"values"})
        self._values: Mapping[str, list[list[float]]] = {}
        self._bootstrap: dict[str, float] = {}
        self._value_metrics: Metrics = {}

    def setup(self, learner: Learner) -> None:
        """Adds the value head."""
        super().setup(learner)
        learner.add_head("values")

    def shape(self, groups: list[Group], services: Services) -> None:
        """Reads the values before the update, at every token and after episodes that were cut."""
        super().shape(groups, services)
        trajectories = [t for g in groups for t in g.valid if t.turns]
        self._values = services.scorer.tokens(trajectories, values=True)["values"]
        cut = [t for t in trajectories if t.stop != "env" and t.final_prompt_ids]
        after = services.scorer.values([t.final_prompt_ids for t in cut], [[0]] * len(cut))
        self._bootstrap = {t.trajectory_id: row[0] for t, row in zip(cut, after, strict=True)}

    def assign_credit(self, groups: list[Group]) -> list[Credit]:
        """Returns whitened generalised advantages, with old values and value targets as extras."""
        config = self.config
        table = self.table(groups)
        tokens = self.tokens(table)
        count = len(tokens.turn_rows)
        values = tokens.flatten(self._values)
        # Tokens that begin a step, and the step of every token.
        heads = tokens.first if config.level == "turn" else np.ones(count, dtype=bool)
        steps = np.cumsum(heads) - 1
        after = np.array([self._bootstrap.get(t.trajectory_id, 0.0) for t in table.trajectories])
        owners = tokens.trajectory_ids[heads]
        advantages = gae(
            np.bincount(steps, tokens.rewards, int(heads.sum())).astype(np.float64),
            values[heads],
            owners,
            bootstrap=after[owners],
            gamma=config.gamma,
            gae_lambda=config.gae_lambda,
        )
        targets = advantages + values[heads]
        trained = tokens.trainable[heads]
        self._value_metrics = {
            "credit/explained_variance": explained_variance(
                values[heads][trained], targets[trained]
            ),
            "credit/value_mean": float(values[heads][trained].mean()) if trained.any() else 0.0,
            "credit/return_mean": float(targets[trained].mean()) if trained.any() else 0.0,
        }
        advantages = advantages + table.immediate_rewards[tokens.turn_rows[heads]]
        if config.whiten_advantages:
            advantages = whiten(advantages, trained)
        extras = {
            "old_values": values,
            "value_targets": np.where(heads & tokens.trainable, targets[steps], np.nan),
        }
        return tokens.credits(advantages[steps], extras)

    def loss(self, outputs: Outputs, batch: Batch) -> tuple[Tensor, Metrics]:
        """Adds the value loss, a mean over the minibatch's steps."""
        total, metrics = super().loss(outputs, batch)
        assert outputs.values is not None
        errors, clipped = losses.value_loss(
            outputs.values,
            batch.extras["old_values"].to(outputs.values.dtype),
            batch.extras["value_targets"].to(outputs.values.dtype),
            value_clip=self.config.value_clip,
        )
        steps = batch.norms.tokens if self.config.level == "token" else batch.norms.turns
        loss = losses.masked_sum(errors, batch.loss_mask) / steps
        with torch.no_grad():
            metrics["value_loss"] = float(loss)
            metrics["value_clip_fraction"] = float((clipped & batch.loss_mask).sum()) / steps
        return total + self.config.vf_coef * loss, metrics

    def observe(self, groups: list[Group], services: Services) -> Metrics:
        """Adds how well the values predicted the returns."""
        return {**super().observe(groups, services), **self._value_metrics}
