"""Committed content hashes of the registered configurations' games.

`python -m turnwise_envs.textworld.build --write-checksums` writes `checksums.json` anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
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


def write(task_sets: Iterable[Any]) -> None:
    """Writes `checksums.json` anew, for the generated games of whole splits."""
    from turnwise_envs.textworld.builder import game_of

    games = {
        content_id([tasks.options, tasks.split]): [
            game_of(tasks.recipe(index)).content for index in range(len(tasks))
        ]
        for tasks in task_sets
    }
    data = {"textworld": package_version(), "games": games}
    Path(__file__).with_name(_NAME).write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
