"""GPU memory of training, computed from a model's dimensions (not measured).

    python benchmarks/memory.py
    python benchmarks/memory.py --tokens 32768 --sessions 256 --context 4096

What is counted, in bytes, for P weights of which T are trained (LoRA: the adapters), in bfloat16:

    weights        2 P
    gradients      2 T
    optimiser      12 T   float32 copy of what is trained and AdamW's two moments
    activations    with checkpointing: 2 * tokens * hidden * layers (the inputs of the layers) and
                   one layer in full; without: every layer in full. One layer in full is
                   2 * tokens * (10 * hidden + 2 * kv + 3 * intermediate)
    logits         2 * vocabulary * tokens / 4 (a quarter of the tokens is trained), and the float32
                   chunk of 2^26 entries with its gradient
    KV cache       2 * 2 * layers * kv * context * sessions

kv is key-value heads times head size. Framework, fragmentation and the CUDA context (1 to 2 GiB)
are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import tyro

GIB = 2**30
CHUNK = 2**26


@dataclass(frozen=True)
class Dimensions:
    """A decoder's published dimensions."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    intermediate: int
    vocabulary: int
    tied: bool
    bias: bool = True

    @property
    def kv(self) -> int:
        """Width of keys and of values."""
        return self.hidden // self.heads * self.kv_heads

    def weights(self) -> int:
        """Number of weights of a Qwen2 model."""
        attention = 2 * self.hidden**2 + 2 * self.hidden * self.kv
        attention += (self.hidden + 2 * self.kv) * self.bias
        layer = attention + 3 * self.hidden * self.intermediate + 2 * self.hidden
        embeddings = self.vocabulary * self.hidden * (1 if self.tied else 2)
        return embeddings + self.layers * layer + self.hidden

    def adapters(self, rank: int) -> int:
        """Number of weights of LoRA adapters on all linear layers."""
        pairs = [(self.hidden, self.hidden)] * 2 + [(self.hidden, self.kv)] * 2
        pairs += [(self.hidden, self.intermediate)] * 3
        return self.layers * rank * sum(a + b for a, b in pairs)


MODELS = {
    "Qwen2.5-0.5B": Dimensions(896, 24, 14, 2, 4864, 151936, True),
    "Qwen2.5-1.5B": Dimensions(1536, 28, 12, 2, 8960, 151936, True),
    "Qwen2.5-3B": Dimensions(2048, 36, 16, 2, 11008, 151936, True),
    "Qwen2.5-7B": Dimensions(3584, 28, 28, 4, 18944, 152064, False),
}


@dataclass
class Config:
    """What to compute for."""

    tokens: int = 16384
    """Tokens of one micro-batch (`trainer.micro_batch_tokens`)."""
    rank: int = 32
    """LoRA rank (`learner.lora_rank`)."""
    sessions: int = 128
    """Episodes alive at once (`max_concurrent`)."""
    context: int = 4096
    """Tokens of context per episode (`max_context_tokens`)."""


def parts(model: Dimensions, config: Config, *, lora: bool, checkpointing: bool) -> dict[str, int]:
    """Returns the bytes of each part."""
    weights = model.weights()
    trained = model.adapters(config.rank) if lora else weights
    layer = 2 * config.tokens * (10 * model.hidden + 2 * model.kv + 3 * model.intermediate)
    inputs = 2 * config.tokens * model.hidden * model.layers
    return {
        "weights": 2 * (weights + (trained if lora else 0)),
        "gradients": 2 * trained,
        "optimiser": 12 * trained,
        "activations": inputs + layer if checkpointing else layer * model.layers,
        "logits": 2 * model.vocabulary * config.tokens // 4 + 2 * 4 * CHUNK,
        "KV cache": 2 * 2 * model.layers * model.kv * config.context * config.sessions,
    }


def table(config: Config) -> str:
    """Returns the Markdown table."""
    lines = [
        f"Computed, not measured: bfloat16, {config.tokens:,} tokens a micro-batch, LoRA rank "
        f"{config.rank}, {config.sessions} episodes of {config.context:,} tokens; GiB.",
        "",
    ]
    names = list(parts(next(iter(MODELS.values())), config, lora=True, checkpointing=True))
    lines.append("| model | training | " + " | ".join(names) + " | sum |")
    lines.append("|---" * (len(names) + 3) + "|")
    for name, model in MODELS.items():
        for lora in (True, False):
            sizes = parts(model, config, lora=lora, checkpointing=True)
            cells = [f"{sizes[n] / GIB:.1f}" for n in names]
            total = sum(sizes.values()) / GIB
            kind = "LoRA" if lora else "full"
            lines.append(f"| {name} | {kind} | " + " | ".join(cells) + f" | {total:.1f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(tyro.cli(Config, description=__doc__)))
