"""`Shop`: where the agent is, and what its actions do. No rewards, no texts."""

from __future__ import annotations

import re
from typing import Any

from turnwise_envs.webshop import pages
from turnwise_envs.webshop.catalogue import Catalogue
from turnwise_envs.webshop.goals import Goal
from turnwise_envs.webshop.pages import Page
from turnwise_envs.webshop.products import Product

_ACTION = re.compile(r"(search|click)\[(.+)\]")
_SUB_PAGES = {name.lower(): name for name in pages.SUB_PAGES}


class Shop:
    """A visit to the shop.

    Args:
        catalogue: what is sold.
        goal: what is wanted; its instruction stands on every page.

    Attributes:
        page: name of the current page, as in `Page.name`.
        query: the last search; "" before the first.
        number: number of the page of results, from 1.
        article: number of the product that is looked at, None on other pages.
        chosen: the chosen value of each option of that product.
        opened: ids opened since the last visit to the start page; the pages mark them.
        seen: what was looked at in this episode: pages of results, articles, their sub pages.
    """

    def __init__(self, catalogue: Catalogue, goal: Goal) -> None:
        self.catalogue = catalogue
        self.goal = goal
        self.seen: set[str] = set()
        self._go_to_start()

    def _go_to_start(self) -> None:
        self.page = "search"
        self.query = ""
        self.number = 1
        self.article: int | None = None
        self.chosen: dict[str, str] = {}
        self.opened: set[str] = set()

    @property
    def product(self) -> Product:
        """The product that is looked at."""
        assert self.article is not None
        return self.catalogue.product(self.article)

    @property
    def wanted(self) -> Product:
        """The product that the goal was made from."""
        return self.catalogue.product(self.goal.product)

    @property
    def results(self) -> tuple[int, ...]:
        """Numbers of all products that the last search found."""
        return self.catalogue.search(self.query)

    @property
    def shown(self) -> tuple[int, ...]:
        """Numbers of the products on the current page of results."""
        start = (self.number - 1) * pages.PER_PAGE
        return self.results[start : start + pages.PER_PAGE]

    def draw(self) -> Page:
        """Returns the current page (not the receipt, which shows the reward)."""
        instruction = self.goal.instruction
        if self.page == "search":
            return pages.search_page(instruction)
        if self.page == "results":
            articles = map(self.catalogue.product, self.shown)
            total = len(self.results)
            return pages.results_page(instruction, articles, self.number, total, self.opened)
        if self.page == "item":
            return pages.item_page(instruction, self.product, self.chosen)
        return pages.sub_page(instruction, self.product, _SUB_PAGES[self.page])

    def act(self, action: str, clickables: list[str]) -> bool:
        """Carries out an action.

        Args:
            action: `search[...]`, possible on every page as in the original, or `click[...]`.
            clickables: of the current page.

        Returns:
            Whether it was applicable; otherwise nothing has changed.
        """
        found = _ACTION.match(action)
        if found is None:
            return False
        verb, argument = found.group(1), found.group(2).lower()
        if verb == "search":
            query = " ".join(argument.split())
            if query:
                self._search(query, 1)
            return bool(query)
        if argument not in clickables:
            return False
        self._click(argument)
        return True

    def _search(self, query: str, number: int) -> None:
        self.page, self.query, self.number = "results", query, number
        self.article, self.chosen = None, {}
        self.seen.add(f"{number} {query}")

    def _click(self, label: str) -> None:
        if label == pages.BUY.lower():
            self.page = "done"
        elif label == pages.BACK_TO_SEARCH.lower():
            self._go_to_start()
        elif label == pages.NEXT.lower() and self.page == "results":
            self._search(self.query, self.number + 1)
        elif label == pages.PREVIOUS.lower() and self.page == "results":
            self._search(self.query, self.number - 1)
        elif label == pages.PREVIOUS.lower() and self.page == "item":
            self._search(self.query, self.number)
        elif label == pages.PREVIOUS.lower():
            self.page = "item"
        elif label in _SUB_PAGES:
            self.page = label
            self.seen.add(f"{self.product.asin} {label}")
        elif self.page == "results":
            self.page, self.article = "item", self.catalogue.number(label.upper())
            self.opened.add(self.product.asin)
            self.seen.add(self.product.asin)
        else:
            # As in the original, a value that two options share counts for the last of them.
            offered = reversed(self.product.options.items())
            self.chosen[next(name for name, values in offered if label in values)] = label

    # ---------------------------------------------------------------- keys and snapshots

    def place(self) -> list[Any]:
        """Returns what decides the page and what can be bought from it."""
        return [self.page, self.query, self.number, self.article, sorted(self.chosen.items())]

    def view(self) -> list[Any]:
        """Returns the current page as the task sees it: not how one came here."""
        if self.page == "results":
            return ["results", self.shown]
        return [self.page, self.article, sorted(self.chosen.items())]

    def to_json(self) -> dict[str, Any]:
        """Returns the mutable state as JSON data."""
        state = {name: getattr(self, name) for name in ("page", "query", "number", "article")}
        lists = {"opened": sorted(self.opened), "seen": sorted(self.seen)}
        return {**state, "chosen": dict(self.chosen), **lists}

    def put_into(self, state: dict[str, Any]) -> None:
        """Reverses `to_json`."""
        self.page, self.query = state["page"], state["query"]
        self.number, self.article = state["number"], state["article"]
        self.chosen = dict(state["chosen"])
        self.opened, self.seen = set(state["opened"]), set(state["seen"])
