"""The task sets of the shop: generated goals, or those of WebShop's own files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from turnwise_envs.splits import STREAM, GeneratedTaskSet, Task, kinds_to_keep
from turnwise_envs.webshop.catalogue import Catalogue, check_size, generated_catalogue
from turnwise_envs.webshop.generator import GENERATOR
from turnwise_envs.webshop.goals import KINDS, Goal, make_goal
from turnwise_envs.webshop.loader import LoadedShopTasks, resolve

TASKS_PER_SPLIT = 10_000

TaskTypes = str | Sequence[str] | None


@dataclass(frozen=True, slots=True)
class ShopTask:
    """A task as the environment plays it.

    Attributes:
        catalogue: what is sold.
        goal: what is wanted.
        seed: of everything else about the task (the menu's queries).
    """

    catalogue: Catalogue
    goal: Goal
    seed: int


class GeneratedShopTasks(GeneratedTaskSet):
    """The generated goals of one split.

    Args:
        split: name of the split.
        num_products: size of the catalogue.
        catalogue_seed: its seed.
        kinds: the task types to keep, of `KINDS`; None keeps all.
    """

    def __init__(
        self,
        split: str,
        num_products: int,
        catalogue_seed: int,
        kinds: Collection[str] | None = None,
    ) -> None:
        check_size(num_products, catalogue_seed)
        super().__init__(
            split,
            generator=GENERATOR,
            options={"num_products": num_products, "catalogue_seed": catalogue_seed},
            kinds=KINDS,
            size=None if split == STREAM else TASKS_PER_SPLIT,
            kept=kinds,
        )

    @cached_property
    def catalogue(self) -> Catalogue:
        """What is sold (built on first use)."""
        return generated_catalogue(self.options["num_products"], self.options["catalogue_seed"])

    def goal(self, task: Task) -> Goal:
        """Returns the goal of a task of this set; needs no catalogue."""
        return make_goal(
            self.options["catalogue_seed"],
            self.options["num_products"],
            self.split,
            task.kind,
            self.seed(task),
        )

    def seed(self, task: Task) -> int:
        """Returns the seed of a task of this set."""
        return self.seed_of(task.payload)


def shop_tasks(
    split: str,
    *,
    num_products: int = 1000,
    catalogue_seed: int = 0,
    data_dir: str | bool | None = None,
    goals: str = "synthetic",
    task_types: TaskTypes = None,
    **_: Any,
) -> GeneratedShopTasks | LoadedShopTasks:
    """Returns the tasks of a split for `WebShopEnv`'s arguments.

    Raises:
        UsageError: If an argument cannot be used.
        DataError: If `data_dir` holds no products or no goals for this split.
    """
    path, kinds = resolve(data_dir), kinds_to_keep(task_types, KINDS)
    if path is None:
        return GeneratedShopTasks(split, num_products, catalogue_seed, kinds)
    return LoadedShopTasks(split, path, goals, kinds)


def build(tasks: GeneratedShopTasks | LoadedShopTasks, task: Task) -> ShopTask:
    """Returns what the environment plays of a task of this set."""
    return ShopTask(tasks.catalogue, tasks.goal(task), tasks.seed(task))
