"""`turnwise evaluate`: progress while it plays, then a table of the figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from turnwise_agents.evaluate import EvaluateConfig, Evaluation
from turnwise_agents.policies import is_text_policy

DESCRIPTION = """\
Play fixed tasks with any policy and write a result file (.json) and its trajectories (.jsonl)."""


def main(arguments: Sequence[str]) -> int:
    """Runs `turnwise evaluate`.

    Returns:
        0, or 1 where every episode broke.

    Raises:
        UsageError: If it cannot be played.
    """
    import tyro

    config = tyro.cli(
        EvaluateConfig,
        args=list(arguments),
        prog="turnwise evaluate",
        description=DESCRIPTION,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    evaluation = Evaluation(config)
    if not is_text_policy(config.policy):
        from turnwise_agents.cli_train import hide_loading_bars

        hide_loading_bars()
    console = Console()
    result = play(evaluation, console)
    show(result, console)
    console.print(f"Result: {evaluation.out}", soft_wrap=True, highlight=False)
    console.print(
        f"Look at it with: turnwise view {evaluation.out}", soft_wrap=True, highlight=False
    )
    return 0 if result["overall"] else 1


def play(evaluation: Evaluation, console: Console) -> dict[str, Any]:
    """Plays with a progress bar on a terminal, silently elsewhere."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", style="bold red"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(evaluation.config.policy, total=len(evaluation.jobs), note="")

        def progress(finished: int, total: int, errors: int) -> None:
            bar.update(task, completed=finished, note=f"{errors} errors" if errors else "")

        return evaluation.run(progress)


def show(result: dict[str, Any], console: Console) -> None:
    """Prints a result: figures per task type, counts, and errors loudly."""
    setting, counts = result["setting"], result["counts"]
    title = f"{setting['policy']} on {setting['env']} ({setting['split']})"
    console.print(Text(title, style="bold"), soft_wrap=True)
    table = Table(box=box.SIMPLE, padding=(0, 1))
    table.add_column("tasks", overflow="fold")
    for column in ("episodes", "success % [95 %]", "return [95 %]", "turns"):
        table.add_column(column, justify="right", no_wrap=True)
    for kind, figures in result["by_kind"].items():
        if len(result["by_kind"]) > 1 or kind:
            _add_row(table, kind or "-", figures, None)
    table.add_section()
    if result["overall"]:
        _add_row(table, "all", result["overall"], "bold")
    for name, figures in (result["baselines"] or {}).items():
        _add_row(table, name, figures, "dim")
    console.print(table)
    notes = [f"{counts['turns']} turns", f"{result['wall_time_s']:.1f} s"]
    if counts["turns"]:
        notes.append(f"{100 * counts['invalid_actions'] / counts['turns']:.1f} % not applicable")
        notes.append(f"{100 * counts['invalid_formats'] / counts['turns']:.1f} % unreadable")
    notes.append("ended by " + ", ".join(f"{k} {v}" for k, v in counts["stops"].items()))
    if setting.get("data_version"):
        notes.append(f"data version {setting['data_version']}")
    if result.get("normalised_score") is not None:
        notes.append(f"normalised score {result['normalised_score']:.3f} (random 0, expert 1)")
    console.print(Text("; ".join(notes) + "."))
    if counts["errors"]:
        text = f"{counts['errors']} of {counts['episodes']} episodes BROKE and are in no figure:"
        console.print(Text(text, style="bold red"))
        for message, count in counts["error_messages"].items():
            console.print(Text(f"  {count} x {message}", style="red"))
        console.print(Text("  Play them again with --resume.", style="red"))


def _add_row(table: Table, name: str, figures: dict[str, Any], style: str | None) -> None:
    cells = [name, str(figures["episodes"])]
    for column, scale, digits in (("success_rate", 100, 1), ("return", 1, 2)):
        mean, low, high = (
            f"{scale * figures[column][key]:.{digits}f}" for key in ("mean", "low", "high")
        )
        cells.append(f"{mean} [{low}, {high}]")
    cells.append(f"{figures['turns']['mean']:.1f}")
    table.add_row(*(Text(cell) for cell in cells), style=style)
