"""Time of IGPO's scoring: beliefs after every turn, shared beginnings once, or prompt by prompt.

    python benchmarks/speed/beliefs.py

A random model; conversations of one task that grow turn by turn; an answer of three tokens after
every prompt. Prints tokens, forwards and seconds of both ways in the same run, the ratio of the
best times, and the largest difference between their log-probabilities.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import numpy as np
import torch
import tyro
from transformers import Qwen3ForCausalLM

from turnwise_agents.learners.hf import HFLearner
from turnwise_agents.presets.tiny import tiny_config
from turnwise_agents.scorer import Scorer

VOCABULARY = 2000


@dataclass
class Config:
    """What to measure."""

    episodes: int = 16
    """Conversations, which share their first prompt."""
    turns: int = 10
    """Turns of a conversation."""
    turn_tokens: int = 100
    """Tokens that a turn adds."""
    width: int = 256
    """Hidden size of the model, a multiple of 32. The tiny preset has 64."""
    repeats: int = 3
    """Measurements of each."""


class OneByOne(HFLearner):
    """Takes no trees: every prompt is a row of its own."""

    scores_trees = False


def conversations(config: Config) -> list[list[int]]:
    """Returns the prompts of every turn of every conversation."""
    rng = np.random.default_rng(0)
    first = rng.integers(VOCABULARY, size=config.turn_tokens).tolist()
    prompts = []
    for _ in range(config.episodes):
        rest = rng.integers(VOCABULARY, size=(config.turns - 1) * config.turn_tokens).tolist()
        ids = first + rest
        prompts += [ids[: (t + 1) * config.turn_tokens] for t in range(config.turns)]
    return prompts


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(tiny_config(VOCABULARY, width=config.width))
    prompts = conversations(config)
    answers = [[1, 2, 3]] * len(prompts)
    best, found = [], []
    print("| scoring | tokens | forwards | best s | median s |\n|---|---|---|---|---|")
    for name, learner in (("prompt by prompt", OneByOne(model)), ("shared", HFLearner(model))):
        scorer = Scorer(learner)
        times = []
        for _ in range(config.repeats):
            scorer.take_stats()
            started = time.perf_counter()
            rows = scorer.logprobs(prompts, answers)
            times.append(time.perf_counter() - started)
        stats = scorer.take_stats()
        counts = f"{stats['scored_tokens']:.0f} | {stats['scoring_forwards']:.0f}"
        print(f"| {name} | {counts} | {min(times):.2f} | {statistics.median(times):.2f} |")
        best.append(min(times))
        found.append(np.array(rows))
    print(f"ratio of the best times: {best[0] / best[1]:.1f}")
    print(f"largest difference: {np.abs(found[0] - found[1]).max():.1e}")


if __name__ == "__main__":
    main()
