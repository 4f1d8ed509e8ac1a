"""Comparisons of algorithms at equal environment steps: definitions, runs, rows, measures.

An experiment is data (`Experiment`); a finished run is one JSON line (`Row`), written once and
never changed. `PROTOCOL.md` says how the rows are judged, `compare.py` is the command.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

from turnwise_envs import UsageError

Row = dict[str, Any]
Stage = Literal["oracle", "tune", "confirm"]

FINAL_SHARE = 0.1
"""The last tenth of the budget is what "final" means."""
WINDOW_SHARE = 0.05
"""Success "is reached" when its mean over the last twentieth of the budget is."""
ORACLE_SHARE = 0.8
"""Share of the oracle's success that sample efficiency asks for."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One side of a comparison."""

    words: str = ""
    """Words of `turnwise train` that make this arm."""
    settings: tuple[str, ...]
    """The grid: further words, one string a setting; every arm has equally many."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What is compared, fixed before the first run."""

    name: str
    """Of rows, page and plot."""
    title: str
    """Of the page."""
    words: str
    """Words of `turnwise train` common to all runs."""
    arms: Mapping[str, Arm]
    """By name."""
    budget: int
    """Environment steps of every run; curves are cut there."""
    tuning_seeds: tuple[int, ...]
    """Seeds that choose each arm's setting."""
    seeds: tuple[int, ...]
    """Confirmatory seeds, all reported."""
    baseline: str = "grpo"
    """The arm that paired differences are taken to."""
    success: str = "rollout/success_rate"
    """The metric that is compared."""
    extras: tuple[str, ...] = ("rollout/episodic_return",)
    """Further metrics kept in the rows; the page shows their means over training."""
    notes: str = ""
    """Markdown for the page: why it is set up like this."""

    def __post_init__(self) -> None:
        if self.baseline not in self.arms:
            raise UsageError(f"baseline must be one of {list(self.arms)}, got {self.baseline!r}.")
        sizes = {name: len(arm.settings) for name, arm in self.arms.items()}
        if len(set(sizes.values())) != 1 or not min(sizes.values()):
            raise UsageError(f"settings must be equally many for all arms, got {sizes}.")
        if set(self.seeds) & set(self.tuning_seeds):
            raise UsageError("seeds must not be among tuning_seeds. Confirm on fresh ones.")


@dataclass(frozen=True)
class Job:
    """One run."""

    stage: Stage
    arm: str
    setting: int
    seed: int
    words: str
    """All words of `turnwise train` but the folder."""

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What names a row of an experiment."""
        return self.stage, self.arm, self.setting, self.seed


def make_job(experiment: Experiment, stage: Stage, arm: str, setting: int, seed: int) -> Job:
    """Returns the run of an arm with one of its settings."""
    side = experiment.arms[arm]
    parts = [
        "--trainer.iterations 1000000",
        experiment.words,
        side.words,
        side.settings[setting],
        f"--trainer.max-env-steps {experiment.budget} --trainer.seed {seed}",
    ]
    return Job(stage, arm, setting, seed, " ".join(" ".join(parts).split()))


def tuning_jobs(experiment: Experiment) -> list[Job]:
    """Returns every setting of every arm on every tuning seed."""
    return [
        make_job(experiment, "tune", arm, setting, seed)
        for seed in experiment.tuning_seeds
        for arm, side in experiment.arms.items()
        for setting in range(len(side.settings))
    ]


def confirmatory_jobs(experiment: Experiment, rows: Sequence[Row]) -> list[Job]:
    """Returns the chosen setting of every arm on every confirmatory seed.

    Raises:
        UsageError: If the tuning is not complete.
    """
    if left := missing(tuning_jobs(experiment), rows):
        raise UsageError(
            f"tuning must be complete before confirmatory runs, {len(left)} runs are missing. "
            "Run --stage tune first."
        )
    chosen = choose(experiment, rows)
    return [
        make_job(experiment, "confirm", arm, chosen[arm], seed)
        for seed in experiment.seeds
        for arm in experiment.arms
    ]


# ---------------------------------------------------------------- rows


def read_rows(file: Path) -> list[Row]:
    """Returns the rows of a file; a last line that a kill cut short is passed over."""
    if not file.exists():
        return []
    lines = file.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def append_row(file: Path, row: Row) -> None:
    """Adds one line; removes what a kill left of an unfinished one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+b") as target:
        target.seek(0)
        target.truncate(target.read().rfind(b"\n") + 1)
        target.write(json.dumps(row).encode() + b"\n")


