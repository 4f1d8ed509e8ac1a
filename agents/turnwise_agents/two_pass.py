"""The exact gradient of a loss that compares sums over many micro-batches.

    S_k = sum over micro-batches b of s_{b,k}(theta),    L = f(S)
    dL/dtheta = sum_b sum_k (df/dS_k) * ds_{b,k}/dtheta

A preference between two episodes needs both of their log-ratios, which may lie in different
micro-batches. The first pass finds S without gradient, f gives its own derivative at S, and the
second pass backpropagates each micro-batch with that: no graph outlives its micro-batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

Micro = TypeVar("Micro")
Contribution = tuple[Tensor, Tensor]
"""(k [n] int64, s [n]): what a micro-batch adds to which sums."""


@torch.no_grad()
def sums(
    micros: Sequence[Micro], contribution: Callable[[Micro], Contribution], count: int
) -> Tensor:
    """Returns S, [count] float64 on the CPU: the first pass."""
    total = torch.zeros(count, dtype=torch.float64)
    for micro in micros:
        index, values = contribution(micro)
        total.index_add_(0, index.cpu(), values.double().cpu())
    return total


def backward_through_sums(
    micros: Sequence[Micro],
    contribution: Callable[[Micro], Contribution],
    total: Tensor,
    loss: Callable[[Tensor], Tensor],
    backward: Callable[[Tensor], None],
) -> float:
    """Backpropagates `loss(S)`: the second pass. Returns the loss.

    Args:
        micros: the micro-batches.
        contribution: what a micro-batch adds to the sums, differentiable. Terms without gradient
            may be left out: the value of S is not read again.
        total: [K] S, from `sums`.
        loss: differentiable scalar function of S.
        backward: adds a gradient (`Learner.backward`).
    """
    leaf = total.detach().requires_grad_()
    value = loss(leaf)
    (weights,) = torch.autograd.grad(value, leaf)
    for micro in micros:
        index, values = contribution(micro)
        weight = weights[index.cpu()].to(values)
        if bool(weight.any()):
            backward((weight * values).sum())
    return float(value.detach())
