"""The page and the plot of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from comparison import (
    ORACLE_SHARE,
    WINDOW_SHARE,
    Experiment,
    Row,
    area,
    choose,
    confirmatory_jobs,
    final,
    mean_between,
    oracle_of,
    rows_of,
    steps_to,
    tuning_jobs,
)

from turnwise_agents.statistics import (
    bootstrap_mean_interval,
    interquartile_mean,
    interquartile_mean_interval,
)
from turnwise_envs import UsageError

Runs = dict[str, list[Row]]
"""Confirmatory rows of every arm, in the order of the seeds."""


def confirmatory_rows(experiment: Experiment, rows: Sequence[Row]) -> Runs:
    """Returns the confirmatory rows by arm."""
    found: Runs = {arm: [] for arm in experiment.arms}
    for row in rows_of(rows, confirmatory_jobs(experiment, rows)):
        found[row["arm"]].append(row)
    return found


def write_report(experiment: Experiment, rows: Sequence[Row], folder: Path) -> str:
    """Writes NAME.md and NAME.png; returns the page.

    Raises:
        UsageError: If a run or the oracle is missing.
    """
    oracle = oracle_of(experiment, rows)
    if oracle is None:
        raise UsageError("the oracle must have a row. Run --stage tune first.")
    runs = confirmatory_rows(experiment, rows)
    level = ORACLE_SHARE * oracle["success_rate"]
    lines = [
        *heading(experiment, rows, oracle),
        *results(experiment, runs, choose(experiment, rows), level),
        *differences(experiment, runs, level),
        f"![success]({experiment.name}.png)",
        "",
        *extras(experiment, runs),
        *seeds(runs, level),
        *tuning(experiment, rows),
    ]
    page = "\n".join(lines)
    (folder / f"{experiment.name}.md").write_text(page)
    plot(experiment, runs, level, folder / f"{experiment.name}.png")
    return page


def heading(experiment: Experiment, rows: Sequence[Row], oracle: Row) -> list[str]:
    """Returns what was compared, by which commands."""
    commits = sorted({str(row["commit"])[:10] for row in rows})
    minutes = sum(row.get("seconds", 0.0) for row in rows) / 60
    command = f"python benchmarks/learning/compare.py {experiment.name} --stage"
    stages = "tune`, then `confirm" if experiment.tuning_seeds else "confirm"
    return [
        f"# {experiment.title}",
        "",
        f"`{command} {stages}`, then `report`; judged as `PROTOCOL.md` says. "
        f"Rows: `rows/{experiment.name}.jsonl`. {minutes:.0f} minutes of training "
        f"(one thread each, on a busy machine) at commits {', '.join(commits)}.",
        "",
        *([experiment.notes.strip(), ""] if experiment.notes else []),
        f"All runs: `turnwise train {' '.join(experiment.words.split())}`, "
        f"{experiment.budget:,} environment steps.",
        "",
        f"The oracle (`expert_action`, {oracle['tasks']} tasks) succeeds in "
        f"{oracle['success_rate']:.3f} of episodes, in {oracle['turns']:.1f} turns.",
        "",
    ]


def results(experiment: Experiment, runs: Runs, chosen: dict[str, int], level: float) -> list[str]:
    """Returns the table of arms."""
    lines = [
        f"Interquartile mean and its 95 % bootstrap interval over {len(experiment.seeds)} seeds. "
        f"Steps: until success is {level:.3f}, {ORACLE_SHARE:.0%} of the oracle's; a run that does "
        "not get there counts with the budget.",
        "",
        "| arm | chosen setting | final success | mean over training | steps | reached by |",
        "|---|---|---|---|---|---|",
    ]
    for arm, members in runs.items():
        reached = sum(steps_to(row, level) is not None for row in members)
        lines.append(
            f"| {arm} | {code(experiment.arms[arm].settings[chosen[arm]])} | "
            f"{aggregate(map(final, members))} | {aggregate(map(area, members))} | "
            f"{aggregate([censored(r, level) for r in members], '{:,.0f}')} | "
            f"{reached} of {len(members)} |"
        )
    if failed := [r for members in runs.values() for r in members if r["error"]]:
        lines += ["", f"{len(failed)} runs failed and count as success 0:", ""]
        lines += [f"- {r['arm']}, seed {r['seed']}: {r['error']}" for r in failed]
    return [*lines, ""]


def differences(experiment: Experiment, runs: Runs, level: float) -> list[str]:
    """Returns the table of paired differences to the baseline."""
    measures: list[tuple[Callable[[Row], float], str]] = [
        (final, "{:+.3f}"),
        (area, "{:+.3f}"),
        (lambda row: -censored(row, level), "{:+,.0f}"),
    ]
    lines = [
        f"Minus {experiment.baseline}, paired by seed: mean, its 95 % bootstrap interval, and "
        "seeds better : worse. Fewer steps are better, and shown as positive.",
        "",
        "| arm | final success | mean over training | steps saved |",
        "|---|---|---|---|",
    ]
    for arm in (arm for arm in runs if arm != experiment.baseline):
        cells = []
        for measure, form in measures:
            pairs = zip(runs[arm], runs[experiment.baseline], strict=True)
            values = [measure(ours) - measure(theirs) for ours, theirs in pairs]
            low, high = bootstrap_mean_interval(values)
            won, lost = sum(v > 0 for v in values), sum(v < 0 for v in values)
            cells.append(
                f"{form.format(np.mean(values))} [{form.format(low)}, {form.format(high)}], "
                f"{won} : {lost}"
            )
        lines.append(f"| {arm} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def extras(experiment: Experiment, runs: Runs) -> list[str]:
    """Returns the means over training of the further metrics."""
    if not experiment.extras:
        return []
    lines = ["Further metrics, mean over training and then over seeds:", ""]
    lines += ["| | " + " | ".join(map(code, experiment.extras)) + " |"]
    lines += ["|---" * (1 + len(experiment.extras)) + "|"]
    for arm, members in runs.items():
        cells = []
        for name in experiment.extras:
            values = [mean_between(r, 0, r["budget"], name) for r in members if not r["error"]]
            cells.append(f"{np.mean(values):.3f}" if values else "-")
        lines.append(f"| {arm} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def seeds(runs: Runs, level: float) -> list[str]:
    """Returns every seed's figures."""
    lines = ["Every seed: final success, and steps (- where the level was not reached).", ""]
    lines += ["| seed | " + " | ".join(runs) + " |", "|---" * (1 + len(runs)) + "|"]
    for row_by_arm in zip(*runs.values(), strict=True):
        cells = []
        for row in row_by_arm:
            steps = steps_to(row, level)
            cells.append(f"{final(row):.3f}, {'-' if steps is None else f'{steps:,}'}")
        lines.append(f"| {row_by_arm[0]['seed']} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def tuning(experiment: Experiment, rows: Sequence[Row]) -> list[str]:
    """Returns the table of all tuning runs."""
    if not experiment.tuning_seeds:
        return ["Nothing was tuned.", ""]
    chosen = choose(experiment, rows)
    tuned = rows_of(rows, tuning_jobs(experiment))
    lines = [
        "Tuning: mean success over training on every tuning seed; the highest mean is chosen.",
        "",
        "| arm | setting | " + " | ".join(map(str, experiment.tuning_seeds)) + " | mean | |",
        "|---" * (4 + len(experiment.tuning_seeds)) + "|",
    ]
    for arm, side in experiment.arms.items():
        for i, words in enumerate(side.settings):
            members = [r for r in tuned if (r["arm"], r["setting"]) == (arm, i)]
            cells = ["failed" if r["error"] else f"{area(r):.3f}" for r in members]
            mean = np.mean([area(r) for r in members])
            mark = "chosen" if chosen[arm] == i else ""
            lines.append(
                f"| {arm} | {code(words)} | " + " | ".join(cells) + f" | {mean:.3f} | {mark} |"
            )
    return [*lines, ""]


def aggregate(values: Sequence[float] | map[float], form: str = "{:.3f}") -> str:
    """Formats interquartile mean and interval."""
    scores = list(values)
    low, high = interquartile_mean_interval(scores)
    middle = interquartile_mean(scores)
    return f"{form.format(middle)} [{form.format(low)}, {form.format(high)}]"


def censored(row: Row, level: float) -> int:
    """Returns the steps to a level, or the budget."""
    steps = steps_to(row, level)
    return row["budget"] if steps is None else steps


def code(words: str) -> str:
    """Formats words of a command; nothing for none."""
    return f"`{words}`" if words else "-"


def plot(experiment: Experiment, runs: Runs, level: float, path: Path) -> None:
    """Draws interquartile mean and band of success against environment steps."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    window = WINDOW_SHARE * experiment.budget
    grid = np.linspace(window, experiment.budget, 60)
    figure, axes = plt.subplots(figsize=(7, 4.2))
    for arm, members in runs.items():
        curves = np.array([[mean_between(r, end - window, end) for end in grid] for r in members])
        bounds = [interquartile_mean_interval(column, resamples=1000) for column in curves.T]
        low, high = np.array(bounds).T
        middle = [interquartile_mean(column) for column in curves.T]
        (line,) = axes.plot(grid, middle, label=arm)
        axes.fill_between(grid, low, high, alpha=0.2, color=line.get_color())
    axes.axhline(level, color="gray", linestyle=":", label=f"{ORACLE_SHARE:.0%} of the oracle")
    axes.set(
        xlabel="environment steps",
        ylabel=experiment.success.removeprefix("rollout/").replace("_", " "),
        ylim=(0, 1),
        title=f"{experiment.title}, {len(experiment.seeds)} seeds",
    )
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
