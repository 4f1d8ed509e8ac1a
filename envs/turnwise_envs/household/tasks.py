"""The generated task sets of the household."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from turnwise_envs.errors import UsageError
from turnwise_envs.household import checksums
from turnwise_envs.household.games import Game
from turnwise_envs.household.generator import GENERATOR, GeneratedTask, SceneOptions, build
from turnwise_envs.household.goals import KINDS
from turnwise_envs.household.loader import LoadedTasks, TaskTypes, resolve, task_kinds
from turnwise_envs.household.texts import TEXTS, in_version
from turnwise_envs.splits import GeneratedTaskSet, Task

TASKS_PER_SPLIT = 10_000

SIZES = {
    "full": SceneOptions("full", (14, 26), (16, 32)),
    "medium": SceneOptions("full", (10, 14), (9, 14)),
    "small": SceneOptions("small", (7, 9), (5, 7)),
}
"""Scene options of each size; "medium" has the full vocabulary in smaller rooms."""


def scene_options(
    size: str = "full",
    num_receptacles: Sequence[int] | None = None,
    num_objects: Sequence[int] | None = None,
) -> SceneOptions:
    """Returns the options of a size, with explicit ranges where given.

    Raises:
        UsageError: If the size is unknown or a range is not (least, most).
    """
    if size not in SIZES:
        raise UsageError(f"size must be one of {sorted(SIZES)}, got {size!r}.")
    base = SIZES[size]
    return SceneOptions(
        base.size,
        _range("num_receptacles", num_receptacles, base.num_receptacles, least=7),
        _range("num_objects", num_objects, base.num_objects, least=3),
    )


def _range(
    name: str, given: Sequence[int] | None, default: tuple[int, int], least: int
) -> tuple[int, int]:
    if given is None:
        return default
    ok = (
        isinstance(given, Sequence)
        and len(given) == 2
        and all(isinstance(n, int) for n in given)
        and least <= given[0] <= given[1] <= 48
    )
    if not ok:
        raise UsageError(
            f"{name} must be (least, most) with {least} <= least <= most <= 48, got {given!r}."
        )
    return int(given[0]), int(given[1])


class HouseholdTasks(GeneratedTaskSet):
    """The generated tasks of one split.

    Args:
        split: name of the split.
        options: of the scenes.
        kinds: the task types to keep, of `KINDS`; None keeps all.
    """

    def __init__(
        self, split: str, options: SceneOptions, kinds: Sequence[str] | None = None
    ) -> None:
        size = None if split == "stream" else TASKS_PER_SPLIT
        super().__init__(
            split,
            generator=GENERATOR,
            options=asdict(options),
            kinds=KINDS,
            size=size,
            kept=kinds,
        )
        self.scene_options = options

    def build(self, task: Task) -> GeneratedTask:
        """Builds a task of this set."""
        return build(self.scene_options, self.split, task.kind, self.seed_of(task.payload))

    def game(self, task: Task) -> Game:
        """Builds the game of a task of this set.

        Raises:
            EnvironmentFault: If what comes out differs from what this version committed to.
        """
        built = self.build(task)
        if self.size is not None:
            checksums.check(self.scene_options, self.split, task.payload, built.scene.key)
        return Game(task.id, built.scene, built.goal)


def household_tasks(
    split: str,
    *,
    data_dir: str | bool | None = None,
    data_version: str | None = None,
    task_types: TaskTypes = None,
    **options: Any,
) -> HouseholdTasks | LoadedTasks:
    """Returns the tasks of a split for `HouseholdEnv`'s arguments: generated, or the user's games.

    `data_version` changes the wording only, hence no task.

    Raises:
        UsageError: If an argument cannot be used.
        DataError: If `data_dir` holds no playable games for this split.
    """
    if data_version is not None:
        in_version(TEXTS, data_version)  # an unknown version is an error now, not at reset
    scenes, kinds = scene_options(**options), task_kinds(task_types)
    path = resolve(data_dir)
    if path is None:
        return HouseholdTasks(split, scenes, kinds)
    return LoadedTasks(split, path, kinds)
