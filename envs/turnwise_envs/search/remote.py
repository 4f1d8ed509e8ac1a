r"""A retriever behind HTTP, in the form of Search-R1's retrieval server.

    POST /retrieve {"queries": ["..."], "topk": 3, "return_scores": true}
    {"result": [[{"document": {"id": "0", "contents": "\"Title\"\ntext"}, "score": 1.5}, ...]]}

A server that cannot be reached, is too slow, or answers something else is an `EnvironmentFault`
after the last attempt: the episode is void, and is never scored as if the agent had failed.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import socket
import threading
import time
from typing import Any
from urllib.parse import SplitResult, urlsplit

from turnwise_envs.errors import EnvironmentFault, UsageError
from turnwise_envs.search.corpus import Passage
from turnwise_envs.search.retriever import CACHED_QUERIES, Hit, QueryCache, Retriever, same_title

MAX_REPLY_BYTES = 32 * 2**20
MAX_BACKOFF_S = 5.0
MAX_TIMEOUT_S = 600.0
_READ_TOPK = 10
_RETRIED_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


class _TryAgain(Exception):
    """One attempt failed in a way that may pass."""


class RemoteRetriever(Retriever):
    """Asks a `/retrieve` server.

    A call takes at most `attempts * timeout_s` plus the waits between attempts, which double from
    `backoff_s` up to 5 s.

    Args:
        url: where to post queries, such as "http://127.0.0.1:8000/retrieve".
        timeout_s: limit of one attempt, connecting and reading together.
        attempts: how often a query is tried, at least 1.
        backoff_s: wait before the second attempt.
        cache_size: number of queries whose answers are remembered.

    Raises:
        UsageError: If an argument cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 5.0,
        attempts: int = 3,
        backoff_s: float = 0.2,
        cache_size: int = CACHED_QUERIES,
    ) -> None:
        self._parts = _split_url(url)
        if not _is_number(timeout_s) or not 0 < timeout_s <= MAX_TIMEOUT_S:
            raise UsageError(
                f"timeout_s must be seconds in (0, {MAX_TIMEOUT_S:g}], got {timeout_s!r}."
            )
        if type(attempts) is not int or attempts < 1:
            raise UsageError(f"attempts must be a positive integer, got {attempts!r}.")
        if not _is_number(backoff_s) or not 0 <= backoff_s < math.inf:
            raise UsageError(f"backoff_s must be a number of seconds, got {backoff_s!r}.")
        if type(cache_size) is not int or cache_size < 0:
            raise UsageError(f"cache_size must be an integer of 0 or more, got {cache_size!r}.")
        self.url, self.timeout_s = url, timeout_s
        self.attempts, self.backoff_s = attempts, backoff_s
        self._cache = QueryCache(cache_size)

    def search(self, query: str, k: int) -> list[Hit]:
        """Returns at most `k` passages for a query, as the server ranks them.

        Raises:
            EnvironmentFault: If the server gives no usable answer in all attempts.
        """
        return self._cache.get(query, k, lambda: self._ask(query, k))

    def read(self, title: str) -> list[Passage]:
        """Returns those of the best passages for the title whose article has this title."""
        return same_title([hit.passage for hit in self.search(title, _READ_TOPK)], title)

    def _ask(self, query: str, k: int) -> list[Hit]:
        body = json.dumps({"queries": [query], "topk": k, "return_scores": True}).encode()
        for attempt in range(self.attempts):
            if attempt:
                time.sleep(min(self.backoff_s * 2 ** (attempt - 1), MAX_BACKOFF_S))
            try:
                return _parse(self._post(body), k)
            except _TryAgain as error:
                reason = str(error)
        raise EnvironmentFault(
            f"The retriever at {self.url} must answer within {self.timeout_s} s, got {reason} in "
            f"{self.attempts} attempts. Start it (scripts/serve_retriever.py) or check the address."
        )

    def _post(self, body: bytes) -> bytes:
        """Returns the body of the server's answer to one request."""
        parts = self._parts
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        path = parts.path or "/retrieve"
        if parts.query:
            path += "?" + parts.query
        assert parts.hostname is not None
        connection = kind(parts.hostname, parts.port, timeout=self.timeout_s)
        with contextlib.closing(connection), _Deadline(self.timeout_s) as deadline:
            try:
                connection.connect()
                deadline.watch(connection.sock)
                connection.request("POST", path, body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                data = response.read(MAX_REPLY_BYTES + 1)
            except (OSError, ValueError, http.client.HTTPException) as error:
                raise _TryAgain(deadline.reason or f"{type(error).__name__}: {error}") from error
        if len(data) > MAX_REPLY_BYTES:
            raise EnvironmentFault(
                f"The retriever at {self.url} must answer with at most {MAX_REPLY_BYTES} bytes, "
                "got more."
            )
        if deadline.reason or response.length:
            raise _TryAgain(deadline.reason or "an answer that was cut off")
        if response.status in _RETRIED_STATUS:
            raise _TryAgain(f"status {response.status}")
        if response.status != 200:
            raise EnvironmentFault(
                f"The retriever at {self.url} must answer with status 200, got {response.status}: "
                f"{data[:200]!r}."
            )
        return data


class _Deadline:
    """Hangs up when the time is up, also where a server drips one byte at a time.

    A socket's own timeout starts anew with every byte.

    Attributes:
        reason: what to tell once the time is up, "" before.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timer = threading.Timer(timeout_s, self._hang_up)
        self._timer.daemon = True
        self._socket: socket.socket | None = None
        self.reason = ""

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def watch(self, connected: socket.socket) -> None:
        """Names the socket to hang up on; raises `TimeoutError` if connecting took all the time."""
        self._socket = connected
        if self.reason:
            raise TimeoutError(self.reason)

    def _hang_up(self) -> None:
        self.reason = "no answer in time"
        if self._socket is not None:
            with contextlib.suppress(OSError):  # the answer may just have come
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _split_url(url: Any) -> SplitResult:
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    except (ValueError, TypeError, AttributeError):  # a port that is none, a url that is no text
        pass
    raise UsageError(f'url must look like "http://127.0.0.1:8000/retrieve", got {url!r}.')


def _parse(data: bytes, k: int) -> list[Hit]:
    """Returns the hits of the one query that an answer is about."""
    try:
        (found,) = json.loads(data)["result"]
        return [_hit(entry) for entry in found[:k]]
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as e:
        raise EnvironmentFault(
            'The retriever must answer {"result": [[{"document": {"id", "contents"}, "score"}, '
            f"...]]}}, got {data[:200]!r} ({e!r})."
        ) from e


def _hit(entry: dict[str, Any]) -> Hit:
    document = entry.get("document", entry)
    title, text = document.get("title"), document.get("text")
    if not isinstance(title, str) or not isinstance(text, str):
        title, _, text = document["contents"].partition("\n")
        title = title.strip().strip('"')
    passage_id = str(document.get("id", title))
    return Hit(Passage(passage_id, title, text), float(entry.get("score") or 0.0))
