"""`turnwise instructions`: the ancestry and the weights of a run's instructions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console


@dataclass(frozen=True, kw_only=True)
class InstructionsConfig:
    """Show the ancestry and the weights of a run's instructions."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a run with --algorithm inspo or inspo+NAME."""
    best: bool = False
    """Print nothing but the best instruction, for turnwise evaluate --instruction."""
    env: str | None = None
    """The world whose instructions to show; None shows all."""
    svg: Path | None = None
    """Also draw weights and ancestry into this file (of one world)."""


def main(arguments: Sequence[str]) -> int:
    """Runs `turnwise instructions`.

    Raises:
        UsageError: If there are no instructions to show.
    """
    from turnwise_agents.instructions.drawing import (
        ancestry,
        load_populations,
        weight_history,
        weights_svg,
    )
    from turnwise_envs import UsageError

    config = tyro.cli(
        InstructionsConfig,
        args=list(arguments),
        prog="turnwise instructions",
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    populations = load_populations(config.run)
    several = len(populations) > 1
    chosen = {e: p for e, p in populations.items() if config.env in (None, e)}
    if not chosen:
        raise UsageError(f"env must be one of {', '.join(populations)}, got {config.env!r}.")
    if len(chosen) > 1 and (config.best or config.svg):
        raise UsageError(f"--best and --svg need --env, one of {', '.join(populations)}.")
    for env_id, population in chosen.items():
        if config.best:
            print(population.best.text)
            continue
        history = weight_history(config.run, env_id, several)
        Console().print(ancestry(population, history, env_id))
        if config.svg is not None:
            config.svg.parent.mkdir(parents=True, exist_ok=True)
            config.svg.write_text(weights_svg(population, history, env_id), encoding="utf-8")
    return 0
