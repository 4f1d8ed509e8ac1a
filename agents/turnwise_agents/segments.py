"""From trajectories to the token sequences and padded batches that a learner takes.

Consecutive generations whose prompt extends the previous prompt + completion become one sequence
with a loss mask. The extension is found by comparing ids, so every context manager gets it right:
a full-history conversation is one segment and costs one forward, a windowed one is one segment per
turn. Text is never re-tokenised.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch

from turnwise_agents.batch import Batch, Norms
from turnwise_agents.types import Credit, Generation, Segment, Trajectory, Turn


def segments(trajectory: Trajectory, credit: Credit | None = None) -> list[Segment]:
    """Cuts a trajectory into the fewest sequences that hold all its trainable tokens.

    Args:
        trajectory: a finished episode.
        credit: its advantages; None leaves them 0.

    Returns:
        Segments in turn order; none without a trainable token.

    Raises:
        ValueError: If the credit does not fit the trajectory's turns or tokens.
    """
    if credit is not None and len(credit.turn) != len(trajectory.turns):
        raise ValueError(
            f"credit.turn of {trajectory.trajectory_id} must have one entry per turn "
            f"({len(trajectory.turns)}), got {len(credit.turn)}."
        )
    found: list[Segment] = []
    current: Segment | None = None
    for turn in trajectory.turns:
        advantage = credit.turn[turn.turn_index] if credit is not None else 0.0
        tokens: Iterator[float] | None = None
        extras: dict[str, Iterator[float]] = {}
        if credit is not None:
            if credit.token is not None:
                tokens = _per_token(credit.token, "token", turn, trajectory)
            extras = {
                name: _per_token(rows, f"extras[{name!r}]", turn, trajectory)
                for name, rows in credit.extras.items()
            }
        for generation in turn.generations:
            prompt = generation.train_prompt_ids or generation.prompt_ids
            if (
                current is None
                or current.temperature != generation.temperature
                or prompt[: len(current.input_ids)] != current.input_ids
            ):
                current = Segment(
                    trajectory_id=trajectory.trajectory_id,
                    group_id=trajectory.group_id,
                    input_ids=[],
                    loss_mask=[],
                    turn_indices=[],
                    temperature=generation.temperature,
                    extras={name: [] for name in extras},
                )
                found.append(current)
            _append_untrained(current, prompt[len(current.input_ids) :])
            _append_generation(current, generation, turn.turn_index, advantage, tokens, extras)
    return [segment for segment in found if any(segment.loss_mask)]


def _per_token(
    rows: list[list[float]], name: str, turn: Turn, trajectory: Trajectory
) -> Iterator[float]:
    """Returns a turn's per-token numbers, after checking that they fit its tokens."""
    row = rows[turn.turn_index]
    expected = sum(len(g.completion_ids) for g in turn.generations if g.trainable)
    if len(row) != expected:
        raise ValueError(
            f"credit.{name}[{turn.turn_index}] of {trajectory.trajectory_id} must have one "
            f"entry per trainable completion token ({expected}), got {len(row)}."
        )
    return iter(row)


def _append_untrained(segment: Segment, ids: Sequence[int]) -> None:
    count = len(ids)
    segment.input_ids.extend(ids)
    segment.loss_mask.extend([False] * count)
    segment.turn_indices.extend([-1] * count)
    aligned = (segment.advantages, segment.sampler_logprobs, segment.old_logprobs)
    for values in (*aligned, *segment.extras.values()):
        values.extend([0.0] * count)


def _append_generation(
    segment: Segment,
    generation: Generation,
    turn_index: int,
    advantage: float,
    token_advantages: Iterator[float] | None,
    extras: dict[str, Iterator[float]],
) -> None:
    if not generation.trainable:
        _append_untrained(segment, generation.completion_ids)
        return
    count = len(generation.completion_ids)
    old = generation.old_logprobs or generation.sampler_logprobs
    segment.input_ids.extend(generation.completion_ids)
    segment.loss_mask.extend([True] * count)
    segment.turn_indices.extend([turn_index] * count)
    segment.sampler_logprobs.extend(generation.sampler_logprobs)
    segment.old_logprobs.extend(old)
    if token_advantages is None:
        segment.advantages.extend([advantage] * count)
    else:
        segment.advantages.extend(islice(token_advantages, count))
    for name, values in extras.items():
        segment.extras[name].extend(islice(values, count))


