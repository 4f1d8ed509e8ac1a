"""What a purchase earns: the paper's formula, and a strict one that mends its false positives.

    R = r_type * (matched attributes + matched options + [price <= limit])
              / (wanted attributes + wanted options + 1)

(Yao et al. 2022, WebShop, arXiv:2207.01206, section 2.3 and appendix). `webshop_score` is that
formula as the authors' code has it; two things are ours: nouns come from a rule instead of a
tagger (`nouns.py`), and prices do not differ between processes (`products.settle_price`).
`strict_score` replaces the three fuzzy comparisons; the table of what that changes is
`tests/hacks/test_webshop_hacks.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import fuzz, utils

from turnwise_envs.webshop.goals import Goal
from turnwise_envs.webshop.nouns import nouns, title_score
from turnwise_envs.webshop.products import Product

FUZZY = 85
"""A fuzzy ratio above this is a match."""

_COLORS = """
alabaster apricot aqua ash asphalt azure banana beige black blue blush bordeaux bronze brown
burgundy camel camo caramel champagne charcoal cheetah chestnut chocolate christmas coffee
cognac copper coral cranberry cream crystal dark denim eggplant elephant espresso fuchsia gold
granite grape graphite grass gray green grey heather indigo ivory ivy khaki lavender lemon
leopard light lilac lime magenta maroon mauve merlot midnight mint mocha multicolor mushroom
mustard natural navy nude olive orange peach pewter pink plum purple rainbow red rose royal
rust sand sapphire seashell silver skull slate steel stone stonewash sunflower tan taupe teal
tiger turquoise violet walnut wheat white wine yellow
"""
COLOR_SET = tuple(_COLORS.split())
"""The original's colour words, in its order, which decides where a text holds several."""


@dataclass(frozen=True, slots=True)
class Score:
    """What a purchase earns, and why.

    Attributes:
        reward: in [0, 1].
        components: "attributes", "options" and "price", scaled by the type factor; in this order
            they add up to `reward`, to the last bit for goals of up to 16 parts.
        type_factor: r_type, in [0, 1].
        matched: numbers of matched attributes, options and prices.
    """

    reward: float
    components: dict[str, float]
    type_factor: float
    matched: tuple[int, int, int]


def make_score(matched: tuple[int, int, int], parts: int, type_factor: float) -> Score:
    """Puts the counts together.

    Args:
        matched: numbers of matched attributes, options and prices.
        parts: number of wanted attributes and options, plus one.
        type_factor: r_type.
    """
    reward = sum(matched) / parts * type_factor
    shares = [count / parts * type_factor for count in matched]
    _settle(shares, reward)
    components = dict(zip(("attributes", "options", "price"), shares, strict=True))
    return Score(reward, components, type_factor, matched)


def _settle(shares: list[float], total: float) -> None:
    """Moves one positive share by units in the last place so that all add up to `total`."""
    for i in sorted(range(len(shares)), key=lambda i: shares[i]):
        start, unit = shares[i], math.ulp(shares[i])
        for steps in sorted(range(-16, 17), key=abs) if start else ():
            shares[i] = start + steps * unit
            if sum(shares) == total:
                return
        shares[i] = start


# -------------------------------------------------------------------- the paper's formula


def webshop_score(
    article: Product, goal: Goal, wanted: Product, chosen: Mapping[str, str]
) -> Score:
    """Returns the paper's reward for buying `article` with the `chosen` option values.

    Args:
        article: what is bought.
        goal: what was asked for.
        wanted: the product that the goal was made from.
        chosen: the chosen value of each option; the formula does not look at the names.
    """
    matched = (
        fuzzy_attributes(article, goal.attributes),
        fuzzy_options(chosen.values(), goal.options.values()),
        int(article.price <= goal.price_upper),
    )
    return make_score(matched, goal.parts, type_factor(article, wanted))


@lru_cache(maxsize=65536)
def similar(one: str, other: str) -> bool:
    """Returns whether thefuzz's `token_set_ratio` of two texts, rounded, exceeds `FUZZY`."""
    one, other = utils.default_process(one), utils.default_process(other)
    return round(fuzz.token_set_ratio(one, other)) > FUZZY


def normalize_color(text: str) -> str:
    """Returns the first word of `COLOR_SET` that occurs in `text`, else `text`."""
    return next((color for color in COLOR_SET if color in text), text)


