"""Checkpoints: written whole or not at all, at iteration ends."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path
from typing import Any

import torch

from turnwise_envs import UsageError
from turnwise_envs.errors import TurnwiseError

FORMAT = 1
_NAME = re.compile(r"iteration-(\d{6,})")


class CheckpointError(TurnwiseError, OSError):
    """A checkpoint could not be written or read; earlier ones are untouched."""


def save_checkpoint(run_dir: Path, iteration: int, state: dict[str, Any], *, keep: int = 2) -> Path:
    """Writes `state` under `run_dir/checkpoints/iteration-NNNNNN` and drops the oldest.

    The state goes to a temporary folder first, is flushed to the disk, and appears under its name
    in one rename, so an interruption at any moment leaves the previous checkpoint in force.

    Args:
        run_dir: the run's folder.
        iteration: number of finished iterations.
        state: tensors and plain data (no other objects).
        keep: how many of the newest to keep.

    Returns:
        The checkpoint's folder.

    Raises:
        CheckpointError: If it cannot be written (full disk, no permission).
    """
    folder = run_dir / "checkpoints"
    final = folder / f"iteration-{iteration:06d}"
    partial = folder / f".partial-{os.getpid()}"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        with (partial / "state.pt").open("wb") as file:
            torch.save({"format": FORMAT, "iteration": iteration, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        if final.exists():
            shutil.rmtree(final)
        partial.rename(final)
    except (OSError, RuntimeError) as error:
        with contextlib.suppress(OSError):
            shutil.rmtree(partial, ignore_errors=True)
        last = latest_checkpoint(run_dir)
        held = f"The last good one is {last}." if last else "There is none before it."
        raise CheckpointError(
            f"checkpoint {final} could not be written: {error}. {held} "
            "Free space or fix permissions, then continue with --resume."
        ) from error
    for old in list_checkpoints(run_dir)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def list_checkpoints(run_dir: Path) -> list[Path]:
    """Returns the finished checkpoints of a run, oldest first."""
    folder = run_dir / "checkpoints"
    found = [p for p in folder.glob("iteration-*") if _NAME.fullmatch(p.name)]
    return sorted(found, key=lambda p: int(p.name.split("-")[1]))


def latest_checkpoint(run_dir: Path) -> Path | None:
    """Returns the newest finished checkpoint, or None."""
    found = list_checkpoints(run_dir)
    return found[-1] if found else None


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Reads a checkpoint's state.

    Raises:
        CheckpointError: If the file is missing or damaged.
        UsageError: If another version wrote it.
    """
    file = path / "state.pt"
    try:
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen unrelated types for damaged files
        raise CheckpointError(
            f"checkpoint {file} could not be read: {str(error).splitlines()[0]}. "
            "Remove its folder to continue from the one before it."
        ) from error
    if state.get("format") != FORMAT:
        raise UsageError(
            f"checkpoint format must be {FORMAT}, got {state.get('format')!r}. "
            "Resume with the turnwise version that wrote it."
        )
    return state
