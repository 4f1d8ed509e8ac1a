"""Dense retrieval with any Hugging Face encoder, by inner product; with faiss where asked for."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from turnwise_envs.errors import DependencyNotInstalled, UsageError
from turnwise_envs.search.corpus import Corpus
from turnwise_envs.search.retriever import LocalRetriever, kept

_VECTORS = "vectors.npy"
POOLINGS = ("mean", "cls")


class DenseRetriever(LocalRetriever):
    """Ranks passages by the cosine of encoded query and encoded passage.

    torch and transformers are imported here and nowhere else in turnwise_envs.

    Args:
        corpus: what is searched.
        encoder: folder or hub id of an encoder with its tokenizer.
        query_prefix: written before queries; "query: " for E5.
        passage_prefix: written before passages; "passage: " for E5.
        pooling: "mean" over tokens, or "cls" for the first token's vector.
        max_tokens: passages and queries are cut to so many tokens.
        batch_size: passages encoded at once.
        device: torch device, such as "cpu" or "cuda".
        faiss: whether to search with a flat faiss index instead of numpy.
        cache_dir: a folder where the vectors are kept, memory-mapped; None for memory.

    Raises:
        UsageError: If an argument cannot be used or the encoder cannot be loaded.
        DependencyNotInstalled: If torch, transformers or faiss is missing.
    """

    def __init__(
        self,
        corpus: Corpus,
        encoder: str,
        *,
        query_prefix: str = "",
        passage_prefix: str = "",
        pooling: str = "mean",
        max_tokens: int = 256,
        batch_size: int = 64,
        device: str = "cpu",
        faiss: bool = False,
        cache_dir: str | Path | None = None,
    ) -> None:
        super().__init__(corpus)
        if pooling not in POOLINGS:
            raise UsageError(f"pooling must be one of {', '.join(POOLINGS)}, got {pooling!r}.")
        for name, number in (("max_tokens", max_tokens), ("batch_size", batch_size)):
            if type(number) is not int or number < 1:
                raise UsageError(f"{name} must be a positive integer, got {number!r}.")
        self._prefixes = (query_prefix, passage_prefix)
        self._pooling, self._max_tokens, self._batch_size = pooling, max_tokens, batch_size
        self._device = device
        self._lock = threading.Lock()  # a model on one device serves one caller at a time
        self._tokenizer, self._model = _load(encoder, device)
        if cache_dir is None:
            self.vectors = self._encode_corpus()
        else:
            settings = [encoder, passage_prefix, pooling, max_tokens]
            key = hashlib.blake2b(json.dumps(settings).encode(), digest_size=8).hexdigest()
            self.vectors = kept(
                Path(cache_dir) / f"dense-{corpus.digest}-{key}",
                lambda folder: np.save(folder / _VECTORS, self._encode_corpus()),
                lambda folder: np.load(folder / _VECTORS, mmap_mode="r"),
            )
        self._index = _faiss_index(self.vectors) if faiss else None

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Returns [texts, width] float32 unit vectors."""
        import torch

        with self._lock, torch.no_grad():
            batch = self._tokenizer(
                list(texts),
                padding=True,
                truncation=True,
                max_length=self._max_tokens,
                return_tensors="pt",
            ).to(self._device)
            states = self._model(**batch).last_hidden_state  # [B, T, D]
            if self._pooling == "cls":
                vectors = states[:, 0]
            else:
                mask = batch["attention_mask"].unsqueeze(-1).to(states.dtype)
                vectors = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
            vectors = torch.nn.functional.normalize(vectors.float(), dim=-1)
            return np.ascontiguousarray(vectors.cpu().numpy())

    def _encode_corpus(self) -> np.ndarray:
        prefix = self._prefixes[1]
        parts, batch = [], []
        for text in self.corpus.texts():
            batch.append(prefix + text)
            if len(batch) == self._batch_size:
                parts.append(self.encode(batch))
                batch = []
        if batch:
            parts.append(self.encode(batch))
        return np.concatenate(parts)

    def rank(self, query: str, k: int) -> tuple[list[int], list[float]]:
        """Returns the numbers and scores of the `k` nearest passages, the nearest first."""
        vector = self.encode([self._prefixes[0] + query])
        if self._index is not None:
            scores, numbers = self._index.search(vector, k)
            return numbers[0].tolist(), scores[0].tolist()
        all_scores = self.vectors @ vector[0]
        bound = np.partition(all_scores, len(all_scores) - k)[len(all_scores) - k]
        near = np.flatnonzero(all_scores >= bound)
        order = near[np.lexsort((near, -all_scores[near]))[:k]]
        return order.tolist(), all_scores[order].tolist()


def _load(encoder: str, device: str) -> tuple[Any, Any]:
    """Returns (tokenizer, model)."""
    try:
        import torch
        from transformers import AutoModel, AutoTokenizer
    except ImportError as error:
        raise DependencyNotInstalled(
            'retriever="dense" needs torch and transformers. Install them with '
            'pip install "turnwise[agents]".'
        ) from error
    try:
        tokenizer = AutoTokenizer.from_pretrained(encoder)
        model = AutoModel.from_pretrained(encoder, dtype=torch.float32).to(device).eval()
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"encoder must be a folder or hub id of a Hugging Face encoder, got {encoder!r}: "
            f"{str(error)[:300]}"
        ) from error
    return tokenizer, model


def _faiss_index(vectors: np.ndarray) -> Any:
    try:
        import faiss
    except ImportError as error:
        raise DependencyNotInstalled(
            "faiss=True needs faiss. Install it with turnwise[dense], or leave faiss out: "
            "numpy finds the same passages."
        ) from error
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors, dtype=np.float32))
    return index
