"""Drawing tokens: temperature, nucleus and choices, by inverse CDF on counter-based uniforms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from turnwise_agents.samplers.base import Request
from turnwise_agents.samplers.random_stream import uniforms


class Draw:
    """The sampling parameters and uniform numbers of a batch.

    Args:
        requests: the batch.
        device: where logits will lie.

    Attributes:
        limits: [n] largest number of new tokens of each request.
    """

    def __init__(self, requests: Sequence[Request], device: torch.device) -> None:
        top_p = torch.tensor([r.sampling.top_p for r in requests])
        temperature = torch.tensor([r.sampling.temperature for r in requests])
        self.limits: npt.NDArray[np.int64] = np.array(
            [r.sampling.max_new_tokens for r in requests], dtype=np.int64
        )
        numbers = uniforms([r.stream for r in requests], int(self.limits.max()))
        self._temperature = temperature.to(device)
        self._top_p = top_p.to(device) if bool((top_p < 1).any()) else None
        self._uniforms = torch.from_numpy(numbers).to(device)
        self._choices = {i: r.choices for i, r in enumerate(requests) if r.choices is not None}
        self._greedy = bool((temperature == 0).all())

    def choose(
        self, logits: Tensor, live: npt.NDArray[np.int64], step: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Draws one token a row.

        Args:
            logits: [m, V].
            live: [m] index in the batch of each row's request.
            step: number of tokens already drawn; picks the uniform number.

        Returns:
            [m] ids, and [m] their log-probabilities under the tempered softmax over all of V.
        """
        rows = torch.from_numpy(live).to(logits.device)
        temperature = self._temperature[rows]
        divisor = torch.where(temperature > 0, temperature, 1.0)[:, None]
        logprobs = torch.log_softmax(logits.float() / divisor, dim=-1)
        candidates = self._restricted(logprobs, live) if step == 0 else logprobs
        chosen = candidates.argmax(-1)
        if not self._greedy:
            weights = candidates.exp().double()
            if self._top_p is not None:
                weights = nucleus(weights, self._top_p[rows])
            cdf = weights.cumsum(-1)
            target = self._uniforms[rows, step][:, None] * cdf[:, -1:]
            drawn = torch.searchsorted(cdf, target, right=True)[:, 0]
            chosen = torch.where(temperature > 0, drawn.clamp_max(logits.shape[-1] - 1), chosen)
        picked = logprobs.gather(-1, chosen[:, None])[:, 0]
        return chosen.cpu().numpy(), picked.cpu().numpy()

    def _restricted(self, logprobs: Tensor, live: npt.NDArray[np.int64]) -> Tensor:
        """Sets everything but a request's choices to minus infinity."""
        if not self._choices:
            return logprobs
        candidates = logprobs.clone()
        for row, i in enumerate(live.tolist()):
            if (choices := self._choices.get(i)) is not None:
                kept = logprobs[row, choices]
                candidates[row] = -torch.inf
                candidates[row, choices] = kept
        return candidates


def nucleus(weights: Tensor, top_p: Tensor) -> Tensor:
    """Zeroes all but the likeliest tokens that together reach `top_p` of the mass.

    Args:
        weights: [n, V] non-negative.
        top_p: [n] in (0, 1].

    Returns:
        [n, V] weights, not renormalised; the likeliest token always stays.
    """
    ordered, order = weights.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    ordered = ordered.masked_fill(before >= top_p[:, None] * ordered.sum(-1, keepdim=True), 0.0)
    return torch.zeros_like(weights).scatter(-1, order, ordered)
