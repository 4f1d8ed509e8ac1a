"""Where a run's numbers go: JSON lines, TensorBoard, the terminal, Weights & Biases.

Names are grouped `rollout/…`, `loss/…`, `time/…`, `eval/…`; a tracker takes one flat dict of floats
per iteration. `diagnose` reads the same dict and says in words why a run does not learn.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.text import Text

from turnwise_envs import DependencyNotInstalled, TurnwiseError

Metrics = Mapping[str, float]


class TrackingError(TurnwiseError, OSError):
    """A run's numbers could not be written; what was written before is untouched."""


class Tracker(Protocol):
    """Takes one dict of numbers per iteration."""

    def log(self, iteration: int, metrics: Metrics) -> None:
        """Takes the numbers of an iteration; iterations never decrease."""
        ...

    def truncate(self, iteration: int) -> None:
        """Forgets what came after `iteration` finished ones, before a resumed run logs again."""
        ...

    def close(self) -> None:
        """Writes what is buffered and frees everything."""
        ...


class JSONLTracker:
    """Appends one JSON object per iteration to a file, flushed at once.

    Args:
        path: the file; its folder is made.

    Raises:
        TrackingError: If the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._guard():
            path.parent.mkdir(parents=True, exist_ok=True)
            _drop_partial_line(path)
            self._file = path.open("a", encoding="utf-8")

    def log(self, iteration: int, metrics: Metrics) -> None:
        """Appends a line; numbers that JSON has no word for become null."""
        row: dict[str, Any] = {"iteration": iteration}
        for name, value in metrics.items():
            number = float(value)
            row[name] = number if math.isfinite(number) else None
        with self._guard():
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()

    def truncate(self, iteration: int) -> None:
        """Keeps the lines up to `iteration`; none where nothing was finished."""
        with self._guard():
            self._file.close()
            kept = [
                line
                for line in self.path.read_text(encoding="utf-8").splitlines(keepends=True)
                if iteration and json.loads(line)["iteration"] <= iteration
            ]
            partial = self.path.with_suffix(".partial")
            partial.write_text("".join(kept), encoding="utf-8")
            partial.replace(self.path)
            self._file = self.path.open("a", encoding="utf-8")

    def close(self) -> None:
        """Closes the file."""
        with self._guard():
            self._file.close()

    @contextlib.contextmanager
    def _guard(self) -> Any:
        try:
            yield
        except OSError as error:
            raise TrackingError(
                f"metrics file {self.path} must be writable, got: {error}. "
                "Free space or fix permissions, then continue with --resume."
            ) from error


def _drop_partial_line(path: Path) -> None:
    """Cuts what a killed process left after the last whole line."""
    if not path.exists():
        return
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        os.truncate(path, data.rfind(b"\n") + 1)


class TensorBoardTracker:
    """Writes TensorBoard events.

    Args:
        folder: where the event files go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer: Any = None
        self._purge: int | None = None

    def log(self, iteration: int, metrics: Metrics) -> None:
        """Adds a scalar per number."""
        try:
            writer = self._open()
            for name, value in metrics.items():
                writer.add_scalar(name, float(value), iteration)
            writer.flush()
        except OSError as error:
            raise TrackingError(
                f"TensorBoard folder {self.folder} must be writable, got: {error}. "
                "Free space or fix permissions, then continue with --resume."
            ) from error

    def truncate(self, iteration: int) -> None:
        """Marks later events as void; TensorBoard hides them."""
        self._purge = iteration + 1 if iteration else 0

    def close(self) -> None:
        """Closes the event file."""
        if self._writer is not None:
            self._writer.close()

    def _open(self) -> Any:
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self.folder), purge_step=self._purge)
        return self._writer


