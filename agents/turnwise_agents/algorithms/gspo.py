"""GSPO: GRPO whose importance ratio is that of a sequence, normalised by its length.

Zheng et al. 2025, "Group Sequence Policy Optimization", arXiv:2507.18071.

    s_i  = (pi(y_i) / pi_old(y_i))^{1 / |y_i|} = exp(mean_t log rho_{i,t})
    loss = -mean_i min(s_i A_i, clip(s_i, 1 - 3e-4, 1 + 4e-4) A_i)

The advantage is GRPO's. It is `grpo` with `ratio_level="sequence"`. A mean moves far less than one
token's ratio, hence the narrow clip; and it moves only where an iteration takes several optimiser
steps (the paper: 4, `--trainer.num-minibatches 4`).

Deviations from the paper and from its published code:

- A sequence is a `Segment`: a whole episode where the context keeps the history, else one turn.
  Its ratio is over the generated tokens alone.
- verl computes the token form with a stopped gradient, whose gradient is the same where all tokens
  of a sequence share their advantage.
- The paper omits the KL term; 0 here, as its authors confirmed for their runs. No dual clip.

Metrics: those of `policy_gradient`. `loss/clip_fraction` of 0.15 and more is normal, since whole
sequences are clipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from turnwise_agents.algorithms.base import AlgorithmConfig
from turnwise_agents.algorithms.grpo import GRPO, GRPOConfig
from turnwise_agents.losses import LossAggregation, RatioLevel


@dataclass(frozen=True, kw_only=True)
class GSPOConfig(GRPOConfig):
    """Configuration of `GSPO`."""

    ratio_level: RatioLevel = "sequence"
    """The unit whose ratio counts. Paper: the sequence, length-normalised."""
    clip_ratio_low: float = 3e-4
    """Lower clip. Paper, section 5.1: 3e-4."""
    clip_ratio_high: float = 4e-4
    """Upper clip. Paper, section 5.1: 4e-4."""
    loss_aggregation: LossAggregation = "sequence"
    """How tokens are averaged. Paper: each sequence counts once."""
    dual_clip: float | None = None
    """None: the paper has no dual clip."""
    kl_coef: float = 0.0
    """Weight of the KL penalty. Paper's runs: 0."""
    ent_coef: float = 0.0
    """Weight of the entropy bonus. Paper: none."""


class GSPO(GRPO):
    """GRPO with the sequence's ratio."""

    Config: ClassVar[type[AlgorithmConfig]] = GSPOConfig
