"""The tabular laboratory: GRPO against GiGPO on Household, twenty seeds, through the real trainer.

    python benchmarks/learning/tabular_household.py

Trains a tabular policy on a *fixed set of training tasks* (a table cannot generalise, so this is
training success and is named so), from uniform logits and with the outcome as the only reward. Both
algorithms get the same grid of learning rates, compared on seeds that are not among the twenty, and
the same of everything else. Writes `tabular_household.json`, `.md` and `.png` beside this file: all
seeds, means with 95 % bootstrap intervals over seeds, and the paired difference.
"""

from __future__ import annotations

import json
import os
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import tyro

import turnwise_envs
from turnwise_agents.statistics import bootstrap_mean_interval

HERE = Path(__file__).resolve().parent
ENV_ID = "turnwise/HouseholdSmall-v0"
ALGORITHMS = ("grpo", "gigpo")


@dataclass(frozen=True)
class Config:
    """What to run."""

    seeds: int = 20
    """Seeds 0 ... seeds - 1 are reported."""
    tuning_seeds: tuple[int, ...] = (1000, 1001)
    """Seeds on which the learning rate is chosen, for each algorithm."""
    learning_rates: tuple[float, ...] = (0.6, 1.2, 2.4, 4.8)
    """The grid, the same for both."""
    tasks: int = 8
    """The first N tasks of the training split."""
    group_size: int = 8
    """Episodes per task and iteration."""
    iterations: int = 40
    """Iterations; every task is played in each."""
    max_turns: int = 50
    """Turn limit of an episode."""
    processes: int = 2
    """Runs at the same time, one thread each."""


def run(algorithm: str, seed: int, learning_rate: float, config: Config) -> dict[str, Any]:
    """Trains once; returns training success and environment steps of every iteration."""
    from turnwise_agents.algorithms import ALGORITHMS as CLASSES
    from turnwise_agents.algorithms.base import Services
    from turnwise_agents.learners.tabular import TabularLearnerConfig
    from turnwise_agents.rollout import EnvPool, Rollout
    from turnwise_agents.scorer import Scorer
    from turnwise_agents.tabular import build_tabular, no_text
    from turnwise_agents.task_pool import MixturePool, TaskSource
    from turnwise_agents.threads import use_threads
    from turnwise_agents.trainer import Trainer, TrainerConfig
    from turnwise_agents.types import Sampling

    use_threads(1)
    started = time.perf_counter()
    arguments = {"actions": "menu", "max_turns": config.max_turns}
    tasks = turnwise_envs.tasks(ENV_ID, split="train")
    learner, sampler, contexts = build_tabular(TabularLearnerConfig(learning_rate=learning_rate))
    kind = CLASSES[algorithm]
    options: dict[str, Any] = {"kl_coef": 0.0, "ent_coef": 0.0, "group_size": config.group_size}
    trainer = Trainer(
        TrainerConfig(seed=seed, iterations=config.iterations),
        algorithm=kind(kind.Config(groups_per_iteration=config.tasks, **options)),
        learner=learner,
        rollout=Rollout(
            sampler=sampler,
            contexts=contexts,
            envs=EnvPool({ENV_ID: arguments}),
            sampling=Sampling(max_new_tokens=1),
            seed=seed,
        ),
        pool=MixturePool([TaskSource(ENV_ID, tasks, limit=config.tasks)], seed),
        services=Services(scorer=Scorer(learner), learner=learner, generate=no_text, seed=seed),
    )
    success, steps, merged = [], [], []
    for _ in range(config.iterations):
        steps.append(trainer.env_steps)
        metrics = trainer.iterate()
        success.append(metrics["rollout/success_rate"])
        merged.append(metrics.get("credit/merge_rate", 0.0))
    return {
        "algorithm": algorithm,
        "seed": seed,
        "learning_rate": learning_rate,
        "success": success,
        "env_steps": steps,
        "total_env_steps": trainer.env_steps,
        "merge_rate": float(np.mean(merged)),
        "seconds": time.perf_counter() - started,
    }


def final(row: dict[str, Any]) -> float:
    """Training success over the last five iterations."""
    return float(np.mean(row["success"][-5:]))


def area(row: dict[str, Any]) -> float:
    """Mean training success over all iterations."""
    return float(np.mean(row["success"]))


def steps_to(row: dict[str, Any], level: float) -> float:
    """Environment steps before the trailing mean of five iterations reaches `level`, or NaN."""
    trailing = np.convolve(row["success"], np.ones(5) / 5, mode="valid")
    reached = np.flatnonzero(trailing >= level)
    return float(row["env_steps"][reached[0] + 4]) if len(reached) else float("nan")


def on_grid(row: dict[str, Any], grid: np.ndarray) -> np.ndarray:
    """Returns success at common numbers of environment steps, smoothed over five iterations."""
    smooth = [np.mean(row["success"][max(0, i - 4) : i + 1]) for i in range(len(row["success"]))]
    return np.interp(grid, row["env_steps"], smooth)


