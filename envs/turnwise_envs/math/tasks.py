"""The task sets of the mathematics world: generated, a user's files, reasoning-gym's data sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from turnwise_envs.errors import UsageError
from turnwise_envs.math.files import Row, read_rows, rows_of_split
from turnwise_envs.math.gym_tasks import GymTasks
from turnwise_envs.math.menus import menu
from turnwise_envs.math.problems import GENERATOR, TOPICS, build
from turnwise_envs.math.problems.bank import LEVELS
from turnwise_envs.splits import GeneratedTaskSet, Task, TaskSet, content_id

TASKS_PER_SPLIT = 10_000


@dataclass(frozen=True)
class Question:
    """What the environment plays.

    Attributes:
        text: what is asked.
        answer: the reference.
        slips: gives wrong answers for the menu; called when the menu is needed.
        seed: of the menu.
        code: Python that finds the answer; "" where none is known.
    """

    text: str
    answer: str
    slips: Callable[[], Iterable[str]]
    seed: int
    code: str = ""

    @cached_property
    def choices(self) -> tuple[str, ...]:
        """The menu's answers, the right one among them."""
        return tuple(menu(self.answer, self.slips(), self.seed))


class GeneratedMath(GeneratedTaskSet):
    """Generated problems of one split; kinds are the topics."""

    def __init__(self, split: str, topics: tuple[str, ...], levels: tuple[int, int]) -> None:
        super().__init__(
            split,
            generator=GENERATOR,
            options={"topics": topics, "levels": levels},
            kinds=topics,
            size=None if split == "stream" else TASKS_PER_SPLIT,
        )
        self.levels = levels

    def level(self, index: int) -> int:
        """Returns the level of task `index`."""
        low, high = self.levels
        return low + index // len(self.kinds) % (high - low + 1)

    def question(self, task: Task) -> Question:
        """Builds a task's question."""
        seed = self.seed_of(task.index)
        problem = build(task.kind, self.level(task.index), self.split, seed)
        slips = partial(tuple, problem.slips)
        return Question(problem.question, problem.answer, slips, seed, problem.code)


class LoadedMath(TaskSet):
    """The rows of a user's files; a task's id is the hash of its question and answer."""

    def __init__(self, split: str, rows: list[Row]) -> None:
        super().__init__(split)
        self._rows = rows
        self._task_ids = [content_id([row.question, row.answer]) for row in rows]

    def __len__(self) -> int:
        return len(self._rows)

    def task(self, index: int) -> Task:
        """Returns task `index`."""
        return Task(self._task_ids[index], self.split, index, self._rows[index].kind, index)

    def question(self, task: Task) -> Question:
        """Returns a task's question; other rows' answers fill its menu where it is no number."""
        row = self._rows[task.index]
        count = len(self._rows)
        others = [self._rows[(task.index + 1 + step) % count].answer for step in range(40)]
        short = [other for other in others if len(other) <= 60] if not row.is_number else []
        return Question(row.question, row.answer, partial(tuple, short), int(task.id, 16))


def math_tasks(
    split: str,
    *,
    topics: Any = None,
    levels: Any = (1, 5),
    data_dir: str | None = None,
    reasoning_gym: str | None = None,
    reasoning_gym_options: dict[str, Any] | None = None,
    **_: Any,
) -> GeneratedMath | LoadedMath | GymTasks:
    """Returns the tasks of a split for `MathVerifierEnv`'s arguments.

    Raises:
        UsageError: If an argument cannot be used.
        DataError: If `data_dir` holds no usable rows for this split.
        DependencyNotInstalled: If reasoning-gym is asked for and missing.
    """
    if data_dir is not None and reasoning_gym is not None:
        raise UsageError("data_dir and reasoning_gym exclude each other. Pass one of them.")
    if data_dir is not None:
        found = read_rows(data_dir)
        return LoadedMath(split, rows_of_split(found, split))
    if reasoning_gym is not None:
        size = TASKS_PER_SPLIT
        return GymTasks(split, reasoning_gym, reasoning_gym_options or {}, size)
    return GeneratedMath(split, _topics(topics), _levels(levels))


def _topics(topics: Any) -> tuple[str, ...]:
    if topics is None:
        return TOPICS
    names = (topics,) if isinstance(topics, str) else tuple(topics)
    if not names or not set(names) <= set(TOPICS) or len(set(names)) < len(names):
        raise UsageError(f"topics must be different ones of {', '.join(TOPICS)}, got {topics!r}.")
    return names


def _levels(levels: Any) -> tuple[int, int]:
    pair = (levels, levels) if isinstance(levels, int) else tuple(levels)
    if len(pair) != 2 or not LEVELS[0] <= pair[0] <= pair[1] <= LEVELS[-1]:
        raise UsageError(f"levels must be (lowest, highest) from 1 to 5, got {levels!r}.")
    return int(pair[0]), int(pair[1])
