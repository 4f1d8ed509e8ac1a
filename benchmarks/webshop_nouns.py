"""How often the noun rule of the web shop gives the type factor of the original's tagger.

    python benchmarks/webshop_nouns.py PRODUCTS [--tagger en_core_web_sm]

PRODUCTS is a product file of WebShop (`items_shuffle*.json` or `*.jsonl`). The tagger is a spaCy
model, installed by you; nothing else here needs it. For every ordered pair of real titles, and for
as many pairs of generated ones, the factor r_type of the paper's formula is computed twice, with
nouns by the rule and by the tagger. The word lists of the rule were written with the 50 titles of
the project's real rows in sight, not with the generated ones.
"""

import argparse
import importlib
import itertools
import random
from collections.abc import Callable, Iterable
from pathlib import Path

from turnwise_envs.webshop import files
from turnwise_envs.webshop.generator import make_product
from turnwise_envs.webshop.nouns import nouns
from turnwise_envs.webshop.products import Product
from turnwise_envs.webshop.reward import type_factor

NOUN_TAGS = {"NOUN", "PROPN"}
Pair = tuple[Product, Product]


def tagger(module: str) -> Callable[[str], tuple[str, ...]]:
    """Returns a function from a title to its nouns, lower case, by a spaCy model."""
    model = importlib.import_module(module).load()
    return lambda title: tuple(word.text.lower() for word in model(title) if word.pos_ in NOUN_TAGS)


def shares(pairs: Iterable[Pair], by_tagger: dict[str, tuple[str, ...]]) -> dict[str, list[bool]]:
    """Returns, by relation of the two products, whether the factors are equal."""
    found: dict[str, list[bool]] = {}
    for bought, wanted in pairs:
        ours = type_factor(bought, wanted)
        theirs = type_factor(bought, wanted, by_tagger.__getitem__)
        related = set(bought.categories) & set(wanted.categories)
        kind = "one category" if related else "no category"
        kind = "same type" if bought.query == wanted.query else f"{kind} in common"
        found.setdefault(kind, []).append(ours == theirs)
    return found


def report(name: str, products: list[Product], pairs: list[Pair], module: str) -> None:
    """Prints the agreement over pairs of these products, and of the nouns themselves."""
    tag = tagger(module)
    by_tagger = {product.title: tag(product.title) for product in products}
    ours = [set(nouns(product.title)) for product in products]
    theirs = [set(by_tagger[product.title]) for product in products]
    both = sum(len(a & b) for a, b in zip(ours, theirs, strict=True))
    precision, recall = both / sum(map(len, ours)), both / sum(map(len, theirs))
    print(f"{name}: {len(products)} titles, nouns: precision {precision:.3f}, recall {recall:.3f}")
    found = shares(pairs, by_tagger)
    found["all"] = list(itertools.chain(*found.values()))
    for kind, equal in found.items():
        print(f"  {kind:<24} {sum(equal):5d} of {len(equal):5d} factors equal ({mean(equal):.1%})")


def mean(values: list[bool]) -> float:
    """Returns the share of true values."""
    return sum(values) / len(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("products", type=Path, help="a product file of WebShop")
    parser.add_argument("--tagger", default="en_core_web_sm", help="module of a spaCy model")
    arguments = parser.parse_args()
    real = [files.make_product(raw, None) for _, raw in files.raw_products(arguments.products)]
    pairs = list(itertools.permutations(real, 2))
    report("real titles", real, pairs, arguments.tagger)
    made = [make_product(0, index) for index in range(400)]
    rng = random.Random(0)
    related = [(a, b) for a, b in itertools.permutations(made, 2) if a.query == b.query]
    others = [(a, b) for a, b in itertools.permutations(made, 2) if a.query != b.query]
    pairs = rng.sample(related, 3000) + rng.sample(others, 3000)
    report("generated titles", made, pairs, arguments.tagger)


if __name__ == "__main__":
    main()
