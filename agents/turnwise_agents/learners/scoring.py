"""One forward of a causal language model over segments: log-probabilities, entropy, values.

Only positions under the loss mask reach the language-model head: a hook on it selects their hidden
states, so that whatever a model does to its logits afterwards (scaling, soft-capping) stays its own
business, and no [B, L, V] tensor ever exists.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from turnwise_agents.types import Segment

_CHUNK_ELEMENTS = 1 << 26
"""Float32 logits that are expanded at a time; more are recomputed chunk by chunk in backward."""


@dataclass
class PaddedSegments:
    """Segments as right-padded tensors on a device.

    Attributes:
        input_ids: [B, L].
        loss_mask: [B, L] bool; never True at position 0, which nothing predicts.
        lengths: number of ids of each row.
        temperature: [B].
    """

    input_ids: Tensor
    loss_mask: Tensor
    lengths: list[int]
    temperature: Tensor


@dataclass
class _Head:
    """What the hook on the language-model head selects and sees."""

    positions: Tensor
    hidden: Tensor | None = field(default=None)


def pad_segments(segments: Sequence[Segment], device: torch.device) -> PaddedSegments:
    """Pads segments to the longest; any id pads, since causal attention never sees it."""
    lengths = [len(s.input_ids) for s in segments]
    width = max(lengths)
    ids = torch.tensor(
        [s.input_ids + [0] * (width - n) for s, n in zip(segments, lengths, strict=False)]
    )
    mask = torch.tensor(
        [s.loss_mask + [False] * (width - n) for s, n in zip(segments, lengths, strict=False)]
    )
    mask[:, 0] = False
    temperature = torch.tensor([s.temperature if s.temperature > 0 else 1.0 for s in segments])
    return PaddedSegments(ids.to(device), mask.to(device), lengths, temperature.to(device))


@contextmanager
def _selecting(head: nn.Module, positions: Tensor) -> Iterator[_Head]:
    """Makes `head` see only the hidden states [1, N, H] at flat `positions` of [B, L, H]."""
    seen = _Head(positions)

    def hook(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        seen.hidden = args[0]
        return (args[0].flatten(0, 1)[positions][None], *args[1:])

    handle = head.register_forward_pre_hook(hook)
    try:
        yield seen
    finally:
        handle.remove()


def score_segments(
    model: Any,
    batch: PaddedSegments,
    *,
    entropy: bool = False,
    value_head: nn.Module | None = None,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Scores every token under the loss mask, given all tokens before it.

    Args:
        model: a transformers causal language model, or a peft wrapper of one.
        batch: the padded segments.
        entropy: whether to return it.
        value_head: maps the last hidden state to one number.

    Returns:
        logprobs, entropy, values; each [B, L] float32. Position t belongs to token t. Logprobs and
        entropy (of softmax(logits / temperature)) are 0 outside the mask; values are given at every
        position that a real token precedes.
    """
    rows, width = batch.input_ids.shape
    columns = batch.loss_mask.nonzero()
    at = columns[:, 0] * width + columns[:, 1]
    with _selecting(model.get_output_embeddings(), at - 1) as seen:
        logits = model(input_ids=batch.input_ids, use_cache=False).logits[0]
    logprobs = torch.zeros(rows * width, device=logits.device)
    spread = torch.zeros_like(logprobs) if entropy else None
    if len(at):
        targets = batch.input_ids.flatten()[at]
        temperature = batch.temperature[columns[:, 0]]
        chosen, disorder = _chunked(logits, targets, temperature, entropy)
        logprobs = logprobs.index_put((at,), chosen)
        if spread is not None:
            spread = spread.index_put((at,), disorder)
    values = None
    if value_head is not None:
        assert seen.hidden is not None
        weight: Tensor = value_head.weight  # type: ignore[assignment]
        predicted = value_head(seen.hidden[:, :-1].to(weight.dtype))[..., 0].float()
        values = torch.cat([predicted.new_zeros(rows, 1), predicted], dim=1)
        real = torch.arange(width)[None, :] < torch.tensor(batch.lengths)[:, None]
        values = values * real.to(values.device)
    shape = (rows, width)
    return logprobs.view(shape), None if spread is None else spread.view(shape), values


def _chunked(
    logits: Tensor, targets: Tensor, temperature: Tensor, entropy: bool
) -> tuple[Tensor, Tensor]:
    """`_token_scores` in pieces of bounded memory."""
    size = max(1, _CHUNK_ELEMENTS // logits.shape[-1])
    if len(targets) <= size:
        return _token_scores(logits, targets, temperature, entropy)
    pieces = [
        checkpoint(_token_scores, *chunk, entropy, use_reentrant=False)
        for chunk in zip(
            logits.split(size), targets.split(size), temperature.split(size), strict=True
        )
    ]
    return torch.cat([p[0] for p in pieces]), torch.cat([p[1] for p in pieces])


def _token_scores(
    logits: Tensor, targets: Tensor, temperature: Tensor, entropy: bool
) -> tuple[Tensor, Tensor]:
    """Log-probability of each target, and entropy (or zeros), of [N, V] logits."""
    scaled = logits.float() / temperature[:, None]
    normaliser = scaled.logsumexp(-1)
    logprobs = scaled.gather(-1, targets[:, None])[:, 0] - normaliser
    if not entropy:
        return logprobs, torch.zeros_like(logprobs)
    mean = ((scaled - normaliser[:, None]).exp() * scaled).sum(-1)
    return logprobs, normaliser - mean
