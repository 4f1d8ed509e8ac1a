"""Builds generated games ahead of time, several at once.

python -m turnwise_envs.textworld.build --splits train valid --processes 4
python -m turnwise_envs.textworld.build --game coin_collector --options '{"level": 10}'
python -m turnwise_envs.textworld.build --write-checksums      # of the registered configuration
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence

from turnwise_envs.textworld import checksums
from turnwise_envs.textworld.builder import build_all, games_folder
from turnwise_envs.textworld.tasks import SPLITS, GeneratedGames


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(prog="python -m turnwise_envs.textworld.build")
    parser.add_argument("--game", default="cooking")
    parser.add_argument("--options", type=json.loads, default={}, help="game_options as JSON")
    parser.add_argument("--splits", nargs="+", default=list(SPLITS))
    parser.add_argument("--count", type=int, default=None, help="first tasks of each split")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--write-checksums", action="store_true", help="commit to what comes out, for maintainers"
    )
    given = parser.parse_args(arguments)
    recipes = []
    for split in given.splits:
        tasks = GeneratedGames(split, given.game, given.options)
        count = min(len(tasks), given.count) if given.count else len(tasks)
        recipes += [tasks.recipe(index) for index in range(count)]
    start = time.perf_counter()
    built = build_all(recipes, given.processes)
    seconds = time.perf_counter() - start
    print(f"{len(recipes)} games, {built} built in {seconds:.0f} s, in {games_folder()}")
    if given.write_checksums:
        checksums.write([GeneratedGames(split, "cooking", None) for split in SPLITS])


if __name__ == "__main__":
    main()
