"""BM25 by eagerly computed scores: the index of the bm25s package, searched without sorting it.

The index holds, per word, the documents that have it and their finished scores (Lù 2024, "BM25S",
arXiv:2407.03618; Lucene's variant, k1 = 1.5, b = 0.75):

    score(d, q) = sum over t in q of idf(t) * tf(t, d) / (tf(t, d) + k1 (1 - b + b |d| / avg))
    idf(t) = ln(1 + (N - df(t) + 0.5) / (df(t) + 0.5))

Arrays and files are those of `bm25s.BM25.save`: an index built there opens here, and the other way
round. Building is one sort over all words instead of a loop over documents, and a search looks only
at documents that share a word with the query: the rarest words first, and once no other document
can reach the k best, common words are looked up for those that still can (Turtle and Flood 1995,
"Query evaluation: strategies and optimizations"). Importing bm25s itself, and through it numba
where installed, would take longer than both.
"""

from __future__ import annotations

import json
import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from turnwise_envs.errors import DataError

K1, B = 1.5, 0.75
STOPWORDS = frozenset(
    {
        *("a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is"),
        *("it", "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there"),
        *("these", "they", "this", "to", "was", "will", "with"),
    }
)
"""The English stop words of Lucene and of bm25s."""

_WORD = re.compile(r"\b\w\w+\b")
_ARRAYS = ("data", "indices", "indptr")
_ARRAY_FILE = "{}.csc.index.npy"
_VOCABULARY_FILE = "vocab.index.json"
_PARAMETERS_FILE = "params.index.json"

_Term = tuple[np.ndarray, np.ndarray, float]
"""A word's documents, what it gives to each, and the most it gives to any."""
_CHECK_COST, _CHECK_FEE = 4, 20_000
"""Whether other words can be skipped is asked where adding them costs more: postings to add for
every posting looked at, and for the question itself."""
_ROUNDING = 1e-5
"""Relative error of a sum of scores, generously."""


def tokenize(text: str) -> list[str]:
    """Returns the words that are indexed: lower case, two letters or more, no stop words."""
    return [word for word in _WORD.findall(text.lower()) if word not in STOPWORDS]