class WandbTracker:
    """Logs to Weights & Biases.

    Args:
        folder: the run's folder; its name becomes the run's.
        resume: whether to go on with the run of the same name.

    Raises:
        DependencyNotInstalled: If wandb is missing.
    """

    def __init__(self, folder: Path, *, resume: bool = False) -> None:
        try:
            import wandb
        except ImportError as error:
            raise DependencyNotInstalled(
                "Logging to Weights & Biases needs wandb. "
                'Install it with pip install "turnwise[wandb]".'
            ) from error
        self._run = wandb.init(
            project="turnwise",
            dir=str(folder),
            name=folder.name,
            resume="allow" if resume else None,
        )

    def log(self, iteration: int, metrics: Metrics) -> None:
        """Logs one step."""
        self._run.log(dict(metrics), step=iteration)

    def truncate(self, iteration: int) -> None:
        """Does nothing: the service keeps its own history and ignores repeated steps."""

    def close(self) -> None:
        """Finishes the run."""
        self._run.finish()


def _share(value: float) -> str:
    return f"{100 * value:.0f}%"


def _count(value: float) -> str:
    return f"{value / 1000:.1f}k" if value >= 10_000 else f"{value:.0f}"


def _decimals(digits: int) -> Callable[[float], str]:
    return lambda value: f"{value:.{digits}f}"


COLUMNS: tuple[tuple[str, str, int, Callable[[float], str]], ...] = (
    ("success", "rollout/success_rate", 7, _share),
    ("return", "rollout/episodic_return", 7, _decimals(2)),
    ("turns", "rollout/episodic_length", 6, _decimals(1)),
    ("invalid", "rollout/invalid_action_share", 7, _share),
    ("loss", "loss/total", 8, _decimals(4)),
    ("kl", "loss/approx_kl", 7, _decimals(4)),
    ("clipped", "loss/clip_fraction", 7, _share),
    ("entropy", "loss/entropy", 7, _decimals(3)),
    ("tok/s", "time/tokens_per_s", 7, _count),
    ("steps/s", "time/env_steps_per_s", 7, _count),
)
"""Heading, metric, width and format of the terminal's columns; the time split comes last."""

_TIMES = (("rollout", "time/rollout_s"), ("credit", "time/credit_s"), ("update", "time/update_s"))


