"""Dr. GRPO: GRPO without its two biases, of a group's difficulty and of an answer's length.

Liu et al. 2025, "Understanding R1-Zero-Like Training: A Critical Perspective", arXiv:2503.20783.

    A_{i,t} = R_i - mean(R_g)                                      no std: hard and easy tasks alike
    loss    = sum over tokens / (segments * max_completion_length)  a constant: long answers alike

It is `grpo` with `normalize_std=False` and `loss_aggregation="constant"`.

Deviations from the paper and from its published code:

- A row is a `Segment`: a whole episode where the context keeps the history, else a turn. The
  constant scales the loss and nothing else; AdamW does not see it, max_grad_norm does.
- The published code also takes PPO's clip and one epoch, as here. For the rest see `grpo`.

Metrics: those of `policy_gradient`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from turnwise_agents.algorithms.base import AlgorithmConfig
from turnwise_agents.algorithms.grpo import GRPO, GRPOConfig
from turnwise_agents.losses import LossAggregation


@dataclass(frozen=True, kw_only=True)
class DrGRPOConfig(GRPOConfig):
    """Configuration of `DrGRPO`."""

    normalize_std: bool = False
    """Divide by the group's standard deviation. Paper: no."""
    loss_aggregation: LossAggregation = "constant"
    """How tokens are averaged. Paper: by a constant."""
    max_completion_length: int | None = 3000
    """The constant, in tokens. Paper: 3,000, its limit of an answer."""
    dual_clip: float | None = None
    """None: the paper has no dual clip."""
    kl_coef: float = 0.0
    """Weight of the KL penalty. Paper: none."""
    ent_coef: float = 0.0
    """Weight of the entropy bonus. Paper: none."""


class DrGRPO(GRPO):
    """GRPO done right: no standard deviation, a constant length."""

    Config: ClassVar[type[AlgorithmConfig]] = DrGRPOConfig