def count_norms(batch: Sequence[Segment]) -> Norms:
    """Returns the counts of a whole minibatch, at least 1 each."""
    return Norms(
        tokens=max(1, sum(s.num_tokens for s in batch)),
        segments=max(1, len(batch)),
        trajectories=max(1, len({s.trajectory_id for s in batch})),
        groups=max(1, len({s.group_id for s in batch})),
        turns=max(1, len({(s.trajectory_id, t) for s in batch for t in s.turn_indices if t >= 0})),
    )


def minibatches(
    items: Sequence[Segment], count: int, rng: np.random.Generator, *, whole_groups: bool
) -> list[list[Segment]]:
    """Deals segments into `count` random minibatches of nearly equal numbers of units.

    A unit is a trajectory (its segments stay together), or a group where the algorithm needs whole
    groups. Fewer units than minibatches give fewer minibatches.
    """
    units: dict[str, list[Segment]] = {}
    for segment in items:
        units.setdefault(segment.group_id if whole_groups else segment.trajectory_id, []).append(
            segment
        )
    keys = list(units)
    order = rng.permutation(len(keys))
    chunks = np.array_split(order, min(count, len(keys))) if keys else []
    return [[s for i in chunk for s in units[keys[i]]] for chunk in chunks]


def microbatches(
    batch: Sequence[Segment], max_tokens: int, *, whole_groups: bool
) -> list[list[Segment]]:
    """Cuts a minibatch so that rows times longest row stays within `max_tokens`.

    Rows are sorted by length, which keeps padding small. A single unit longer than the limit is a
    micro-batch of its own.
    """
    units: dict[str, list[Segment]] = {}
    for i, segment in enumerate(batch):
        units.setdefault(segment.group_id if whole_groups else str(i), []).append(segment)
    ordered = sorted(units.values(), key=lambda unit: max(len(s.input_ids) for s in unit))
    cut: list[list[Segment]] = []
    longest = 0
    for unit in ordered:
        longest_here = max(len(s.input_ids) for s in unit)
        if cut and (len(cut[-1]) + len(unit)) * max(longest, longest_here) <= max_tokens:
            cut[-1].extend(unit)
            longest = max(longest, longest_here)
        else:
            cut.append(list(unit))
            longest = longest_here
    return cut


def make_batch(items: Sequence[Segment], norms: Norms, device: torch.device) -> Batch:
    """Pads segments on the right to [B, L] tensors on `device`."""
    rows, longest = len(items), max(len(s.input_ids) for s in items)
    floats = np.zeros((3, rows, longest), dtype=np.float32)
    mask = np.zeros((rows, longest), dtype=bool)
    turns = np.full((rows, longest), -1, dtype=np.int64)
    for i, segment in enumerate(items):
        length = len(segment.input_ids)
        mask[i, :length] = segment.loss_mask
        turns[i, :length] = segment.turn_indices
        floats[0, i, :length] = segment.advantages
        floats[1, i, :length] = segment.old_logprobs
        floats[2, i, :length] = segment.sampler_logprobs
    advantages, old_logprobs, sampler_logprobs = torch.from_numpy(floats).to(device)
    extras = {name: np.zeros((rows, longest), dtype=np.float32) for name in items[0].extras}
    for name, padded in extras.items():
        for i, segment in enumerate(items):
            padded[i, : len(segment.input_ids)] = segment.extras[name]
    return Batch(
        segments=list(items),
        loss_mask=torch.from_numpy(mask).to(device),
        advantages=advantages,
        old_logprobs=old_logprobs,
        sampler_logprobs=sampler_logprobs,
        turn_indices=torch.from_numpy(turns).to(device),
        norms=norms,
        extras={name: torch.from_numpy(padded).to(device) for name, padded in extras.items()},
    )
