"""Training any transformers causal language model: full weights or LoRA, float32 or bfloat16.

Dropout stays off, in training too: the log-probabilities of the loss must be those of the sampler,
or the importance ratio of unchanged weights would not be 1.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from turnwise_agents.algorithms.base import Outputs
from turnwise_agents.learners.lora import add_lora, is_lora
from turnwise_agents.learners.optim import MasterAdamW, Schedule, schedule_factor
from turnwise_agents.learners.scoring import pad_segments, score_segments
from turnwise_agents.types import Segment
from turnwise_envs.errors import UsageError

STATE_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class HFLearnerConfig:
    """How a language model is trained."""

    learning_rate: float = 1e-6
    """Of AdamW; 1e-6 suits full weights of billions, 1e-5 to 1e-4 LoRA, 1e-3 the tiny preset."""
    head_learning_rate: float = 1e-4
    """Of the value head (PPO): one linear layer that starts at 0; usually 1e-5 to 1e-3."""
    weight_decay: float = 0.0
    """Decoupled, on matrices only."""
    betas: tuple[float, float] = (0.9, 0.95)
    """Decay rates of AdamW's two moments."""
    max_grad_norm: float = 1.0
    """Global gradient norm is clipped to this; 0 leaves it."""
    warmup_steps: int = 0
    """Optimiser steps of the policy over which all learning rates rise linearly."""
    lr_schedule: Schedule = "constant"
    """"constant", "linear" or "cosine" (to 0 at total_steps)."""
    total_steps: int = 0
    """Optimiser steps of the policy at which a falling schedule ends."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of weights and activations; bfloat16 weights are trained through float32 copies."""
    device: str = "auto"
    """"auto" takes the first accelerator, else the CPU."""
    lora_rank: int = 0
    """Rank of LoRA adapters on all linear layers but the head; 0 trains full weights."""
    lora_alpha: float = 32.0
    """Adapters are scaled by alpha / rank."""
    gradient_checkpointing: bool = False
    """Recompute activations in backward: about a third slower, far less memory."""
    attn_implementation: str = "sdpa"
    """Attention kernel of transformers."""

    def __post_init__(self) -> None:
        """Checks the fields."""
        for name in ("learning_rate", "head_learning_rate"):
            if getattr(self, name) <= 0:
                raise UsageError(f"{name} must be positive, got {getattr(self, name)}.")
        if self.lr_schedule not in ("constant", "linear", "cosine"):
            raise UsageError(
                f"lr_schedule must be constant, linear or cosine, got {self.lr_schedule!r}."
            )
        if self.lr_schedule != "constant" and self.total_steps <= self.warmup_steps:
            raise UsageError(
                f"total_steps must exceed warmup_steps ({self.warmup_steps}) with lr_schedule="
                f"{self.lr_schedule!r}, got {self.total_steps}. Set it to the run's steps."
            )
        if self.lora_rank < 0:
            raise UsageError(f"lora_rank must be 0 (off) or positive, got {self.lora_rank}.")