def missing(jobs: Iterable[Job], rows: Iterable[Row]) -> list[Job]:
    """Returns the jobs without a row.

    Raises:
        UsageError: If a row was made by other words: the definition has changed since.
    """
    found = {(r["stage"], r["arm"], r["setting"], r["seed"]): r["words"] for r in rows}
    left = []
    for job in jobs:
        words = found.get(job.key)
        if words is None:
            left.append(job)
        elif words != job.words:
            raise UsageError(
                f"row {job.key} must come from {job.words!r}, got {words!r}. "
                "A definition with rows is not changed; give the new one a new name."
            )
    return left


def rows_of(rows: Sequence[Row], jobs: Sequence[Job]) -> list[Row]:
    """Returns the jobs' rows, in the order of the jobs.

    Raises:
        UsageError: If one is missing.
    """
    if left := missing(jobs, rows):
        raise UsageError(f"every run must have a row, {len(left)} are missing. Run its stage.")
    by_key = {(r["stage"], r["arm"], r["setting"], r["seed"]): r for r in rows}
    return [by_key[job.key] for job in jobs]


# ---------------------------------------------------------------- measures


def mean_between(row: Row, low: float, high: float, curve: str = "success") -> float:
    """Returns the mean of a curve over the environment steps (low, high].

    The value of an iteration holds for the steps that it took. A failed run has value 0.
    """
    if row["error"]:
        return 0.0
    total, before = 0.0, 0.0
    for step, value in zip(row["env_steps"], row[curve], strict=True):
        total += value * max(0.0, min(step, high) - max(before, low))
        before = step
    return total / (high - low)


def area(row: Row) -> float:
    """Mean success over the whole budget: what settings are chosen by."""
    return mean_between(row, 0, row["budget"])


def final(row: Row) -> float:
    """Mean success over the last tenth of the budget."""
    return mean_between(row, (1 - FINAL_SHARE) * row["budget"], row["budget"])


def steps_to(row: Row, level: float) -> int | None:
    """Returns after how many steps the mean over the last twentieth of the budget is `level`.

    Looked at after every iteration; None if it is not reached within the budget.
    """
    window = WINDOW_SHARE * row["budget"]
    for step in [] if row["error"] else row["env_steps"]:
        end = min(step, row["budget"])
        if end >= window and mean_between(row, end - window, end) >= level:
            return int(end)
    return None


def choose(experiment: Experiment, rows: Sequence[Row]) -> dict[str, int]:
    """Returns each arm's setting of the highest mean `area` over tuning seeds (first of equals)."""
    chosen = {}
    tuned = rows_of(rows, tuning_jobs(experiment))
    for arm, side in experiment.arms.items():
        scores = [
            sum(area(r) for r in tuned if (r["arm"], r["setting"]) == (arm, i))
            for i in range(len(side.settings))
        ]
        chosen[arm] = scores.index(max(scores))
    return chosen


# ---------------------------------------------------------------- running


def run_jobs(
    experiment: Experiment,
    jobs: Sequence[Job],
    *,
    processes: int,
    runs: Path | None,
    provenance: Row,
) -> Iterator[Row]:
    """Yields the rows of runs as they end, in whatever order.

    Args:
        experiment: whose.
        jobs: what to run.
        processes: runs at the same time, one thread each.
        runs: folder that keeps the runs' folders, so that an interrupted run is resumed; None
            keeps nothing.
        provenance: added to every row.
    """
    # Worker processes read it when they load torch.
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(run_job, experiment, job, runs) for job in jobs]
        for future in as_completed(futures):
            yield {**future.result(), **provenance}


