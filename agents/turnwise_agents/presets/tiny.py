"""The tiny preset: a language model of about 200,000 weights, made on the spot without a download.

A small Qwen3-architecture model from a config, a tokenizer trained on the environments' own text,
and a supervised warm start, saved as an ordinary Hugging Face folder: everything that reads a
checkpoint reads it. (Not Qwen2: transformers 5 gives every model of that type Qwen2's own tokenizer
class, which rebuilds a folder's tokenizer as byte pairs and so loses this one's pieces.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from turnwise_agents.context import ChatContexts, ContextConfig, system_message
from turnwise_agents.presets.demonstrations import messages
from turnwise_agents.presets.tokenizer import MAX_PIECES, train_tokenizer
from turnwise_agents.presets.warm_start import WarmStartConfig
from turnwise_agents.presets.warm_start import warm_start as warm_start_model
from turnwise_envs.errors import UsageError

CORPUS_EPISODES = 600
"""Expert episodes that the tokenizer is trained on, over all environments."""

_SENTENCE_ENDS = re.compile(r"(?<=[.!?])(?=\s)|(?<=\n)")


def tiny_config(
    vocab_size: int, *, num_layers: int = 2, width: int = 64, max_tokens: int = 4096
) -> Qwen3Config:
    """Returns the config of a small Qwen3 model with tied embeddings and heads of 32.

    Args:
        vocab_size: of the tokenizer.
        num_layers: layers.
        width: hidden size, a multiple of 32; the MLP is three times as wide.
        max_tokens: longest sequence.

    Raises:
        UsageError: If the width does not divide.
    """
    if width % 32:
        raise UsageError(f"width must be a multiple of 32, got {width}.")
    return Qwen3Config(
        vocab_size=vocab_size,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=num_layers,
        num_attention_heads=width // 32,
        num_key_value_heads=width // 32,
        head_dim=32,
        max_position_embeddings=max_tokens,
        tie_word_embeddings=True,
        # The usual 0.02 is for widths of thousands: 64 learns to copy names in half the steps.
        initializer_range=0.08,
    )


def train_suite_tokenizer(
    env_ids: Sequence[str],
    env_kwargs: dict[str, Any],
    seed: int,
    episodes: int = CORPUS_EPISODES,
    num_tasks: int | None = None,
    max_pieces: int = MAX_PIECES,
    instructions: Sequence[str] = (),
) -> Any:
    """Returns a tokenizer trained on episodes of these environments' (first `num_tasks`) tasks.

    With `instructions`, an episode's text holds the sentences of one of them and of the grammar, so
    that no piece crosses the border of two sentences, which may stand beside others elsewhere.
    """
    rng = np.random.default_rng([seed, 0])
    documents = []
    for env_id in env_ids:
        env = gym.make(env_id, **env_kwargs)
        for i in range(max(1, episodes // len(env_ids))):
            document = messages(env, rng, num_tasks)
            if instructions:
                told = instructions[i % len(instructions)]
                document |= set(_SENTENCE_ENDS.split(system_message(env.unwrapped, told)))
            documents.append(document)
        env.close()
    return train_tokenizer(documents, max_pieces=max_pieces)


def build_tiny(tokenizer: Any, seed: int, *, num_layers: int = 2, width: int = 64) -> Any:
    """Returns a freshly initialised model for the tokenizer; torch's own generator is untouched."""
    config = tiny_config(len(tokenizer), num_layers=num_layers, width=width)
    config.eos_token_id = tokenizer.eos_token_id
    config.pad_token_id = tokenizer.pad_token_id
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen3ForCausalLM(config)
    return model.eval()


def prepare_tiny(
    env_ids: Sequence[str],
    env_kwargs: dict[str, Any],
    folder: Path,
    seed: int = 0,
    warm_start: bool = True,
    progress: Callable[[str], None] | None = None,
    *,
    context: ContextConfig | None = None,
    config: WarmStartConfig | None = None,
    num_layers: int = 2,
    width: int = 64,
    num_tasks: int | None = None,
    corpus_episodes: int = CORPUS_EPISODES,
    max_pieces: int = MAX_PIECES,
    instructions: Sequence[str] = (),
) -> Path:
    """Makes the preset for some environments and saves it.

    Args:
        env_ids: environments to speak the language of.
        env_kwargs: arguments of `gym.make`, for all of them.
        folder: where the Hugging Face folder goes; must not exist.
        seed: of corpus, weights and warm start.
        warm_start: whether to train on expert episodes; needs an environment with an expert.
        progress: told what happens, in lines of text.
        context: the format of the prompts in the run to come; the default has no system message.
        config: of the warm start.
        num_layers: of the model.
        width: of the model.
        num_tasks: speak and learn the first so many tasks only; None takes all.
        corpus_episodes: episodes that the tokenizer is trained on; more where names are many.
        max_pieces: limit of the vocabulary; what a token costs grows with it.
        instructions: learn from demonstrators that were told one of these, in turn, and so to heed
            what they heed; the default is the worlds' own.

    Returns:
        The folder.

    Raises:
        UsageError: If the folder exists, or the prompts would not show the instructions.
    """
    context = context or ContextConfig(system_prompt=False)
    if instructions and not context.system_prompt:
        raise UsageError(
            "context must have system_prompt=True with instructions, got False. "
            "The model would not see them."
        )
    if folder.exists():
        raise UsageError(f"folder must not exist yet, got {folder}. Choose another or remove it.")
    say = progress or (lambda line: None)
    tokenizer = train_suite_tokenizer(
        env_ids,
        env_kwargs,
        seed,
        corpus_episodes,
        num_tasks,
        instructions=instructions,
        max_pieces=max_pieces,
    )
    model = build_tiny(tokenizer, seed, num_layers=num_layers, width=width)
    weights = sum(p.numel() for p in model.parameters())
    say(f"tiny preset: {len(tokenizer)} tokens, {num_layers} x {width}, {weights:,} weights")
    if warm_start:
        contexts = ChatContexts(tokenizer, context)
        done = warm_start_model(
            model,
            tokenizer,
            contexts,
            env_ids,
            env_kwargs,
            config=config,
            seed=seed,
            progress=progress,
            num_tasks=num_tasks,
            instructions=instructions,
        )
        say(f"warm start: {sum(done.steps)} steps, success {done.success_rate:.2f}")
    # Written whole or not at all: an interrupted run finds no folder, not half of one.
    partial = folder.with_name(f"{folder.name}.partial")
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    partial.rename(folder)
    return folder