def fuzzy_attributes(article: Product, attributes: Iterable[str]) -> int:
    """Returns how many attributes the original finds in the article's attributes or texts."""
    texts = (article.title, " ".join(article.bullets), article.description)
    lowered = [text.lower() for text in texts]
    return sum(
        any(similar(mine, attribute) for mine in article.attributes)
        or any(attribute in text for text in lowered)
        for attribute in attributes
    )


def fuzzy_options(chosen: Iterable[str], wanted: Iterable[str]) -> int:
    """Returns how many wanted option values the original finds among the chosen ones."""
    mine = [normalize_color(value) for value in chosen]
    return sum(any(similar(value, normalize_color(w)) for value in mine) for w in wanted)


def type_factor(
    article: Product, wanted: Product, find: Callable[[str], Sequence[str]] = nouns
) -> float:
    """Returns r_type: how much the bought article is of the wanted kind.

    Args:
        article: what is bought.
        wanted: the product that the goal was made from.
        find: returns the nouns of a title, lower case.
    """
    shared = set(article.categories) & set(wanted.categories)
    score = title_score(article.title, wanted.title, find)
    if score == 0.0:
        return 0.0
    if score < 0.1:
        return 0.1
    match = article.query == wanted.query or len(shared) >= 2 or score > 0.2
    return 1.0 if match else 0.5


# -------------------------------------------------------------------- the strict one

_SAME = {
    "xs": "x small",
    "extra small": "x small",
    "s": "small",
    "m": "medium",
    "l": "large",
    "xl": "x large",
    "extra large": "x large",
    "2xl": "xx large",
    "2x large": "xx large",
    "xxl": "xx large",
    "3xl": "3x large",
    "xxx large": "3x large",
    "xxxl": "3x large",
    "gray": "grey",
}
_WORDS = re.compile(r"[^\W_]+(?:\.\d+)?|[|+*-](?=\s*\d)")
_NEGATION = re.compile(r"\b(?:not|no|non|never|without|isn t|aren t)(?: [^\W_]+)? $")


def strict_score(article: Product, goal: Goal, wanted: Product, chosen: Mapping[str, str]) -> Score:
    """Returns the strict reward for buying `article`.

    Options match if they are the same value of the same option, attributes if the article has that
    attribute or its text says those words and not their contrary, and the type is right if the
    product type or the innermost category is the same.

    Args:
        article: what is bought.
        goal: what was asked for.
        wanted: the product that the goal was made from.
        chosen: the chosen value of each option.
    """
    matched = (
        exact_attributes(article, goal.attributes),
        exact_options(chosen, goal),
        int(article.price <= goal.price_upper),
    )
    factor = type_factor(article, wanted)
    same_kind = article.query == wanted.query or (
        bool(wanted.product_category) and article.categories[-1] == wanted.categories[-1]
    )
    return make_score(matched, goal.parts, 1.0 if same_kind else min(factor, 0.5))


@lru_cache(maxsize=65536)
def same_value(value: str) -> str:
    """Returns one spelling for what means the same: "XL" and "x-large", "gray" and "grey"."""
    text = " ".join(_WORDS.findall(value.casefold()))
    if text in _SAME:
        return _SAME[text]
    return " ".join("grey" if word == "gray" else word for word in text.split())


def exact_options(chosen: Mapping[str, str], goal: Goal) -> int:
    """Returns how many wanted option values are chosen, each for its own option."""
    if goal.named:
        return sum(
            name in chosen and same_value(chosen[name]) == same_value(value)
            for name, value in goal.options.items()
        )
    mine = [same_value(value) for value in chosen.values()]
    found = 0
    for value in goal.options.values():
        if same_value(value) in mine:
            mine.remove(same_value(value))
            found += 1
    return found


@lru_cache(maxsize=65536)
def _plain(text: str) -> str:
    words = re.findall(r"[^\W_]+", text.casefold())
    return " ".join(word.removesuffix("s") if len(word) > 3 else word for word in words)


def exact_attributes(article: Product, attributes: Sequence[str]) -> int:
    """Returns how many attributes the article has; plurals count as singulars."""
    mine = {_plain(attribute) for attribute in article.attributes}
    return sum(_plain(a) in mine or _says(article, _plain(a)) for a in attributes)


def _says(article: Product, attribute: str) -> bool:
    """Returns whether a text of the article says these words in a row and does not negate them."""
    for text in (article.title, *article.bullets, article.description):
        plain = f" {_plain(text)} "
        place = plain.find(f" {attribute} ")
        while place >= 0:
            rest = plain[place + len(attribute) + 2 :]
            if not (_NEGATION.search(plain[: place + 1]) or rest.startswith("free ")):
                return True
            place = plain.find(f" {attribute} ", place + 1)
    return False
