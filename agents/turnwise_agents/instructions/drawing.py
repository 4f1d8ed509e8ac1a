"""Ancestry and weights of a run's instructions, as a tree in the terminal and as a picture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from rich.text import Text
from rich.tree import Tree

from turnwise_agents.checkpoint import latest_checkpoint, load_checkpoint
from turnwise_agents.instructions.population import SEED, Population
from turnwise_envs.errors import UsageError

History = Mapping[str, Sequence[tuple[int, float]]]
"""Label of an instruction -> (iteration, weight) in order."""

_BLOCKS = "▁▂▃▄▅▆▇█"
_STYLES = {"living": "bold green", "candidate": "cyan", "pruned": "dim", "rejected": "dim red"}
_COLOURS = ("#1b6ca8", "#c8553d", "#3d8b4f", "#8e5ea2", "#b8860b", "#2a9d8f", "#d1495b", "#5c677d")
_SPARKS = 24


def load_populations(run_dir: Path) -> dict[str, Population]:
    """Returns the populations of a run's newest checkpoint, by environment id.

    Raises:
        UsageError: If the folder holds no run whose instructions evolve.
    """
    path = latest_checkpoint(run_dir)
    state = {} if path is None else load_checkpoint(path)["algorithm"]
    if not state.get("instructions"):
        raise UsageError(
            f"RUN must be the folder of a run whose instructions evolve, with a checkpoint, got "
            f"{run_dir}. Train one with --algorithm inspo."
        )
    populations = {}
    for env_id, own in state["instructions"].items():
        populations[env_id] = Population("")
        populations[env_id].load_state_dict(own["population"])
    return populations


def weight_history(run_dir: Path, env_id: str, several: bool) -> dict[str, list[tuple[int, float]]]:
    """Returns the weights that a run logged for a world (one of several, or the only one)."""
    prefix = f"instructions/{env_id}/weight/" if several else "instructions/weight/"
    history: dict[str, list[tuple[int, float]]] = {}
    for line in (run_dir / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        for name, value in row.items():
            if name.startswith(prefix) and value is not None:
                history.setdefault(name.removeprefix(prefix), []).append((row["iteration"], value))
    return history


def ancestry(population: Population, history: History, title: str) -> Tree:
    """Returns the tree of all instructions, each under its first parent.

    Args:
        population: all records.
        history: weights over the run.
        title: of the tree.
    """
    tree = Tree(Text(title, style="bold"))
    values = [value for row in history.values() for _, value in row]
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    nodes: dict[str, Tree] = {}
    for one in population.records:
        end = "" if one.died is None else f"-{one.died}"
        line = Text(one.label, style=_STYLES[one.status])
        line.append(f"  {one.status}, iteration {one.born}{end}", style="default")
        if one.note:
            line.append(f", {one.note}")
        if others := [name or "seed" for name in one.parents[1:]]:
            line.append(f" with {', '.join(others)}")
        if one.draws:
            line.append(f"; {one.draws} questions, mean {one.mean_reward:.3f}, w {one.weight:.3f} ")
            line.append(sparkline([v for _, v in history.get(one.label, [])], low, high))
        if one.verified is not None:
            line.append(f"; verified {one.verified:.3f}")
        line.append(f"\n{one.text}", style="italic" if one.status == "living" else "dim")
        under = nodes[one.parents[0]] if one.parents and one.id != SEED else tree
        nodes[one.id] = under.add(line)
    return tree


def sparkline(values: Sequence[float], low: float, high: float) -> str:
    """Returns at most 24 block characters for values between `low` and `high`."""
    step = max(1.0, len(values) / _SPARKS)
    picked = [values[int(i * step)] for i in range(int(len(values) / step))]
    top = len(_BLOCKS) - 1
    return "".join(_BLOCKS[round(top * (v - low) / (high - low or 1.0))] for v in picked)


def weights_svg(population: Population, history: History, title: str) -> str:
    """Returns a picture: weights over iterations, births hanging from the parent's line.

    Args:
        population: all records.
        history: weights over the run.
        title: heading.
    """
    width, height, left, top = 860, 380, 60, 40
    rows = {one.label: history.get(one.label, []) for one in population.records}
    points = [point for row in rows.values() for point in row] or [(0, 0.0), (1, 1.0)]
    first, last = min(p[0] for p in points), max(p[0] for p in points)
    low, high = min(p[1] for p in points), max(p[1] for p in points)

    def place(iteration: float, weight: float) -> tuple[float, float]:
        x = left + (width - left - 90) * (iteration - first) / (last - first or 1)
        return x, top + (height - top - 50) * (high - weight) / (high - low or 1.0)

    parts = list(_frame(width, height, left, title, (low, high), (first, last), place))
    for number, one in enumerate(population.records):
        row = rows[one.label]
        if not row:
            continue
        colour = _COLOURS[number % len(_COLOURS)]
        line = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in row)
        hint = escape(f"{one.label}: {one.text}")
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2">'
            f"<title>{hint}</title></polyline>"
        )
        x, y = place(*row[0])
        for parent in one.parents:
            before = [p for p in rows[parent or "seed"] if p[0] <= row[0][0]]
            if before:
                px, py = place(*before[-1])
                parts.append(
                    f'<line x1="{px:.1f}" y1="{py:.1f}" x2="{x:.1f}" y2="{y:.1f}" '
                    f'stroke="{colour}" stroke-dasharray="3 3"/>'
                )
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')
        x, y = place(*row[-1])
        name = escape(one.label) + (" ✕" if one.status == "pruned" else "")
        parts.append(f'<text x="{x + 6:.1f}" y="{y + 4:.1f}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _frame(
    width: int,
    height: int,
    left: int,
    title: str,
    weights: tuple[float, float],
    iterations: tuple[int, int],
    place: object,
) -> Iterable[str]:
    assert callable(place)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">'
    )
    yield f'<rect width="{width}" height="{height}" fill="white"/>'
    yield f'<text x="{left}" y="20" font-size="14">{escape(title)}</text>'
    for value in sorted({*weights}):
        _, y = place(iterations[0], value)
        yield f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.3f}</text>'
        yield f'<line x1="{left}" y1="{y:.1f}" x2="{width - 90}" y2="{y:.1f}" stroke="#ddd"/>'
    for value in sorted({*iterations}):
        x, _ = place(value, weights[0])
        yield f'<text x="{x:.1f}" y="{height - 24}" text-anchor="middle">{value}</text>'
    yield f'<text x="{width / 2:.0f}" y="{height - 6}" text-anchor="middle">iteration</text>'
    middle = f"{height / 2:.0f}"
    yield f'<text x="14" y="{middle}" transform="rotate(-90 14 {middle})">weight</text>'