class ConsoleTracker:
    """Prints one line per iteration: outcome, loss, speed and where the time went.

    On a terminal the numbers are coloured and the heading returns every screenful; elsewhere the
    same lines come plain. A hint of `diagnose` is printed once, when it has held for `patience`
    iterations in a row; what breaks episodes or numbers is said at once.

    Args:
        console: where to; None is standard output.
        hints: whether to print hints.
        heading_every: lines between headings on a terminal.
        patience: iterations that a hint must hold.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        hints: bool = True,
        heading_every: int = 25,
        patience: int = 3,
    ) -> None:
        self.console = console if console is not None else Console()
        self.hints = hints
        self.heading_every = heading_every
        self.patience = patience
        self._lines = 0
        self._held: dict[str, int] = {}

    def log(self, iteration: int, metrics: Metrics) -> None:
        """Prints the iteration's line, its evaluations and new hints."""
        if "rollout/success_rate" in metrics:
            again = self.console.is_terminal and self._lines % self.heading_every == 0
            if self._lines == 0 or again:
                self._print(self._heading())
            self._print(self._line(iteration, metrics))
            self._lines += 1
        for text in self._evaluations(iteration, metrics):
            self._print(text)
        if self.hints and "rollout/success_rate" in metrics:
            self._hint(metrics)

    def _hint(self, metrics: Metrics) -> None:
        held: dict[str, int] = {}
        for hint in diagnose(metrics):
            name = hint.partition(":")[0]
            held[name] = self._held.get(name, 0) + 1
            if held[name] == (1 if name in URGENT else self.patience):
                self._print(Text(f"      ! {hint}", style="yellow"))
        said = {name: count for name, count in self._held.items() if count >= self.patience}
        self._held = {**said, **held}

    def truncate(self, iteration: int) -> None:
        """Says where the run goes on."""
        self._print(Text(f"Going on after iteration {iteration}.", style="dim"))

    def close(self) -> None:
        """Does nothing: every line is printed at once."""

    def _heading(self) -> Text:
        text = Text(f"{'iter':>5}", style="bold")
        for name, _, width, _ in COLUMNS:
            text.append(f" {name:>{width}}")
        return text.append("  seconds (rollout+credit+update)")

    def _line(self, iteration: int, metrics: Metrics) -> Text:
        text = Text(f"{iteration:>5}", style="bold")
        for _, name, width, form in COLUMNS:
            value = metrics.get(name)
            shown = "-" if value is None else form(value) if math.isfinite(value) else "nan"
            text.append(f" {shown:>{width}}", style=_style(name, value))
        spent = [metrics[name] for _, name in _TIMES if name in metrics]
        if spent:
            total = metrics.get("time/iteration_s", sum(spent))
            text.append(f"  {total:.1f}", style="default")
            text.append(f" ({'+'.join(f'{s:.1f}' for s in spent)})", style="dim")
        if "time/scoring_share" in metrics:
            text.append(f" {metrics['time/scoring_share']:.0%} scoring", style="dim")
        return text

    @staticmethod
    def _evaluations(iteration: int, metrics: Metrics) -> list[Text]:
        lines = []
        for name, value in metrics.items():
            if not (name.startswith("eval/") and name.endswith("/success_rate")):
                continue
            prefix = name.removesuffix("/success_rate")
            line = Text(f"{iteration:>5} ", style="cyan")
            line.append(f"evaluation {prefix.removeprefix('eval/')}: success {100 * value:.1f}%")
            if f"{prefix}/episodic_return" in metrics:
                line.append(f", return {metrics[f'{prefix}/episodic_return']:.2f}")
            if metrics.get(f"{prefix}/errors", 0.0):
                line.append(f", {metrics[f'{prefix}/errors']:.0f} ERRORS", style="bold red")
            lines.append(line)
        return lines

    def _print(self, text: Text) -> None:
        # Lines are wider than an 80-column pipe; wrapping would tear the table apart.
        self.console.print(text, soft_wrap=True, highlight=False)


def _style(name: str, value: float | None) -> str:
    if value is None:
        return "dim"
    if not math.isfinite(value):
        return "bold red"
    if name == "rollout/success_rate":
        return "bold green"
    if name == "rollout/invalid_action_share" and value > 0.3:
        return "red"
    return "default"


class MultiTracker:
    """Passes everything on to several trackers.

    Args:
        trackers: in the order they are told; the file that a resume reads comes first.
    """

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self.trackers = list(trackers)

    def log(self, iteration: int, metrics: Metrics) -> None:
        """Logs to all."""
        for tracker in self.trackers:
            tracker.log(iteration, metrics)

    def truncate(self, iteration: int) -> None:
        """Truncates all."""
        for tracker in self.trackers:
            tracker.truncate(iteration)

    def close(self) -> None:
        """Closes all, also after an error in one of them."""
        with contextlib.ExitStack() as stack:
            for tracker in self.trackers:
                stack.callback(tracker.close)


def make_tracker(
    run_dir: Path, *, wandb: bool = False, resume: bool = False, console: Console | None = None
) -> MultiTracker:
    """Returns the trackers of a run: metrics.jsonl, TensorBoard where installed, the terminal.

    Args:
        run_dir: the run's folder.
        wandb: whether to log to Weights & Biases as well.
        resume: whether an earlier part of the run is there.
        console: the terminal; None is standard output.

    Raises:
        TrackingError: If the folder cannot be written.
        DependencyNotInstalled: If wandb is asked for and missing.
    """
    trackers: list[Tracker] = [JSONLTracker(run_dir / "metrics.jsonl")]
    if importlib.util.find_spec("tensorboard") is not None:
        trackers.append(TensorBoardTracker(run_dir / "tensorboard"))
    trackers.append(ConsoleTracker(console))
    if wandb:
        trackers.append(WandbTracker(run_dir, resume=resume))
    return MultiTracker(trackers)


