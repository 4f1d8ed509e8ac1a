"""Every world is learnt: `turnwise train` in each, three seeds, and the curves.

    python benchmarks/learning/every_world.py            # all; --only turnwise/WebShop-v0 for one

A *fixed set of training tasks* and a policy that is a table, except where a row says "tiny" (the
preset language model). No setting was tuned on these seeds; they are all reported. Writes
`every_world.json`, `.md` and `.png` beside this file. It shows that rollout, credit and update work
in every world, not how good an algorithm is.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

HERE = Path(__file__).resolve().parent
COMMANDS = {
    "turnwise/HouseholdSmall-v0": "--algorithm gigpo --model tabular --num-tasks 4 "
    "--trainer.iterations 30 --algo.groups-per-iteration 4 --learner.learning-rate 2.4 "
    """--env-kwargs '{"actions": "menu", "max_turns": 20}'""",
    "turnwise/TextWorld-v0": "--algorithm gigpo --model tabular --num-tasks 1 "
    "--trainer.iterations 40 --algo.groups-per-iteration 1 --env-kwargs '{\"max_turns\": 10}'",
    "turnwise/WebShop-v0": "--algorithm gigpo --model tabular --num-tasks 3 "
    "--trainer.iterations 60 --algo.groups-per-iteration 3 --algo.group-size 48 "
    "--algo.kl-coef 0 --algo.ent-coef 0.3 --learner.learning-rate 0.2 "
    """--env-kwargs '{"actions": "menu"}'""",
    "turnwise/MultiHopSearch-v0": "--algorithm gigpo --model tabular --num-tasks 8 "
    "--trainer.iterations 30 --algo.groups-per-iteration 8 --learner.learning-rate 2.4 "
    """--env-kwargs '{"actions": "menu"}'""",
    "turnwise/MathVerifier-v0": "--algorithm grpo --model tabular --num-tasks 14 "
    "--trainer.iterations 20 --algo.groups-per-iteration 14 "
    """--env-kwargs '{"actions": "menu"}'""",
}
"""What is trained in each world."""


@dataclass(frozen=True)
class Config:
    """What to run."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """All are reported."""
    only: tuple[str, ...] = ()
    """Environments; empty means all. What is left out keeps its former results."""
    processes: int = 2
    """Runs at the same time, one thread each."""


def run(env_id: str, seed: int) -> dict[str, Any]:
    """Trains once; returns success, return and environment steps of every iteration."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        words = f"train --env {env_id} {COMMANDS[env_id]} --trainer.seed {seed}"
        subprocess.run(
            f"{sys.executable} -m turnwise_agents.cli {words} --run-dir {folder}",
            shell=True,
            check=True,
            capture_output=True,
        )
        lines = (folder / "metrics.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if "rollout/success_rate" in row]
    return {
        "env": env_id,
        "seed": seed,
        "success": [row["rollout/success_rate"] for row in rows],
        "return": [row["rollout/episodic_return"] for row in rows],
        "env_steps": [row["total/env_steps"] for row in rows],
        "seconds": time.perf_counter() - started,
    }


def report(rows: list[dict[str, Any]], setup: str) -> str:
    """Returns the Markdown page."""
    lines = ["# Every world is learnt", "", setup, "", "Sampled success and return on the fixed"]
    lines[-1] += " training tasks, means of the first and last three iterations."
    lines += ["", "| environment | seed | success first | last | return first | last | env steps |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for row in rows:
        ends = [np.mean(row[name][part]) for name in ("success", "return") for part in PARTS]
        cells = " | ".join(f"{end:.2f}" for end in ends)
        lines.append(f"| {row['env']} | {row['seed']} | {cells} | {row['env_steps'][-1]:,.0f} |")
    lines += [
        "",
        "![return](every_world.png)",
        "",
        "The commands, with `turnwise train` before:",
        "",
    ]
    lines += [f"- `--env {env_id} {words}`" for env_id, words in COMMANDS.items()]
    return "\n".join([*lines, ""])


PARTS = (slice(None, 3), slice(-3, None))


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Draws the return of every run against iterations."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = list(COMMANDS)
    figure, panels = plt.subplots(1, len(names), figsize=(3 * len(names), 3), sharey=True)
    for axes, name in zip(panels, names, strict=True):
        for row in rows:
            if row["env"] == name:
                axes.plot(row["return"], label=f"seed {row['seed']}")
        axes.set(title=name.removeprefix("turnwise/"), xlabel="iteration", ylim=(0, 1.02))
        axes.grid(alpha=0.3)
    panels[0].set(ylabel="return")
    panels[-1].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def main(config: Config) -> None:
    """Runs, and writes the three files."""
    file = HERE / "every_world.json"
    chosen = config.only or tuple(COMMANDS)
    kept = json.loads(file.read_text())["rows"] if config.only and file.exists() else []
    with ThreadPoolExecutor(config.processes) as pool:
        jobs = [pool.submit(run, env_id, seed) for env_id in chosen for seed in config.seeds]
        rows = [row for row in kept if row["env"] not in chosen] + [job.result() for job in jobs]
    rows.sort(key=lambda row: (list(COMMANDS).index(row["env"]), row["seed"]))
    setup = (
        "`python benchmarks/learning/every_world.py`, "
        f"{sum(row['seconds'] for row in rows) / 60:.0f} minutes of runs on "
        f"{platform.machine()}, one thread each."
    )
    file.write_text(json.dumps({"setup": setup, "commands": COMMANDS, "rows": rows}) + "\n")
    text = report(rows, setup)
    (HERE / "every_world.md").write_text(text)
    plot(rows, HERE / "every_world.png")
    print(text)


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
