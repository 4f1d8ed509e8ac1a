"""The demo over several seeds, all of them reported.

    python benchmarks/learning/demo_seeds.py --seeds 0 1 2

Runs `make demo`'s settings once per seed, one process each, and writes `demo_seeds.json` and
`demo_seeds.md` beside this file: sampled success on 256 held-out tasks after the warm start and
after training (mean over the last five evaluations), for every seed. Seeds that fail are reported
as failures, none is left out.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

HERE = Path(__file__).resolve().parent
DEMO = HERE.parents[1] / "scripts" / "demo.py"
SPLITS = ("valid_seen", "valid_unseen")


@dataclass
class Config:
    """What to run."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds, one run each."""
    processes: int = 1
    """Runs at the same time; each has one thread."""
    iterations: int | None = None
    """Training iterations; None takes the demo's own."""


def run_seed(seed: int, config: Config, folder: Path) -> dict[str, float]:
    """Runs the demo with one seed and returns its figures."""
    command = [sys.executable, str(DEMO), "--seed", str(seed)]
    command += ["--run-dir", str(folder / f"seed-{seed}")]
    if config.iterations is not None:
        command += ["--iterations", str(config.iterations)]
    with (folder / f"seed-{seed}.log").open("w") as log:
        code = subprocess.run(command, stdout=log, stderr=log).returncode
    print(f"seed {seed}: exit code {code}", flush=True)
    figures: dict[str, float] = json.loads((folder / f"seed-{seed}" / "demo.json").read_text())
    return {"seed": seed, **figures}


def table(rows: list[dict[str, float]]) -> str:
    """Returns the Markdown table of all seeds."""
    lines = ["| seed | " + " | ".join(f"{s} before | {s} after" for s in SPLITS) + " | seconds |"]
    lines.append("|---" * (2 + 2 * len(SPLITS)) + "|")
    for row in rows:
        cells = [f"{row[f'{s}/{when}']:.3f}" for s in SPLITS for when in ("before", "after")]
        lines.append(f"| {row['seed']} | " + " | ".join(cells) + f" | {row['total_s']:.0f} |")
    means = [
        f"{np.mean([row[f'{s}/{when}'] for row in rows]):.3f}"
        for s in SPLITS
        for when in ("before", "after")
    ]
    lines.append(
        "| mean | " + " | ".join(means) + f" | {np.mean([r['total_s'] for r in rows]):.0f} |"
    )
    return "\n".join(lines)


def main(config: Config) -> None:
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(config.processes) as pool:
        rows = list(pool.map(lambda seed: run_seed(seed, config, Path(scratch)), config.seeds))
    command = "python benchmarks/learning/demo_seeds.py --seeds " + " ".join(map(str, config.seeds))
    result = {
        "command": f"{command} --processes {config.processes}",
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores, one thread a run",
        "rows": rows,
    }
    (HERE / "demo_seeds.json").write_text(json.dumps(result, indent=1) + "\n")
    text = f"# The demo over seeds\n\n`{result['command']}` on {result['hardware']}\n\n"
    text += "Sampled success on 256 held-out tasks; after = mean over the last 5 evaluations.\n\n"
    (HERE / "demo_seeds.md").write_text(text + table(rows) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
