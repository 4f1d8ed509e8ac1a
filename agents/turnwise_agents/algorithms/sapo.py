"""SAPO: a soft gate in place of the clip.

Gao et al. 2025, "Soft Adaptive Policy Optimization", arXiv:2511.20347.

    loss = -(4 / tau) * sigmoid(tau * (rho - 1)) * A,    tau = 1.0 where A > 0, else 1.05
    d loss / d rho = -4 p (1 - p) * A,                   p = sigmoid(tau * (rho - 1))

The gradient's weight 4 p (1 - p) is 1 at rho = 1 and fades as the ratio leaves it, a little sooner
for negative advantages, which raise the logits of all unsampled tokens and so unsettle training.
The advantage is GRPO's. It is `grpo` with `surrogate="sapo"`.

Deviations from the paper and from its published code:

- The mean is over `Segment`s of their token means: a whole episode where the context keeps the
  history, else one turn. For the rest see `grpo`.

Metrics: those of `policy_gradient`. Nothing is clipped, so `loss/clip_fraction` is 0; watch
`loss/approx_kl`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from turnwise_agents.algorithms.base import AlgorithmConfig
from turnwise_agents.algorithms.config import Surrogate
from turnwise_agents.algorithms.grpo import GRPO, GRPOConfig
from turnwise_agents.losses import LossAggregation


@dataclass(frozen=True, kw_only=True)
class SAPOConfig(GRPOConfig):
    """Configuration of `SAPO`."""

    surrogate: Surrogate = "sapo"
    """Per-token loss."""
    loss_aggregation: LossAggregation = "sequence"
    """How tokens are averaged. Paper: mean over sequences of token means."""
    kl_coef: float = 0.0
    """Weight of the KL penalty. Paper: none."""
    ent_coef: float = 0.0
    """Weight of the entropy bonus. Paper: none."""


class SAPO(GRPO):
    """GRPO with a soft gate."""

    Config: ClassVar[type[AlgorithmConfig]] = SAPOConfig
