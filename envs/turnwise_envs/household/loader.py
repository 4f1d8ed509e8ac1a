"""Task sets of the user's own ALFWorld games: one file, or a folder of them (see `survey.py`).

The order is that of the paths (the original takes the file system's). A task's id is the hash of
its content; `name` is the original's identifier, "TYPE-.../trial_...", and is accepted as a
`task_id`, as is any path that ends in it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from turnwise_envs.data import data_path
from turnwise_envs.errors import DataError, UnknownTaskError
from turnwise_envs.household.games import Game, parse_parts, read_game
from turnwise_envs.household.goals import KINDS
from turnwise_envs.household.index import read_unchanged
from turnwise_envs.household.survey import GAME, LABEL, TASK_TYPES, Survey, survey, survey_file
from turnwise_envs.splits import ListedTaskSet, Task, content_id, kinds_to_keep

DATA_VARIABLE = "ALFWORLD_DATA"

TaskTypes = Sequence[str | int] | str | int | None


def task_kinds(task_types: TaskTypes) -> tuple[str, ...] | None:
    """Returns our names of the chosen task types, each once, in the order of `KINDS`.

    Args:
        task_types: our names, the original's names, or its numbers 1 to 6; None chooses all.

    Raises:
        UsageError: If there is none, or one is none of these.
    """
    names: dict[Any, str] = {**TASK_TYPES, **dict(enumerate(KINDS, start=1))}
    hint = "; the original's names and its numbers 1 to 6 do, too"
    return kinds_to_keep(task_types, KINDS, names, hint)


def resolve(data_dir: str | bool | None) -> Path | None:
    """Returns the path that `data_dir` means; True reads the variable ALFWORLD_DATA.

    Raises:
        UsageError: If it is True and the variable is not set, or of another type.
        DataError: If nothing is there.
    """
    return data_path(data_dir, variable=DATA_VARIABLE, what="a game file or a folder of games")


class LoadedTasks(ListedTaskSet):
    """The games of a folder that can be played, in the order of their paths.

    What is known of each game comes from an index of the files' content (`index.py`); a game itself
    is read when it is played. Two files of one content are two tasks, as in the original; the
    second's id is a hash of content and number.

    Args:
        split: name of the split.
        path: a game file or a folder.
        kinds: the task types to keep, of `KINDS`; None keeps all games.

    Attributes:
        survey: what was found, the games of other types included.
        bad: what is wrong with the games that were left out, by path; also given as a warning.

    Raises:
        DataError: If there is no playable game.
    """

    def __init__(self, split: str, path: Path, kinds: Collection[str] | None = None) -> None:
        super().__init__(split, path)
        self.survey: Survey = survey_file(path) if path.is_file() else survey(path, split)
        self.bad = {file: f"{file}: {problem}" for file, problem in self.survey.bad.items()}
        self._digests: dict[str, str] = {}
        copies: Counter[str] = Counter()
        for game in self.survey.playable:
            number = copies[game.id]
            copies[game.id] += 1
            if kinds is None or game.kind in kinds:
                task_id = content_id([game.id, number]) if number else game.id
                index = len(self._tasks)
                self._tasks.append(Task(task_id, split, index, game.kind, game.path, game.name))
                self._digests[game.path] = game.digest
        self._names = {task.name: task.index for task in self._tasks}
        self._warn_or_raise(kinds)

    def _warn_or_raise(self, kinds: Collection[str] | None) -> None:
        first = next(iter(self.bad.values()), "")
        if not self._tasks:
            found = Counter(game.kind for game in self.survey.playable)
            if found:
                reason = f"of the types {', '.join(kinds or ())}; it has {_counted(found)}"
            elif first or self.survey.left_out:
                reason = first or f"all are left out ({_counted(self.survey.left_out)})"
            else:
                reason = (
                    f"found none below {self.survey.root}. alfworld-download fetches ALFWorld's"
                )
            raise DataError(
                f"data_dir must hold playable *.tw-pddl games for split {self.split!r}, "
                f"{self.path} has none: {reason.removesuffix('.')}."
            )
        self.warn_of_bad()

    def lookup(self, task_id: str) -> Task:
        """Returns the task with this id, the original's identifier, or a path that ends in it.

        Raises:
            UnknownTaskError: If there is none.
        """
        index = self._index_of.get(task_id)
        parts = [part for part in str(task_id).split("/") if part]
        if parts and parts[-1] in (GAME, LABEL):
            parts.pop()
        while index is None and parts:
            index = self._names.get("/".join(parts))
            parts.pop(0)
        if index is None:
            raise UnknownTaskError(
                f"task_id {task_id!r} is not in split {self.split!r} of {self.path}. Pass one of "
                f"turnwise_envs.tasks(...).ids, or a game's name such as {self._tasks[0].name!r}."
            )
        return self.task(index)

    def game(self, task: Task) -> Game:
        """Reads the game of a task of this set.

        Raises:
            DataError: If the file has changed since the set was made.
        """
        return _load(task.payload, self._digests[task.payload])

    @property
    def data_version(self) -> str:
        """Grammar version and digest of the playable games of the split, of whatever type.

        "2.1.2-..." is ALFWorld's grammar since December 2024 ("move O to R"), "2.1.1-..." the one
        before ("put O in/on R"); where the games differ, both, joined by "+".
        """
        return version_of_games(self.survey)


def version_of_games(found: Survey) -> str:
    """Returns the version of a survey's playable games; "" where there are none."""
    content = sorted(f"{game.id} {game.kind}" for game in found.playable)
    digest = hashlib.blake2b("\n".join(content).encode(), digest_size=8).hexdigest()
    versions = "+".join(sorted({game.version for game in found.playable}))
    return f"{versions}-{digest}" if content else ""


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items()))


@lru_cache(maxsize=64)
def _load(path: str, digest: str) -> Game:
    return read_game(parse_parts(read_unchanged(Path(path), digest)))
