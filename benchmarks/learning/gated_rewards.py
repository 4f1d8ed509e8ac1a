"""G-RA against D-RA against the outcome alone, with a shaping reward that can be farmed.

    python benchmarks/learning/gated_rewards.py

A tabular policy learns to repair through a structured menu: view a place, choose among its edits,
run the tests, submit (`tests/support/workshop.py`; twelve turns). The outcome is 0 without a
submission, 0.5 with an empty patch, 1 with a wrong one, 2 with a repair. Each run of the tests
earns a shaping reward, whatever the tests say: running them to the turn limit is the farm. A
repair with tests run before it is worth more than the farm in every arm, so that what fails to
find it has failed to learn, not to be told. D-RA adds the shaping reward up, G-RA counts it where
a non-empty patch was submitted.

Every arm has the same grid of learning rates, compared by mean success on seeds that are not among
the reported ones, and the same of everything else. Writes `gated_rewards.json`, `.md` and `.png`
beside this file: all seeds, and means with 95 % bootstrap intervals over seeds.
`gated_repairs.py` does the same in the repair world itself.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from turnwise_agents.statistics import bootstrap_mean_interval

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "support"))

OUTCOME = "completion+modification+resolution priority=1 threshold=1"
RATES = {
    "success": "rollout/resolution_rate",
    "submitted": "rollout/completion_rate",
    "modified": "rollout/modification_rate",
}


@dataclass(frozen=True, kw_only=True)
class World:
    """Where gates are compared.

    Attributes:
        title: of the page.
        name: of the script and of the files it writes.
        env_id: environment whose outcome has the four levels.
        env_kwargs: its arguments.
        module: what registers it, "" for nothing.
        sources: what a shaping reward can be for -> its source, see `turnwise_agents.levels`.
        shaping: the compared shaping rewards, (one of `sources`, worth).
        hacking: metrics, numbers an episode, by which farming is seen -> their source.
    """

    title: str
    name: str
    env_id: str
    env_kwargs: dict[str, Any]
    module: str = ""
    sources: dict[str, str]
    shaping: tuple[tuple[str, float], ...]
    hacking: dict[str, str]

    @property
    def curves(self) -> dict[str, str]:
        """What is followed over training -> the logged metric."""
        return RATES | {name: f"gate/value/{source}" for name, source in self.hacking.items()}


WORKSHOP = World(
    title="Gated rewards where shaping can be farmed",
    name="gated_rewards",
    env_id="tests/Workshop-v0",
    env_kwargs={"test_reward": 1.0},
    module="workshop",
    sources={"test": "tested"},
    shaping=(("test", 0.05), ("test", 0.15), ("test", 0.3)),
    hacking={"tests run": "tested"},
)


@dataclass(frozen=True)
class Config:
    """What to run."""

    seeds: int = 10
    """Seeds 0 ... seeds - 1 are reported."""
    tuning_seeds: tuple[int, ...] = (1000, 1001)
    """Seeds on which the learning rate is chosen, for each arm."""
    learning_rates: tuple[float, ...] = (0.3, 0.6, 1.2)
    """The grid, the same for all arms."""
    tasks: int = 6
    """The first N tasks of the training split; each is played in every iteration."""
    group_size: int = 8
    """Episodes per task and iteration."""
    iterations: int = 60
    """Iterations."""
    processes: int = 1
    """Runs at the same time, one thread each."""


def arms(world: World) -> dict[str, dict[str, Any]]:
    """Returns the algorithm's options by the arm's name."""
    watched = set(world.hacking.values())

    def levels(paid: str = "", worth: float = 0.0) -> tuple[str, ...]:
        sources = sorted(watched | ({paid} if paid else set()))
        rows = [f"{s} weight={worth if s == paid else 0.0:g} priority=0" for s in sources]
        return (OUTCOME, *rows)

    found: dict[str, dict[str, Any]] = {"outcome only": {"levels": levels()}}
    for what, worth in world.shaping:
        options = {"levels": levels(world.sources[what], worth)}
        found[f"D-RA, {worth:g} a {what}"] = {**options, "gate": False}
        found[f"G-RA, {worth:g} a {what}"] = options
    return found


def run(world: World, arm: str, seed: int, learning_rate: float, config: Config) -> dict[str, Any]:
    """Trains once; returns the curves."""
    from turnwise_agents.algorithms.gra import GRAConfig
    from turnwise_agents.learners.tabular import TabularLearnerConfig
    from turnwise_agents.run import Run, config_class
    from turnwise_agents.trainer import TrainerConfig

    if world.module:
        importlib.import_module(world.module)
    algo = GRAConfig(
        group_size=config.group_size,
        groups_per_iteration=config.tasks,
        kl_coef=0.0,
        ent_coef=0.0,
        **arms(world)[arm],
    )
    with tempfile.TemporaryDirectory() as folder:
        made = Run(
            config_class("gra", "tabular")(
                env=(world.env_id,),
                env_kwargs=json.dumps(world.env_kwargs),
                num_tasks=config.tasks,
                run_dir=Path(folder),
                trainer=TrainerConfig(seed=seed, iterations=config.iterations),
                algo=algo,
                learner=TabularLearnerConfig(learning_rate=learning_rate),
            )
        )
        seen = [made.trainer.iterate() for _ in range(config.iterations)]
        made.tracker.close()
        made.envs.close()
    curves = {name: [round(row[key], 4) for row in seen] for name, key in world.curves.items()}
    hidden = float(np.mean([row["gate/hidden_gain"] for row in seen]))
    return {
        "arm": arm,
        "seed": seed,
        "learning_rate": learning_rate,
        "env_steps": made.trainer.env_steps,
        "hidden": hidden,
        **curves,
    }


def final(row: dict[str, Any], name: str = "success") -> float:
    """Mean of a curve over the last five iterations."""
    return float(np.mean(row[name][-5:]))


def area(row: dict[str, Any]) -> float:
    """Mean success over all iterations."""
    return float(np.mean(row["success"]))


def interval(values: list[float]) -> str:
    """Formats mean and interval."""
    low, high = bootstrap_mean_interval(values)
    return f"{np.mean(values):.3f} [{low:.3f}, {high:.3f}]"


def paired(world: World, rows: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Returns the lines on what the gate changed, seed by seed."""
    curves = world.curves
    lines = ["", "G-RA minus D-RA, paired by seed:", ""]
    lines += ["| shaping | success, all iterations | " + " | ".join(curves) + " |"]
    lines += ["|---" * (2 + len(curves)) + "|"]
    for arm in (arm for arm in rows if arm.startswith("G-RA")):
        pairs = list(zip(rows[arm], rows[arm.replace("G-RA", "D-RA")], strict=True))
        cells = [interval([area(a) - area(b) for a, b in pairs])]
        cells += [interval([final(a, n) - final(b, n) for a, b in pairs]) for n in curves]
        lines.append(f"| {arm.partition(', ')[2]} | " + " | ".join(cells) + " |")
    return lines


