"""Samples columns of a tabular policy, a whole batch at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from turnwise_agents.samplers.base import Request
from turnwise_agents.samplers.random_stream import uniforms
from turnwise_agents.tabular import TabularVocabulary
from turnwise_agents.types import Generation
from turnwise_envs.errors import UsageError


class TabularSampler:
    """Draws one column per request from the softmax of the row's logits / temperature.

    Rows newer than the loaded table are uniform. At temperature 0 the first best column is taken
    and the log-probabilities are those of temperature 1. A draw depends on the row and the
    request's stream alone, not on the batch.

    Args:
        vocabulary: whose heeding of instructions is followed, if any.
    """

    def __init__(self, vocabulary: TabularVocabulary | None = None) -> None:
        self._vocabulary = vocabulary
        self._logits: npt.NDArray[np.float64] = np.zeros((0, 0))
        self._version = 0

    def load(self, weights: Any, version: int) -> None:
        """Takes [rows, columns] logits (shared, not copied)."""
        self._logits = weights
        self._version = version

    def fork(self, session_id: str, new_session_id: str) -> None:
        """Does nothing: a row is the whole state of a session."""

    def close(self, session_ids: Sequence[str]) -> None:
        """Does nothing."""

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """Completes every prompt with one column.

        Raises:
            UsageError: If a prompt is not one row, or a request has no choices.
        """
        for request in requests:
            if len(request.prompt_ids) != 1 or not request.choices:
                raise UsageError(
                    "A tabular request must have one row as prompt and at least one choice, got "
                    f"prompt {request.prompt_ids} and choices {request.choices}."
                )
        if not requests:
            return []
        choices = [request.choices or [] for request in requests]
        counts = np.array([len(c) for c in choices])
        width = int(counts.max())
        columns = np.zeros((len(requests), width), dtype=np.int64)
        for i, own in enumerate(choices):
            columns[i, : len(own)] = own
        rows = np.array([request.prompt_ids[0] for request in requests])
        temperatures = np.array([request.sampling.temperature for request in requests])
        scaled = self._read(rows, columns) / np.where(temperatures > 0, temperatures, 1.0)[:, None]
        scaled[np.arange(width)[None, :] >= counts[:, None]] = -np.inf
        # The running sum adds column by column, so its bits do not depend on the batch's width.
        best = scaled.max(axis=1, keepdims=True)
        cumulative = np.exp(scaled - best).cumsum(axis=1)
        total = cumulative[:, -1:]
        targets = uniforms([request.stream for request in requests], 1) * total
        drawn = np.minimum((cumulative <= targets).sum(axis=1), counts - 1)
        drawn = np.where(temperatures > 0, drawn, scaled.argmax(axis=1))
        every = np.arange(len(requests))
        logprobs = (scaled - best - np.log(total))[every, drawn].tolist()
        return [
            Generation(
                prompt_ids=request.prompt_ids,
                completion_ids=[column],
                sampler_logprobs=[logprob],
                role=request.role,
                temperature=request.sampling.temperature,
                policy_version=self._version,
            )
            for request, column, logprob in zip(
                requests, columns[every, drawn].tolist(), logprobs, strict=True
            )
        ]

    def _read(
        self, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """Returns the logits at [B] rows and [B, K] columns, 0 outside the table."""
        heeding = None if self._vocabulary is None else self._vocabulary.heeding
        if heeding is None:
            return self._learnt(rows, columns)
        return heeding.fixed(rows, columns) + self._learnt(heeding.shared(rows), columns)

    def _learnt(
        self, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        height, width = self._logits.shape
        if not self._logits.size:
            return np.zeros(columns.shape)
        known = (rows[:, None] < height) & (columns < width)
        values = self._logits[np.minimum(rows, height - 1)[:, None], np.minimum(columns, width - 1)]
        return np.where(known, values, 0.0)
