"""reasoning-gym's data sets as tasks; the package is optional (extra `reasoning-gym`)."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property, partial
from typing import Any

from turnwise_envs.errors import DependencyNotInstalled, UsageError
from turnwise_envs.splits import Task, TaskSet, content_id


class GymTasks(TaskSet):
    """The items of one reasoning-gym data set, generated one by one from a seed of the split."""

    def __init__(self, split: str, name: str, options: dict[str, Any], size: int) -> None:
        super().__init__(split)
        self.name, self.options = name, options
        self._size = size
        text = json.dumps([name, options, split], sort_keys=True, default=repr).encode()
        self._prefix = text
        self.seed = int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "little") >> 1
        _ = self.dataset  # an unknown name or option is an error now, not at reset

    @cached_property
    def dataset(self) -> Any:
        """The reasoning-gym data set."""
        return make_dataset(self.name, self.options, self.seed, self._size)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "dataset"}

    def __len__(self) -> int:
        return self._size

    def task(self, index: int) -> Task:
        """Returns task `index`."""
        raw = hashlib.blake2b(self._prefix + b"task %d" % index, digest_size=8).hexdigest()
        return Task(raw, self.split, index, self.name, index)

    def question(self, task: Task) -> Any:
        """Returns a task's question."""
        from turnwise_envs.math.tasks import Question

        entry = self.dataset[task.index]
        answer = str(entry["answer"])
        seed = int(content_id([entry["question"], answer]), 16)
        return Question(entry["question"], answer, partial(self._others, task.index), seed)

    def _others(self, index: int) -> list[str]:
        """Returns the answers of the tasks that follow."""
        places = [(index + step) % self._size for step in range(1, 25)]
        return [str(self.dataset[place]["answer"]) for place in places]

    def job(self, task: Task, answer: str) -> dict[str, Any]:
        """Returns what a worker needs to score an answer; see `score`."""
        return {
            "dataset": self.name,
            "options": self.options,
            "seed": self.seed,
            "size": self._size,
            "index": task.index,
            "answer": answer,
        }


def make_dataset(name: str, options: dict[str, Any], seed: int, size: int) -> Any:
    """Returns a reasoning-gym data set.

    Raises:
        DependencyNotInstalled: If the package is missing.
        UsageError: If it has no such data set, or the options do not fit.
    """
    try:
        import reasoning_gym
    except ImportError as error:
        raise DependencyNotInstalled(
            "turnwise/MathVerifier-v0 with reasoning_gym=... needs reasoning-gym. "
            'Install it with pip install "turnwise[reasoning-gym]".'
        ) from error
    try:
        return reasoning_gym.create_dataset(name, seed=seed, size=size, **options)
    except (ValueError, TypeError, AssertionError) as error:
        raise UsageError(
            f"reasoning_gym must name one of its data sets with options that fit, got {name!r} "
            f"with {options!r}: {error}"
        ) from error
