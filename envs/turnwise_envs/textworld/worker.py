"""The process that makes and compiles games: orders as JSON lines in, answers as JSON lines out."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from turnwise_envs.textworld.builder import store


def make_game(recipe: dict[str, Any], path: Path) -> None:
    """Makes the game of a recipe and compiles it to `path`."""
    from textworld import GameOptions
    from textworld.challenges import CHALLENGES
    from textworld.generator import compile_game
    from textworld.generator import make_game as make_custom

    options = GameOptions()
    options.seeds = recipe["seed"]
    options.path = str(path)
    options.file_ext = path.suffix
    options.force_recompile = True
    settings = dict(recipe["options"])
    if recipe["game"] == "custom":
        length = settings.pop("quest_length")
        for name, value in settings.items():
            setattr(options, name, value)
        options.chaining.min_length = options.chaining.max_length = length
        options.chaining.max_depth = length
        game = make_custom(options)
    else:
        if recipe["game"] == "cooking":
            # A recipe can only be shuffled among ingredients that are to be found.
            settings["recipe_seed"] = recipe["seed"] if settings["take"] else 0
            settings["split"] = recipe["foods"]
        _, make_challenge, _ = CHALLENGES["tw-" + recipe["game"]]
        game = make_challenge(settings, options)
    compile_game(game, options)


def compile_source(source: Path, path: Path) -> None:
    """Compiles a user's `.json` to `path`.

    Raises:
        ValueError: If it is no game of this version of TextWorld.
    """
    from textworld import Game, GameOptions
    from textworld.generator import compile_game

    game = Game.load(str(source))
    options = GameOptions()
    options.path = str(path)
    options.file_ext = path.suffix
    options.force_recompile = True
    compile_game(game, options)


def _read_source(source: Path) -> str:
    """Returns what is wrong with a user's `.json`, or ""."""
    from textworld import Game

    try:
        Game.load(str(source))
    except Exception as error:  # the package's own reader raises whatever it stumbles over
        return (
            f"{source}: must be a game of the installed version of TextWorld, its reader says "
            f"{error!r}. Make the game again with this version."
        )
    return ""


def carry_out(order: dict[str, Any]) -> dict[str, str]:
    """Carries out one order; returns the answer."""
    folder = Path(order["folder"])
    try:
        if "source" in order:
            source = Path(order["source"])
            if wrong := _read_source(source):
                return {"bad_source": wrong}
            store(folder, lambda path: compile_source(source, path))
        else:
            store(folder, lambda path: make_game(order["recipe"], path))
    except Exception as error:  # everything must reach the caller, who raises it
        return {"error": f"{type(error).__name__}: {error}"}
    return {}


def main() -> None:
    """Answers orders until the other end closes."""
    # TextWorld and the compiler print; the answers keep the real standard output for themselves.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(carry_out(json.loads(line))) + "\n")


if __name__ == "__main__":
    main()
