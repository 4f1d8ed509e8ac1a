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

import numpy as np
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
        predictors: [B, L] position that predicts each token; 0 where nothing does.
        position_ids: [B, L] number of tokens before each one in its sequence; None: as they lie.
        attention_mask: [B, 1, L, L] bool, what each token sees; None: all tokens up to itself.
    """

    input_ids: Tensor
    loss_mask: Tensor
    lengths: list[int]
    temperature: Tensor
    predictors: Tensor
    position_ids: Tensor | None = None
    attention_mask: Tensor | None = None


@dataclass
class _Head:
    """What the hook on the language-model head selects and sees."""

    positions: Tensor
    hidden: Tensor | None = field(default=None)


def pad_segments(segments: Sequence[Segment], device: torch.device) -> PaddedSegments:
    """Pads segments to the longest; any id pads, since no token's attention reaches it."""
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
    predictors = torch.arange(-1, width - 1).clamp(min=0).repeat(len(lengths), 1)
    padded = PaddedSegments(
        ids.to(device), mask.to(device), lengths, temperature.to(device), predictors.to(device)
    )
    if any(s.parents is not None for s in segments):
        _pad_trees(segments, padded)
    return padded


def _pad_trees(segments: Sequence[Segment], padded: PaddedSegments) -> None:
    """Fills in what differs where tokens follow others than the one before them."""
    rows, width = padded.input_ids.shape
    device = padded.input_ids.device
    depths = np.zeros((rows, width), dtype=np.int64)
    predictors = padded.predictors.cpu().numpy()
    # A padding token sees itself: a token that sees nothing would have no finite state.
    visible = np.repeat(np.eye(width, dtype=bool)[None], rows, axis=0)
    for row, segment in enumerate(segments):
        parents = range(-1, len(segment.input_ids) - 1)
        for position, parent in enumerate(segment.parents or parents):
            if parent >= 0:
                depths[row, position] = depths[row, parent] + 1
                predictors[row, position] = parent
                visible[row, position] |= visible[row, parent]
    padded.predictors = torch.from_numpy(predictors).to(device)
    padded.position_ids = torch.from_numpy(depths).to(device)
    padded.attention_mask = torch.from_numpy(visible[:, None]).to(device)


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
    predicting = columns[:, 0] * width + batch.predictors[columns[:, 0], columns[:, 1]]
    head = model.get_output_embeddings()
    tree = {}
    if (visible := batch.attention_mask) is not None:
        if visible.device.type == "cpu":
            # The kernel there is nearly twice as fast with a mask that is added.
            added = torch.zeros(visible.shape, dtype=head.weight.dtype)
            visible = added.masked_fill_(~visible, float("-inf"))
        tree = {"position_ids": batch.position_ids, "attention_mask": visible}
    with _selecting(head, predicting) as seen:
        logits = model(input_ids=batch.input_ids, use_cache=False, **tree).logits[0]
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
        values = value_head(seen.hidden.to(weight.dtype))[..., 0].float()
        values = values.gather(1, batch.predictors)
        real = torch.arange(width)[None, :] < torch.tensor(batch.lengths)[:, None]
        real[:, 0] = False
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
