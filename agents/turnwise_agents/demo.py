"""The demo: a warm start, then GiGPO, in a household text world, in ten minutes on one core.

It is `turnwise train` with fixed settings (`demo_config`), an evaluation on held-out tasks before
and after, and a page to look at. The tiny model learns faster by plain supervision on more expert
episodes; the point here is to watch turn-level credit assignment work.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from turnwise_agents.algorithms.gigpo import GiGPOConfig
from turnwise_agents.cli_train import hide_loading_bars
from turnwise_agents.learners.hf import HFLearnerConfig
from turnwise_agents.run import Run, TrainConfig, config_class, save_config
from turnwise_agents.statistics import wilson_interval
from turnwise_agents.trainer import TrainerConfig
from turnwise_agents.view import write_view
from turnwise_envs import UsageError

EVAL_TASKS = 256
LAST_EVALUATIONS = 5


@dataclass(frozen=True, kw_only=True)
class DemoConfig:
    """The demo's few knobs."""

    seed: int = 0
    """Seed of warm start, rollouts and updates."""
    run_dir: Path = Path("runs/demo")
    """Folder of the run; a number is added if it exists."""
    iterations: int = 60
    """GiGPO iterations."""
    algorithm: str = "gigpo"
    """Any algorithm that has GRPO's fields."""


def demo_config(config: DemoConfig) -> TrainConfig:
    """Returns the full training configuration of the demo."""
    return config_class(config.algorithm, "tiny")(
        env=("turnwise/HouseholdSmall-v0",),
        algorithm=config.algorithm,
        model="tiny",
        run_dir=config.run_dir,
        max_new_tokens=12,
        max_context_tokens=640,
        max_concurrent=EVAL_TASKS,
        eval_splits=("valid_seen", "valid_unseen"),
        eval_tasks=EVAL_TASKS,
        trainer=TrainerConfig(
            seed=config.seed,
            iterations=config.iterations,
            num_minibatches=4,
            micro_batch_tokens=4096,
            eval_every=max(1, config.iterations // 10),
            checkpoint_every=20,
            trajectories_every=20,
        ),
        algo=GiGPOConfig(
            groups_per_iteration=16,
            group_size=8,
            clip_ratio_high=0.28,
        ),
        learner=HFLearnerConfig(learning_rate=1e-3, warmup_steps=32),
    )


def free_folder(path: Path) -> Path:
    """Returns `path`, or `path-2`, `path-3`, ... where that exists already."""
    number, candidate = 1, path
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate


def evaluations(run_dir: Path, split: str) -> list[float]:
    """Returns the success rates of a run's evaluations on a split, first to last."""
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    key = f"eval/{split}/success_rate"
    return [row[key] for row in map(json.loads, lines) if key in row]


def run_demo(config: DemoConfig, console: Console | None = None) -> dict[str, float]:
    """Runs the demo and returns its figures.

    Returns:
        "before" and "after" per split (after: mean over the last five evaluations), and seconds.

    Raises:
        UsageError: If the configuration cannot be run.
    """
    if config.iterations < LAST_EVALUATIONS:
        raise UsageError(f"iterations must be at least {LAST_EVALUATIONS}.")
    console = console or Console()
    hide_loading_bars()
    started = time.perf_counter()
    train_config = demo_config(config)
    console.print(
        f"[bold]turnwise demo[/bold]: {config.algorithm} in {train_config.env[0]}, "
        f"seed {config.seed}, everything in {config.run_dir}"
    )
    run = Run(train_config, progress=console.print)
    save_config(train_config)
    warm = time.perf_counter()
    run.train()
    done = time.perf_counter()

    figures: dict[str, float] = {
        "warm_start_s": warm - started,
        "training_s": done - warm,
        "total_s": done - started,
    }
    table = Table(title=f"Sampled success on {EVAL_TASKS} held-out tasks (95 % intervals)")
    for column in ("split", "after the warm start", f"after {config.algorithm}"):
        table.add_column(column)
    for split in train_config.eval_splits:
        rates = evaluations(config.run_dir, split)
        last = rates[-LAST_EVALUATIONS:]
        figures[f"{split}/before"] = rates[0]
        figures[f"{split}/after"] = float(np.mean(last))
        table.add_row(split, _rate(rates[0], 1), _rate(float(np.mean(last)), len(last)))
    console.print(table)
    page = config.run_dir / "trajectories.html"
    newest = sorted((config.run_dir / "trajectories").glob("*.jsonl"))[-1]
    write_view(newest, page)
    console.print(
        f"{figures['total_s']:.0f} s in all "
        f"({figures['warm_start_s']:.0f} s warm start, {figures['training_s']:.0f} s training)."
    )
    console.print(f"Every turn with its advantage: {page.resolve()}")
    console.print(
        "Your own model: turnwise train --model YOUR/CHECKPOINT --env turnwise/Household-v0"
    )
    (config.run_dir / "demo.json").write_text(json.dumps(figures, indent=1) + "\n")
    return figures


def _rate(mean: float, evaluations_pooled: int) -> str:
    # The same tasks are played in every evaluation, so the interval counts the tasks once.
    low, high = wilson_interval(round(mean * EVAL_TASKS), EVAL_TASKS)
    note = f", mean of {evaluations_pooled} evaluations" if evaluations_pooled > 1 else ""
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]{note}"
