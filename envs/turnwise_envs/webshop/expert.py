"""Who plays by a plan: the oracle, a demonstrator without hidden knowledge, and the menu."""

from __future__ import annotations

from turnwise_envs.webshop import pages
from turnwise_envs.webshop.catalogue import Catalogue
from turnwise_envs.webshop.dice import Dice
from turnwise_envs.webshop.goals import Goal, query_for
from turnwise_envs.webshop.products import Product
from turnwise_envs.webshop.shop import Shop

NUM_QUERIES = 6
"""Queries in a menu: the right one, the product type alone, and those of other products."""

_TRIES = 64  # a loaded catalogue may have too few product types for a full menu


def right_query(catalogue: Catalogue, goal: Goal) -> str:
    """Returns a query that finds the goal's product.

    The words of the instruction where they suffice, else the product's title.
    """
    article = catalogue.product(goal.product)
    query = " ".join(query_for(goal, article).lower().split())
    if goal.product in catalogue.search(query):
        return query
    return " ".join(article.title.lower().split())


def menu_queries(catalogue: Catalogue, goal: Goal, seed: int) -> list[str]:
    """Returns the queries of a task's menu, up to `NUM_QUERIES` different ones in random order.

    Args:
        catalogue: what is sold.
        goal: the task's goal.
        seed: of the task.
    """
    dice = Dice(seed, 2)
    wanted = catalogue.product(goal.product)
    queries = [right_query(catalogue, goal), wanted.query]
    for _ in range(_TRIES):
        other = catalogue.product(dice.below(len(catalogue)))
        if other.query != wanted.query:
            queries.append(_query_of(dice, other, goal))
        queries = list(dict.fromkeys(" ".join(query.lower().split()) for query in queries))
        if len(queries) == NUM_QUERIES:
            break
    return dice.sample(queries, len(queries))


def _query_of(dice: Dice, article: Product, goal: Goal) -> str:
    """Returns a query for `article` of the form that the right one has."""
    attributes = dice.sample(article.attributes, len(goal.attributes))
    names = dice.sample(list(article.options), len(goal.options))
    values = [dice.pick(article.options[name]) for name in names if article.options[name]]
    return " ".join([*attributes, article.query, *values])


def oracle_action(shop: Shop, query: str) -> str:
    """Returns the oracle's next action: straight to the goal's product, its options, the till.

    Args:
        shop: where the agent is.
        query: what `right_query` returned.
    """
    goal = shop.goal
    if shop.page == "search":
        return f"search[{query}]"
    if shop.page not in ("results", "item"):
        return f"click[{pages.PREVIOUS.lower()}]"
    if shop.page == "item":
        if shop.article != goal.product:
            return f"click[{pages.PREVIOUS.lower()}]"
        return _choose_or_buy(shop)
    if goal.product not in shop.results:
        return f"click[{pages.BACK_TO_SEARCH.lower()}]"
    number = shop.results.index(goal.product) // pages.PER_PAGE + 1
    if number == shop.number:
        return f"click[{shop.catalogue.product(goal.product).asin.lower()}]"
    return f"click[{(pages.NEXT if number > shop.number else pages.PREVIOUS).lower()}]"


def _choose_or_buy(shop: Shop) -> str:
    missing = missing_value(shop.product, shop.goal, shop.chosen)
    return f"click[{pages.BUY.lower()}]" if missing is None else f"click[{missing}]"


def missing_value(article: Product, goal: Goal, chosen: dict[str, str]) -> str | None:
    """Returns a wanted option value that is offered and not chosen, None where there is none."""
    for name, value in goal.options.items():
        if goal.named:
            if value in article.options.get(name, ()) and chosen.get(name) != value:
                return value
        elif value not in chosen.values() and any(value in v for v in article.options.values()):
            return value
    return None


def wanted_options(shop: Shop) -> dict[str, str]:
    """Returns what the oracle has chosen when it buys."""
    chosen: dict[str, str] = {}
    for _ in shop.goal.options:
        value = missing_value(shop.wanted, shop.goal, chosen)
        if value is None:
            break
        offered = reversed(shop.wanted.options.items())
        chosen[next(name for name, values in offered if value in values)] = value
    return chosen


# -------------------------------------------------------------------- without hidden knowledge


def explore(shop: Shop) -> str:
    """Returns the next action of a demonstrator that knows what it was shown and nothing else.

    It searches for the words of the instruction, opens what is cheap enough and has the most wanted
    words in its title, reads about what the title does not say, and buys what has everything; where
    nothing on the page is left to open, it turns the page.
    """
    goal = shop.goal
    if shop.page == "search":
        return f"search[{right_query(shop.catalogue, goal)}]"
    if shop.page == "results":
        return _open_or_turn(shop)
    if shop.page != "item":
        return f"click[{pages.PREVIOUS.lower()}]"
    article = shop.product
    offered = all(
        any(value in values for values in article.options.values())
        for value in goal.options.values()
    )
    if article.price > goal.price_upper or not offered:
        return f"click[{pages.PREVIOUS.lower()}]"
    unread = [p for p in ("features", "description") if f"{article.asin} {p}" not in shop.seen]
    known = article.title + " ".join(_read(shop, article))
    if all(attribute in known.lower() for attribute in goal.attributes):
        return _choose_or_buy(shop)
    return f"click[{unread[0] if unread else pages.PREVIOUS.lower()}]"


def _read(shop: Shop, article: Product) -> list[str]:
    texts = []
    if f"{article.asin} features" in shop.seen:
        texts += [line for line in article.bullets if " not " not in line]
    if f"{article.asin} description" in shop.seen:
        texts.append(article.description)
    return texts


def _open_or_turn(shop: Shop) -> str:
    goal = shop.goal
    kind = shop.catalogue.product(goal.product).query  # titles say what an article is
    fresh = [
        article
        for article in map(shop.catalogue.product, shop.shown)
        if article.asin not in shop.seen
        and article.price <= goal.price_upper
        and article.query == kind
    ]
    if fresh:
        best = max(fresh, key=lambda article: _promise(article, goal.attributes))
        return f"click[{best.asin}]"  # as the page shows it
    if shop.number * pages.PER_PAGE < len(shop.results):
        return f"click[{pages.NEXT.lower()}]"
    return f"click[{pages.BACK_TO_SEARCH.lower()}]"


def _promise(article: Product, attributes: tuple[str, ...]) -> int:
    title = article.title.lower()
    return sum(attribute in title for attribute in attributes)
