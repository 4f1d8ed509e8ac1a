"""BM25 in process: bm25s scores every (term, document) pair once, a query adds up rows.

The index is five arrays. Kept in a folder, they are memory-mapped: opening one costs nothing, and
processes share the pages. Lucene's settings are those of the original's searcher (k1 = 0.9,
b = 0.4); instead of its Porter stemmer, plurals are folded.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SEARCH_VERSION = 1
"""Changes when the same texts would give another index."""

RESULTS = 50
"""Documents that a query returns at most."""

K1, B = 0.9, 0.4

_TOKEN = re.compile(r"[^\W_]+(?:\.\d+)?")
_TERM_BYTES = 24
_STOP_TEXT = """
a an and are as at be but by for if in into is it no not of on or such that the their then there
these they this to was will with
"""
_STOP_WORDS = frozenset(_STOP_TEXT.split())
_ARRAYS = ("terms", "rows", "starts", "documents", "scores")


def tokenize(text: str) -> list[str]:
    """Returns the terms of a text: lower case, without stop words, plurals folded."""
    found = _TOKEN.findall(text.lower())
    return [_fold(token) for token in found if token not in _STOP_WORDS]


@lru_cache(maxsize=65536)
def _fold(token: str) -> str:
    if len(token) > 3 and token.endswith("s") and token[-2] not in "sui":
        if token.endswith("ies") and len(token) > 4:
            token = token[:-3] + "y"
        else:
            token = token[: -2 if token.endswith(("sses", "shes", "ches", "xes", "zzes")) else -1]
    encoded = token.encode("utf-8", "surrogatepass")
    if len(encoded) > _TERM_BYTES:
        return encoded[:_TERM_BYTES].decode("utf-8", "ignore")
    return token


class Index:
    """An inverted index over D documents with T terms and P (term, document) pairs.

    Args:
        terms: [T] bytes, sorted.
        rows: [T] int; row of each term.
        starts: [T + 1] int; where each row starts in the two arrays below.
        documents: [P] int; document numbers, by row.
        scores: [P] float; BM25 score of the term in the document.
        size: D.
    """

    def __init__(
        self,
        terms: NDArray[np.bytes_],
        rows: NDArray[np.int32],
        starts: NDArray[np.int64],
        documents: NDArray[np.int32],
        scores: NDArray[np.float32],
        size: int,
    ) -> None:
        self._terms, self._rows, self._starts = terms, rows, starts
        self._documents, self._scores = documents, scores
        self.size = size
        self.search = lru_cache(maxsize=4096)(self._search)
        self._row = lru_cache(maxsize=65536)(self._find_row)

    @property
    def num_terms(self) -> int:
        """Size T of the vocabulary."""
        return len(self._terms)

    @property
    def nbytes(self) -> int:
        """Bytes of the five arrays."""
        return sum(getattr(self, f"_{name}").nbytes for name in _ARRAYS)

    def _find_row(self, term: str) -> int | None:
        key = term.encode("utf-8", "surrogatepass")
        place = int(np.searchsorted(self._terms, np.bytes_(key)))
        if place < len(self._terms) and self._terms[place] == key:
            return int(self._rows[place])
        return None

    def _search(self, query: str) -> tuple[int, ...]:
        """Returns the best `RESULTS` document numbers, best first; equals in document order.

        `search` is the same with a cache of the last 4,096 queries.
        """
        lists = []
        for term in tokenize(query)[:64]:
            row = self._row(term)
            if row is not None:
                here = slice(int(self._starts[row]), int(self._starts[row + 1]))
                lists.append((self._documents[here], self._scores[here]))
        if not lists:
            return ()
        total = np.zeros(self.size, dtype=np.float32)
        for documents, scores in lists:
            np.add.at(total, documents, scores)
        # The best of the rarest term's documents bound what the best of all must have: one pass
        # then leaves few documents to sort.
        rarest = min((d for d, _ in lists if len(d) >= RESULTS), key=len, default=None)
        if rarest is None:
            touched = np.flatnonzero(total)
        else:
            touched = np.flatnonzero(total >= np.partition(total[rarest], -RESULTS)[-RESULTS])
        order = np.argsort(-total[touched], kind="stable")
        return tuple(touched[order[:RESULTS]].tolist())

    def save(self, folder: Path) -> None:
        """Writes the arrays into a folder, which appears whole or not at all."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=folder.name + ".", dir=folder.parent))
        try:
            for name in _ARRAYS:
                np.save(draft / f"{name}.npy", getattr(self, f"_{name}"))
            np.save(draft / "size.npy", np.int64(self.size))
            os.replace(draft, folder)
        except OSError:
            # Another process was faster, and its folder holds the same.
            shutil.rmtree(draft, ignore_errors=True)
            if not folder.is_dir():
                raise

    @classmethod
    def open(cls, folder: Path) -> Index:
        """Returns the index that `save` wrote, memory-mapped."""
        terms, rows, starts, documents, scores = (
            np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False))
            for name in _ARRAYS
        )
        size = int(np.load(folder / "size.npy"))
        return cls(terms, rows, starts, documents, scores, size)


def build_index(documents: Iterable[str]) -> Index:
    """Returns the index of these texts, numbered in their order."""
    import bm25s  # half a second, which only builders should pay

    vocabulary: dict[str, int] = {}
    corpus = []
    for document in documents:
        # `setdefault` hands out one int object a term, so a corpus of references stays small.
        corpus.append([vocabulary.setdefault(t, len(vocabulary)) for t in tokenize(document)])
    model = bm25s.BM25(method="lucene", k1=K1, b=B)
    model.index((corpus, vocabulary), show_progress=False)
    terms = np.array(
        [term.encode("utf-8", "surrogatepass") for term in vocabulary], dtype=f"S{_TERM_BYTES}"
    )
    order = np.argsort(terms, kind="stable")
    return Index(
        terms[order],
        order.astype(np.int32),
        model.scores["indptr"].astype(np.int64),
        model.scores["indices"].astype(np.int32),
        model.scores["data"].astype(np.float32),
        size=len(corpus),
    )
