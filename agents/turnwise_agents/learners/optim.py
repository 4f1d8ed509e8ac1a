"""AdamW with warm-up, schedule, clipping and float32 master weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn

Schedule = Literal["constant", "linear", "cosine"]


def schedule_factor(step: int, warmup_steps: int, schedule: Schedule, total_steps: int) -> float:
    """Returns the factor on the learning rate of step 0, 1, ...

    It rises linearly to 1 over `warmup_steps` (step k of them gets (k + 1) / warmup_steps), then
    stays, or falls to 0 at `total_steps` along a line or half a cosine.
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    if schedule == "constant":
        return 1.0
    done = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
    return 1.0 - done if schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))


class MasterAdamW:
    """AdamW over parameters of any precision.

    Parameters in half precision are updated through float32 copies: a bfloat16 weight has 8 bits of
    mantissa, so that small steps on it would be rounded away. Matrices decay, vectors do not.

    Args:
        parameters: those to train.
        learning_rate: at factor 1.
        betas: decay of the two moments.
        weight_decay: decoupled, on matrices.
        max_grad_norm: the global norm is clipped to it; 0 leaves it.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        learning_rate: float,
        betas: tuple[float, float],
        weight_decay: float,
        max_grad_norm: float,
    ) -> None:
        self.parameters = list(parameters)
        self.learning_rate = learning_rate
        self.max_grad_norm = max_grad_norm
        self.steps = 0
        self.masters: list[Tensor] = [
            p
            if p.dtype == torch.float32
            else nn.Parameter(p.detach().to(torch.float32), requires_grad=True)
            for p in self.parameters
        ]
        matrices = [m for m in self.masters if m.ndim >= 2]
        vectors = [m for m in self.masters if m.ndim < 2]
        groups = [
            {"params": matrices, "weight_decay": weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
        self.adamw = torch.optim.AdamW(
            [g for g in groups if g["params"]], lr=learning_rate, betas=betas, fused=True
        )

    @property
    def has_gradient(self) -> bool:
        """Whether any parameter received a gradient since the last step."""
        return any(p.grad is not None for p in self.parameters)

    def step(self, factor: float) -> float:
        """Takes one step at `factor` times the learning rate, zeroes; returns the gradient norm."""
        for parameter, master in zip(self.parameters, self.masters, strict=True):
            if master is not parameter:
                master.grad = None if parameter.grad is None else parameter.grad.float()
        limit = self.max_grad_norm if self.max_grad_norm > 0 else math.inf
        norm = float(nn.utils.clip_grad_norm_(self.masters, limit))
        if math.isfinite(norm):
            for group in self.adamw.param_groups:
                group["lr"] = self.learning_rate * factor
            self.adamw.step()
            with torch.no_grad():
                for parameter, master in zip(self.parameters, self.masters, strict=True):
                    if master is not parameter:
                        parameter.copy_(master)
        self.zero()
        self.steps += 1
        return norm

    def zero(self) -> None:
        """Drops all gradients."""
        for tensor in (*self.parameters, *self.masters):
            tensor.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Moments, step count, and the masters where they differ from the parameters."""
        return {
            "adamw": self.adamw.state_dict(),
            "steps": self.steps,
            "masters": [
                None if m is p else m.detach().clone()
                for p, m in zip(self.parameters, self.masters, strict=True)
            ],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Reverses `state_dict`, after the parameters themselves were loaded."""
        # torch would adopt the tensors themselves, and then two learners would share moments.
        self.adamw.load_state_dict(copy.deepcopy(state["adamw"]))
        self.steps = state["steps"]
        with torch.no_grad():
            for master, saved in zip(self.masters, state["masters"], strict=True):
                if saved is not None:
                    master.copy_(saved)
