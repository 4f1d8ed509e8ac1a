"""Tables that heed instructions, as a warm-started language model does.

    pi(a | s, I) = softmax(theta[s, a] + log p_I(a | s))
    p_I = (1 - carelessness) * (share of the demonstrator's actions) + carelessness * uniform

p_I is fixed: the world's demonstrator, told the instruction I, is asked a few times at s. theta is
what is trained; it begins at 0 and is shared by all instructions, so that what is learnt under one
of them counts under the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from turnwise_agents.policies import keyed_seed
from turnwise_envs.core import TextEnv

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


class Heeding:
    """The fixed part of a table's logits, by row; rows without one have logits 0.

    Args:
        demonstrations: times that the demonstrator is asked at a new row, at least 1.
        carelessness: share of random actions, above 0 and at most 1.
    """

    def __init__(self, demonstrations: int, carelessness: float) -> None:
        self.demonstrations = demonstrations
        self.carelessness = carelessness
        self._shared = np.zeros(0, dtype=np.int64)
        self._fixed = np.zeros((0, 0))
        self._own: dict[int, int] = {}

    def logits(self, world: TextEnv, menu: Sequence[str], told: str, *key: str) -> list[float]:
        """Returns log p_I over a sorted menu, at the world's present state.

        Args:
            world: stands at the state.
            menu: the actions.
            told: the instruction.
            key: names the random stream, with the instruction.
        """
        rng = np.random.default_rng(keyed_seed("heed", *key, told))
        asked = [world.demonstration_action(rng, told) for _ in range(self.demonstrations)]
        counts = np.array([asked.count(action) for action in menu], dtype=np.float64)
        uniform = np.full(len(menu), 1.0 / len(menu))
        shown = counts / counts.sum() if counts.any() else uniform
        mixed = (1.0 - self.carelessness) * shown + self.carelessness * uniform
        return [float(x) for x in np.log(mixed)]

    def knows(self, row: int) -> bool:
        """Returns whether `add` was called for a row."""
        return row in self._own

    def add(self, row: int, shared: int, logits: Sequence[float]) -> None:
        """Gives a row its fixed logits, and the row whose theta it reads."""
        rows, width = self._fixed.shape
        if row >= rows or len(logits) > width:
            rows, width = max(rows, 2 * row, 64), max(width, len(logits))
            fixed = np.zeros((rows, width))
            fixed[: self._fixed.shape[0], : self._fixed.shape[1]] = self._fixed
            every = np.arange(rows, dtype=np.int64)
            every[: len(self._shared)] = self._shared
            self._fixed, self._shared = fixed, every
        self._shared[row] = shared
        self._fixed[row, : len(logits)] = logits
        self._own[row] = len(logits)

    def shared(self, rows: IntArray) -> IntArray:
        """Returns the rows whose theta the given rows read, themselves where nothing is fixed."""
        if not len(self._shared):
            return rows
        known = rows < len(self._shared)
        return np.where(known, self._shared[np.where(known, rows, 0)], rows)

    def fixed(self, rows: IntArray, columns: IntArray) -> FloatArray:
        """Returns the fixed logits at [B] rows and [B or 1, K] columns, as [B, K]."""
        height, width = self._fixed.shape
        if not self._fixed.size:
            return np.zeros((len(rows), columns.shape[1]))
        inside = (rows[:, None] < height) & (columns < width)
        values = self._fixed[np.minimum(rows, height - 1)[:, None], np.minimum(columns, width - 1)]
        return np.where(inside, values, 0.0)

    def state_dict(self) -> dict[str, Any]:
        """Returns everything as plain data."""
        return {
            "demonstrations": self.demonstrations,
            "carelessness": self.carelessness,
            "rows": [
                [row, int(self._shared[row]), self._fixed[row, :count].tolist()]
                for row, count in self._own.items()
            ],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Heeding:
        """Reverses `state_dict`."""
        made = cls(state["demonstrations"], state["carelessness"])
        for row, shared, logits in state["rows"]:
            made.add(row, shared, logits)
        return made
