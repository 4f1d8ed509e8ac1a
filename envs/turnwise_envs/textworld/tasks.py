"""The task sets of TextWorld: generated games, and a user's files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from turnwise_envs.errors import DataError, EnvironmentFault, UsageError
from turnwise_envs.splits import STREAM, GeneratedTaskSet, ListedTaskSet, Task, content_id
from turnwise_envs.textworld import checksums
from turnwise_envs.textworld.builder import game_of
from turnwise_envs.textworld.files import find_files, kind_of, playable, survey
from turnwise_envs.textworld.recipes import (
    GENERATOR,
    Recipe,
    game_options,
    harder,
    package_version,
)

SPLITS = ("train", "valid", "test", "ood")
TASKS_PER_SPLIT = 100

_FOODS = {"train": "train", "valid": "valid", "test": "test", "ood": "test", STREAM: "train"}
"""TextWorld's split of foods and preparations that a split cooks with."""


class GeneratedGames(GeneratedTaskSet):
    """The generated games of one split.

    Args:
        split: its name.
        game: kind of game, one of `recipes.GAMES`.
        given: options of that kind; those left out take their defaults.
    """

    def __init__(self, split: str, game: str, given: Mapping[str, Any] | None) -> None:
        options = game_options(game, given)
        self.game = game
        self.game_options = harder(game, options) if split == "ood" else options
        super().__init__(
            split,
            generator=f"{GENERATOR}/textworld-{package_version()}",
            options={"game": game, **{k: int(v) for k, v in self.game_options.items()}},
            kinds=(game,),
            size=None if split == STREAM else TASKS_PER_SPLIT,
        )

    def recipe(self, index: int) -> Recipe:
        """Returns what game `index` is made from."""
        seed = self.seed_of(index) % (2**31 - 1) + 1
        return Recipe(self.game, self.game_options, _FOODS[self.split], seed)

    def open(self, task: Task) -> Path:
        """Returns the file of a task's game, built first if the cache lacks it.

        Raises:
            EnvironmentFault: If it cannot be built, or another game comes out than this version
                committed to.
        """
        found = game_of(self.recipe(task.index))
        committed = checksums.committed(self.options, self.split, task.index)
        if committed is not None and committed != found.content:
            raise EnvironmentFault(
                f"Game {task.index} of split {self.split!r} has the content {found.content}, must "
                f"have {committed}: the generator gives other games here than it did. Delete "
                f"{found.path.parent} and report your versions of textworld, numpy and networkx."
            )
        return found.path


def split_folders(path: Path) -> list[str]:
    """Returns which splits a folder of games has folders for."""
    return [name for name in SPLITS if (path / name).is_dir()]


class LoadedGames(ListedTaskSet):
    """A user's games, in the order of their paths; a task's name is its path below the folder.

    Args:
        split: its name.
        path: a game or a folder of them.

    Attributes:
        bad: what is wrong with the games that were left out, by path; also given as a warning.
    """

    def __init__(self, split: str, path: Path) -> None:
        super().__init__(split, path)
        root = path / split if split_folders(path) else path
        if not root.exists():
            raise DataError(
                f"data_dir must have a folder for split {split!r}, {root} is not there."
            )
        seen = set()
        for file, identity, problem in survey(find_files(root)):
            if problem:
                self.bad[str(file)] = problem
            elif identity not in seen:
                seen.add(identity)
                index = len(self._tasks)
                name = file.name if file == root else file.relative_to(root).as_posix()
                self._tasks.append(Task(identity, split, index, kind_of(file), str(file), name))
        if not self._tasks:
            raise DataError(next(iter(self.bad.values())))
        self.warn_of_bad()

    def lookup(self, task_id: str) -> Task:
        """Returns the task with this id or name.

        Raises:
            UnknownTaskError: If there is none.
        """
        named = (task for task in self._tasks if task.name == task_id)
        return next(named, None) or super().lookup(task_id)

    @property
    def data_version(self) -> str:
        """Digest of the games' contents, whatever their names and order."""
        return content_id(sorted(task.id for task in self._tasks))

    def open(self, task: Task) -> Path:
        """Returns the file to play; a `.json` is compiled first."""
        return _playable_once(Path(task.payload))


@lru_cache(maxsize=1024)
def _playable_once(path: Path) -> Path:
    return playable(path)


def textworld_tasks(
    split: str,
    *,
    game: str = "cooking",
    game_options: Mapping[str, Any] | None = None,
    data_dir: str | None = None,
    **_: Any,
) -> GeneratedGames | LoadedGames:
    """Returns the tasks of a split for `TextWorldEnv`'s arguments.

    Raises:
        UsageError: If an argument cannot be used.
        DataError: If `data_dir` holds no playable games.
        DependencyNotInstalled: If the textworld package is missing.
    """
    if data_dir is None:
        return GeneratedGames(split, game, game_options)
    if split == STREAM:
        raise UsageError('split="stream" is generated; a user\'s games have no stream.')
    path = Path(data_dir).expanduser()
    if not path.exists():
        raise DataError(f"data_dir must be a game file or a folder of games, {path} is not there.")
    return LoadedGames(split, path.resolve())
