"""Retrievers: one interface, and what all of them share."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from turnwise_envs.errors import UsageError
from turnwise_envs.search.bm25 import BM25Index
from turnwise_envs.search.corpus import Corpus, Passage, title_key

T = TypeVar("T")

CACHED_QUERIES = 20_000


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found.

    Attributes:
        passage: the passage.
        score: how well it fits, higher is better; the retriever's own unit.
    """

    passage: Passage
    score: float


class Retriever(ABC):
    """Finds passages; may be used from several threads at once.

    A retriever that cannot answer raises `EnvironmentFault`: the episode is void, never scored 0.
    """

    @abstractmethod
    def search(self, query: str, k: int) -> list[Hit]:
        """Returns at most `k` passages for a query, the best first."""

    @abstractmethod
    def read(self, title: str) -> list[Passage]:
        """Returns the passages of the article with this title, empty if there is none."""


class QueryCache:
    """Remembers what was found for the latest queries; safe to share between threads.

    Args:
        size: number of queries remembered at most; 0 remembers none.
    """

    def __init__(self, size: int = CACHED_QUERIES) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._found: OrderedDict[tuple[str, int], list[Hit]] = OrderedDict()

    def get(self, query: str, k: int, find: Callable[[], list[Hit]]) -> list[Hit]:
        """Returns what was found for (query, k), by `find` where it is not remembered."""
        key = (query, k)
        with self._lock:
            hits = self._found.get(key)
            if hits is not None:
                self._found.move_to_end(key)
        if hits is None:
            hits = find()
            with self._lock:
                self._found[key] = hits
                while len(self._found) > self._size:
                    self._found.popitem(last=False)
        return list(hits)


class LocalRetriever(Retriever):
    """A retriever that ranks the passages of a corpus in this process.

    Args:
        corpus: what is searched.
    """

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self._cache = QueryCache()

    @abstractmethod
    def rank(self, query: str, k: int) -> tuple[list[int], list[float]]:
        """Returns the numbers and scores of at most `k` passages, the best first."""

    def search(self, query: str, k: int) -> list[Hit]:
        """Returns at most `k` passages for a query, the best first."""
        return self._cache.get(query, k, lambda: self._find(query, k))

    def _find(self, query: str, k: int) -> list[Hit]:
        numbers, scores = self.rank(query, min(k, len(self.corpus)))
        return [Hit(self.corpus[n], score) for n, score in zip(numbers, scores, strict=True)]

    def read(self, title: str) -> list[Passage]:
        """Returns the passages of the article with this title, empty if there is none."""
        return self.corpus.titled(title)


class BM25Retriever(LocalRetriever):
    """BM25 in this process.

    Args:
        corpus: what is searched.
        cache_dir: a folder where the index is kept, memory-mapped and shared by processes; None
            builds it in memory.
    """

    def __init__(self, corpus: Corpus, cache_dir: str | Path | None = None) -> None:
        super().__init__(corpus)
        if cache_dir is None:
            self.index = BM25Index.build(corpus.texts())
        else:
            self.index = kept(
                Path(cache_dir) / f"bm25-{corpus.digest}",
                lambda folder: BM25Index.build(corpus.texts()).save(folder),
                BM25Index.open,
            )

    def rank(self, query: str, k: int) -> tuple[list[int], list[float]]:
        """Returns the numbers and scores of at most `k` passages, the best first."""
        return self.index.search(query, k)


def kept(folder: Path, write: Callable[[Path], Any], read: Callable[[Path], T]) -> T:
    """Returns `read(folder)`, after `write` has made the folder's content if it is not there.

    The folder appears whole or not at all, also where several processes make it at once.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=folder.name) as scratch:
            content = Path(scratch) / "content"
            content.mkdir()
            write(content)
            try:
                os.rename(content, folder)
            except OSError:
                if not folder.is_dir():  # else another process was faster
                    raise
    return read(folder)


RETRIEVERS = ("bm25", "dense", "remote")
"""The names that `gym.make(..., retriever=name)` takes."""

_shared: dict[str, Retriever] = {}
_shared_lock = threading.Lock()


def shared_retriever(
    name: str,
    options: Mapping[str, Any],
    corpus: Callable[[], Corpus],
    cache_dir: str | Path | None = None,
) -> Retriever:
    """Returns a retriever, the same object for everybody in this process who asks for the same one.

    Args:
        name: one of `RETRIEVERS`.
        options: keyword arguments of its class (JSON data).
        corpus: returns what is searched; not called for a remote retriever.
        cache_dir: where indices are kept, None for memory.

    Raises:
        UsageError: If there is no such retriever or option.
    """
    expect_retriever(name, options)
    where = "" if name == "remote" else corpus().digest
    key = json.dumps([name, dict(options), where, str(cache_dir)], sort_keys=True, default=str)
    with _shared_lock:
        found = _shared.get(key)
        if found is None:
            try:
                found = _make(name, dict(options), corpus, cache_dir)
            except TypeError as error:
                raise UsageError(
                    f"retriever_options must be arguments of the {name} retriever, got "
                    f"{sorted(options)}: {error}"
                ) from error
            _shared[key] = found
        return found


def expect_retriever(name: str, options: Mapping[str, Any]) -> None:
    """Raises `UsageError` unless the name is known and its options can be right."""
    if name not in RETRIEVERS:
        raise UsageError(f"retriever must be one of {', '.join(RETRIEVERS)}, got {name!r}.")
    if not isinstance(options, Mapping):
        raise UsageError(f"retriever_options must be a dict or None, got {options!r}.")
    needed = {"dense": "encoder", "remote": "url"}.get(name)
    if needed is not None and needed not in options:
        raise UsageError(
            f'retriever={name!r} must have retriever_options={{"{needed}": ...}}, '
            f"got {dict(options)!r}."
        )


def _make(
    name: str,
    options: dict[str, Any],
    corpus: Callable[[], Corpus],
    cache_dir: str | Path | None,
) -> Retriever:
    if name == "dense":
        from turnwise_envs.search.dense import DenseRetriever

        return DenseRetriever(corpus(), cache_dir=cache_dir, **options)
    if name == "remote":
        from turnwise_envs.search.remote import RemoteRetriever

        return RemoteRetriever(**options)
    return BM25Retriever(corpus(), cache_dir=cache_dir, **options)


def same_title(passages: list[Passage], title: str) -> list[Passage]:
    """Returns the passages whose article has this title."""
    return [p for p in passages if title_key(p.title) == title_key(title)]
