"""What a learner is: a policy that scores segments and takes gradient steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from turnwise_agents.types import Segment

if TYPE_CHECKING:
    from turnwise_agents.algorithms.base import Outputs


class Learner(Protocol):
    """Scores segments and takes gradient steps.

    Attributes:
        device: where batches must lie.
        version: number of optimiser steps taken so far.
        scores_trees: whether `forward` takes segments with `parents`.
    """

    device: torch.device
    version: int

    @property
    def scores_trees(self) -> bool:
        """See the attributes."""
        ...

    def forward(
        self,
        segments: Sequence[Segment],
        needs: frozenset[str] = frozenset(),
        models: frozenset[str] = frozenset(),
        model: str = "policy",
    ) -> Outputs:
        """Returns per-token outputs [B, L] of `model`, with gradient unless under no_grad.

        Args:
            segments: rows of the micro-batch.
            needs: "entropy", "values".
            models: further models whose logprobs are wanted, without gradient.
            model: which model scores (and is differentiated).
        """
        ...

    def backward(self, loss: Tensor) -> None:
        """Adds the gradient of `loss`."""
        ...

    def step(self) -> dict[str, float]:
        """Clips, takes one optimiser step on everything with a gradient, zeroes.

        Returns metrics: "grad_norm" and "learning_rate".
        """
        ...

    def add_head(self, name: str, init: float = 0.0) -> None:
        """Adds a scalar head on the policy's last hidden state ("values")."""
        ...

    def add_model(
        self,
        name: str,
        init: str = "policy",
        trainable: bool = False,
        learning_rate_factor: float = 1.0,
    ) -> None:
        """Adds a further model as a copy of `init`, with its own optimiser where trainable.

        Its learning rate is the policy's times `learning_rate_factor`.
        """
        ...

    def weights(self) -> Any:
        """Returns what `Sampler.load` takes (may be a shared reference)."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Weights of all models and heads, and the optimisers' states."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Reverses `state_dict`; raises ValueError naming the first mismatch."""
        ...
