"""`turnwise data`: what a user's data is and what is wrong with it; generated tasks as data."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.text import Text

from turnwise_envs import UsageError
from turnwise_envs.data import DataReport, check_data
from turnwise_envs.household.export import export_games

SHOWN_PROBLEMS = 50


@dataclass(frozen=True, kw_only=True)
class CheckConfig:
    """Say what a file or folder of data is, whether it can be used, and how to load it.

    Every byte is read. The exit status is 0 where all is well, 1 where there are problems (the rest
    of the data can be used all the same), 2 where nothing is there or nobody knows what it is.
    """

    path: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PATH")]
    """A file or folder, e.g. ALFWorld's json_2.1.1."""
    json: bool = False
    """Print one JSON object instead, with all problems."""


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """Write generated household tasks as games that ALFWorld's own code plays.

    The folder gets ALFWorld's layout, json_2.1.1/SPLIT/TYPE-.../trial_.../game.tw-pddl with
    traj_data.json; point the variable ALFWORLD_DATA at it.
    """

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
    """Where the data goes."""
    split: str = "train"
    """Split of the generated tasks, and name of the folder."""
    tasks: int = 100
    """First N tasks of the split."""
    size: str = "full"
    """Size of the scenes: full, medium or small."""
    data_version: str = "2.1.2"
    """Wording: 2.1.2 ("move O to R"), or 2.1.1 ("put O in/on R"), which older agents know."""
    source: Path | None = None
    """A game.tw-pddl or folder to take domain and grammar from; else the alfworld package's."""


SUBCOMMANDS = {"check": CheckConfig, "export": ExportConfig}


def main(arguments: Sequence[str]) -> int:
    """Runs `turnwise data`.

    Returns:
        0, or 1 where there are problems.

    Raises:
        UsageError: If the subcommand is unknown.
        DataError: If nothing is there, or it is no data of a known form.
    """
    words = list(arguments)
    if not words or words[0] in ("-h", "--help"):
        print(f"usage: turnwise data {{{','.join(SUBCOMMANDS)}}} ...\n")
        for name, kind in SUBCOMMANDS.items():
            print(f"  {name:<8}{(kind.__doc__ or '').splitlines()[0]}")
        return 0 if words else 2
    if words[0] not in SUBCOMMANDS:
        raise UsageError(
            f"turnwise data must be followed by {' or '.join(SUBCOMMANDS)}, got {words[0]!r}. "
            "See turnwise data --help."
        )
    config: Any = tyro.cli(
        SUBCOMMANDS[words[0]],
        args=words[1:],
        prog=f"turnwise data {words[0]}",
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    return check(config) if words[0] == "check" else export(config)


def export(config: ExportConfig) -> int:
    """Writes the games."""
    paths = export_games(
        config.folder,
        config.split,
        range(config.tasks),
        source=config.source,
        data_version=config.data_version,
        size=config.size,
    )
    print(f"{len(paths)} games below {config.folder / 'json_2.1.1' / config.split}")
    return 0


def check(config: CheckConfig) -> int:
    """Prints the reports; returns 1 where there are problems."""
    reports = check_data(config.path)
    if config.json:
        whole = {"path": str(config.path), "reports": [dataclasses.asdict(r) for r in reports]}
        print(json.dumps(whole, indent=1))
    else:
        console = Console()
        for report in reports:
            show(config.path, report, console)
    return int(any(report.problems for report in reports))


def show(path: Path, report: DataReport, console: Console) -> None:
    """Prints a report for a person."""

    def line(*parts: tuple[str, str]) -> None:
        console.print(Text.assemble(*parts), soft_wrap=True)

    version = f", version {report.version}" if report.version else ""
    line((f"{report.kind}", "bold"), (f" in {path}", ""))
    line((f"Usable {report.unit}: {report.count:,}{version}", "" if report.count else "bold red"))
    width = max(map(len, report.facts), default=0)
    for name, text in report.facts.items():
        line((f"  {name:<{width}}  ", "dim"), (text, ""))
    if report.problems:
        line((f"{len(report.problems):,} problems:", "bold red"))
        for problem in report.problems[:SHOWN_PROBLEMS]:
            line((f"  {problem}", "red"))
        if len(report.problems) > SHOWN_PROBLEMS:
            line((f"  and {len(report.problems) - SHOWN_PROBLEMS:,} more; --json has all.", "red"))
    else:
        line(("No problems.", "green"))
    if report.count:
        line(("Load it with: ", ""), (f"gym.make({report.usage})", "bold"))
