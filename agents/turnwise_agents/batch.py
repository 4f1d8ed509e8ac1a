"""What a loss gets: padded micro-batches, and the counts that it divides by."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from turnwise_agents.types import Segment


@dataclass(frozen=True)
class Norms:
    """Counts over the whole minibatch (all ranks), taken before it is cut into micro-batches."""

    tokens: int
    segments: int
    trajectories: int
    groups: int
    turns: int = 1


@dataclass
class Batch:
    """A micro-batch, padded to [B, L] on the learner's device.

    Attributes:
        segments: the records, in row order.
        loss_mask: [B, L] bool.
        advantages, old_logprobs, sampler_logprobs: [B, L], 0 outside the mask.
        turn_indices: [B, L] int, -1 outside completions.
        extras: name -> [B, L], from `Credit.extras`, 0 outside the mask.
        norms: counts of the whole minibatch; the loss is a SUM divided by one of them.
    """

    segments: list[Segment]
    loss_mask: Tensor
    advantages: Tensor
    old_logprobs: Tensor
    sampler_logprobs: Tensor
    turn_indices: Tensor
    norms: Norms
    extras: dict[str, Tensor] = field(default_factory=dict)
