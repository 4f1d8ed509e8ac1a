"""Goals: what is to be bought, and how a buyer says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from turnwise_envs.webshop.dice import Dice
from turnwise_envs.webshop.generator import bare, make_product, type_of
from turnwise_envs.webshop.products import Product
from turnwise_envs.webshop.vocabulary import OOD_STRIDE, PRODUCT_TYPES, ProductType

SPLITS = ("train", "valid", "test", "ood_category")
KINDS = ("attributes", "option", "options")
"""Task types: attributes alone, with one option to choose, with two."""

NO_LIMIT = 1e6
"""Price limit in dollars of goals that name none, as in the original."""

MIN_PRODUCTS = 5 * len(PRODUCT_TYPES)
"""The smallest generated catalogue that has products of every type in every split."""

_RANKS = {"train": (0, 1, 2), "stream": (0, 1, 2), "valid": (3,), "test": (4,)}
_ARTICLES = ("tea", "granola", "coffee", "earbuds", "chips", "leggings", "mix", "sauce", "polish")


@dataclass(frozen=True, slots=True)
class Goal:
    """What a task asks for.

    Attributes:
        product: number of the product it was made from, in the catalogue.
        instruction: what the agent reads.
        attributes: what the article must be.
        options: values to choose, by option name; by "0", "1", ... where names are not known.
        price_upper: the price must not exceed it; dollars.
        named: whether the keys of `options` are names of options.
    """

    product: int
    instruction: str
    attributes: tuple[str, ...]
    options: dict[str, str]
    price_upper: float
    named: bool = True

    @property
    def parts(self) -> int:
        """How many things are counted: attributes, options and the price."""
        return len(self.attributes) + len(self.options) + 1


def split_of(index: int) -> str:
    """Returns the split of a generated product: by its type, then by its rank in the type."""
    if _is_ood(index % len(PRODUCT_TYPES)):
        return "ood_category"
    rank = index // len(PRODUCT_TYPES) % 5
    return next(split for split in ("train", "valid", "test") if rank in _RANKS[split])


def _is_ood(kind: int) -> bool:
    return kind % OOD_STRIDE == OOD_STRIDE - 1


@cache
def _types(split: str, two_options: bool) -> tuple[int, ...]:
    return tuple(
        number
        for number, kind in enumerate(PRODUCT_TYPES)
        if _is_ood(number) == (split == "ood_category")
        and (len(kind.options) == 2 or not two_options)
    )


def _pick_product(dice: Dice, num_products: int, split: str, two_options: bool) -> int:
    kinds = len(PRODUCT_TYPES)
    number = dice.pick(_types(split, two_options))
    ranks = (num_products - number + kinds - 1) // kinds
    if split == "ood_category":
        return number + kinds * dice.below(ranks)
    residues = _RANKS[split]
    # Whole rounds of five ranks, then those of the last round that exist.
    count = len(residues) * (ranks // 5) + sum(r < ranks % 5 for r in residues)
    draw = dice.below(count)
    return number + kinds * (5 * (draw // len(residues)) + residues[draw % len(residues)])


def price_limit(price: float, dice: Dice) -> float:
    """Returns the larger of two of the next four ten-dollar steps above `price`.

    Steps end at 990 dollars; where fewer than two are left, there is no limit.
    """
    first = int(price // 10) + 1
    steps = [10.0 * i for i in range(first, min(first + 4, 100))]
    return max(dice.sample(steps, 2)) if len(steps) >= 2 else NO_LIMIT


def price_phrase(limit: float) -> str:
    """Returns the original's words for a limit."""
    return f", and price lower than {limit:.2f} dollars" if limit < NO_LIMIT else ""


def make_goal(catalogue_seed: int, num_products: int, split: str, kind: str, seed: int) -> Goal:
    """Returns the goal of a generated task.

    Args:
        catalogue_seed: seed of the catalogue.
        num_products: size of the catalogue.
        split: whose products to draw from.
        kind: one of `KINDS`.
        seed: the task's own seed; price limit and wording come from it too.
    """
    dice = Dice(seed, 1)
    product = _pick_product(dice, num_products, split, kind == "options")
    article = make_product(catalogue_seed, product)
    count = 2 + dice.below(2) if kind == "attributes" else 1 + dice.below(2)
    attributes = tuple(dice.sample(article.attributes, count))
    names = dice.sample(list(article.options), KINDS.index(kind))
    options = {name: dice.pick(article.options[name]) for name in names}
    limit = price_limit(article.price, dice)
    instruction = word(dice, type_of(product), attributes, options, limit)
    return Goal(product, instruction, attributes, options, limit)


def word(
    dice: Dice,
    kind: ProductType,
    attributes: Sequence[str],
    options: dict[str, str],
    limit: float,
) -> str:
    """Returns an instruction that asks for this, in one of many wordings."""
    whole = {bare(part): part for part in kind.parts}
    qualities = [a for a in attributes if a not in whole]
    parts = [whole[a] for a in attributes if a in whole]
    opening = dice.pick(
        (
            "i am looking for",
            "find me",
            "i need",
            "i want to buy",
            "can you find me",
            "i would like",
        )
    )
    if dice.below(3) == 0:
        thing = kind.query + (f" that are {' and '.join(qualities)}" if qualities else "")
        thing += f" with {' and '.join(parts)}" if parts else ""
    else:
        glue = dice.pick((", ", " and "))
        noun = " ".join([glue.join(qualities), kind.noun]).strip()
        thing = (
            noun if noun.endswith(_ARTICLES) else f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
        )
        thing += dice.pick((" with ", " that has ")) + " and ".join(parts) if parts else ""
    text = f"{opening} {thing}{_option_phrase(dice, options)}"
    if limit >= NO_LIMIT:
        return text
    return text + dice.pick(
        (
            price_phrase(limit),
            f", for less than {limit:.2f} dollars",
            f", under {limit:.2f} dollars",
        )
    )


def _option_phrase(dice: Dice, options: dict[str, str]) -> str:
    if not options:
        return ""
    form = dice.below(3)
    phrases = []
    for name, value in options.items():
        if form == 0:
            phrases.append(f"{name}: {value}")
        elif form == 1:
            phrases.append(f"the {name} {value}")
        else:
            phrases.append(f"{value} as {name}")
    return dice.pick((", ", " - ", " with ")) + " and ".join(phrases)


def query_for(goal: Goal, article: Product) -> str:
    """Returns the query that says what the instruction asks for."""
    return " ".join([*goal.attributes, article.query, *goal.options.values()])
