"""A language model of one layer with random weights, far from uniform: made in milliseconds."""

from typing import Any

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM


def small_model(vocab_size: int, **changes: Any) -> Qwen3ForCausalLM:
    """Returns equal weights in every call."""
    config = {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "num_key_value_heads": 1,
        "head_dim": 32,
        "initializer_range": 0.3,
        **changes,
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Qwen3ForCausalLM(Qwen3Config(vocab_size=vocab_size, **config))
