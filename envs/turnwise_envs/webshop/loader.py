"""Catalogue and goals of a user's WebShop files.

Goals are the original's: every machine-made instruction once for each combination of the product's
options, or one for every instruction written by people; both with a price limit, which here comes
from the goal's content. Splits are by product, and a tenth of the product types is held out.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
import tempfile
import warnings
from bisect import bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from turnwise_envs.cache import cache_folder
from turnwise_envs.data import data_path
from turnwise_envs.errors import DataError, UnknownTaskError, UsageError
from turnwise_envs.splits import Task, TaskSet, content_id
from turnwise_envs.webshop.catalogue import Catalogue
from turnwise_envs.webshop.dice import Dice
from turnwise_envs.webshop.files import Files, find_files, make_product, raw_products, read_json
from turnwise_envs.webshop.goals import KINDS, SPLITS, Goal, price_limit, price_phrase
from turnwise_envs.webshop.products import Product
from turnwise_envs.webshop.search import SEARCH_VERSION, Index, build_index
from turnwise_envs.webshop.store import ProductStore

DATA_VARIABLE = "WEBSHOP_DATA"
SOURCES = ("synthetic", "human")
LOADER = "webshop-files-1"

_SPOOL_BYTES = 50_000_000
"""Product files of more bytes are kept in the cache folder, memory-mapped."""

_MAX_BAD = 1000


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction of the files, before it is spread over options.

    Attributes:
        product: number of the product.
        asin: its id.
        split: its split.
        text: what is asked for, without options and price.
        attributes: the wanted attributes.
        options: wanted values (human), or for each option name its values to combine (synthetic).
        price: of the product, in dollars.
    """

    product: int
    asin: str
    split: str
    text: str
    attributes: tuple[str, ...]
    options: tuple[str, ...] | dict[str, tuple[str, ...]]
    price: float

    @property
    def kind(self) -> str:
        """Task type of its goals, one of `KINDS`."""
        return KINDS[min(len(self.options), 2)]

    @property
    def count(self) -> int:
        """Number of goals."""
        return math.prod(map(len, self.options.values())) if isinstance(self.options, dict) else 1

    def goal(self, number: int) -> Goal:
        """Returns goal `number` in [0, count); combinations in the original's order."""
        chosen: dict[str, str] = {}
        if isinstance(self.options, dict):
            for name in reversed(sorted(self.options)):
                number, place = divmod(number, len(self.options[name]))
                chosen[name] = self.options[name][place]
            chosen = {name: chosen[name] for name in sorted(chosen)}
            text = f"{self.text} with " if chosen else self.text
            text += ", and ".join(f"{name}: {value}" for name, value in chosen.items())
        else:
            chosen = {str(i): value for i, value in enumerate(self.options)}
            text = self.text.strip(".")
        content = [self.asin, text, self.attributes, list(chosen.items())]
        limit = price_limit(self.price, Dice(int(content_id(content), 16)))
        instruction = text + price_phrase(limit)
        named = isinstance(self.options, dict)
        return Goal(self.product, instruction, self.attributes, chosen, limit, named)


@dataclass(frozen=True)
class ShopData:
    """What a data set holds.

    Attributes:
        store: its products.
        catalogue: the same, with the search.
        instructions: its instructions, in the order of the products.
        bad: place -> what is wrong there, for entries that were left out.
    """

    store: ProductStore
    catalogue: Catalogue
    instructions: tuple[Instruction, ...]
    bad: dict[str, str]

    @cached_property
    def version(self) -> str:
        """Digest of products and instructions as they are used, 16 hexadecimal digits."""
        wishes = [(i.asin, i.text, i.attributes, i.options) for i in self.instructions]
        return content_id([self.store.digest(), wishes])


def resolve(data_dir: str | bool | os.PathLike[str] | None) -> Path | None:
    """Returns the path that `data_dir` means; True reads the variable WEBSHOP_DATA.

    Raises:
        UsageError: If it is True and the variable is not set, or of another type.
        DataError: If nothing is there.
    """
    return data_path(data_dir, variable=DATA_VARIABLE, what="a product file or its folder")


def split_of(asin: str, query: str) -> str:
    """Returns the split of a loaded product: by its type, then by its id."""
    if int(content_id(query), 16) % 10 == 0:
        return "ood_category"
    return {8: "valid", 9: "test"}.get(int(content_id(asin), 16) % 10, "train")


# -------------------------------------------------------------------- reading


@lru_cache(maxsize=4)
def load(path: Path, source: str) -> ShopData:
    """Returns the data set at `path`, the same object for everybody in this process.

    Args:
        path: a product file, or a folder that holds one.
        source: which instructions, one of `SOURCES`.

    Raises:
        UsageError: If there is no such source.
        DataError: If the files cannot be used at all.
    """
    if source not in SOURCES:
        raise UsageError(f"goals must be one of {', '.join(SOURCES)}, got {source!r}.")
    files = find_files(path)
    wanted = files.human if source == "human" else files.instructions
    if wanted is None:
        name = "items_human_ins*.json" if source == "human" else "items_ins*.json"
        raise DataError(
            f"{files.products.parent} must hold {name} beside {files.products.name} for "
            f"{source} goals, got none. Put it there, or pass another goals."
        )
    bad: dict[str, str] = {}
    if files.products.stat().st_size <= _SPOOL_BYTES:
        store, index = _read(files, None, bad)
    else:
        store, index = _cached(files, bad)
    catalogue = Catalogue(len(store), store.product, store.find, index)
    instructions = tuple(_instructions(store, read_json(wanted), source, bad))
    return ShopData(store, catalogue, instructions, bad)


