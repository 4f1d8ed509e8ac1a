"""LoRA adapters through peft."""

from __future__ import annotations

from typing import Any

from turnwise_envs.errors import DependencyNotInstalled


def add_lora(model: Any, rank: int, alpha: float) -> Any:
    """Wraps `model` so that only low-rank adapters on its linear layers are trained.

    The adapters start at zero effect (their second factor is zero) and are kept in float32.

    Raises:
        DependencyNotInstalled: If peft is missing.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise DependencyNotInstalled(
            'lora_rank > 0 needs peft. Install it with pip install "turnwise[agents,lora]".'
        ) from error
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]  # any number scales
        lora_dropout=0.0,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def is_lora(model: Any) -> bool:
    """Whether `model` is a peft wrapper."""
    return hasattr(model, "disable_adapter") and hasattr(model, "peft_config")