class BM25Index:
    """An inverted index with scores.

    Args:
        data: [postings] float32 scores, in the order of words.
        indices: [postings] int32 documents, ascending within a word.
        indptr: [words + 1] int64; where each word's postings start.
        vocabulary: word -> its number.
        num_docs: number of documents.
    """

    def __init__(
        self,
        data: np.ndarray,
        indices: np.ndarray,
        indptr: np.ndarray,
        vocabulary: dict[str, int],
        num_docs: int,
    ) -> None:
        self.data, self.indices, self.indptr = data, indices, indptr
        self.vocabulary = vocabulary
        self.num_docs = num_docs

    @classmethod
    def build(cls, texts: Iterable[str]) -> BM25Index:
        """Returns the index of these documents, numbered in their order.

        Raises:
            DataError: If there are none.
        """
        vocabulary: defaultdict[str, int] = defaultdict()
        vocabulary.default_factory = vocabulary.__len__
        for word in sorted(STOPWORDS):  # numbered first, so that they are easy to leave out
            _ = vocabulary[word]
        number_of = vocabulary.__getitem__
        flat, counts = array("i"), array("q")
        for text in texts:
            before = len(flat)
            flat.extend(map(number_of, _WORD.findall(text.lower())))
            counts.append(len(flat) - before)
        if not counts:
            raise DataError("The corpus must hold at least one passage, got none.")
        words, lengths = np.frombuffer(flat, np.intc), np.frombuffer(counts, np.int64)
        documents = np.repeat(np.arange(len(lengths)), lengths)
        kept = words >= len(STOPWORDS)
        words, documents = words[kept] - len(STOPWORDS), documents[kept]
        names = list(vocabulary)[len(STOPWORDS) :]
        arrays = _score(words, documents, len(lengths), len(names))
        return cls(*arrays, {name: i for i, name in enumerate(names)}, len(lengths))

    def save(self, folder: Path) -> None:
        """Writes the index into an existing folder, as `bm25s.BM25.save` does."""
        for name in _ARRAYS:
            np.save(folder / _ARRAY_FILE.format(name), getattr(self, name))
        (folder / _VOCABULARY_FILE).write_text(
            json.dumps(self.vocabulary, ensure_ascii=False), encoding="utf-8"
        )
        parameters = {
            "k1": K1,
            "b": B,
            "delta": 0.5,
            "method": "lucene",
            "idf_method": "lucene",
            "dtype": "float32",
            "int_dtype": "int32",
            "num_docs": self.num_docs,
            "version": "0.2.14",
            "backend": "numpy",
        }
        (folder / _PARAMETERS_FILE).write_text(json.dumps(parameters, indent=4), encoding="utf-8")

    @classmethod
    def open(cls, folder: Path) -> BM25Index:
        """Opens a saved index; its arrays are memory-mapped.

        Raises:
            DataError: If the folder holds none, or one whose scores need more than these arrays.
        """
        try:
            parameters = json.loads((folder / _PARAMETERS_FILE).read_text(encoding="utf-8"))
            vocabulary = json.loads((folder / _VOCABULARY_FILE).read_text(encoding="utf-8"))
            data, indices, indptr = (
                np.load(folder / _ARRAY_FILE.format(name), mmap_mode="r") for name in _ARRAYS
            )
            method, num_docs = parameters["method"], int(parameters["num_docs"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{folder} must hold an index saved by bm25s or turnwise, got {error!r}. "
                "Delete the folder; it is built anew."
            ) from error
        if method in ("bm25l", "bm25+"):
            raise DataError(f'The index in {folder} must be of method "lucene", got {method!r}.')
        return cls(data, indices, indptr, vocabulary, num_docs)

    def search(self, query: str, k: int) -> tuple[list[int], list[float]]:
        """Returns the best documents for a query and their scores, the best first.

        Documents of equal score come in the order of their numbers; documents that share no word
        with the query are not among them. A word counts as often as the query has it.

        Args:
            query: any text.
            k: number of documents at most.
        """
        terms = self._terms(query)
        if not terms or k < 1:
            return [], []
        scores = np.zeros(self.num_docs, dtype=np.float32)  # pages come when they are touched
        seen: list[np.ndarray] = []
        for place, (documents, gains, _) in enumerate(terms):
            scores[documents] += gains
            seen.append(documents)
            later = terms[place + 1 :]
            if _CHECK_COST * sum(map(len, seen)) + _CHECK_FEE < sum(len(t[0]) for t in later):
                near = _still_near(scores, seen, k, sum(most for _, _, most in later))
                if near is not None:
                    _add_to(scores, near, later)
                    seen = [near]
                    break
        documents, values = _top(scores, np.concatenate(seen), k, len(seen))
        return documents.tolist(), values.tolist()

    def _terms(self, query: str) -> list[_Term]:
        """Returns the query's words, the rarest first: what the common ones add is often idle."""
        wanted = Counter(self.vocabulary[w] for w in tokenize(query) if w in self.vocabulary)
        terms = []
        for word, times in sorted(wanted.items()):
            span = slice(*self.indptr[word : word + 2].tolist())
            gains = self.data[span] if times == 1 else self.data[span] * np.float32(times)
            terms.append((self.indices[span], gains, times * float(self._most[word])))
        terms.sort(key=lambda term: len(term[0]))
        return terms

    @cached_property
    def _most(self) -> np.ndarray:
        """[words] float32; the highest score that each word gives to a document."""
        if not len(self.data):
            return np.zeros(len(self.indptr) - 1, dtype=np.float32)
        return np.maximum.reduceat(self.data, np.minimum(self.indptr[:-1], len(self.data) - 1))

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays (the vocabulary is not among them)."""
        return self.data.nbytes + self.indices.nbytes + self.indptr.nbytes


def _still_near(
    scores: np.ndarray, seen: Sequence[np.ndarray], k: int, most: float
) -> np.ndarray | None:
    """Returns the documents that can still be among the k best, or None if unseen ones can, too.

    Args:
        scores: [documents]; what the words so far gave.
        seen: the documents of those words.
        k: number of documents wanted.
        most: what the other words can give to a document at most.
    """
    touched = np.concatenate(seen)
    documents, values = _top(scores, touched, k, len(seen))
    if len(documents) < k:
        return None
    floor = float(values[-1])
    floor -= _ROUNDING * (floor + most)
    return np.unique(touched[scores[touched] >= floor - most]) if most < floor else None


def _add_to(scores: np.ndarray, near: np.ndarray, terms: Sequence[_Term]) -> None:
    """Adds what these words give to the documents `near`, and to no other."""
    for documents, gains, _ in terms:
        places = np.minimum(np.searchsorted(documents, near), len(documents) - 1)
        hit = documents[places] == near
        scores[near[hit]] += gains[places[hit]]


def _top(
    scores: np.ndarray, touched: np.ndarray, k: int, times: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the k best documents among those in `touched` and their scores, the best first.

    Args:
        scores: [documents].
        touched: documents, none of them more than `times` times.
        k: number of documents wanted.
        times: see `touched`.
    """
    room = k * times  # places that the k best take at most
    if room < len(touched):
        found = scores[touched]
        touched = touched[found >= np.partition(found, len(touched) - room)[len(touched) - room]]
    documents = np.unique(touched)
    values = scores[documents]
    order = np.lexsort((documents, -values))[:k]
    return documents[order], values[order]


def _score(
    words: np.ndarray, documents: np.ndarray, num_docs: int, num_words: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns (data, indices, indptr) of a corpus.

    Args:
        words: [tokens] the word at each place of the corpus.
        documents: [tokens] the document that the place belongs to.
        num_docs: number of documents.
        num_words: size of the vocabulary.
    """
    lengths = np.bincount(documents, minlength=num_docs)
    places = words.astype(np.int64) * num_docs + documents
    places.sort()
    new = np.ones(len(places), dtype=bool)
    new[1:] = places[1:] != places[:-1]
    starts = np.flatnonzero(new)
    frequency = np.diff(starts, append=len(places)).astype(np.float32)
    word, document = np.divmod(places[starts], num_docs)
    document_frequency = np.bincount(word, minlength=num_words)
    idf = np.log1p((num_docs - document_frequency + 0.5) / (document_frequency + 0.5))
    mean = max(float(lengths.mean()), 1e-9)
    norm = (K1 * (1 - B + B * lengths / mean)).astype(np.float32)
    data = idf.astype(np.float32)[word] * (frequency / (frequency + norm[document]))
    indptr = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(document_frequency)])
    return data.astype(np.float32), document.astype(np.int32), indptr
