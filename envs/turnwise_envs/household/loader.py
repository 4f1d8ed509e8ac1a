"""Task sets of the user's own ALFWorld games: one file, or a folder of them.

A folder is searched for `*.tw-pddl` files. Where it (or its subfolder `json_2.1.1`) has folders
named after the splits, as ALFWorld's data has, a split is that folder; otherwise every game
belongs to every split. As in the original, games whose path says "movable" or "Sliced" and games
marked unsolvable are left out.
"""

from __future__ import annotations

import os
import warnings
from functools import lru_cache
from pathlib import Path

from turnwise_envs.errors import DataError, UsageError
from turnwise_envs.household.games import Game, load_game, read_bytes, read_parts
from turnwise_envs.splits import Task, TaskSet

DATA_VARIABLE = "ALFWORLD_DATA"
_SPLIT_FOLDERS = ("train", "valid_seen", "valid_unseen")


def resolve(data_dir: str | bool | None) -> Path | None:
    """Returns the path that `data_dir` means; True reads the variable ALFWORLD_DATA.

    Raises:
        UsageError: If it is True and the variable is not set, or of another type.
        DataError: If nothing is there.
    """
    if data_dir is None or data_dir is False:
        return None
    if data_dir is True:
        if not os.environ.get(DATA_VARIABLE):
            raise UsageError(
                f"data_dir=True must find a path in the variable {DATA_VARIABLE}, it is not set. "
                "Set it, or pass the path as data_dir."
            )
        data_dir = os.environ[DATA_VARIABLE]
    if not isinstance(data_dir, str | os.PathLike):
        raise UsageError(f"data_dir must be a path, True or None, got {data_dir!r}.")
    path = Path(data_dir).expanduser().resolve()
    if not path.exists():
        raise DataError(f"data_dir must be a game file or a folder of games, {path} is not there.")
    return path


def find_games(path: Path, split: str) -> list[Path]:
    """Returns the game files of a split, sorted by path.

    Raises:
        DataError: If there are none.
    """
    if path.is_file():
        return [path]
    root = path
    if (path / "json_2.1.1").is_dir():
        root = path / "json_2.1.1"
    if any((root / name).is_dir() for name in _SPLIT_FOLDERS):
        root = root / split
    found = sorted(
        game
        for game in root.rglob("*.tw-pddl")
        if "movable" not in str(game.relative_to(root))
        and "Sliced" not in str(game.relative_to(root))
    )
    if not found:
        raise DataError(
            f"data_dir must hold *.tw-pddl games for split {split!r}, found none below {root}. "
            "alfworld-download fetches ALFWorld's."
        )
    return found


class LoadedTasks(TaskSet):
    """The games of a folder that load, in the order of their paths.

    Args:
        split: name of the split.
        path: a game file or a folder.

    Attributes:
        bad: what is wrong with the games that were left out, by path; also given as a warning.
    """

    def __init__(self, split: str, path: Path) -> None:
        super().__init__(split)
        self.path = path
        self.bad: dict[str, str] = {}
        self._tasks: list[Task] = []
        seen: set[str] = set()
        for file in find_games(path, split):
            try:
                if path.is_dir() and read_parts(read_bytes(file)).get("solvable") is False:
                    continue
                game = _load(file)
            except DataError as error:
                if path.is_file():
                    raise
                self.bad[str(file)] = str(error)
                continue
            if game.id not in seen:
                seen.add(game.id)
                task = Task(game.id, split, len(self._tasks), game.goal.kind, str(file))
                self._tasks.append(task)
        if self.bad:
            first = next(iter(self.bad.values()))
            warnings.warn(
                f"{len(self.bad)} of the games below {path} cannot be played and are left out "
                f"(see .bad of the task set); the first: {first}",
                stacklevel=2,
            )
        if not self._tasks:
            reason = next(iter(self.bad.values()), "all are marked unsolvable")
            raise DataError(f"data_dir must hold playable games, {path} has none: {reason}")

    def __len__(self) -> int:
        return len(self._tasks)

    def task(self, index: int) -> Task:
        """Returns task `index`."""
        return self._tasks[index]

    def game(self, task: Task) -> Game:
        """Returns the game of a task of this set."""
        return _load(Path(task.payload))


@lru_cache(maxsize=64)
def _load(path: Path) -> Game:
    return load_game(path)
