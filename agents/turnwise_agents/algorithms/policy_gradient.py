"""What the policy-gradient algorithms share: the loss, the reward channels, their configuration.

    loss = aggregate( w * surrogate(rho, A) + kl_coef * KL_estimate - ent_coef * entropy )

with rho = pi / pi_old, A from `assign_credit`, and w the correction of the sampler-trainer gap.
REINFORCE, RLOO, GRPO and GiGPO differ in `assign_credit` only, so their defaults here are one
common setting, that of the published GiGPO runs (ALFWorld; algorithm pages quote what their own
papers used): a comparison at defaults compares credit assignment and nothing else. The variants
with defaults of their own (`ppo`, `dapo`, `gspo`, ...) take the optimiser's side of their papers
and keep one thing of these: the penalty for invalid actions, which belongs to the task.

Explanation of the logged metrics (besides `rollout/...`):

- `loss/approx_kl`, `loss/clip_fraction`, `loss/ratio_mean`: see `losses.ratio_metrics`; of the
  units of `ratio_level`. The soft surrogates ("sapo", "vespo") clip nothing: 0.
- `loss/sampled_entropy`: mean of -log pi over the sampled tokens; an unbiased estimate of the
  entropy before the first optimiser step. `loss/entropy`: exact, where ent_coef is not 0.
- `loss/kl`: the KL estimate itself, where kl_coef is not 0; with kl_in_reward `credit/kl`, the
  mean over the iteration's tokens before the update.
- `loss/importance_weight`, `loss/importance_masked`: mean weight; share of tokens masked out.
- `loss/off_policy_masked`: share of tokens that off_policy_mask drops, where it is set.
- `credit/zero_variance_share`: groups of trained-on trajectories whose shaped returns are equal.
- `credit/masked_share`: turns of valid trajectories that mask_truncated keeps out of the update.
- `credit/advantage_mean`, `_std`, `_max_abs`, `_zero_share`: see `metrics.credit_metrics`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Literal

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
from turnwise_agents.estimators import zero_variance_share
from turnwise_agents.estimators.checks import expect_choice
from turnwise_agents.estimators.table import TurnTable
from turnwise_agents.estimators.token_table import TokenTable
from turnwise_agents.rewards import InvalidActionPenalty, KLPenalty, RewardShaper
from turnwise_agents.types import Group, Turn
from turnwise_envs.errors import UsageError

if TYPE_CHECKING:
    from turnwise_agents.learners.base import Learner


@dataclass(frozen=True, kw_only=True)
class PolicyGradientConfig(AlgorithmConfig):
    """Fields of every policy-gradient algorithm; defaults are GiGPO's published ALFWorld runs."""

    surrogate: Literal["clip", "cispo", "sapo", "vespo"] = "clip"
    """Per-token loss; "clip" is PPO's, the others are those of their algorithms."""
    ratio_level: losses.RatioLevel = "token"
    """The unit whose ratio counts, see `losses.group_log_ratio`; "sequence" is GSPO's mean per
    segment (with clips near 3e-4), "turn" the product over a turn's tokens."""
    clip_ratio_low: float = 0.2
    """Lower clip: ratios below 1 - low are cut. Published scripts: 0.2."""
    clip_ratio_high: float = 0.2
    """Upper clip: ratios above 1 + high are cut. Published scripts: 0.2; DAPO 0.28."""
    dual_clip: float | None = 3.0
    """Bound on the loss of negative advantages, in units of |A|; None for none. verl: 3."""
    cispo_max_ratio: float = 5.0
    """Largest weight with surrogate="cispo", the bound itself. MiniMax-M1 leaves it open; TRL 5."""
    sapo_temperatures: tuple[float, float] = (1.0, 1.05)
    """Temperatures of positive and of negative advantages with surrogate="sapo". Paper: these."""
    vespo_positive: tuple[float, float] = (2.0, 3.0)
    """(k, lambda) of positive advantages with surrogate="vespo". TRL: these."""
    vespo_negative: tuple[float, float] = (3.0, 2.0)
    """(k, lambda) of negative advantages with surrogate="vespo". TRL: these."""
    kl_coef: float = 0.01
    """Weight of the KL penalty to the initial policy; 0 keeps no copy of it. ALFWorld and WebShop
    runs 0.01, search 0.001; DeepSeekMath 0.04; DAPO and Dr. GRPO 0."""
    kl_estimator: losses.KLEstimator = "k3"
    """Estimator of the KL term. GRPO, equation 4: k3; in the reward k1 is the unbiased one."""
    kl_in_reward: bool = False
    """Subtract the KL penalty from the reward of every token instead of adding it to the loss."""
    kl_model: str = "ref"
    """Name of the second model that the penalty is taken to."""
    ent_coef: float = 0.001
    """Weight of the entropy bonus; published scripts 0.001, search 0."""
    loss_aggregation: losses.LossAggregation = "token"
    """How tokens are averaged, see `losses.aggregate`. Published trainer: token mean (as DAPO);
    the GRPO paper: sequence."""
    max_completion_length: int | None = None
    """The constant of loss_aggregation="constant": most generated tokens of a segment."""
    importance_correction: losses.Correction = "off"
    """Weights for samplers whose log-probabilities differ from the learner's; wants
    recompute_old_logprobs."""
    importance_cap: float = 2.0
    """Largest weight, see `losses.importance_weights`. TRL: 3, for whole sequences."""
    importance_floor: float = 0.0
    """Smallest weight; 0 bounds nothing."""
    off_policy_mask: float | None = None
    """Drop negative advantages of sequences whose mean log-probability fell by more than this
    since sampling; None drops none. See `losses.off_policy_mask`."""
    invalid_action_penalty: float = 0.01
    """Subtracted at turns with an invalid action, in units of reward. All published runs take one
    hundredth of the success reward: 0.1 of 10 (ALFWorld, WebShop), 0.01 of 1 (search)."""
    mask_truncated: bool = False
    """Keep trajectories that hit a token, context or time limit out of the update (they stay in
    the statistics). DAPO's overlong filtering."""

    def __post_init__(self) -> None:
        expect_choice("surrogate", self.surrogate, ("clip", "cispo", "sapo", "vespo"))
        levels = ("token", "turn", "sequence", "sequence_product")
        expect_choice("ratio_level", self.ratio_level, levels)
        expect_choice("kl_estimator", self.kl_estimator, ("k1", "k2", "k3"))
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float | int) and not value >= 0:
                raise UsageError(f"{field.name} must be non-negative, got {value}.")
        if self.clip_ratio_low >= 1:
            raise UsageError(f"clip_ratio_low must be below 1, got {self.clip_ratio_low}.")
        if self.dual_clip is not None and self.dual_clip <= 1:
            raise UsageError(f"dual_clip must be above 1 or None, got {self.dual_clip}.")
        if not min(self.sapo_temperatures) > 0:
            raise UsageError(f"sapo_temperatures must be positive, got {self.sapo_temperatures}.")
        if self.surrogate == "vespo" and self.ratio_level != "sequence_product":
            raise UsageError(
                f'ratio_level must be "sequence_product" for surrogate="vespo", got '
                f"{self.ratio_level!r}. Its weight is a function of the whole sequence's ratio."
            )
        if not self.importance_floor <= self.importance_cap:
            raise UsageError(
                f"importance_floor must be at most importance_cap ({self.importance_cap}), got "
                f"{self.importance_floor}."
            )
        if self.loss_aggregation == "constant" and not self.max_completion_length:
            raise UsageError(
                'max_completion_length must be positive for loss_aggregation="constant", '
                f"got {self.max_completion_length}."
            )


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
            log_ratio, mask, advantages, norms, clip_ratio_low=low, clip_ratio_high=high
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
            terms, mask, norms, config.loss_aggregation, max_tokens=config.max_completion_length
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
        return metrics


def _mean_kl(turns: Sequence[Turn], shaper: KLPenalty) -> float:
    """Returns the KL estimate that `shaper` wrote, mean over tokens."""
    rows = [turn.channels.get(shaper.channel, []) for turn in turns]
    values = [value for row in rows if isinstance(row, list) for value in row]
    return -float(np.mean(values)) / shaper.coef if values else 0.0
