"""The implicit process reward model: a second policy whose log-ratio to the policy is a reward.

    S_{i,t} = sum over the tokens of turn t of  log pi_phi - log pi_base

pi_base is the policy that sampled, or another of the learner's models.

It is trained by preferences between whole trajectories, with the exact gradient of `two_pass`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from turnwise_agents.estimators.returns import Floats, Ints
from turnwise_agents.estimators.table import TurnTable
from turnwise_agents.losses import preference_loss
from turnwise_agents.segments import microbatches, segments
from turnwise_agents.two_pass import Contribution, backward_through_sums, sums
from turnwise_agents.types import Segment

if TYPE_CHECKING:
    from turnwise_agents.algorithms.base import Metrics, Services


class ImplicitRewardModel:
    """A learner's further model, over the turns of one iteration.

    Args:
        services: the learner, which holds the model and the policy that sampled, and the scorer,
            which keeps the account of what scoring cost.
        model: its name.
        table: the turns.
        beta: scale of the reward.
        base: what it is compared with, "policy" or the name of another model.
        mean: a trajectory's score is the mean over its turns, not their sum.
        micro_batch_tokens: upper limit of rows times longest row in a forward.
    """

    def __init__(
        self,
        services: Services,
        model: str,
        table: TurnTable,
        *,
        beta: float,
        base: str = "policy",
        mean: bool = False,
        micro_batch_tokens: int = 16384,
    ) -> None:
        self.learner = services.learner
        self.scorer = services.scorer
        self.model = model
        self.beta = beta
        self.base = base
        self.mean = mean
        self.micro_batch_tokens = micro_batch_tokens
        self._num_turns = len(table.turns)
        self._trajectory_ids = torch.from_numpy(table.trajectory_ids)
        self._lengths = torch.from_numpy(table.lengths)
        starts = np.cumsum(table.lengths) - table.lengths
        names = [t.trajectory_id for t in table.trajectories]
        self._first_turn = dict(zip(names, starts.tolist(), strict=True))
        self._segments = [s for t in table.trajectories for s in segments(t)]
        self._names = names

    def log_ratios(self) -> Floats:
        """Returns [S]: log pi_phi - log pi_base of every turn's action, 0 where not trainable.

        Both are computed by the learner in the same batches, so equal weights give exactly 0.
        """
        started = time.perf_counter()
        total = sums(self._micros(self._segments), self._contribution, self._num_turns)
        self.scorer.count(seconds=time.perf_counter() - started)
        found: Floats = total.numpy()
        return found

    def scores(self, log_ratios: Floats) -> Floats:
        """Returns [B]: beta times each trajectory's log-ratio."""
        scores: Floats = self._scores(torch.from_numpy(log_ratios)).numpy()
        return scores

    def update(self, log_ratios: Floats, pairs: npt.NDArray[Any]) -> Metrics:
        """Takes one optimiser step on the preference loss.

        Args:
            log_ratios: [S], of the current weights.
            pairs: [P, 2] rows (preferred, other) of trajectories.

        Returns:
            "reward_model/loss" before the step, and "reward_model/grad_norm".
        """
        started = time.perf_counter()
        index = torch.from_numpy(pairs)
        paired = {self._names[i] for i in np.unique(pairs)}
        loss = backward_through_sums(
            self._micros([s for s in self._segments if s.trajectory_id in paired]),
            self._contribution,
            torch.from_numpy(log_ratios),
            lambda turns: preference_loss(self._scores(turns), index),
            self.learner.backward,
        )
        stepped = self.learner.step()
        self.scorer.count(seconds=time.perf_counter() - started)
        norm = stepped.get(f"{self.model}/grad_norm", stepped.get("grad_norm", 0.0))
        return {"reward_model/loss": loss, "reward_model/grad_norm": norm}

    def _micros(self, items: list[Segment]) -> list[list[Segment]]:
        return microbatches(items, self.micro_batch_tokens, whole_groups=False)

    def _contribution(self, micro: list[Segment]) -> Contribution:
        """Returns (turn [n], log-ratio [n]) of the micro-batch's trained tokens."""
        training = torch.is_grad_enabled()
        # pi_base has no gradient in phi, so the second pass does without it.
        others = frozenset() if training else frozenset({self.base})
        outputs = self.learner.forward(micro, models=others, model=self.model)
        values = outputs.logprobs if training else outputs.logprobs - outputs.models[self.base]
        self.scorer.count(
            tokens=sum(len(s.input_ids) for s in micro) * (1 + len(others)),
            forwards=1 + len(others),
        )
        columns = [
            (row, column, self._first_turn[segment.trajectory_id] + turn)
            for row, segment in enumerate(micro)
            for column, turn in enumerate(segment.turn_indices)
            if turn >= 0
        ]
        rows, places, turns = torch.tensor(columns, dtype=torch.int64).T
        return turns, values[rows.to(values.device), places.to(values.device)]

    def _scores(self, log_ratios: Tensor) -> Tensor:
        totals = torch.zeros(len(self._lengths), dtype=log_ratios.dtype)
        totals = totals.index_add(0, self._trajectory_ids, log_ratios)
        if self.mean:
            totals = totals / self._lengths
        return self.beta * totals


def pair_metrics(scores: Floats, pairs: Ints, group_ids: Ints) -> Metrics:
    """Returns accuracy and margin on the pairs, and how many groups have none."""
    groups = len(set(group_ids.tolist()))
    paired = len(set(group_ids[pairs[:, 0]].tolist()))
    metrics = {
        "reward_model/pairs": float(len(pairs)),
        "reward_model/groups_without_pairs": (groups - paired) / max(1, groups),
    }
    if len(pairs):
        margins = scores[pairs[:, 0]] - scores[pairs[:, 1]]
        metrics["reward_model/accuracy"] = float(np.mean((margins > 0) + 0.5 * (margins == 0)))
        metrics["reward_model/margin"] = float(margins.mean())
    return metrics