Rule = tuple[str, Callable[[float], bool], str]

RULES: tuple[Rule, ...] = (
    (
        "rollout/zero_variance_share",
        lambda v: v > 0.7,
        "No contrast: {share} of the groups have equal returns and teach nothing. "
        "Use larger groups, easier (or harder) tasks, or a better warm start.",
    ),
    (
        "rollout/invalid_action_share",
        lambda v: v > 0.3,
        "Invalid actions: {share} of the turns do nothing. "
        "Show the admissible actions, warm-start longer, or add a penalty.",
    ),
    (
        "rollout/invalid_format_share",
        lambda v: v > 0.2,
        "Unreadable replies: {share} of the completions do not parse. "
        "Choose another action format, or give completions more tokens.",
    ),
    (
        "rollout/stop_turns",
        lambda v: v > 0.6,
        "Turn limit: {share} of the episodes run out of turns. Raise max_turns or ease the tasks.",
    ),
    (
        "rollout/stop_context",
        lambda v: v > 0.1,
        "Context limit: {share} of the episodes outgrow the prompt. "
        "Raise --max-context-tokens or use --context window.",
    ),
    (
        "rollout/stop_tokens",
        lambda v: v > 0.1,
        "Token budget: {share} of the episodes are cut. Raise the budget.",
    ),
    (
        "rollout/stop_error",
        lambda v: v > 0.0,
        "Errors: {share} of the episodes broke and are left out. Read `error` in the trajectories.",
    ),
    (
        "instructions/proposer_failures",
        lambda v: v > 0.0,
        "Proposer failed: this iteration's evolution is lost. Its warning says why; check the "
        "endpoint of --proposer and its key, or take --proposer clauses.",
    ),
    (
        "gigpo/merge_rate",
        lambda v: v < 0.1,
        "Few anchors: only {share} of the turns share a state with another episode of their group, "
        "so step advantages are mostly zero. Use larger groups or a coarser anchor.",
    ),
    (
        "loss/sampler_logprob_gap",
        lambda v: v > 0.05,
        "Sampler and learner disagree: log-probabilities differ by {value:.3f} a token. "
        "Use --trainer.recompute-old-logprobs, or the same precision on both sides.",
    ),
    (
        "loss/entropy",
        lambda v: v < 0.02,
        "Entropy collapsed: {value:.4f} nats a token; nothing new is tried. "
        "Lower the learning rate, raise the temperature, or add an entropy bonus.",
    ),
    (
        "rollout/segments_per_trajectory",
        lambda v: v > 4.0,
        "Many segments: {value:.1f} sequences per episode, so every turn is computed anew. "
        "A full-history context needs one.",
    ),
    (
        "rollout/cache_hit_share",
        lambda v: v < 0.3,
        "Cold cache: only {share} of the prompt tokens were cached, so rollouts are slow. "
        "Keep the history unedited, or lower --max-concurrent.",
    ),
)
"""Metric, condition and advice; the words before the colon name the hint."""

URGENT = frozenset({"Errors", "Not finite", "Proposer failed"})
"""Hints that do not wait."""

_OF_TEXTS = frozenset({"rollout/segments_per_trajectory", "rollout/cache_hit_share"})
"""Say something about prompts that grow; those of a tabular policy are one token each."""


def diagnose(metrics: Metrics) -> list[str]:
    """Returns short hints why a run does not learn or is slow; [] where nothing stands out."""
    hints = []
    tabular = metrics.get("rollout/prompt_length", math.inf) <= 1
    for name, applies, advice in RULES:
        value = None if tabular and name in _OF_TEXTS else metrics.get(name)
        if value is not None and math.isfinite(value) and applies(value):
            hints.append(advice.format(value=value, share=_share(value)))
    broken = sorted(n for n, v in metrics.items() if n.startswith("loss/") and not math.isfinite(v))
    if broken:
        hints.append(
            f"Not finite: {', '.join(broken)}. Lower the learning rate or warm it up longer."
        )
    return hints
