"""A corpus of titled passages: one block of UTF-8 with offsets, in memory or memory-mapped.

Texts are cut out of the block when they are asked for, so a million passages cost their bytes and
two integers each, and processes that open the same folder share its pages.
"""

from __future__ import annotations

import hashlib
import json
import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from turnwise_envs.errors import DataError

MAX_PASSAGE_CHARS = 4_000
"""Longer paragraphs are cut into passages of at most this many characters."""

_FILES = ("text.npy", "offsets.npy", "title_hashes.npy", "title_order.npy")
_META = "corpus.json"
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Passage:
    """One retrievable text.

    Attributes:
        id: its name within the corpus.
        title: title of the article it belongs to.
        text: the text, without the title.
    """

    id: str
    title: str
    text: str


def title_key(title: str) -> str:
    """Returns the form in which titles are compared: case and white space do not matter."""
    return _SPACE.sub(" ", title).strip().casefold()


def cut_paragraph(text: str, limit: int = MAX_PASSAGE_CHARS) -> list[str]:
    """Returns `text` in parts of at most `limit` characters, cut at white space where there is any.

    Args:
        text: a paragraph of any length.
        limit: characters of a part at most, at least 2.
    """
    parts = []
    while len(text) > limit:
        place = max(text.rfind(" ", limit // 2, limit), text.rfind("\n", limit // 2, limit))
        place = limit if place < 0 else place
        parts.append(text[:place].rstrip())
        text = text[place:].lstrip()
    return [*parts, text]


class Corpus:
    """Passages by number, and by title.

    Args:
        block: [bytes] uint8; title and text of every passage, one after another.
        offsets: [2 * passages + 1] int64; where each title and each text starts.
        title_hashes: [passages] uint64; hashes of the titles, ascending.
        title_order: [passages] int64; the passage that each hash belongs to.
        digest: content hash, 16 hexadecimal digits.
    """

    def __init__(
        self,
        block: np.ndarray,
        offsets: np.ndarray,
        title_hashes: np.ndarray,
        title_order: np.ndarray,
        digest: str,
    ) -> None:
        self._arrays = (block, offsets, title_hashes, title_order)
        self._block = memoryview(block.data)
        self._offsets = offsets
        self.digest = digest

    @classmethod
    def build(cls, passages: Iterable[tuple[str, str]]) -> Corpus:
        """Returns the corpus of these (title, text) pairs, numbered in their order.

        Raises:
            DataError: If there are none.
        """
        data = bytearray()
        ends, hashes = array("q", [0]), array("Q")
        for title, text in passages:
            for part in (title, text):
                data += part.encode("utf-8", "surrogatepass")
                ends.append(len(data))
            hashes.append(_title_hash(title))
        if not hashes:
            raise DataError("The corpus must hold at least one passage, got none.")
        offsets = np.frombuffer(ends, dtype=np.int64)
        keys = np.frombuffer(hashes, dtype=np.uint64)
        order = np.argsort(keys, kind="stable")
        digest = hashlib.blake2b(data, digest_size=8)
        digest.update(offsets.astype("<i8").tobytes())
        block = np.frombuffer(data, dtype=np.uint8)
        return cls(block, offsets, keys[order], order, digest.hexdigest())

    def save(self, folder: Path) -> None:
        """Writes the corpus into an existing folder."""
        for name, values in zip(_FILES, self._arrays, strict=True):
            np.save(folder / name, values)
        (folder / _META).write_text(json.dumps({"version": 1, "digest": self.digest}))

    @classmethod
    def open(cls, folder: Path) -> Corpus:
        """Opens a saved corpus, memory-mapped.

        Raises:
            DataError: If the folder holds none, or one of another version.
        """
        try:
            meta = json.loads((folder / _META).read_text())
            block, offsets, title_hashes, title_order = (
                np.load(folder / name, mmap_mode="r") for name in _FILES
            )
        except (OSError, ValueError) as error:
            raise DataError(
                f"{folder} must hold a saved corpus ({_META}, {', '.join(_FILES)}), got {error}. "
                "Delete the folder; it is built anew."
            ) from error
        if meta.get("version") != 1 or not isinstance(meta.get("digest"), str):
            raise DataError(f"{folder / _META} must be of version 1, got {meta}. Build it anew.")
        return cls(block, offsets, title_hashes, title_order, meta["digest"])

    def __len__(self) -> int:
        return (len(self._offsets) - 1) // 2

    def __getitem__(self, index: int) -> Passage:
        start, middle, end = self._offsets[2 * index : 2 * index + 3].tolist()
        block = self._block
        return Passage(
            str(index),
            str(block[start:middle], "utf-8", "surrogatepass"),
            str(block[middle:end], "utf-8", "surrogatepass"),
        )

    def texts(self) -> Iterable[str]:
        """Yields every passage as retrievers read it: the title, then the text."""
        for index in range(len(self)):
            passage = self[index]
            yield f"{passage.title}\n{passage.text}"

    def titled(self, title: str) -> list[Passage]:
        """Returns the passages of the article with this title, in order; empty if there is none."""
        _, _, hashes, order = self._arrays
        wanted = np.uint64(_title_hash(title))
        first, last = np.searchsorted(hashes, wanted), np.searchsorted(hashes, wanted, "right")
        found = [self[int(i)] for i in order[first:last]]
        return [passage for passage in found if title_key(passage.title) == title_key(title)]

    @cached_property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(array.nbytes for array in self._arrays)

    def __reduce__(self) -> Any:
        raise TypeError("A corpus is shared in its process and is not pickled. Open it again.")


def _title_hash(title: str) -> int:
    data = title_key(title).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
