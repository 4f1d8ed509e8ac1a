"""Whole runs of a few iterations, in this process: the real trainer, sampler, learner and files."""

import dataclasses
from pathlib import Path
from typing import Any

import torch

from turnwise_agents.checkpoint import latest_checkpoint, load_checkpoint
from turnwise_agents.run import Run, config_class, load_config, save_config
from turnwise_agents.trainer import TrainerConfig


def make_config(run_dir: Path, algorithm: str, model: str, env: str, **fields: Any) -> Any:
    """A small run; `algo` and `trainer` are dictionaries of further fields."""
    kind = config_class(algorithm, model)
    nested = {f.name: f.default_factory for f in dataclasses.fields(kind)}
    algo = {"group_size": 4, "groups_per_iteration": 4, **fields.pop("algo", {})}
    trainer = {"iterations": 4, "checkpoint_every": 1, **fields.pop("trainer", {})}
    tiny = {"warm_start": False, "max_new_tokens": 6} if model == "tiny" else {}
    return kind(
        run_dir=run_dir,
        env=(env,),
        algo=nested["algo"](**algo),
        trainer=TrainerConfig(**trainer),
        **{**tiny, **fields},
    )


def start(config: Any) -> Run:
    """A run with its configuration on disk, ready to train."""
    run = Run(config)
    save_config(config)
    return run


def interrupted(config: Any, after: int, lost: int = 1) -> Run:
    """Trains `after` iterations, saves, loses the next ones, and comes back from disk."""
    run = start(config)
    for _ in range(after):
        run.trainer.iterate()
    run.trainer.save()
    for _ in range(lost):
        run.trainer.iterate()
    run.tracker.close()
    return Run(load_config(config.run_dir), resume=True)


def final_state(run_dir: Path) -> dict[str, Any]:
    path = latest_checkpoint(run_dir)
    assert path is not None
    return load_checkpoint(path)


def assert_same(a: Any, b: Any, where: str = "") -> None:
    """Compares nested states bit by bit."""
    assert type(a) is type(b), where
    if isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}/{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}[{i}]")
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    else:
        assert a == b, where
