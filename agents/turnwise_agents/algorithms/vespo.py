"""VESPO: weighs a sequence by a smooth function of its whole importance ratio.

"VESPO: Variational Sequence-Level Soft Policy Optimization", arXiv:2602.10693.

    w    = prod_t rho_t                                       of the sequence, not length-normalised
    loss = -stop_gradient(phi(w)) * A * log pi,    log phi(w) = lambda + k log w - lambda w
    (k, lambda) = (2, 3) where A >= 0, (3, 2) where A < 0;    phi(1) = 1

phi falls to 0 on both sides of its peak, so that stale sequences fade out instead of being cut. The
advantage is GRPO's. It is `grpo` with `surrogate="vespo"` and `ratio_level="sequence_product"`.

Deviations from the paper and from its published code:

- Built after TRL's implementation, whose constants these are; the paper itself was not read.
- A sequence is a `Segment`: a whole episode where the context keeps the history, else one turn.
- A correction of the sampler's gap (`importance_correction`) multiplies the loss, as for every
  surrogate here; TRL multiplies it into w.

Metrics: those of `policy_gradient`. Nothing is clipped, so `loss/clip_fraction` is 0;
`loss/ratio_mean` is of w.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from turnwise_agents.algorithms.base import AlgorithmConfig
from turnwise_agents.algorithms.config import Surrogate
from turnwise_agents.algorithms.grpo import GRPO, GRPOConfig
from turnwise_agents.losses import RatioLevel


@dataclass(frozen=True, kw_only=True)
class VESPOConfig(GRPOConfig):
    """Configuration of `VESPO`."""

    surrogate: Surrogate = "vespo"
    """Per-token loss."""
    ratio_level: RatioLevel = "sequence_product"
    """The unit whose ratio counts: the whole sequence."""
    kl_coef: float = 0.0
    """Weight of the KL penalty. TRL: none."""
    ent_coef: float = 0.0
    """Weight of the entropy bonus. TRL: none."""


class VESPO(GRPO):
    """GRPO with soft sequence weights."""

    Config: ClassVar[type[AlgorithmConfig]] = VESPOConfig
