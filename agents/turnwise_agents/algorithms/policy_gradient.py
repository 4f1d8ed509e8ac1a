"""What the policy-gradient algorithms share: the loss, the reward channels, their configuration.

    loss = aggregate( w * surrogate(rho, A) + kl_coef * KL_estimate - ent_coef * entropy )

with rho = pi / pi_old, A from `assign_credit`, and w the correction of the sampler-trainer gap.
REINFORCE, RLOO, GRPO and GiGPO differ in `assign_credit` only, so their defaults here are one
common setting, that of the published GiGPO runs (ALFWorld; algorithm pages quote what their own
papers used): a comparison at defaults compares credit assignment and nothing else. The variants
with defaults of their own (`ppo`, `dapo`, `gspo`, ...) take the optimiser's side of their papers
and keep one thing of these: the penalty for invalid actions, which belongs to the task.

Explanation of the logged metrics, besides those of every run (`turnwise_agents.metrics`):

- `loss/approx_kl`, `loss/clip_fraction`, `loss/ratio_mean`: see `losses.ratio_metrics`; of the
  units of `ratio_level`. The soft surrogates ("sapo", "vespo") clip nothing: 0.
- `loss/dual_clip_fraction`: share of tokens that the dual clip holds back, where it is on.
- `loss/sampled_entropy`: mean of -log pi over the sampled tokens; an unbiased estimate of the
  entropy before the first optimiser step. `loss/entropy`: exact, where ent_coef is not 0.
- `loss/kl`: the KL estimate itself, where kl_coef is not 0; with kl_in_reward `credit/kl`, the
  mean over the iteration's tokens before the update.
- `loss/importance_weight`, `loss/importance_masked`: mean weight; share of tokens masked out.
- `loss/off_policy_masked`: share of tokens that off_policy_mask drops, where it is set.
- `credit/zero_variance_share`: groups of trained-on trajectories whose shaped returns are equal.
- `credit/masked_share`: turns of valid trajectories that mask_truncated keeps out of the update.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from turnwise_agents import losses
from turnwise_agents.algorithms.base import (
    Algorithm,
    AlgorithmConfig,
    Batch,
    Metrics,
    Needs,
    Outputs,
    Services,
)
from turnwise_agents.algorithms.config import PolicyGradientConfig
from turnwise_agents.estimators import zero_variance_share
from turnwise_agents.estimators.table import TurnTable
from turnwise_agents.estimators.token_table import TokenTable
from turnwise_agents.rewards import InvalidActionPenalty, KLPenalty, RewardShaper
from turnwise_agents.types import Group, Turn
from turnwise_envs.errors import UsageError

if TYPE_CHECKING:
    from turnwise_agents.learners.base import Learner


class PolicyGradient(Algorithm):
    """Base of the policy-gradient algorithms; subclasses assign credit.

    Args:
        config: None takes the defaults.
        shapers: further reward channels, see `turnwise_agents.rewards`.
    """

    Config: ClassVar[type[AlgorithmConfig]] = PolicyGradientConfig

    def __init__(self, config: Any = None, shapers: Sequence[RewardShaper] = ()) -> None:
        super().__init__(config)
        penalty, kl_coef = self.config.invalid_action_penalty, self.config.kl_coef
        own: list[RewardShaper] = [InvalidActionPenalty(penalty)] if penalty else []
        self.kl_shaper = None
        if kl_coef and self.config.kl_in_reward:
            self.kl_shaper = KLPenalty(kl_coef, self.config.kl_estimator, self.config.kl_model)
            own.append(self.kl_shaper)
        self.shapers: list[RewardShaper] = [*own, *shapers]
        names = [shaper.channel for shaper in self.shapers]
        if len(set(names)) != len(names):
            raise UsageError(f"The channels of the shapers must be unique, got {names}.")
        self.needs = Needs(
            outputs=frozenset({"entropy"} if self.config.ent_coef else ()),
            models=frozenset({self.config.kl_model} if kl_coef and not self.kl_shaper else ()),
            rewards=frozenset().union(*(getattr(s, "sources", ()) for s in self.shapers)),
        )

    def setup(self, learner: Learner) -> None:
        """Adds the reference that only the reward reads."""
        if self.kl_shaper is not None:
            learner.add_model(self.kl_shaper.model)

    def shape(self, groups: list[Group], services: Services) -> None:
        """Lets every shaper write its channel."""
        for shaper in self.shapers:
            shaper(groups, services)

    def table(self, groups: Sequence[Group]) -> TurnTable:
        """Returns the turns of `groups` as arrays, reward channels included."""
        table = TurnTable(
            groups,
            channels=[shaper.channel for shaper in self.shapers],
            immediate=[shaper.channel for shaper in self.shapers if shaper.immediate],
            replacing=[s.channel for s in self.shapers if getattr(s, "replaces_reward", False)],
        )
        if self.config.mask_truncated:
            table.trainable &= ~table.spread(self.cut(table))
        return table

    def tokens(self, table: TurnTable) -> TokenTable:
        """Returns the trainable tokens of a table, with the channels that flow back."""
        return TokenTable(table, [s.channel for s in self.shapers if not s.immediate])

    @staticmethod
    def cut(table: TurnTable) -> npt.NDArray[np.bool_]:
        """Returns [B]: whether a limit of the run, not of the environment, ended the episode."""
        return np.array([t.stop in ("tokens", "context", "time") for t in table.trajectories], bool)

    def loss(self, outputs: Outputs, batch: Batch) -> tuple[Tensor, Metrics]:
        """Returns this micro-batch's share of the minibatch's loss, and its metrics."""
        config, mask, norms = self.config, batch.loss_mask, batch.norms
        advantages = batch.advantages.to(outputs.logprobs.dtype)
        log_ratio = losses.group_log_ratio(
            losses.masked_log_ratio(outputs.logprobs, batch.old_logprobs, mask),
            mask,
            batch.turn_indices,
            config.ratio_level,
        )
        weights = losses.importance_weights(
            batch.old_logprobs,
            batch.sampler_logprobs,
            mask,
            mode=config.importance_correction,
            cap=config.importance_cap,
            floor=config.importance_floor,
        )
        terms = weights * self.surrogate(log_ratio, outputs.logprobs, advantages)
        low, high = self.clip_range()
        metrics = losses.ratio_metrics(
            log_ratio,
            mask,
            advantages,
            norms,
            clip_ratio_low=low,
            clip_ratio_high=high,
            dual_clip=config.dual_clip if config.surrogate == "clip" else None,
        )
        token_sums = {"sampled_entropy": -outputs.logprobs}
        if config.off_policy_mask is not None:
            kept = losses.off_policy_mask(
                outputs.logprobs,
                batch.sampler_logprobs,
                advantages,
                mask,
                threshold=config.off_policy_mask,
            )
            terms = torch.where(kept, terms, 0.0)
            token_sums["off_policy_masked"] = (~kept).to(terms.dtype)
        if config.kl_coef and self.kl_shaper is None:
            reference = outputs.models[config.kl_model]
            kl = losses.kl_penalty(outputs.logprobs, reference, mask, config.kl_estimator)
            terms = terms + config.kl_coef * kl
            token_sums["kl"] = kl
        if config.ent_coef:
            assert outputs.entropy is not None
            terms = terms - config.ent_coef * outputs.entropy
            token_sums["entropy"] = outputs.entropy
        if config.importance_correction != "off":
            token_sums["importance_weight"] = weights
            token_sums["importance_masked"] = (weights == 0).to(weights.dtype)
        with torch.no_grad():
            for name, values in token_sums.items():
                metrics[name] = float(losses.masked_sum(values, mask)) / norms.tokens
        total = losses.aggregate(
            terms,
            mask,
            norms,
            config.loss_aggregation,
            max_tokens=config.max_completion_length,
            turn_indices=batch.turn_indices,
        )
        return total, metrics

    def surrogate(self, log_ratio: Tensor, logprobs: Tensor, advantages: Tensor) -> Tensor:
        """Returns the per-token policy loss, [B, L]."""
        config = self.config
        if config.surrogate == "cispo":
            bound = config.cispo_max_ratio
            return losses.cispo_loss(log_ratio, logprobs, advantages, max_ratio=bound)
        if config.surrogate == "sapo":
            positive, negative = config.sapo_temperatures
            return losses.sapo_loss(
                log_ratio,
                advantages,
                temperature_positive=positive,
                temperature_negative=negative,
            )
        if config.surrogate == "vespo":
            return losses.vespo_loss(
                log_ratio,
                logprobs,
                advantages,
                positive=config.vespo_positive,
                negative=config.vespo_negative,
            )
        return losses.clipped_surrogate(
            log_ratio,
            advantages,
            clip_ratio_low=config.clip_ratio_low,
            clip_ratio_high=config.clip_ratio_high,
            dual_clip=config.dual_clip,
        )

    def clip_range(self) -> tuple[float, float]:
        """Returns how far below and above 1 the surrogate lets a ratio move, for the metrics."""
        if self.config.surrogate == "clip":
            return self.config.clip_ratio_low, self.config.clip_ratio_high
        return 1.0, self.config.cispo_max_ratio - 1.0 if self.config.surrogate == "cispo" else inf

    def observe(self, groups: list[Group], services: Services) -> Metrics:
        """Returns diagnostics of the credit."""
        table = self.table([g for g in groups if g.purpose == "train"])
        metrics = {
            "credit/zero_variance_share": zero_variance_share(table.returns, table.group_ids)
        }
        if self.config.mask_truncated:
            masked = table.spread(self.cut(table))
            metrics["credit/masked_share"] = float(masked.mean()) if len(masked) else 0.0
        if self.kl_shaper is not None:
            metrics["credit/kl"] = _mean_kl(table.turns, self.kl_shaper)
        for shaper in self.shapers:
            metrics.update(getattr(shaper, "metrics", {}))
        return metrics


def _mean_kl(turns: Sequence[Turn], shaper: KLPenalty) -> float:
    """Returns the KL estimate that `shaper` wrote, mean over tokens."""
    rows = [turn.channels.get(shaper.channel, []) for turn in turns]
    values = [value for row in rows if isinstance(row, list) for value in row]
    return -float(np.mean(values)) / shaper.coef if values else 0.0
