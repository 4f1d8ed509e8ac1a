"""Pages as structures, formatted once: the text modes of the original, and html.

A page is a list of parts in the original's order. Formatting joins them; nothing is ever parsed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

from turnwise_envs.webshop.products import Product

MODES = ("text", "text_rich", "html")
PER_PAGE = 10

BACK_TO_SEARCH = "Back to Search"
PREVIOUS = "< Prev"
NEXT = "Next >"
BUY = "Buy Now"
SUB_PAGES = ("Description", "Features", "Reviews")

TEXT, BUTTON, OPTION, LINK, IMAGE = range(5)
"""Kinds of parts."""

_HTML = {
    TEXT: "<p>{0}</p>",
    BUTTON: '<button type="submit" class="btn">{0}</button>',
    OPTION: '<input type="radio" name="{1}" value="{0}"{2}><label>{0}</label>',
    LINK: '<a class="product-link" href="/item/{0}">{0}</a>',
    IMAGE: '<img src="{0}">',
}


@dataclass(slots=True)
class Page:
    """One page.

    Attributes:
        name: "search", "results", "item", "description", "features", "reviews" or "done".
        parts: (kind, text, name of the option, marked) in reading order; marked are chosen
            options and links that were opened before.
        clickables: what `click[...]` takes here, lower case, without repetition.
    """

    name: str
    parts: list[tuple[int, str, str, bool]] = field(default_factory=list)
    clickables: list[str] = field(default_factory=list)

    def text(self, *texts: str) -> None:
        """Adds texts."""
        self.parts += [(TEXT, text, "", False) for text in texts]

    def button(self, *labels: str) -> None:
        """Adds buttons."""
        self.parts += [(BUTTON, label, "", False) for label in labels]
        self.clickables += [label.lower() for label in labels]


def search_page(instruction: str) -> Page:
    """Returns the start page. Its button is no clickable: one searches by `search[...]`."""
    page = Page("search")
    page.text("WebShop", "Instruction:", instruction)
    page.parts.append((BUTTON, "Search", "", False))
    return page


def results_page(
    instruction: str, articles: Iterable[Product], number: int, total: int, opened: set[str]
) -> Page:
    """Returns one page of results.

    Args:
        instruction: what is asked for.
        articles: the products of this page.
        number: of the page, from 1.
        total: number of results over all pages.
        opened: ids whose pages were opened since the last visit to the start page.
    """
    page = Page("results")
    page.text("Instruction:", instruction)
    page.button(BACK_TO_SEARCH)
    page.text(f"Page {number} (Total results: {total})")
    if number > 1:
        page.button(PREVIOUS)
    if number * PER_PAGE < total:
        page.button(NEXT)
    for article in articles:
        if article.image:
            page.parts.append((IMAGE, article.image, "", False))
        page.parts.append((LINK, article.asin, "", article.asin in opened))
        page.clickables.append(article.asin.lower())
        page.text(article.title, article.price_tag)
    return page


def item_page(instruction: str, article: Product, chosen: dict[str, str]) -> Page:
    """Returns the page of an article.

    Args:
        instruction: what is asked for.
        article: the product.
        chosen: the chosen value of each option.
    """
    page = Page("item")
    page.text("Instruction:", instruction)
    page.button(BACK_TO_SEARCH, PREVIOUS)
    if article.image:
        page.parts.append((IMAGE, article.image, "", False))
    values: list[str] = []
    for name, offered in article.options.items():
        page.text(name)
        page.parts += [(OPTION, value, name, chosen.get(name) == value) for value in offered]
        values += offered
    page.text(article.title, f"Price: {article.price_tag}", f"Rating: {article.rating}")
    page.button(*SUB_PAGES, BUY)
    page.clickables = list(dict.fromkeys(page.clickables + values))
    return page


def sub_page(instruction: str, article: Product, which: str) -> Page:
    """Returns the description, features or reviews of an article.

    Args:
        instruction: what is asked for.
        article: the product.
        which: one of `SUB_PAGES`.
    """
    page = Page(which.lower())
    page.text("Instruction:", instruction)
    page.button(BACK_TO_SEARCH, PREVIOUS)
    if which == "Description":
        page.text(article.description or "No Description")
    elif which == "Features":
        page.text(*(article.bullets or ("No Features",)))
    elif article.reviews:
        for review in article.reviews:
            page.text(f'"{review.title}"', str(review.score), review.body)
    else:
        page.text("No reviews found")
    return page


def done_page(article: Product, chosen: dict[str, str], reward: float) -> Page:
    """Returns the receipt, with the lines that the original fills with nothing.

    Args:
        article: what was bought.
        chosen: the chosen value of each option.
        reward: the score that is shown.
    """
    page = Page("done")
    page.text("Thank you for shopping with us!", "Your code:", "None")
    page.text("(Paste it in your MTurk interface.)", "Purchased", "asin", article.asin)
    page.text("options", json.dumps(chosen, ensure_ascii=False))
    for name in ("attrs", "category", "query", "product category"):
        page.text(name, "None")
    page.text("Target", "asin", "options", "attrs", "price upper", "instuction text", "category")
    page.text("product category", "query", "Goal", "None", "Reward")
    page.text("Your score (min 0.0, max 1.0)", str(reward), "Reward Details", "None")
    return page


def format_page(page: Page, mode: str) -> str:
    """Returns the observation in one of `MODES`."""
    if mode == "text":
        return " [SEP] ".join([part[1].strip() for part in page.parts if part[0] != IMAGE])
    return _rich(page.parts) if mode == "text_rich" else _html(page)


def _rich(parts: Sequence[tuple[int, str, str, bool]]) -> str:
    lines = []
    for kind, text, _, marked in parts:
        button = (
            f"[clicked button] {text} [clicked button_]" if marked else f"[button] {text} [button_]"
        )
        if kind == TEXT:
            lines.append(text)
        elif kind == LINK:
            lines.append(f"\n{button}")
        elif kind == OPTION:
            lines.append(f"  {button}")
            if marked:
                lines.insert(0, f"You have clicked {text}.")
        elif kind == BUTTON:
            lines.append(button)
    return "\n".join(lines) + "\n"


def _html(page: Page) -> str:
    body = "\n".join(
        _HTML[kind].format(escape(text), escape(name), " checked" if marked else "")
        for kind, text, name, marked in page.parts
    )
    if page.name == "search":
        body += '\n<input id="search_input" type="text" placeholder="Search...">'
    return (
        "<!DOCTYPE html>\n<html>\n<head><title>WebShop</title></head>\n"
        f'<body class="{page.name}">\n{body}\n</body>\n</html>'
    )
