"""CISPO: bounds the importance weight instead of dropping the token's gradient.

MiniMax 2025, "MiniMax-M1", arXiv:2506.13585, equations 4 and 5.

    loss = -stop_gradient(min(rho, cispo_max_ratio)) * A * log pi       mean over the batch's tokens

PPO's clip removes the gradient of exactly those tokens that an update moved most, often the rare
ones that turn an answer around. Here every token keeps a gradient; its weight is bounded. The
advantage is GRPO's. It is `grpo` with `surrogate="cispo"`.

Deviations from the paper and from its published code:

- The paper's bound is 1 + eps, tuned and not reported; `cispo_max_ratio` is the bound itself, with
  TRL's 5. Neither has a lower bound in effect.
- For the rest see `grpo`.

Metrics: those of `policy_gradient`. `loss/clip_fraction` is the share of tokens of positive
advantage whose weight is held at the bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from turnwise_agents.algorithms.base import AlgorithmConfig
from turnwise_agents.algorithms.config import Surrogate
from turnwise_agents.algorithms.grpo import GRPO, GRPOConfig


@dataclass(frozen=True, kw_only=True)
class CISPOConfig(GRPOConfig):
    """Configuration of `CISPO`."""

    surrogate: Surrogate = "cispo"
    """Per-token loss."""
    kl_coef: float = 0.0
    """Weight of the KL penalty. Paper: none."""
    ent_coef: float = 0.0
    """Weight of the entropy bonus. Paper: none."""


class CISPO(GRPO):
    """GRPO with bounded importance weights."""

    Config: ClassVar[type[AlgorithmConfig]] = CISPOConfig
