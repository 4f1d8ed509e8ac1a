"""One self-contained HTML page of trajectories: what an agent saw, wrote, did and was credited for.

The page needs no network and no server. Texts of agents and worlds are data, never markup: they
travel as escaped JSON and are shown through `textContent`; the page's policy forbids everything
but its own inline script and style.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from turnwise_agents.types import SCHEMA_VERSION, Trajectory
from turnwise_envs import DataError, UsageError

MAX_TRAJECTORIES = 2_000

_SHOWN = (
    *("trajectory_id", "group_id", "env_id", "task_id", "task_kind", "success", "score"),
    *("verdict", "stop", "error", "origin", "purpose", "instruction_id", "parent"),
    *("final_observation", "final_anchor_key"),
)
_SHOWN_OF_TURN = (
    *("turn_index", "observation", "action", "state_key", "belief_key", "anchor_key"),
    *("format_is_valid", "action_is_valid", "reward", "reward_components", "metrics", "cost"),
)


def write_view(
    source: Path, out: Path, *, title: str | None = None, limit: int = MAX_TRAJECTORIES
) -> int:
    """Writes the page of a trajectory file or of a run.

    Args:
        source: a JSONL file of trajectory records, an evaluation's result file (its trajectories
            lie beside it), or a run's folder (its newest trajectories are shown).
        out: the page; its folder is made.
        title: heading; None takes the source's name.
        limit: most trajectories on the page; whole groups, first come first shown.

    Returns:
        The number of trajectories on the page.

    Raises:
        UsageError: If there is nothing to show.
        DataError: If a line is no trajectory record.
    """
    file = find_trajectories(source)
    records = list(read_records(file))
    if not records:
        raise UsageError(f"{file} must hold at least one trajectory, got none.")
    page = render_view(records[:limit], title=title or f"{file.parent.name}/{file.name}")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")
    return min(len(records), limit)


def find_trajectories(source: Path) -> Path:
    """Returns the JSONL file that `source` stands for.

    Raises:
        UsageError: If there is none.
    """
    if source.is_dir():
        found = sorted((source / "trajectories").glob("*.jsonl")) or sorted(source.glob("*.jsonl"))
        found = [file for file in found if file.name != "metrics.jsonl"]
        if not found:
            raise UsageError(
                f"{source} must be a run's folder with trajectories, got none in it. "
                "Train with --trainer.trajectories-every above 0, or name a JSONL file."
            )
        return found[-1]
    if source.suffix == ".json" and source.with_suffix(".jsonl").exists():
        return source.with_suffix(".jsonl")
    if not source.exists():
        raise UsageError(f"FILE_OR_RUN must exist, got {source}.")
    return source


def read_records(file: Path) -> Iterator[dict[str, Any]]:
    """Yields the records of a JSONL file, as `Trajectory.to_dict` wrote them.

    Raises:
        DataError: If a line is no trajectory record of this version.
    """
    with file.open(encoding="utf-8", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                version = record["schema_version"]
                complete = isinstance(record["turns"], list) and "trajectory_id" in record
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(
                    f"{file}, line {number} must be a trajectory record, got {line[:60]!r}. "
                    "Pass a file that turnwise train or evaluate wrote."
                ) from error
            if version != SCHEMA_VERSION or not complete:
                raise DataError(
                    f"{file}, line {number} must be a record of schema {SCHEMA_VERSION}, "
                    f"got {version!r}. View it with the turnwise version that wrote it."
                )
            yield record


def render_view(
    trajectories: Iterable[Trajectory | Mapping[str, Any]], *, title: str = "trajectories"
) -> str:
    """Returns the page as text.

    Args:
        trajectories: trajectories or their records.
        title: heading of the page.
    """
    records = [t.to_dict() if isinstance(t, Trajectory) else t for t in trajectories]
    template = files("turnwise_agents").joinpath("view.html").read_text(encoding="utf-8")
    head, marker, tail = template.partition("%DATA%")
    assert marker, "the template has a place for the data"
    head = head.replace("%TITLE%", html.escape(title))
    return head + embed_json([_compact(record) for record in records]) + tail


def embed_json(data: Any) -> str:
    """Returns JSON that can stand inside a script element: no character of it is markup."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _compact(record: Mapping[str, Any]) -> dict[str, Any]:
    """Keeps what the page shows; token ids and log-probabilities become counts."""
    return {
        **{name: record.get(name) for name in _SHOWN},
        "episode_return": sum(turn["reward"] for turn in record["turns"]),
        "turns": [_compact_turn(turn) for turn in record["turns"]],
    }


def _compact_turn(turn: Mapping[str, Any]) -> dict[str, Any]:
    channels = {name: _turn_value(value) for name, value in turn["channels"].items()}
    return {
        **{name: turn[name] for name in _SHOWN_OF_TURN},
        "advantage": channels.pop("advantage", None),
        "channels": channels,
        "generations": [
            {
                "role": g["role"],
                "text": g["text"],
                "tokens": len(g["completion_ids"]),
                "prompt_tokens": len(g["prompt_ids"]),
                "finish_reason": g["finish_reason"],
                "trainable": g["trainable"],
            }
            for g in turn["generations"]
        ],
    }


def _turn_value(value: float | Sequence[float]) -> float:
    """A channel per token is shown by its sum."""
    return float(value) if isinstance(value, int | float) else float(sum(value))