def report(
    world: World, rows: dict[str, list[dict[str, Any]]], chosen: dict[str, float], setup: str
) -> str:
    """Returns the Markdown page."""
    count, curves = len(next(iter(rows.values()))), world.curves
    lines = [f"# {world.title}", "", setup, ""]
    lines.append("Mean and 95 % bootstrap interval over seeds; final: the last five iterations.")
    lines += ["", "| | learning rate | success, all iterations | " + " | ".join(curves) + " |"]
    lines.append("|---" * (3 + len(curves)) + "|")
    for arm, runs in rows.items():
        cells = [interval([final(r, name) for r in runs]) for name in curves]
        lines.append(
            f"| {arm} | {chosen[arm]:g} | {interval([area(r) for r in runs])} | "
            + " | ".join(cells)
            + " |"
        )
    lines += [*paired(world, rows), "", "Final success of every seed:", ""]
    lines += ["| | " + " | ".join(map(str, range(count))) + " |", "|---" * (count + 1) + "|"]
    for arm, runs in rows.items():
        lines.append(f"| {arm} | " + " | ".join(f"{final(r):.2f}" for r in runs) + " |")
    lines += ["", "Shaping reward that closed gates hid, an episode, over all of training:", ""]
    for arm, runs in rows.items():
        if arm.startswith("G-RA"):
            lines.append(f"- {arm}: {interval([r['hidden'] for r in runs])}")
    return "\n".join([*lines, "", f"![curves]({world.name}.png)", ""])


