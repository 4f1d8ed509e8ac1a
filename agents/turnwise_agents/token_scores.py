"""Per-token numbers of whole episodes, by the current weights: values, log-probabilities.

Every segment is scored once, so an episode with its full history costs one forward whatever its
number of turns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from turnwise_agents.learners.base import Learner
from turnwise_agents.segments import microbatches, segments
from turnwise_agents.types import Trajectory

TokenScores = dict[str, list[list[float]]]
"""trajectory_id -> one list per turn, aligned with the completion ids of its trainable
generations in order (the layout of `Credit.token`)."""


@torch.no_grad()
def token_scores(
    trajectories: Sequence[Trajectory],
    learner: Learner,
    *,
    values: bool = False,
    models: frozenset[str] = frozenset(),
    max_batch_tokens: int = 16_384,
    count: Callable[[int, int], None] | None = None,
) -> dict[str, TokenScores]:
    """Scores every trainable token, without gradient.

    Args:
        trajectories: finished episodes.
        learner: whose weights score.
        values: whether to return the value head's output at the position that predicts the token.
        models: further models whose log-probabilities are wanted.
        max_batch_tokens: rows times longest row of one forward.
        count: told (tokens, forwards) of every batch.

    Returns:
        "logprobs" (of the policy), "values" where asked for, and the name of each further model.
    """
    items = [s for t in trajectories for s in segments(t)]
    names = ["logprobs", *(["values"] if values else []), *sorted(models)]
    rows: dict[int, dict[str, list[float]]] = {}
    needs = frozenset({"values"} if values else ())
    for micro in microbatches(items, max_batch_tokens, whole_groups=False):
        outputs = learner.forward(micro, needs, models)
        if count is not None:
            forwards = 1 + len(models)
            count(sum(len(s.input_ids) for s in micro) * forwards, forwards)
        found: dict[str, Tensor] = {"logprobs": outputs.logprobs, **outputs.models}
        if outputs.values is not None:
            found["values"] = outputs.values
        scored = {name: found[name].double().cpu().tolist() for name in names}
        for i, segment in enumerate(micro):
            rows[id(segment)] = {name: scored[name][i] for name in names}
    result: dict[str, TokenScores] = {
        name: {t.trajectory_id: [[] for _ in t.turns] for t in trajectories} for name in names
    }
    for segment in items:
        for name, row in rows[id(segment)].items():
            turns = result[name][segment.trajectory_id]
            for position, trained in enumerate(segment.loss_mask):
                if trained:
                    turns[segment.turn_indices[position]].append(row[position])
    return result