def interval(values: list[float]) -> str:
    """Formats mean and interval."""
    low, high = bootstrap_mean_interval(values)
    return f"{np.mean(values):.3f} [{low:.3f}, {high:.3f}]"


def report(rows: dict[str, list[dict[str, Any]]], chosen: dict[str, float], setup: str) -> str:
    """Returns the Markdown page."""
    lines = [
        "# GRPO and GiGPO on Household, tabular policy",
        "",
        setup,
        "",
        "Success on the fixed training tasks; mean and 95 % bootstrap interval over seeds.",
        "",
        "| | learning rate | final success | mean over training | environment steps | merge rate |",
        "|---|---|---|---|---|---|",
    ]
    for name, runs in rows.items():
        steps = np.mean([r["total_env_steps"] for r in runs])
        merge = f"{np.mean([r['merge_rate'] for r in runs]):.2f}" if name == "gigpo" else "-"
        lines.append(
            f"| {name} | {chosen[name]:g} | {interval([final(r) for r in runs])} | "
            f"{interval([area(r) for r in runs])} | {steps:,.0f} | {merge} |"
        )
    pairs = list(zip(rows["gigpo"], rows["grpo"], strict=True))
    lines.append(
        f"| gigpo - grpo, paired | | {interval([final(a) - final(b) for a, b in pairs])} | "
        f"{interval([area(a) - area(b) for a, b in pairs])} | | |"
    )
    wins = sum(area(a) > area(b) for a, b in pairs)
    lines += ["", f"GiGPO has the higher mean over training in {wins} of {len(pairs)} seeds.", ""]
    lines += ["| seed | grpo final | gigpo final | grpo steps to .25 | gigpo steps to .25 |"]
    lines += ["|---|---|---|---|---|"]
    for a, b in pairs:
        lines.append(
            f"| {a['seed']} | {final(b):.3f} | {final(a):.3f} | "
            f"{steps_to(b, 0.25):,.0f} | {steps_to(a, 0.25):,.0f} |"
        )
    return "\n".join([*lines, "", "![success](tabular_household.png)", ""])


def plot(rows: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Draws success against environment steps with confidence bands."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    end = min(r["env_steps"][-1] for runs in rows.values() for r in runs)
    grid = np.linspace(0, end, 60)
    figure, axes = plt.subplots(figsize=(6, 4))
    for name, runs in rows.items():
        curves = np.array([on_grid(r, grid) for r in runs])
        bounds = [bootstrap_mean_interval(column, resamples=2000) for column in curves.T]
        low, high = np.array(bounds).T
        (line,) = axes.plot(grid, curves.mean(axis=0), label=f"{name} ({len(runs)} seeds)")
        axes.fill_between(grid, low, high, alpha=0.25, color=line.get_color())
    axes.set(xlabel="environment steps", ylabel="success on the training tasks", ylim=(0, 1))
    axes.legend()
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main(config: Config) -> None:
    started = time.perf_counter()
    with ProcessPoolExecutor(config.processes, mp_context=get_context("spawn")) as pool:
        jobs = [
            pool.submit(run, a, seed, rate, config)
            for rate in config.learning_rates
            for a in ALGORITHMS
            for seed in config.tuning_seeds
        ]
        tuning = [job.result() for job in jobs]
        chosen = {}
        for name in ALGORITHMS:
            scores = {
                rate: float(
                    np.mean(
                        [
                            area(r)
                            for r in tuning
                            if (r["algorithm"], r["learning_rate"]) == (name, rate)
                        ]
                    )
                )
                for rate in config.learning_rates
            }
            chosen[name] = max(scores, key=lambda rate: scores[rate])
            print(f"{name}: {scores}, learning rate {chosen[name]}", flush=True)
        submitted = {
            a: [pool.submit(run, a, seed, chosen[a], config) for seed in range(config.seeds)]
            for a in ALGORITHMS
        }
        rows = {a: [job.result() for job in jobs] for a, jobs in submitted.items()}
    minutes = (time.perf_counter() - started) / 60
    setup = (
        f"`python benchmarks/learning/tabular_household.py`: {ENV_ID}, "
        f"actions=menu, max_turns={config.max_turns}, "
        f"first {config.tasks} training tasks x {config.group_size} episodes x "
        f"{config.iterations} iterations, {config.seeds} seeds; learning rate chosen for each on "
        f"seeds {list(config.tuning_seeds)} among {list(config.learning_rates)}; "
        f"no KL, no entropy bonus. {minutes:.1f} minutes with {config.processes} processes on "
        f"{platform.machine()}, {os.cpu_count()} cores."
    )
    text = report(rows, chosen, setup)
    result = {
        "setup": setup,
        "config": asdict(config),
        "manifest_hash": turnwise_envs.tasks(ENV_ID, split="train").manifest_hash,
        "chosen": chosen,
        "tuning": tuning,
        "rows": rows,
    }
    (HERE / "tabular_household.json").write_text(json.dumps(result) + "\n")
    (HERE / "tabular_household.md").write_text(text)
    plot(rows, HERE / "tabular_household.png")
    print(text)


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
