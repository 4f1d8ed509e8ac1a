"""From the turns of an iteration to flat arrays over *tokens*, and back to `Credit`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from turnwise_agents.estimators.returns import Floats, Ints
from turnwise_agents.estimators.table import TurnTable
from turnwise_agents.types import Credit
from turnwise_envs.errors import UsageError


class TokenTable:
    """All trainable tokens of an iteration, [N], trajectory by trajectory in time order.

    The reward of a turn lies on its last token; a channel with one entry per token lies on those
    tokens. The reward of a turn without a trainable token (an empty completion) lies on the last
    token before it, which is the last decision that led to it; where there is none it is dropped,
    and so is that of the prefix that a branch copied from its parent.

    Args:
        table: the turns.
        channels: reward channels that flow back, added to the environment's reward; those among
            the table's `immediate` ones are not.

    Attributes:
        turn_rows: [N] int, row of the token's turn in `table`.
        trajectory_ids: [N] int, row of the token's trajectory.
        rewards: [N].
        trainable: [N] bool, False where the table's turn is not.
        first: [N] bool, first token of its turn.
        trained_counts: [B] int, number of trainable tokens of each trajectory of `table`.
    """

    def __init__(self, table: TurnTable, channels: Sequence[str] = ()) -> None:
        self.table = table
        counts = [
            sum(len(g.completion_ids) for g in turn.generations if g.trainable)
            for turn in table.turns
        ]
        self.counts: Ints = np.array(counts, dtype=np.int64)
        self.turn_rows: Ints = np.repeat(np.arange(len(counts)), self.counts)
        self.trajectory_ids: Ints = table.trajectory_ids[self.turn_rows]
        self.trainable: npt.NDArray[np.bool_] = table.trainable[self.turn_rows]
        self.trained_counts: Ints = np.bincount(
            self.trajectory_ids[self.trainable], minlength=len(table.trajectories)
        )
        self.ends: Ints = np.cumsum(self.counts)
        self.first = np.zeros(len(self.turn_rows), dtype=bool)
        self.first[(self.ends - self.counts)[self.counts > 0]] = True
        self.rewards: Floats = np.zeros(len(self.turn_rows))
        self._place_rewards(channels)

    def _place_rewards(self, channels: Sequence[str]) -> None:
        flowing = self.table.rewards.copy()
        for name in channels:
            for row, turn in enumerate(self.table.turns):
                values = turn.channels.get(name, 0.0)
                if isinstance(values, list):
                    flowing[row] -= float(np.sum(values))
                    self.rewards[self._slice(row, len(values), name)] += values
        for row, end in enumerate(self.ends.tolist()):
            last = end - 1
            if last >= 0 and self.trajectory_ids[last] == self.table.trajectory_ids[row]:
                self.rewards[last] += flowing[row]

    def _slice(self, row: int, given: int, name: str) -> slice:
        count, end = int(self.counts[row]), int(self.ends[row])
        if given != count:
            raise UsageError(
                f"channel {name!r} must have one entry per trainable token of its turn ({count}), "
                f"got {given}."
            )
        return slice(end - count, end)

    def flatten(self, scores: Mapping[str, list[list[float]]]) -> Floats:
        """Returns [N] from per-token lists by trajectory id (`token_scores`)."""
        rows = [row for t in self.table.trajectories for row in scores[t.trajectory_id]]
        return np.array([value for row in rows for value in row], dtype=np.float64)

    def nest(self, values: Floats) -> list[list[list[float]]]:
        """Returns [B][T_i][n] lists from [N]."""
        flat, ends = values.tolist(), self.ends.tolist()
        rows = [flat[end - n : end] for end, n in zip(ends, self.counts.tolist(), strict=True)]
        stops = np.cumsum(self.table.lengths).tolist()
        lengths = self.table.lengths.tolist()
        return [rows[stop - n : stop] for stop, n in zip(stops, lengths, strict=True)]

    def credits(
        self, advantages: Floats, extras: Mapping[str, Floats] | None = None
    ) -> list[Credit]:
        """Returns the credits from [N] advantages; 0 where not trainable.

        A turn's own entry is the mean over its tokens, for the viewer. A trajectory without a
        trainable token gets no `Credit`, as in `TurnTable.credits`.
        """
        tokens = self.nest(np.where(self.trainable, advantages, 0.0))
        trained = set(self.trajectory_ids[self.trainable].tolist())
        further = {name: self.nest(values) for name, values in (extras or {}).items()}
        return [
            Credit(
                trajectory_id=trajectory.trajectory_id,
                turn=[sum(row) / len(row) if row else 0.0 for row in tokens[i]],
                token=tokens[i],
                extras={name: nested[i] for name, nested in further.items()},
            )
            for i, trajectory in enumerate(self.table.trajectories)
            if i in trained
        ]
