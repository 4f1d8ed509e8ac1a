"""LOOP: the leave-one-out baseline under PPO's clip, with one network and nothing else in memory.

Chen et al. 2025, "Reinforcement Learning for Long-Horizon Interactive LLM Agents",
arXiv:2502.01600.

    A_{i,t} = R_i - (1 / (N - 1)) * sum_{j != i} R_j
    loss    = -min(rho A, clip(rho, 1 - eps, 1 + eps) A)

rho is a token's ratio; the paper found it better than a turn's (`ratio_level="turn"`) and both
better than the episode's (`"sequence_product"`). No critic, no reference model, no division by the
standard deviation, which cost the paper 9 points. It is `rloo` without its KL term; the clip is
what makes several optimiser steps an iteration safe, so use them (`--trainer.num-minibatches`).

Deviations from the paper and from its published code:

- The loss is the mean over the minibatch's tokens; how the paper weighs long against short episodes
  could not be checked.
- A group of one gets advantage 0. For the rest see `rloo` and `policy_gradient`.

Metrics: those of `policy_gradient`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from turnwise_agents.algorithms.base import AlgorithmConfig
from turnwise_agents.algorithms.rloo import RLOO, RLOOConfig


@dataclass(frozen=True, kw_only=True)
class LOOPConfig(RLOOConfig):
    """Configuration of `LOOP`."""

    group_size: int = 6
    """Episodes per task. Paper: 6."""
    dual_clip: float | None = None
    """None: the paper has no dual clip."""
    kl_coef: float = 0.0
    """Weight of the KL penalty. Paper: none, which was better than some."""
    ent_coef: float = 0.0
    """Weight of the entropy bonus. Paper: none."""


class LOOP(RLOO):
    """Leave-one-out PPO."""

    Config: ClassVar[type[AlgorithmConfig]] = LOOPConfig
