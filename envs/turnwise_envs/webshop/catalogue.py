"""Catalogues: products by number and by id, and the search over them.

A generated catalogue keeps no products, only the search index; large ones keep that index in the
cache folder, memory-mapped and shared between processes. The cache folder is the variable
`TURNWISE_CACHE`, else `turnwise` in the user's cache directory; it can be deleted at any time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

from turnwise_envs.cache import cache_folder
from turnwise_envs.errors import UsageError
from turnwise_envs.webshop import generator
from turnwise_envs.webshop.goals import MIN_PRODUCTS
from turnwise_envs.webshop.products import Product
from turnwise_envs.webshop.search import SEARCH_VERSION, Index, build_index

MAX_PRODUCTS = 1_000_000
IN_MEMORY = 20_000
"""Catalogues of more products keep their index in the cache folder."""

_KEPT_PRODUCTS = 4096


class Catalogue:
    """Products numbered from 0, their ids, and the search.

    Args:
        size: number of products.
        make: returns a product by its number.
        find: returns the number of an id, None where there is none; may exceed `size`.
        index: the search index over the products' documents.
    """

    def __init__(
        self,
        size: int,
        make: Callable[[int], Product],
        find: Callable[[str], int | None],
        index: Index,
    ) -> None:
        self._size = size
        self._find = find
        self.index = index
        self.product = lru_cache(maxsize=_KEPT_PRODUCTS)(make)
        self.search = index.search

    def __len__(self) -> int:
        return self._size

    def number(self, asin: str) -> int | None:
        """Returns the number of the product with this id, None where there is none."""
        found = self._find(asin)
        return found if found is not None and found < self._size else None


@lru_cache(maxsize=8, typed=True)
def generated_catalogue(num_products: int, seed: int) -> Catalogue:
    """Returns a generated catalogue, the same object for everybody in this process.

    Args:
        num_products: 200 to 1,000,000.
        seed: of the catalogue; any integer.

    Raises:
        UsageError: If an argument cannot be used.
    """
    check_size(num_products, seed)
    make = partial(generator.make_product, seed)

    def build() -> Index:
        return build_index(make(i).document for i in range(num_products))

    if num_products <= IN_MEMORY:
        index = build()
    else:
        name = f"{generator.GENERATOR}-{num_products}-{seed}-search-{SEARCH_VERSION}"
        folder = cache_folder() / "webshop" / name
        if not folder.is_dir():
            build().save(folder)
        index = Index.open(folder)
    return Catalogue(num_products, make, partial(generator.index_of, seed), index)


def check_size(num_products: int, seed: int) -> None:
    """Raises `UsageError` unless a catalogue of this size can be generated."""
    if type(num_products) is not int or not MIN_PRODUCTS <= num_products <= MAX_PRODUCTS:
        raise UsageError(
            f"num_products must be an integer in [{MIN_PRODUCTS}, {MAX_PRODUCTS}], "
            f"got {num_products!r}."
        )
    if type(seed) is not int or not 0 <= seed < 2**63:
        raise UsageError(f"catalogue_seed must be an integer in [0, 2**63), got {seed!r}.")
