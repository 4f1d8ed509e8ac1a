"""`turnwise view`: one HTML page of a run's or an evaluation's trajectories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from turnwise_agents.view import MAX_TRAJECTORIES, find_trajectories, write_view


@dataclass(frozen=True, kw_only=True)
class ViewConfig:
    """Make one self-contained HTML page of trajectories."""

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE_OR_RUN")]
    """Trajectories (.jsonl), an evaluation's result (.json), or a run's folder (its newest)."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """The page; None puts it beside the trajectories."""
    title: str | None = None
    """Heading of the page."""
    limit: int = MAX_TRAJECTORIES
    """Most trajectories on the page."""


def main(arguments: Sequence[str]) -> int:
    """Runs `turnwise view`.

    Raises:
        UsageError: If there is nothing to show.
    """
    config = tyro.cli(ViewConfig, args=list(arguments), prog="turnwise view")
    out = config.out or find_trajectories(config.source).with_suffix(".html")
    count = write_view(config.source, out, title=config.title, limit=config.limit)
    print(f"{count} trajectories in {out.resolve()}")
    return 0
