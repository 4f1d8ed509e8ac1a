"""Teacher-forced log-probabilities and values, by the current weights, for whoever needs them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from turnwise_agents.learners.base import Learner
from turnwise_agents.token_scores import TokenScores, token_scores
from turnwise_agents.types import Segment, Trajectory
from turnwise_envs.errors import UsageError


class Scorer:
    """Scores given texts of ids with a learner's models, without gradient.

    Args:
        learner: whose models score.
        max_batch_tokens: padded tokens of one forward.
    """

    def __init__(self, learner: Learner, max_batch_tokens: int = 16_384) -> None:
        self.learner = learner
        self.max_batch_tokens = max_batch_tokens

    def logprobs(
        self,
        prompts: Sequence[list[int]],
        completions: Sequence[list[int]],
        model: str = "policy",
        temperature: float = 1.0,
    ) -> list[list[float]]:
        """Returns log p(completion token | prompt, completion tokens before it).

        Args:
            prompts: ids; none may be empty, since nothing would predict the first token.
            completions: ids, one list a prompt; an empty one gives an empty list.
            model: which model scores.
            temperature: divides the logits.

        Returns:
            One list a pair, as long as its completion, in order.

        Raises:
            UsageError: If the lists differ in length, or a prompt is empty.
        """
        rows = self._score(prompts, completions, frozenset(), model, temperature)
        return [
            row[len(p) : len(p) + len(c)]
            for row, p, c in zip(rows, prompts, completions, strict=True)
        ]

    def values(
        self, prompts: Sequence[list[int]], completions: Sequence[list[int]]
    ) -> list[list[float]]:
        """Returns the value head's output at the position that predicts each completion token.

        To value a prompt's end alone, pass any single id as its completion.
        """
        rows = self._score(prompts, completions, frozenset({"values"}), "policy", 1.0)
        return [
            row[len(p) : len(p) + len(c)]
            for row, p, c in zip(rows, prompts, completions, strict=True)
        ]

    def tokens(
        self,
        trajectories: Sequence[Trajectory],
        *,
        values: bool = False,
        models: frozenset[str] = frozenset(),
    ) -> dict[str, TokenScores]:
        """Returns per-token numbers of whole episodes; see `token_scores.token_scores`."""
        return token_scores(
            trajectories,
            self.learner,
            values=values,
            models=models,
            max_batch_tokens=self.max_batch_tokens,
        )

    def _score(
        self,
        prompts: Sequence[list[int]],
        completions: Sequence[list[int]],
        needs: frozenset[str],
        model: str,
        temperature: float,
    ) -> list[list[float]]:
        if len(prompts) != len(completions):
            raise UsageError(
                f"completions must have the length of prompts ({len(prompts)}), "
                f"got {len(completions)}. Pass one completion a prompt."
            )
        for i, prompt in enumerate(prompts):
            if not prompt:
                raise UsageError(f"prompts[{i}] must hold at least one id, got none.")
        results: list[list[float]] = [[] for _ in prompts]
        lengths = [len(p) + len(c) for p, c in zip(prompts, completions, strict=True)]
        for batch in self._batches(lengths):
            segments = [
                Segment(
                    trajectory_id=str(i),
                    group_id="",
                    input_ids=[*prompts[i], *completions[i]],
                    # Values need no logits, and a prompt's end is valued with any id behind it.
                    loss_mask=[False] * len(prompts[i])
                    + ["values" not in needs] * len(completions[i]),
                    turn_indices=[],
                    temperature=temperature,
                )
                for i in batch
            ]
            with torch.no_grad():
                outputs = self.learner.forward(segments, needs, model=model)
            scores = outputs.values if "values" in needs else outputs.logprobs
            assert scores is not None
            for i, row in zip(batch, scores.float().cpu().tolist(), strict=True):
                results[i] = row[: lengths[i]]
        return results

    def _batches(self, lengths: list[int]) -> list[list[int]]:
        """Cuts the rows, sorted by length for little padding, into batches of bounded size."""
        batches: list[list[int]] = []
        for i in sorted(range(len(lengths)), key=lengths.__getitem__):
            # Ascending lengths: the newest row is the batch's width.
            if batches and (len(batches[-1]) + 1) * lengths[i] <= self.max_batch_tokens:
                batches[-1].append(i)
            else:
                batches.append([i])
        return batches
