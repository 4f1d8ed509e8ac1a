"""The configuration that all policy-gradient algorithms share."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from turnwise_agents import losses
from turnwise_agents.algorithms.base import AlgorithmConfig
from turnwise_agents.estimators.checks import expect_choice
from turnwise_envs.errors import UsageError

Surrogate = Literal["clip", "cispo", "sapo", "vespo"]


@dataclass(frozen=True, kw_only=True)
class PolicyGradientConfig(AlgorithmConfig):
    """Fields of every policy-gradient algorithm; defaults are GiGPO's published ALFWorld runs."""

    surrogate: Surrogate = "clip"
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
        super().__post_init__()
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
