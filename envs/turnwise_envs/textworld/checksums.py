"""Committed content hashes of the registered configurations' games.

`python -m turnwise_envs.textworld.checksums` builds all of them and writes `checksums.json` anew.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from turnwise_envs.splits import content_id
from turnwise_envs.textworld.recipes import package_version

_NAME = "checksums.json"


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    text = resources.files(__package__).joinpath(_NAME).read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


def committed(options: dict[str, Any], split: str, index: int) -> str | None:
    """Returns the content hash of a game, None where none is committed for it.

    Hashes are committed for one version of the textworld package; another one has other task ids.
    """
    table = _table()
    if table["textworld"] != package_version():
        return None
    hashes = table["games"].get(content_id([options, split]), ())
    return hashes[index] if index < len(hashes) else None


def main(processes: int = 2) -> None:
    """Builds the games of the default configuration and writes their hashes."""
    from turnwise_envs.textworld.builder import build_all, game_of
    from turnwise_envs.textworld.tasks import SPLITS, GeneratedGames

    games = {}
    for split in SPLITS:
        tasks = GeneratedGames(split, "cooking", None)
        recipes = [tasks.recipe(index) for index in range(len(tasks))]
        print(f"{split}: {build_all(recipes, processes)} built", flush=True)
        games[content_id([tasks.options, split])] = [game_of(recipe).content for recipe in recipes]
    data = {"textworld": package_version(), "games": games}
    Path(__file__).with_name(_NAME).write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