def _read(files: Files, folder: Path | None, bad: dict[str, str]) -> tuple[ProductStore, Index]:
    """Reads products into a store and an index; notes what is left out in `bad`."""
    store = ProductStore.write(read_products(files, bad), folder)
    if not len(store):
        reason = next(iter(bad.values()), "the list is empty")
        raise DataError(f"{files.products} must hold products, got none that can be used: {reason}")
    return store, build_index(store.product(i).document for i in range(len(store)))


def read_products(files: Files, bad: dict[str, str]) -> Iterator[Product]:
    """Yields the usable products of a product file, the first of each id.

    Args:
        files: where they are.
        bad: gets place -> problem for everything that is left out (the first thousand).
    """
    known = {} if files.instructions is None else read_json(files.instructions)
    if not isinstance(known, dict):
        raise DataError(f"{files.instructions} must be a JSON object by asin, got a list.")
    seen: set[str] = set()
    for place, raw in raw_products(files.products):
        try:
            asin = raw.get("asin") if isinstance(raw, dict) else None
            product = make_product(raw, known.get(str(asin)))
            if product.asin in seen:
                raise DataError(f"asin must be unique, got {product.asin} again")
        except DataError as error:
            if len(bad) < _MAX_BAD:
                bad[f"{files.products.name}, {place}"] = str(error)
            continue
        seen.add(product.asin)
        yield product


def _cached(files: Files, bad: dict[str, str]) -> tuple[ProductStore, Index]:
    """Returns store and index from the cache folder, made there on first use."""
    parts = [file for file in (files.products, files.instructions) if file is not None]
    stats = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in parts]
    folder = cache_folder() / "webshop" / f"{LOADER}-{SEARCH_VERSION}-{content_id(stats)}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix="draft.", dir=folder.parent))
        try:
            _, index = _read(files, draft, bad)
            index.save(draft / "index")
            (draft / "bad.json").write_text(json.dumps(bad), encoding="utf-8")
            os.replace(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    bad.update(json.loads((folder / "bad.json").read_text(encoding="utf-8")))
    return ProductStore.open(folder), Index.open(folder / "index")


def _instructions(
    store: ProductStore, entries: Any, source: str, bad: dict[str, str]
) -> Iterator[Instruction]:
    if not isinstance(entries, dict):
        raise DataError(f"The {source} instructions must be a JSON object by asin, got a list.")
    numbered = ((store.find(asin.upper()), asin) for asin in entries)
    for number, asin in sorted((n, asin) for n, asin in numbered if n is not None):
        product = store.product(number)
        listed = entries[asin] if isinstance(entries[asin], list) else [entries[asin]]
        for entry in listed:
            text = entry.get("instruction") if isinstance(entry, dict) else None
            if not isinstance(text, str) or not text:
                continue
            attributes = tuple(map(str, entry.get("instruction_attributes") or ()))
            if not attributes:
                if source == "synthetic":
                    bad[f"instruction of {asin}"] = "must have instruction_attributes"
                continue
            values = tuple(map(str, entry.get("instruction_options") or ()))
            options = product.options if source == "synthetic" else values
            split = split_of(product.asin, product.query)
            yield Instruction(number, product.asin, split, text, attributes, options, product.price)


# -------------------------------------------------------------------- tasks


class LoadedShopTasks(TaskSet):
    """The goals of one split of a data set.

    Args:
        split: name of the split.
        path: a product file, or a folder that holds one.
        source: which instructions, one of `SOURCES`.
        kinds: the task types to keep, of `KINDS`; None keeps all.

    Attributes:
        bad: place -> what is wrong there; also given as a warning.

    Raises:
        DataError: If there is nothing to play.
    """

    def __init__(
        self, split: str, path: Path, source: str, kinds: Collection[str] | None = None
    ) -> None:
        super().__init__(split)
        if split not in SPLITS:
            raise UnknownTaskError(
                f"split of loaded goals must be one of {', '.join(SPLITS)}, got {split!r}."
            )
        data = load(path, source)
        self._data = data
        self.catalogue = data.catalogue
        self.bad = dict(data.bad)
        self._instructions = [
            i for i in data.instructions if i.split == split and (kinds is None or i.kind in kinds)
        ]
        self._ends = list(itertools.accumulate(i.count for i in self._instructions))
        if self.bad:
            first = next(iter(self.bad.items()))
            warnings.warn(
                f"{len(self.bad)} entries of {path} are left out (see .bad of the task set); "
                f"the first: {first[0]}: {first[1]}",
                stacklevel=2,
            )
        if not self._instructions:
            counts = {s: sum(i.split == s for i in data.instructions) for s in SPLITS}
            of_types = "" if kinds is None else f" of the types {', '.join(kinds)}"
            raise DataError(
                f"data_dir must hold goals{of_types} for split {split!r}, {path} has {counts} "
                f"instructions{' of all types' if of_types else ''}. Choose another split."
            )

    def __len__(self) -> int:
        return self._ends[-1]

    @property
    def data_version(self) -> str:
        """Digest of the files' content as it is used, in all splits."""
        return self._data.version

    def goal(self, task: Task) -> Goal:
        """Returns the goal of a task of this set."""
        return self._goal(task.index)[1]

    def _goal(self, index: int) -> tuple[Instruction, Goal]:
        place = bisect_right(self._ends, index)
        instruction = self._instructions[place]
        return instruction, instruction.goal(index - self._ends[place] + instruction.count)

    def task(self, index: int) -> Task:
        """Returns task `index`."""
        instruction, goal = self._goal(index)
        content = [instruction.asin, goal.instruction, goal.attributes, list(goal.options.items())]
        return Task(content_id(content), self.split, index, instruction.kind, instruction.asin)

    def seed(self, task: Task) -> int:
        """Returns the seed of a task: its content."""
        return int(task.id, 16)