def run_job(experiment: Experiment, job: Job, runs: Path | None = None) -> Row:
    """Runs `turnwise train` in this process and returns the row; an error is part of the row."""
    row: Row = {
        "experiment": experiment.name,
        "stage": job.stage,
        "arm": job.arm,
        "setting": job.setting,
        "seed": job.seed,
        "words": job.words,
        "budget": experiment.budget,
        "error": "",
    }
    with contextlib.ExitStack() as stack:
        if runs is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        else:
            folder = runs / experiment.name
            folder.mkdir(parents=True, exist_ok=True)
        name = f"{job.stage}-{job.arm}-{job.setting}-{job.seed}"
        log = stack.enter_context((folder / f"{name}.log").open("a"))
        stack.enter_context(contextlib.redirect_stdout(log))
        stack.enter_context(contextlib.redirect_stderr(log))
        try:
            row.update(_train(experiment, job, folder / name))
        except Exception as error:
            traceback.print_exc()
            row["error"] = f"{type(error).__name__}: {error}"
    return row


def _train(experiment: Experiment, job: Job, folder: Path) -> Row:
    from turnwise_agents.cli_train import main

    words = ["--resume", str(folder)]
    if not (folder / "config.json").exists():
        words = [*shlex.split(job.words), "--run-dir", str(folder)]
    main(words)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return curves_of(experiment, lines)


def curves_of(experiment: Experiment, lines: Sequence[Row]) -> Row:
    """Returns a run's curves; an iteration without the success metric joins the next that has it.

    Raises:
        UsageError: If the run ended before the budget was used up.
    """
    steps = [line.get("total/env_steps", 0.0) for line in lines]
    if not steps or steps[-1] < experiment.budget:
        raise UsageError(
            f"a run must take {experiment.budget} environment steps, got {max(steps, default=0)}."
        )
    points = [line for line in lines if experiment.success in line]
    if not points:
        raise UsageError(f"the run must log {experiment.success}. Name another success metric.")

    def curve(name: str) -> list[float]:
        return [round(float(line.get(name, 0.0)), 4) for line in points]

    return {
        "env_steps": [int(line.get("total/env_steps", 0)) for line in points],
        "success": curve(experiment.success),
        **{name: curve(name) for name in experiment.extras},
        "seconds": round(sum(line.get("time/iteration_s", 0.0) for line in lines), 1),
    }


def oracle_row(experiment: Experiment) -> Row:
    """Plays the environment's `expert_action` once on the training tasks (64 if all are used)."""
    from turnwise_agents.cli_train import parse
    from turnwise_agents.evaluate import EvaluateConfig, evaluate

    words = " ".join(experiment.words.split())
    config, _ = parse(shlex.split(words))
    if len(config.env) != 1:
        raise UsageError(f"an experiment must have one environment, got {config.env}.")
    with tempfile.TemporaryDirectory() as folder:
        result = evaluate(
            EvaluateConfig(
                policy="expert",
                env=config.env[0],
                split=config.split,
                tasks=config.num_tasks or 64,
                env_kwargs=config.env_kwargs,
                out=Path(folder) / "oracle.json",
            )
        )
    return {
        "experiment": experiment.name,
        "stage": "oracle",
        "arm": "oracle",
        "setting": 0,
        "seed": 0,
        "words": words,
        "error": "",
        **{name: result["overall"][name]["mean"] for name in ("success_rate", "return", "turns")},
        "tasks": result["counts"]["tasks"],
    }


def oracle_of(experiment: Experiment, rows: Sequence[Row]) -> Row | None:
    """Returns the oracle's row."""
    job = Job("oracle", "oracle", 0, 0, " ".join(experiment.words.split()))
    return None if missing([job], rows) else rows_of(rows, [job])[0]