class HFLearner:
    """Scores segments with a transformers model and trains it.

    Gradients add up over `backward` calls until `step`. Every trainable model has an optimiser of
    its own, and so have the heads together ("heads").

    Args:
        model: a causal language model; trained in place and shared with a sampler.
        config: how to train it.
    """

    def __init__(self, model: Any, config: HFLearnerConfig | None = None) -> None:
        self.config = config or HFLearnerConfig()
        self.device = next(model.parameters()).device
        self.version = 0
        if self.config.gradient_checkpointing:
            model.activation_checkpointing_enable()
        if self.config.lora_rank:
            model = add_lora(model, self.config.lora_rank, self.config.lora_alpha)
        self.models: dict[str, Any] = {"policy": model.eval()}
        self.heads: dict[str, nn.Linear] = {}
        self._base_as: set[str] = set()
        self._optimizers: dict[str, MasterAdamW] = {"policy": self._optimizer("policy")}

    @property
    def model(self) -> Any:
        """The policy."""
        return self.models["policy"]

    # ---------------------------------------------------------------- scoring

    @property
    def scores_trees(self) -> bool:
        """Whether the model takes an attention mask of its own: SDPA over the full context."""
        config = self.model.config.get_text_config()
        kinds = getattr(config, "layer_types", None)
        if kinds is None:
            full = getattr(config, "sliding_window", None) is None
        else:
            full = set(kinds) == {"full_attention"}
        return full and config._attn_implementation == "sdpa"

    def forward(
        self,
        segments: Sequence[Segment],
        needs: frozenset[str] = frozenset(),
        models: frozenset[str] = frozenset(),
        model: str = "policy",
    ) -> Outputs:
        """Returns per-token outputs [B, L]; see `Learner.forward`.

        Values are those of the head "values" on the policy's last hidden state (or on `model`'s),
        at the position that predicts the token, for every token but the first.

        Raises:
            UsageError: If a model or a head is missing.
        """
        batch = pad_segments(segments, self.device)
        value_head = None
        if "values" in needs:
            if "values" not in self.heads:
                raise UsageError('needs "values" wants a head. Call add_head("values") in setup.')
            value_head = self.heads["values"]
        with self._using(model) as module:
            logprobs, entropy, values = score_segments(
                module, batch, entropy="entropy" in needs, value_head=value_head
            )
        outputs = Outputs(logprobs=logprobs, entropy=entropy, values=values)
        for name in sorted(models):
            with torch.no_grad(), self._using(name) as module:
                outputs.models[name] = score_segments(module, batch)[0]
        return outputs

    @contextmanager
    def _using(self, name: str) -> Iterator[Any]:
        if name in self._base_as:
            with self.model.disable_adapter():
                yield self.model
            return
        if name not in self.models:
            known = sorted([*self.models, *self._base_as])
            raise UsageError(f"model must be one of {known}, got {name!r}. Call add_model first.")
        module = self.models[name]
        recompute = self.config.gradient_checkpointing and torch.is_grad_enabled()
        with _recomputing(module) if recompute else nullcontext():
            yield module

    # ---------------------------------------------------------------- training

    def backward(self, loss: Tensor) -> None:
        """Adds the gradient of `loss`."""
        loss.backward()

    def step(self) -> dict[str, float]:
        """Clips, steps every model that has a gradient, zeroes.

        A gradient that is not finite is dropped with the step (the norm in the metrics shows it).

        Returns:
            "grad_norm" and "learning_rate" of the policy; of another model, and of the heads, as
            "name/grad_norm".
        """
        metrics: dict[str, float] = {}
        # A model that steps more rarely than the policy would still warm up when the run ends.
        factor = schedule_factor(
            self._optimizers["policy"].steps,
            self.config.warmup_steps,
            self.config.lr_schedule,
            self.config.total_steps,
        )
        for name, optimizer in self._optimizers.items():
            if not optimizer.has_gradient:
                continue
            prefix = "" if name == "policy" else f"{name}/"
            metrics[f"{prefix}grad_norm"] = optimizer.step(factor)
            metrics[f"{prefix}learning_rate"] = optimizer.learning_rate * factor
        self.version += 1
        return metrics

    def _optimizer(self, name: str, learning_rate_factor: float = 1.0) -> MasterAdamW:
        modules = self.heads.values() if name == "heads" else [self.models[name]]
        rate = self.config.head_learning_rate if name == "heads" else self.config.learning_rate
        return MasterAdamW(
            [p for module in modules for p in module.parameters() if p.requires_grad],
            learning_rate=rate * learning_rate_factor,
            betas=self.config.betas,
            weight_decay=self.config.weight_decay,
            max_grad_norm=self.config.max_grad_norm,
        )

    def add_head(self, name: str, init: float = 0.0) -> None:
        """Adds a scalar head on the policy's last hidden state; it predicts `init` at first.

        Raises:
            UsageError: If training has begun, or the head exists.
        """
        if name in self.heads or self.version:
            raise UsageError(f"head {name!r} must be new, and added in setup before any step.")
        head = nn.Linear(self.model.config.get_text_config().hidden_size, 1)
        nn.init.zeros_(head.weight)
        nn.init.constant_(head.bias, init)
        self.heads[name] = head.to(self.device)
        self._optimizers["heads"] = self._optimizer("heads")

    def add_model(
        self,
        name: str,
        init: str = "policy",
        trainable: bool = False,
        learning_rate_factor: float = 1.0,
    ) -> None:
        """Adds a further model as a copy of `init`; a known name is left alone.

        A frozen copy of a LoRA policy made before its first step costs nothing: it is the policy
        with its adapters switched off.
        """
        if name in self.models or name in self._base_as:
            return
        if init not in self.models:
            raise UsageError(f"init must be one of {sorted(self.models)}, got {init!r}.")
        source = self.models[init]
        if is_lora(source) and init == "policy" and not trainable and self.version == 0:
            self._base_as.add(name)
            return
        module = copy.deepcopy(source)
        if trainable:
            self.models[name] = module
            self._optimizers[name] = self._optimizer(name, learning_rate_factor)
        else:
            self.models[name] = module.requires_grad_(False)

    def weights(self) -> Any:
        """Returns the policy itself; a sampler in this process shares it."""
        return self.model

    # ---------------------------------------------------------------- persistence

    def state_dict(self) -> dict[str, Any]:
        """Returns models (of a LoRA model the adapters only), heads, optimisers and counters.

        The tensors are the learner's own: write them out, or copy them, before the next step.
        """
        return {
            "format": STATE_FORMAT,
            "version": self.version,
            "models": {name: _trained_state(m) for name, m in self.models.items()},
            "base_as": sorted(self._base_as),
            "heads": self._head_tensors(),
            "optimizers": {name: o.state_dict() for name, o in self._optimizers.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Reverses `state_dict`. Nothing is changed unless everything fits.

        Raises:
            UsageError: If the state is of another model, naming the first mismatch.
        """
        if state.get("format") != STATE_FORMAT:
            raise UsageError(
                f"The checkpoint's format must be {STATE_FORMAT}, got {state.get('format')!r}. "
                "Read it with the turnwise version that wrote it."
            )
        _expect_equal("base models", sorted(state["base_as"]), sorted(self._base_as))
        _expect_equal("models", sorted(state["models"]), sorted(self.models))
        for name, module in self.models.items():
            _check_tensors(f"model {name!r}", state["models"][name], _trained_state(module))
        _check_tensors("heads", state["heads"], self._head_tensors())
        _expect_equal("optimisers", sorted(state["optimizers"]), sorted(self._optimizers))
        for name, module in self.models.items():
            module.load_state_dict(state["models"][name], strict=False)
        with torch.no_grad():
            for name, tensor in self._head_tensors().items():
                tensor.copy_(state["heads"][name])
        for name, optimizer in self._optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.version = state["version"]

    def _head_tensors(self) -> dict[str, Tensor]:
        return {
            f"{name}.{part}": tensor.detach()
            for name, head in self.heads.items()
            for part, tensor in head.named_parameters()
        }

    def save_pretrained(self, path: str | Path, tokenizer: Any = None) -> None:
        """Writes the policy as an ordinary Hugging Face folder, LoRA adapters merged in."""
        model = self.model
        if is_lora(model):
            # Merging in place and undoing it would not give back the same weights.
            model = copy.deepcopy(model).merge_and_unload()
        model.save_pretrained(path)
        if tokenizer is not None:
            tokenizer.save_pretrained(path)


@contextmanager
def _recomputing(module: nn.Module) -> Iterator[None]:
    """Switches activation checkpointing on, which looks at the layers' training flag alone."""
    # Imported here, as a run of tables should not wait for the whole of transformers.
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [m for m in module.modules() if isinstance(m, GradientCheckpointingLayer)]
    for layer in layers:
        layer.training = True
    try:
        yield
    finally:
        for layer in layers:
            layer.training = False


def _trained_state(module: Any) -> dict[str, Tensor]:
    """The weights that a checkpoint needs: all, or a LoRA model's adapters."""
    state: dict[str, Tensor] = module.state_dict()
    if is_lora(module):
        state = {name: tensor for name, tensor in state.items() if "lora_" in name}
    return {name: tensor.detach() for name, tensor in state.items()}


def _expect_equal(what: str, theirs: Any, mine: Any) -> None:
    if theirs != mine:
        raise UsageError(
            f"The checkpoint's {what} must be {mine}, got {theirs}. "
            "Resume with the algorithm and the model of the run."
        )


def _check_tensors(what: str, theirs: dict[str, Tensor], mine: dict[str, Tensor]) -> None:
    for name in [*mine, *theirs]:
        here, there = (s[name].shape if name in s else None for s in (mine, theirs))
        if here != there:
            shown = [list(shape) if shape is not None else "absent" for shape in (here, there)]
            raise UsageError(
                f"{what}: {name} must have shape {shown[0]}, got {shown[1]} in the checkpoint. "
                "It is of another model; resume with the model of the run."
            )
