"""Tasks and task sets: enumerable, content-addressed, materialised lazily."""

from __future__ import annotations

import hashlib
import json
import warnings
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from turnwise_envs.errors import UnknownTaskError, UsageError

STREAM = "stream"
"""The unbounded split of worlds with a generator; it has no length and no manifest."""


def content_id(value: Any) -> str:
    """Returns the 16-digit content hash of JSON data, equal in every process."""
    body = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.blake2b(body.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Task:
    """One start state and goal.

    Attributes:
        id: content hash (loaded), or hash of generator version, options and seed (generated).
        split: the split it belongs to.
        index: position in its `TaskSet`.
        kind: the task type that metrics are reported by ("heat", "pick_two", ...).
        payload: what the world needs to build it; a seed or a file's path.
        name: what the data set itself calls the task, where it has a name for it.
    """

    id: str
    split: str
    index: int
    kind: str
    payload: Any = None
    name: str = ""


class TaskSet(ABC):
    """The tasks of one split. Subclasses say how task `index` looks and how many there are."""

    def __init__(self, split: str) -> None:
        self.split = split

    @abstractmethod
    def __len__(self) -> int:
        """Number of tasks; raises TypeError for the unbounded stream."""

    @abstractmethod
    def task(self, index: int) -> Task:
        """Returns task `index` in [0, len)."""

    @property
    def finite(self) -> bool:
        """Whether the set can be enumerated."""
        return True

    def __getitem__(self, index: int) -> Task:
        if index < 0 or (self.finite and index >= len(self)):
            size = f"[0, {len(self)})" if self.finite else "[0, 2**63)"
            raise UnknownTaskError(
                f"task_index must be in {size} for split {self.split!r}, got {index}."
            )
        return self.task(index)

    def __iter__(self) -> Iterator[Task]:
        return (self.task(i) for i in range(len(self)))

    def draw(self, rng: np.random.Generator) -> Task:
        """Returns a uniformly drawn task."""
        return self.task(int(rng.integers(len(self) if self.finite else 2**63 - 1)))

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """All task ids, in order."""
        return tuple(task.id for task in self)

    @cached_property
    def _index_of(self) -> dict[str, int]:
        return {task_id: i for i, task_id in enumerate(self.ids)}

    def lookup(self, task_id: str) -> Task:
        """Returns the task with this id.

        Raises:
            UnknownTaskError: If the split has no such task.
        """
        index = self._index_of.get(task_id)
        if index is None:
            raise UnknownTaskError(
                f"task_id {task_id!r} is not in split {self.split!r}. "
                "List the ids with turnwise_envs.tasks(env_id, split).ids."
            )
        return self.task(index)

    @cached_property
    def manifest_hash(self) -> str:
        """Digest over all ids in order, 16 hexadecimal digits; goes into every result."""
        return hashlib.blake2b("\n".join(self.ids).encode(), digest_size=8).hexdigest()

    @property
    def data_version(self) -> str | None:
        """Version and digest of the user's data behind the tasks; None where they are generated."""
        return None


class ListedTaskSet(TaskSet):
    """The tasks of a user's files, in a list, and what is wrong with the files that were left out.

    Args:
        split: name of the split.
        path: the user's file or folder.

    Attributes:
        bad: what is wrong with each file that was left out, by path.
    """

    def __init__(self, split: str, path: Path) -> None:
        super().__init__(split)
        self.path = path
        self.bad: dict[str, str] = {}
        self._tasks: list[Task] = []

    def __len__(self) -> int:
        return len(self._tasks)

    def task(self, index: int) -> Task:
        """Returns task `index`."""
        return self._tasks[index]

    def warn_of_bad(self) -> None:
        """Warns where files were left out; names the first."""
        if self.bad:
            warnings.warn(
                f"{len(self.bad)} of the games below {self.path} cannot be played and are left out "
                f"(turnwise data check {self.path} lists them); the first: "
                f"{next(iter(self.bad.values()))}",
                stacklevel=3,
            )


class GeneratedTaskSet(TaskSet):
    """Tasks that a generator builds from a seed.

    Args:
        split: name of the split; "stream" is unbounded.
        generator: name and version of the generator, part of every id.
        options: the generator's options, part of every id.
        kinds: task types, dealt out in turn by index.
        size: number of tasks, None for the unbounded stream.
        kept: the task types to keep, of `kinds`; None keeps all. The tasks kept have the ids that
            they have among all; their payload is their index there, which `seed_of` takes.
    """

    def __init__(
        self,
        split: str,
        *,
        generator: str,
        options: dict[str, Any],
        kinds: tuple[str, ...],
        size: int | None,
        kept: Collection[str] | None = None,
    ) -> None:
        super().__init__(split)
        self.generator = generator
        self.options = options
        self.kinds = kinds
        self._kept = [i for i, kind in enumerate(kinds) if kept is None or kind in kept]
        self.size = size
        if size is not None:
            rounds, rest = divmod(size, len(kinds))
            self.size = rounds * len(self._kept) + sum(i < rest for i in self._kept)
        self._prefix = json.dumps([generator, options, split], sort_keys=True).encode()

    @property
    def finite(self) -> bool:
        """Whether the set can be enumerated."""
        return self.size is not None

    def __len__(self) -> int:
        if self.size is None:
            raise TypeError('split="stream" is unbounded and has no length.')
        return self.size

    def seed_of(self, index: int) -> int:
        """Returns the generator's 63-bit seed of task `index` among all."""
        raw = hashlib.blake2b(self._prefix + b"seed %d" % index, digest_size=8).digest()
        return int.from_bytes(raw, "little") >> 1

    def task(self, index: int) -> Task:
        """Returns task `index` of those kept."""
        round_, which = divmod(index, len(self._kept))
        kind = self._kept[which]
        number = round_ * len(self.kinds) + kind
        if self.size is None:
            # A stream's id holds its number, so that it can be looked up without enumeration.
            task_id = f"stream-{number}"
        else:
            raw = hashlib.blake2b(self._prefix + b"task %d" % number, digest_size=8)
            task_id = raw.hexdigest()
        return Task(task_id, self.split, index, self.kinds[kind], number)

    def lookup(self, task_id: str) -> Task:
        """Returns the task with this id.

        Raises:
            UnknownTaskError: If there is none, or it is of another type than those kept.
        """
        if self.size is not None:
            return super().lookup(task_id)
        head, _, tail = str(task_id).partition("-")
        if not (head == "stream" and tail.isdigit()):
            raise UnknownTaskError(f"task_id must look like stream-17, got {task_id!r}.")
        round_, kind = divmod(int(tail), len(self.kinds))
        if kind not in self._kept:
            raise UnknownTaskError(
                f"task_id {task_id!r} is of the type {self.kinds[kind]}, which task_types leaves "
                "out."
            )
        return self.task(round_ * len(self._kept) + self._kept.index(kind))


def kinds_to_keep(
    task_types: Any, kinds: Sequence[str], names: Mapping[Any, str] | None = None, hint: str = ""
) -> tuple[str, ...] | None:
    """Returns the chosen task types, each once, in the order of `kinds`.

    Args:
        task_types: one or a list of `kinds` and `names`; None chooses all.
        kinds: the task types there are.
        names: what else may be said for one of them.
        hint: the error's last words.

    Raises:
        UsageError: If there is none, or one is none of these.
    """
    if task_types is None:
        return None
    known = {**{kind: kind for kind in kinds}, **(names or {})}
    given = task_types if isinstance(task_types, list | tuple) else [task_types]
    chosen = {known.get(one) if type(one) in (str, int) else None for one in given}
    if not chosen or None in chosen:
        raise UsageError(
            f"task_types must be None or a list of task types, got {task_types!r}. Choose from "
            f"{', '.join(kinds)}{hint}."
        )
    return tuple(kind for kind in kinds if kind in chosen)


_shared: dict[tuple[type, str, str], TaskSet] = {}


def shared_task_set(cls: Any, split: str, options: dict[str, Any]) -> TaskSet:
    """Returns `cls.task_set(split, **options)`, the same object for everybody in this process.

    Args:
        cls: a `TextEnv` class.
        split: name of the split.
        options: the constructor's arguments that choose tasks.

    Raises:
        UnknownTaskError: If the class has no such split.
    """
    expect_split(split, cls.splits)
    key = (cls, split, json.dumps(options, sort_keys=True, default=repr))
    found = _shared.get(key)
    if found is None:
        found = _shared[key] = cls.task_set(split, **options)
    return found


def expect_split(split: str, splits: tuple[str, ...]) -> None:
    """Raises `UnknownTaskError` unless `split` is one of `splits` or the unbounded "stream"."""
    if split not in splits and split != STREAM:
        raise UnknownTaskError(
            f"split must be one of {', '.join((*splits, STREAM))}, got {split!r}."
        )
