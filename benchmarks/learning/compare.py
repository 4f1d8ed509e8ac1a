"""Compares algorithms by the protocol of `PROTOCOL.md`, through `turnwise train`.

    python benchmarks/learning/compare.py NAME --stage tune
    python benchmarks/learning/compare.py NAME --stage confirm
    python benchmarks/learning/compare.py NAME --stage report

The experiments are in `experiments_*.py` beside this file. Every finished run is one line of
`rows/NAME.jsonl`; an interrupted stage continues where it was. `report` writes the page
NAME.md and the plot NAME.png.
"""

from __future__ import annotations

import importlib
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from comparison import (
    Experiment,
    Job,
    append_row,
    area,
    confirmatory_jobs,
    final,
    missing,
    oracle_of,
    oracle_row,
    read_rows,
    run_jobs,
    tuning_jobs,
)
from comparison_report import write_report

from turnwise_agents.cli_train import parse
from turnwise_agents.results import provenance
from turnwise_envs import UsageError

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Config:
    """What to do."""

    name: Annotated[str, tyro.conf.Positional]
    """Name of the experiment."""
    stage: Literal["tune", "confirm", "report"]
    """Confirmatory runs want complete tuning, the report both."""
    processes: int = 1
    """Runs at the same time, one thread each."""
    runs: Path | None = None
    """Keep the runs' folders here and resume interrupted runs; without, runs leave rows only."""


def load_experiments(folder: Path = HERE) -> dict[str, Experiment]:
    """Returns all experiments by name."""
    found: dict[str, Experiment] = {}
    for file in sorted(folder.glob("experiments_*.py")):
        for experiment in importlib.import_module(file.stem).EXPERIMENTS:
            if experiment.name in found:
                raise UsageError(f"experiments must have names of their own: {experiment.name!r}.")
            found[experiment.name] = experiment
    return found


def check_words(jobs: Sequence[Job]) -> None:
    """Parses the words of every arm and setting, so that a slip of the pen is no failed run."""
    for job in {(job.arm, job.setting): job for job in jobs}.values():
        parse(shlex.split(job.words))


def carry_out(experiment: Experiment, config: Config, file: Path) -> None:
    """Runs what a stage still lacks."""
    made = provenance()
    source = {"commit": made["commit"], "uncommitted_changes": made["uncommitted_changes"]}
    if oracle_of(experiment, read_rows(file)) is None:
        append_row(file, {**oracle_row(experiment), **source})
    rows = read_rows(file)
    jobs = (
        tuning_jobs(experiment) if config.stage == "tune" else confirmatory_jobs(experiment, rows)
    )
    left = missing(jobs, rows)
    check_words(left)
    print(f"{len(jobs) - len(left)} of {len(jobs)} runs are there", flush=True)
    started = time.perf_counter()
    for row in run_jobs(
        experiment, left, processes=config.processes, runs=config.runs, provenance=source
    ):
        append_row(file, row)
        figures = row["error"] or f"mean {area(row):.3f} final {final(row):.3f}"
        print(
            f"{time.perf_counter() - started:6.0f} s  {row['arm']} setting {row['setting']} "
            f"seed {row['seed']}: {figures}",
            flush=True,
        )


def main(config: Config) -> None:
    experiments = load_experiments()
    if config.name not in experiments:
        raise UsageError(f"name must be one of {sorted(experiments)}, got {config.name!r}.")
    experiment = experiments[config.name]
    file = HERE / "rows" / f"{experiment.name}.jsonl"
    if config.stage == "report":
        print(write_report(experiment, read_rows(file), HERE))
    else:
        carry_out(experiment, config, file)


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
