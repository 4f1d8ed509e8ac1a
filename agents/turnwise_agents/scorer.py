"""Teacher-forced log-probabilities and values, by the current weights, for whoever needs them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import torch

from turnwise_agents.learners.base import Learner
from turnwise_agents.prefixes import token_trees
from turnwise_agents.token_scores import TokenScores, token_scores
from turnwise_agents.types import Segment, Trajectory
from turnwise_envs.errors import UsageError


class Scorer:
    """Scores given texts of ids with a learner's models, without gradient.

    Prompts that share their beginning share its computation where the learner can (`prefixes`).

    Args:
        learner: whose models score.
        max_batch_tokens: padded tokens of one forward.
    """

    def __init__(self, learner: Learner, max_batch_tokens: int = 16_384) -> None:
        self.learner = learner
        self.max_batch_tokens = max_batch_tokens
        self._stats = {"scoring_s": 0.0, "scored_tokens": 0.0, "scoring_forwards": 0.0}

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
        started = time.perf_counter()
        found = token_scores(
            trajectories,
            self.learner,
            values=values,
            models=models,
            max_batch_tokens=self.max_batch_tokens,
            count=lambda tokens, forwards: self.count(tokens=tokens, forwards=forwards),
        )
        self.count(seconds=time.perf_counter() - started)
        return found

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
        started = time.perf_counter()
        rows = self._rows(prompts, completions, temperature, logits="values" not in needs)
        results: list[list[float]] = [[] for _ in prompts]
        for batch in self._batches([len(segment.input_ids) for segment, _ in rows]):
            segments = [rows[i][0] for i in batch]
            with torch.no_grad():
                outputs = self.learner.forward(segments, needs, model=model)
            scores = outputs.values if "values" in needs else outputs.logprobs
            assert scores is not None
            for i, row in zip(batch, scores.float().cpu().tolist(), strict=True):
                for number, path in rows[i][1].items():
                    results[number] = [row[position] for position in path]
            self.count(tokens=sum(len(s.input_ids) for s in segments), forwards=1)
        self.count(seconds=time.perf_counter() - started)
        return results

    def _rows(
        self,
        prompts: Sequence[list[int]],
        completions: Sequence[list[int]],
        temperature: float,
        *,
        logits: bool,
    ) -> list[tuple[Segment, Mapping[int, Sequence[int]]]]:
        """Returns the segments to score and, per pair in each, the positions of its tokens.

        Values need no logits, and a prompt's end is valued with any id behind it.
        """
        whole = [[*p, *c] for p, c in zip(prompts, completions, strict=True)]
        rows: list[tuple[Segment, Mapping[int, Sequence[int]]]] = []
        if not getattr(self.learner, "scores_trees", False):
            for i, ids in enumerate(whole):
                mask = [logits and n >= len(prompts[i]) for n in range(len(ids))]
                rows.append((_segment(ids, mask, temperature), {i: range(len(ids))}))
            return rows
        for tree in token_trees(whole, self.max_batch_tokens):
            mask = [False] * len(tree.ids)
            for i, path in tree.paths.items():
                for position in path[len(prompts[i]) :]:
                    mask[position] = logits
            segment = _segment(tree.ids, mask, temperature)
            # Without a branch it is an ordinary sequence, which attention handles faster.
            if tree.parents != list(range(-1, len(tree.ids) - 1)):
                segment.parents = tree.parents
            rows.append((segment, tree.paths))
        return rows

    def count(self, *, seconds: float = 0.0, tokens: int = 0, forwards: int = 0) -> None:
        """Adds to what scoring cost; for those who score with the learner themselves."""
        self._stats["scoring_s"] += seconds
        self._stats["scored_tokens"] += tokens
        self._stats["scoring_forwards"] += forwards

    def take_stats(self) -> dict[str, float]:
        """Returns "scoring_s", "scored_tokens" and "scoring_forwards" since the last call."""
        taken, self._stats = self._stats, dict.fromkeys(self._stats, 0.0)
        return taken

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


def _segment(ids: list[int], mask: list[bool], temperature: float) -> Segment:
    return Segment(
        trajectory_id="",
        group_id="",
        input_ids=ids,
        loss_mask=mask,
        turn_indices=[],
        temperature=temperature,
    )
