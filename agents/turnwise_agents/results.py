"""From trajectories to a result file: rates with intervals, counts, and where they come from."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from turnwise_agents.statistics import bootstrap_mean_interval, wilson_interval
from turnwise_agents.types import Trajectory
from turnwise_envs import TaskSet

RESULT_SCHEMA = 1
PACKAGES = ("turnwise", "gymnasium", "numpy", "torch", "transformers", "tokenizers", "peft", "vllm")


def summarise(trajectories: Sequence[Trajectory]) -> dict[str, Any]:
    """Returns the figures of an evaluation.

    Episodes with status `error` are counted and enter nothing else. Episodes of one task are not
    independent, so every interval (95 %) counts tasks: Wilson's for success, with a task's rate as
    one trial, and the bootstrap over tasks' means for the rest.

    Returns:
        "overall" and "by_kind" with success_rate, return, score and turns (each with mean, low and
        high), and "counts".
    """
    valid = [t for t in trajectories if not t.failed]
    by_kind: dict[str, list[Trajectory]] = defaultdict(list)
    for trajectory in valid:
        by_kind[trajectory.task_kind].append(trajectory)
    turns = [turn for t in valid for turn in t.turns]
    return {
        "overall": _figures(valid),
        "by_kind": {kind: _figures(members) for kind, members in sorted(by_kind.items())},
        "counts": {
            "episodes": len(trajectories),
            "errors": len(trajectories) - len(valid),
            "tasks": len({t.task_id for t in valid}),
            "turns": len(turns),
            "invalid_actions": sum(not t.action_is_valid for t in turns),
            "invalid_formats": sum(not t.format_is_valid for t in turns),
            "verdicts": dict(sorted(Counter(t.verdict for t in valid).items())),
            "stops": dict(sorted(Counter(t.stop for t in trajectories).items())),
            "error_messages": dict(
                Counter(t.error for t in trajectories if t.failed).most_common(5)
            ),
            "cost": _total_cost(valid),
        },
    }


def _figures(valid: Sequence[Trajectory]) -> dict[str, Any] | None:
    if not valid:
        return None
    figures: dict[str, Any] = {"episodes": len(valid)}
    columns: tuple[tuple[str, Callable[[Trajectory], float]], ...] = (
        ("success_rate", lambda t: float(t.success)),
        ("return", lambda t: t.episode_return),
        ("score", lambda t: t.score),
        ("turns", lambda t: float(len(t.turns))),
    )
    for name, value in columns:
        by_task: dict[str, list[float]] = defaultdict(list)
        for trajectory in valid:
            by_task[trajectory.task_id].append(value(trajectory))
        mean = float(np.mean([v for values in by_task.values() for v in values]))
        means = [float(np.mean(values)) for values in by_task.values()]
        if name == "success_rate":
            interval, method = wilson_interval(sum(means), len(means)), "wilson"
        else:
            interval, method = bootstrap_mean_interval(means), "bootstrap"
        figures[name] = {"mean": mean, "low": interval[0], "high": interval[1], "interval": method}
    return figures


def _total_cost(valid: Sequence[Trajectory]) -> dict[str, float]:
    total: dict[str, float] = defaultdict(float)
    for trajectory in valid:
        for turn in trajectory.turns:
            for name, value in turn.cost.items():
                total[name] += value
    return dict(sorted(total.items()))


def normalised(mean: float, floor: float, ceiling: float) -> float | None:
    """Returns (mean - floor) / (ceiling - floor); None where floor and ceiling coincide."""
    return None if ceiling == floor else (mean - floor) / (ceiling - floor)


def task_set_record(tasks: TaskSet) -> dict[str, str | None]:
    """Returns what names a task set: "manifest_hash" (None if unbounded) and "data_version".

    The manifest is the chosen tasks' ids; the data version is that of the user's data behind them,
    None where the tasks are generated (a generator's version is part of their ids).
    """
    return {
        "manifest_hash": tasks.manifest_hash if tasks.finite else None,
        "data_version": tasks.data_version,
    }


def provenance() -> dict[str, Any]:
    """Returns what another person needs to repeat a run: commit, command, versions, hardware."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    commit, changed = _commit()
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "uncommitted_changes": changed,
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "python": platform.python_version(),
        "packages": versions,
        "platform": platform.platform(),
        "hardware": {"cpu": _cpu_name(), "cpus": os.cpu_count(), "gpus": _gpu_names()},
    }


def _commit() -> tuple[str | None, bool | None]:
    """The commit of the checkout that this very file is tracked in; None for an installed wheel."""
    here = Path(__file__).resolve()

    def git(*arguments: str) -> str:
        run = subprocess.run(
            ["git", *arguments], cwd=here.parent, capture_output=True, text=True, timeout=10
        )
        run.check_returncode()
        return run.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "-uno"))
    except (OSError, subprocess.SubprocessError):
        return None, None


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _gpu_names() -> list[str]:
    # Asking must not be what loads torch: a text policy does without it.
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


def write_json(path: Path, data: Any) -> None:
    """Writes JSON whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
