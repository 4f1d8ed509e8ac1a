"""The warm-started tiny models that the language-model experiments begin with.

    python benchmarks/learning/warm_starts.py household search webshop

Makes each once, in `runs/warm-start/NAME`, from the seed 0; all arms and seeds of an experiment
start from the same weights, so seeds vary tasks, rollouts and updates.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from turnwise_agents.cli_train import hide_loading_bars
from turnwise_agents.context import ContextConfig
from turnwise_agents.presets.tiny import CORPUS_EPISODES, prepare_tiny
from turnwise_agents.presets.tokenizer import MAX_PIECES
from turnwise_agents.presets.warm_start import WarmStartConfig
from turnwise_agents.threads import use_threads
from turnwise_envs import UsageError

FOLDER = Path("runs/warm-start")
"""Relative to the working directory: run everything from the repository's root."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """One warm start."""

    env_id: str
    """What it can play."""
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    """Its arguments."""
    max_new_tokens: int
    """Limit of one completion."""
    max_context_tokens: int
    """Limit of an episode."""
    max_steps: int
    """Most optimiser steps on good demonstrations."""
    competent: float = 0.5
    """Sampled success that ends them."""
    target: float = 0.2
    """Sampled success at which sloppy demonstrations stop."""
    corpus_episodes: int = CORPUS_EPISODES
    """Episodes that the tokenizer is trained on."""
    max_pieces: int = MAX_PIECES
    """Limit of the vocabulary."""

    def words(self, name: str) -> str:
        """Returns the words of `turnwise train` that go on from it."""
        kwargs = f" --env-kwargs '{json.dumps(self.env_kwargs)}'" if self.env_kwargs else ""
        return (
            f"--env {self.env_id}{kwargs} --model {FOLDER / name} --system-prompt False "
            f"--max-new-tokens {self.max_new_tokens} "
            f"--max-context-tokens {self.max_context_tokens}"
        )


SEARCH: dict[str, Any] = {
    "env_id": "turnwise/MultiHopSearch-v0",
    "env_kwargs": {
        "hops": [1, 2],
        "num_articles": 1200,
        "difficulty": "easy",
        "top_k": 1,
        "max_turns": 6,
    },
    "max_new_tokens": 16,
    "max_context_tokens": 384,
    "corpus_episodes": 1500,
}

STARTS = {
    "household": Start(
        env_id="turnwise/HouseholdSmall-v0",
        max_new_tokens=12,
        max_context_tokens=640,
        max_steps=1500,
    ),
    "search": Start(**SEARCH, max_steps=1500),
    "search-competent": Start(**SEARCH, max_steps=4000),
    "webshop": Start(
        env_id="turnwise/WebShop-v0",
        env_kwargs={"num_products": 200, "max_turns": 8},
        max_new_tokens=24,
        max_context_tokens=1024,
        max_steps=1500,
        max_pieces=2560,
    ),
}


def make(name: str) -> None:
    """Makes one warm start, unless it is there."""
    start, folder = STARTS[name], FOLDER / name
    if folder.exists():
        print(f"{folder} is there already")
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    hide_loading_bars()
    use_threads(1)
    prepare_tiny(
        [start.env_id],
        start.env_kwargs,
        folder,
        progress=print,
        context=ContextConfig(system_prompt=False, max_context_tokens=start.max_context_tokens),
        config=WarmStartConfig(
            max_steps=start.max_steps,
            competent=start.competent,
            target=start.target,
            max_new_tokens=start.max_new_tokens,
        ),
        corpus_episodes=start.corpus_episodes,
        max_pieces=start.max_pieces,
    )


@dataclass(frozen=True)
class Config:
    """What to make."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional] = tuple(STARTS)
    """Names of warm starts; all of them where none is given."""


def main(config: Config) -> None:
    for name in config.names:
        if name not in STARTS:
            raise UsageError(f"names must be among {sorted(STARTS)}, got {name!r}.")
        make(name)


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
