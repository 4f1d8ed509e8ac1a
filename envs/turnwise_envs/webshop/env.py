"""`WebShopEnv`: find and buy an article in a text web shop."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import numpy as np

from turnwise_envs.core import StepResult, TextEnv, digest
from turnwise_envs.errors import UsageError
from turnwise_envs.formats import Tool
from turnwise_envs.splits import Task, TaskSet
from turnwise_envs.webshop.expert import (
    explore,
    menu_queries,
    oracle_action,
    right_query,
    wanted_options,
)
from turnwise_envs.webshop.goals import SPLITS
from turnwise_envs.webshop.pages import MODES, Page, done_page, format_page
from turnwise_envs.webshop.reward import strict_score, webshop_score
from turnwise_envs.webshop.shop import Shop
from turnwise_envs.webshop.tasks import ShopTask, shop_tasks

SCORES = {"strict": strict_score, "webshop": webshop_score}

TOOLS = (
    Tool("search", "Search the shop.", {"keywords": "what to look for"}, "search[{keywords}]"),
    Tool(
        "click",
        "Click a button, a product id or an option value of the current page.",
        {"value": "its text, e.g. buy now"},
        "click[{value}]",
    ),
)

GRAMMAR = """Actions:
search[KEYWORDS]
click[VALUE]
VALUE is a button, a product id or an option value that stands on the current page."""


class WebShopEnv(TextEnv):
    """DOCSTRING"""

    splits: ClassVar[tuple[str, ...]] = SPLITS
    default_max_turns: ClassVar[int] = 15
    default_instruction: ClassVar[str] = (
        "You shop online. Find an article that is everything the instruction asks for, choose the "
        "options it names, and buy it; the first purchase ends the visit."
    )
    grammar = GRAMMAR
    tools = TOOLS

    def __init__(
        self,
        *,
        observation: str = "text",
        reward: str = "strict",
        num_products: int = 1000,
        catalogue_seed: int = 0,
        data_dir: str | bool | None = None,
        goals: str = "synthetic",
        **common: Any,
    ) -> None:
        super().__init__(**common)
        if observation not in MODES:
            raise UsageError(f"observation must be one of {', '.join(MODES)}, got {observation!r}.")
        if reward not in SCORES:
            raise UsageError(f"reward must be one of {', '.join(SCORES)}, got {reward!r}.")
        self.observation = observation
        self.reward = reward
        self._options: dict[str, Any] = {
            "num_products": num_products,
            "catalogue_seed": catalogue_seed,
            "data_dir": data_dir,
            "goals": goals,
        }
        self.make_tasks()  # a wrong argument is an error now, not at the first reset
        self._shop: Any = None
        self._shown = Page("search")
        self._text = ""
        self._goal_key = ""
        self._seed = 0
        self._query: str | None = None
        self._queries: list[str] | None = None

    # ---------------------------------------------------------------- tasks

    @classmethod
    def task_set(cls, split: str, **options: Any) -> TaskSet:
        """Returns the generated goals of a split, or those of the user's files."""
        return shop_tasks(split, **options)

    def task_options(self) -> dict[str, Any]:
        """Returns the arguments that choose tasks."""
        return dict(self._options)

    def identity(self) -> dict[str, Any]:
        """Returns the arguments that a snapshot's reader must share."""
        options = {**self._options, "data_dir": self._options["data_dir"] is not None}
        options |= {"observation": self.observation, "reward": self.reward}
        return {**super().identity(), **options}

    # ---------------------------------------------------------------- the visit

    def _build(self, task: Task) -> None:
        built: ShopTask = self.tasks.build(task)  # type: ignore[attr-defined]
        goal = built.goal
        self._shop = Shop(built.catalogue, goal)
        self._seed = built.seed
        self._query = self._queries = None
        wanted = [goal.product, goal.instruction, goal.attributes, goal.options, goal.price_upper]
        self._goal_key = digest(json.dumps(wanted))

    def start(self, task: Task) -> str:
        """Opens the shop's start page."""
        self._build(task)
        return self._draw()

    def _draw(self) -> str:
        self._shown = self._shop.draw()
        self._text = format_page(self._shown, self.observation)
        return self._text

    def apply(self, action: str) -> StepResult:
        """Carries out one action; what is not applicable shows the page again."""
        shop = self._shop
        if not shop.act(action, self._shown.clickables):
            return StepResult(self._text, action_is_valid=False)
        if shop.page == "done":
            return self._checkout()
        return StepResult(self._draw())

    def _checkout(self) -> StepResult:
        shop = self._shop
        score = SCORES[self.reward](shop.product, shop.goal, shop.wanted, shop.chosen)
        self._shown = done_page(shop.product, shop.chosen, score.reward)
        names = ("matched_attributes", "matched_options", "matched_price")
        metrics = {name: float(n) for name, n in zip(names, score.matched, strict=True)}
        success = score.reward == 1.0
        return StepResult(
            format_page(self._shown, self.observation),
            reward_components=score.components,
            terminated=True,
            success=success,
            score=score.reward,
            verdict="correct" if success else "partial" if score.reward else "wrong",
            metrics={"type_factor": score.type_factor, **metrics},
            cost={"dollars": shop.product.price},
        )

    # ---------------------------------------------------------------- what is offered and known

    def admissible_actions(self) -> list[str] | None:
        """Returns the clicks of this page; on the start page None, or the queries of the menu."""
        if self._shop.page == "search":
            return self._menu_searches() if self.actions == "menu" else None
        return [f"click[{label}]" for label in self._shown.clickables]

    def _menu_searches(self) -> list[str]:
        if self._queries is None:
            self._queries = menu_queries(self._shop.catalogue, self._shop.goal, self._seed)
        return [f"search[{query}]" for query in self._queries]

    def random_action(self, rng: np.random.Generator) -> str:
        """Returns a uniformly drawn action of the menu."""
        menu = self.admissible_actions() or self._menu_searches()
        return menu[int(rng.integers(len(menu)))]

    def keys(self) -> tuple[str, str, str]:
        """Returns the three digests that the class's page describes."""
        shop = self._shop
        marked = sorted(shop.opened) if self.observation == "text_rich" else None
        state = [self._goal_key, shop.place(), marked]
        view = [self._goal_key, shop.view()]
        belief = [view, sorted(shop.seen)]
        return digest(json.dumps(state)), digest(json.dumps(belief)), digest(json.dumps(view))

    def gold(self) -> tuple[list[str], list[str]]:
        """Returns (id of the wanted product and the values to choose, its attributes)."""
        goal = self._shop.goal
        return [self._shop.wanted.asin, *goal.options.values()], list(goal.attributes)

    def expert_action(self) -> str | None:
        """Returns the oracle's next action; None for goals that their own product does not meet."""
        if self._shop is None or self._shop.page == "done":
            return None
        if self._query is None:
            shop = self._shop
            best = SCORES[self.reward](shop.wanted, shop.goal, shop.wanted, wanted_options(shop))
            self._query = right_query(shop.catalogue, shop.goal) if best.reward == 1.0 else ""
        return oracle_action(self._shop, self._query) if self._query else None

    def demonstration_action(self, rng: np.random.Generator) -> str | None:
        """Returns the next action of a demonstrator without hidden knowledge."""
        return None if self.expert_action() is None else explore(self._shop)

    # ---------------------------------------------------------------- snapshots

    def get_world(self) -> dict[str, Any]:
        """Returns where the agent is and what it has seen."""
        return {"goal": self._goal_key, **self._shop.to_json()}

    def set_world(self, task: Task, state: Any) -> None:
        """Reverses `get_world`."""
        if self._shop is None or self._goal_key != state["goal"]:
            self._build(task)
        self._shop.put_into(state)
        if self._shop.page == "done":
            self._shown = Page("done")
        else:
            self._draw()
