"""`ProductStore`: the products of a user's files, one JSON line each, in memory or mapped."""

from __future__ import annotations

import hashlib
import io
import json
import mmap
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnwise_envs.webshop.products import Product, Review

_ASIN_BYTES = 16
_BLOCK = 1 << 20
_ARRAYS = ("starts", "asins", "numbers")


def encode(product: Product) -> bytes:
    """Returns a product as one line of JSON."""
    values: list[Any] = [getattr(product, name) for name in Product.__slots__]
    reviews = [[review.title, review.score, review.body] for review in product.reviews]
    values[Product.__slots__.index("reviews")] = reviews
    return json.dumps(values, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def decode(line: bytes) -> Product:
    """Reverses `encode`."""
    values = dict(
        zip(Product.__slots__, json.loads(line.decode("utf-8", "surrogatepass")), strict=True)
    )
    for name in ("bullets", "attributes"):
        values[name] = tuple(values[name])
    values["options"] = {name: tuple(offered) for name, offered in values["options"].items()}
    values["reviews"] = tuple(Review(*review) for review in values["reviews"])
    return Product(**values)


class ProductStore:
    """N products by number and by id.

    Args:
        lines: all lines.
        starts: [N + 1] int; where each line starts, in bytes.
        asins: [N] bytes; the ids, sorted.
        numbers: [N] int; the number of the product with each of these ids.
    """

    def __init__(
        self,
        lines: bytes | mmap.mmap,
        starts: NDArray[np.int64],
        asins: NDArray[np.bytes_],
        numbers: NDArray[np.int64],
    ) -> None:
        self._lines, self._starts, self._asins, self._numbers = lines, starts, asins, numbers

    def __len__(self) -> int:
        return len(self._asins)

    def product(self, number: int) -> Product:
        """Returns a product by its number."""
        return decode(self._lines[int(self._starts[number]) : int(self._starts[number + 1])])

    def digest(self) -> str:
        """Returns a digest of all products in their order, 16 hexadecimal digits."""
        content = hashlib.blake2b(digest_size=8)
        for start in range(0, len(self._lines), _BLOCK):
            content.update(self._lines[start : start + _BLOCK])
        return content.hexdigest()

    def find(self, asin: str) -> int | None:
        """Returns the number of an id, None where there is none."""
        key = asin.encode("utf-8", "surrogatepass")
        place = int(np.searchsorted(self._asins, np.bytes_(key)))
        found = place < len(self._asins) and self._asins[place] == key
        return int(self._numbers[place]) if found else None

    @classmethod
    def write(cls, products: Iterable[Product], folder: Path | None) -> ProductStore:
        """Returns a store of these products, kept in files where `folder` is given.

        Args:
            products: with ids of at most 16 bytes, no two alike.
            folder: an existing folder, or None to stay in memory.
        """
        starts, asins = [0], []
        with io.BytesIO() if folder is None else open(folder / "products.jsonl", "wb") as file:
            for product in products:
                starts.append(starts[-1] + file.write(encode(product)))
                asins.append(product.asin.encode("utf-8", "surrogatepass"))
            lines = file.getvalue() if isinstance(file, io.BytesIO) else b""
        keys = np.array(asins, dtype=f"S{_ASIN_BYTES}")
        order = np.argsort(keys, kind="stable")
        arrays = (np.array(starts, dtype=np.int64), keys[order], order.astype(np.int64))
        if folder is None:
            return cls(lines, *arrays)
        for name, array in zip(_ARRAYS, arrays, strict=True):
            np.save(folder / f"{name}.npy", array)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> ProductStore:
        """Returns the store that `write` kept in a folder, memory-mapped."""
        starts, asins, numbers = (
            np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False))
            for name in _ARRAYS
        )
        with open(folder / "products.jsonl", "rb") as file:
            size = os.fstat(file.fileno()).st_size
            lines = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        return cls(lines, starts, asins, numbers)
