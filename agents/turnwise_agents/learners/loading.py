"""Models and tokenizers from a Hugging Face folder or hub id, with clear errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from turnwise_envs.errors import UsageError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def pick_device(name: str) -> torch.device:
    """Returns the device named, or for "auto" the first accelerator, else the CPU.

    Raises:
        UsageError: If the name means nothing to torch, or the device is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f'device must be "auto", "cpu" or an accelerator that is present, got {name!r} '
            f"({str(error).splitlines()[0]})."
        ) from error
    return device


def load_model_and_tokenizer(
    name_or_path: str | Path,
    *,
    dtype: str = "float32",
    device: str = "auto",
    attn_implementation: str = "sdpa",
    chat_template: str | None = None,
) -> tuple[Any, Any]:
    """Loads a causal language model and its tokenizer.

    Args:
        name_or_path: a folder that `save_pretrained` wrote, or a hub id such as "Qwen/Qwen3-0.6B".
        dtype: "float32" or "bfloat16".
        device: where the model goes.
        attn_implementation: "sdpa" or "eager" keep the cache over turns; others do not.
        chat_template: a Jinja text, or the path of a file, that replaces the tokenizer's own.

    Returns:
        The model, in eval mode, and the tokenizer, which has a chat template.

    Raises:
        UsageError: If the folder is missing or incomplete, the hub has no such model, or there is
            no chat template.
    """
    if dtype not in DTYPES:
        raise UsageError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}.")
    place = pick_device(device)
    _check_folder(str(name_or_path))
    model: Any
    try:
        tokenizer = AutoTokenizer.from_pretrained(name_or_path)
        model = AutoModelForCausalLM.from_pretrained(
            name_or_path, dtype=DTYPES[dtype], attn_implementation=attn_implementation
        )
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(
            f"model must be a readable Hugging Face folder or hub id, got {str(name_or_path)!r}: "
            f"{str(error).splitlines()[0]}"
        ) from error
    if chat_template is not None:
        tokenizer.chat_template = _template_text(chat_template)
    if not tokenizer.chat_template:
        raise UsageError(
            f"The tokenizer of {str(name_or_path)!r} must have a chat template, got none. Pass "
            "chat_template=..., or put a chat_template.jinja file into the folder; base models "
            "have none, instruction-tuned ones do."
        )
    return model.to(place).eval(), tokenizer


def _check_folder(name: str) -> None:
    """Tells a mistyped folder from a hub id before anything is looked up on the network."""
    folder = Path(name).expanduser()
    if not folder.is_dir():
        if name.startswith((".", "/", "~")) or name.count("/") != 1 or folder.exists():
            raise UsageError(
                f"model must be a Hugging Face folder or a hub id (owner/name), got {name!r}. "
                "There is no such folder; check the path."
            )
        return
    if not (folder / "config.json").is_file():
        raise UsageError(
            f"The model folder {name!r} must hold config.json, got "
            f"{sorted(p.name for p in folder.iterdir())[:8]}. Write it with save_pretrained."
        )
    if not any(folder.glob("*.safetensors")) and not any(folder.glob("pytorch_model*.bin")):
        raise UsageError(
            f"The model folder {name!r} must hold weights (*.safetensors), got none. "
            "Write it with save_pretrained."
        )
    if not any((folder / f).is_file() for f in ("tokenizer.json", "tokenizer_config.json")):
        raise UsageError(
            f"The model folder {name!r} must hold a tokenizer (tokenizer.json), got none. "
            "Write it with tokenizer.save_pretrained."
        )


def _template_text(template: str) -> str:
    if "{" in template:
        return template
    path = Path(template).expanduser()
    if not path.is_file():
        raise UsageError(
            f"chat_template must be a Jinja text or the path of a file, got {template!r}."
        )
    return path.read_text()
