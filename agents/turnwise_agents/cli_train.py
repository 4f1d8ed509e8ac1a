"""`turnwise train`: parses a run's configuration, starts or continues the run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from turnwise_envs import UsageError

if TYPE_CHECKING:
    from turnwise_agents.run import TrainConfig

DESCRIPTION = """\
Train an agent. The options under "algo" and "learner" are those of --algorithm and --model; give
these two when asking for help, e.g. turnwise train --algorithm rloo --help."""

DRY_RUN = "Print the resolved configuration, one prompt and its token counts; train nothing."
RESUME = "Continue an interrupted run from its newest checkpoint; takes no other option."


def main(arguments: Sequence[str]) -> int:
    """Runs `turnwise train`.

    Raises:
        UsageError: If the configuration cannot be run.
    """
    words = list(arguments)
    resumed = _take_value(words, "--resume")
    if resumed is not None:
        if words:
            raise UsageError(
                f"--resume takes a run's folder and its own settings, got {words[0]!r} besides. "
                "Leave other options out."
            )
        from turnwise_agents.run import load_config, resume

        if load_config(Path(resumed)).model != "tabular":
            hide_loading_bars()
        return _finish(resume(Path(resumed)))
    config, dry = parse(words)
    from turnwise_agents.run import dry_run, train

    if config.model != "tabular":
        hide_loading_bars()
    if dry:
        print(dry_run(config))
        return 0
    return _finish(train(config))


def parse(words: Sequence[str]) -> tuple[TrainConfig, bool]:
    """Returns the run's configuration, and whether only to print it."""
    import tyro

    from turnwise_agents.run import TrainConfig, config_class

    defaults = {f.name: f.default for f in dataclasses.fields(TrainConfig)}
    algorithm, model = (
        _peek_value(words, f"--{name}") or str(defaults[name]) for name in ("algorithm", "model")
    )
    kind = config_class(algorithm, model)
    only_here: list[tuple[str, Any, Any]] = [
        ("dry_run", Annotated[bool, tyro.conf.arg(help=DRY_RUN)], dataclasses.field(default=False)),
        (
            "resume",
            Annotated[Path | None, tyro.conf.arg(help=RESUME, metavar="RUN")],
            dataclasses.field(default=None),
        ),
    ]
    command = dataclasses.make_dataclass(
        "Train", only_here, bases=(kind,), frozen=True, kw_only=True
    )
    parsed: Any = tyro.cli(
        command,
        args=list(words),
        prog="turnwise train",
        description=DESCRIPTION,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    config = kind(**{f.name: getattr(parsed, f.name) for f in dataclasses.fields(kind)})
    return config, parsed.dry_run


def hide_loading_bars() -> None:
    """Keeps transformers' bars for reading and writing weights out of the run's own lines."""
    from transformers.utils import logging

    logging.disable_progress_bar()


def _peek_value(words: Sequence[str], option: str) -> str | None:
    """Returns an option's value, in both spellings (`--x v`, `--x=v`)."""
    for i, word in enumerate(words):
        if word == option and i + 1 < len(words):
            return words[i + 1]
        if word.startswith(option + "="):
            return word.partition("=")[2]
    return None


def _take_value(words: list[str], option: str) -> str | None:
    """Like `_peek_value`, and removes the option."""
    for i, word in enumerate(words):
        if word == option:
            if i + 1 == len(words):
                raise UsageError(f"{option} must be followed by a run's folder.")
            del words[i]
            return words.pop(i)
        if word.startswith(option + "="):
            return words.pop(i).partition("=")[2]
    return None


def _finish(run_dir: Path) -> int:
    print(f"The run is in {run_dir}. Look at it with: turnwise view {run_dir}")
    return 0