def plot(world: World, rows: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Draws every curve over iterations with confidence bands."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    curves = list(world.curves)
    figure, panels = plt.subplots(1, len(curves), figsize=(4 * len(curves), 3.6))
    for axes, name in zip(panels, curves, strict=True):
        for arm, runs in rows.items():
            seeds = np.array([r[name] for r in runs])  # [seeds, iterations]
            bounds = [bootstrap_mean_interval(column, resamples=1000) for column in seeds.T]
            low, high = np.array(bounds).T
            (line,) = axes.plot(seeds.mean(axis=0), label=arm)
            axes.fill_between(range(len(low)), low, high, alpha=0.2, color=line.get_color())
        axes.set(xlabel="iteration", title=name, ylim=(0, None))
        axes.grid(alpha=0.3)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="lower center", ncols=len(names), fontsize=9)
    figure.tight_layout(rect=(0, 0.09, 1, 1))
    figure.savefig(path, dpi=100)


def tried(row: dict[str, Any]) -> tuple[str, float]:
    """Returns arm and learning rate of a run."""
    return row["arm"], row["learning_rate"]


def tune(
    world: World, pool: ProcessPoolExecutor, config: Config
) -> tuple[dict[str, float], list[Any]]:
    """Returns the learning rate of every arm, and the runs that decided."""
    jobs = [
        pool.submit(run, world, arm, seed, rate, config)
        for arm in arms(world)
        for rate in config.learning_rates
        for seed in config.tuning_seeds
    ]
    tuning = [job.result() for job in jobs]
    chosen = {}
    for arm in arms(world):
        scores = {
            rate: float(np.mean([area(r) for r in tuning if tried(r) == (arm, rate)]))
            for rate in config.learning_rates
        }
        chosen[arm] = max(scores, key=lambda rate: scores[rate])
        print(f"{arm}: {scores}, learning rate {chosen[arm]}", flush=True)
    return chosen, tuning


def compare(world: World, config: Config) -> None:
    """Tunes and runs every arm, and writes what came of it."""
    started = time.perf_counter()
    with ProcessPoolExecutor(config.processes, mp_context=get_context("spawn")) as pool:
        chosen, tuning = tune(world, pool, config)
        jobs = {
            arm: [pool.submit(run, world, arm, seed, rate, config) for seed in range(config.seeds)]
            for arm, rate in chosen.items()
        }
        rows = {arm: [job.result() for job in submitted] for arm, submitted in jobs.items()}
    setup = (
        f"`python benchmarks/learning/{world.name}.py`: {config.tasks} tasks x "
        f"{config.group_size} episodes x {config.iterations} iterations, {config.seeds} seeds; "
        f"learning rate chosen for each arm on seeds {list(config.tuning_seeds)} among "
        f"{list(config.learning_rates)}; no KL, no entropy bonus. "
        f"{(time.perf_counter() - started) / 60:.1f} minutes with {config.processes} processes on "
        f"{platform.machine()}, {os.cpu_count()} cores."
    )
    result = {"setup": setup, "config": asdict(config), "chosen": chosen, "tuning": tuning}
    (HERE / f"{world.name}.json").write_text(json.dumps({**result, "rows": rows}) + "\n")
    text = report(world, rows, chosen, setup)
    (HERE / f"{world.name}.md").write_text(text)
    plot(world, rows, HERE / f"{world.name}.png")
    print(text)


if __name__ == "__main__":
    compare(WORKSHOP, tyro.cli(Config, description=__doc__))
