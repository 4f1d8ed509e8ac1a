"""A small retrieval server that speaks the form of Search-R1's.

    python scripts/serve_retriever.py --corpus passages.jsonl --port 8000

`POST /retrieve` takes {"queries": [...], "topk": 3, "return_scores": false} and answers {"result":
[[document, ...], ...]}, each document as {"id", "title", "text", "contents"}, with scores as
{"document": ..., "score": ...}. `GET /health` answers {"status": "ok"}. It serves any retriever of
this package, with a thread per connection; it knows no users and should listen where only its
clients reach it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from turnwise_envs.errors import TurnwiseError
from turnwise_envs.search.corpus import Corpus
from turnwise_envs.search.loaders import LoadedQuestions, open_corpus
from turnwise_envs.search.retriever import RETRIEVERS, Hit, Retriever, shared_retriever
from turnwise_envs.search.tasks import shared_world
from turnwise_envs.search.world import WorldOptions

MAX_REQUEST_BYTES = 8 * 2**20
MAX_QUERIES = 4_096
MAX_TOPK = 1_000
IDLE_TIMEOUT_S = 30.0


class RetrievalServer(ThreadingHTTPServer):
    """Answers `/retrieve` requests from a retriever.

        with RetrievalServer(("127.0.0.1", 8000), retriever) as server:
            server.serve_forever()

    Args:
        address: (host, port); port 0 takes a free one, see `url`.
        retriever: finds the passages; called from several threads.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], retriever: Retriever) -> None:
        super().__init__(address, _Handler)
        self.retriever = retriever

    @property
    def url(self) -> str:
        """Where clients post their queries."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}/retrieve"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_TIMEOUT_S
    server: RetrievalServer

    def do_GET(self) -> None:
        known = self.path == "/health"
        self._answer(200 if known else 404, {"status": "ok"} if known else {"detail": "not found"})

    def do_POST(self) -> None:
        if self.path.partition("?")[0] != "/retrieve":
            self.close_connection = True
            self._answer(404, {"detail": "not found; post to /retrieve"})
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_REQUEST_BYTES:
            self.close_connection = True  # the body is not read
            self._answer(413, {"detail": f"Content-Length must be at most {MAX_REQUEST_BYTES}"})
            return
        try:
            queries, topk, with_scores = _request(self.rfile.read(int(length)))
        except ValueError as error:
            self._answer(400, {"detail": str(error)})
            return
        try:
            found = [self.server.retriever.search(query, topk) for query in queries]
        except TurnwiseError as error:
            self._answer(503, {"detail": str(error)})
            return
        self._answer(200, {"result": [[_entry(h, with_scores) for h in hits] for hits in found]})

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: thousands of queries a second would drown everything else."""


def _request(body: bytes) -> tuple[list[str], int, bool]:
    """Returns (queries, topk, return_scores) of a request.

    Raises:
        ValueError: If it is no such request; the message says what it must be.
    """
    try:
        value = json.loads(body)
    except RecursionError as error:
        raise ValueError("the body must be JSON") from error
    if not isinstance(value, dict):
        raise ValueError("the body must be a JSON object")
    queries, topk = value.get("queries"), value.get("topk")
    topk = 3 if topk is None else topk
    if (
        not isinstance(queries, list)
        or not 1 <= len(queries) <= MAX_QUERIES
        or not all(isinstance(query, str) for query in queries)
    ):
        raise ValueError(f"queries must be a list of 1 to {MAX_QUERIES} texts")
    if not isinstance(topk, int) or not 1 <= topk <= MAX_TOPK:
        raise ValueError(f"topk must be an integer in [1, {MAX_TOPK}]")
    return queries, topk, bool(value.get("return_scores", False))


def _entry(hit: Hit, with_score: bool) -> dict[str, Any]:
    passage = hit.passage
    document = {
        "id": passage.id,
        "title": passage.title,
        "text": passage.text,
        "contents": f'"{passage.title}"\n{passage.text}',
    }
    return {"document": document, "score": hit.score} if with_score else document


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves a corpus until interrupted."""
    parser = argparse.ArgumentParser(description="Serve a corpus in Search-R1's /retrieve form.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--corpus", help="JSONL file of passages, or a saved corpus")
    what.add_argument("--data", help="file of questions with paragraphs (HotpotQA, ...)")
    parser.add_argument("--num-articles", type=int, default=WorldOptions().num_articles)
    parser.add_argument("--difficulty", default="normal", help="of the generated world")
    parser.add_argument("--retriever", choices=RETRIEVERS[:2], default="bm25")
    parser.add_argument("--encoder", help="Hugging Face folder or id, for --retriever dense")
    parser.add_argument("--cache-dir", help="keep corpus and index here, memory-mapped")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    chosen = parser.parse_args(arguments)
    options = {"encoder": chosen.encoder} if chosen.encoder else {}
    try:
        corpus = _corpus(chosen)
        retriever = shared_retriever(chosen.retriever, options, lambda: corpus, chosen.cache_dir)
        server = RetrievalServer((chosen.host, chosen.port), retriever)
    except (TurnwiseError, OSError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    with server:
        print(f"{len(corpus):,} passages at {server.url}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


def _corpus(chosen: argparse.Namespace) -> Corpus:
    if chosen.corpus is not None:
        return open_corpus(chosen.corpus, chosen.cache_dir)
    if chosen.data is not None:
        return LoadedQuestions("train", chosen.data).corpus
    return shared_world(WorldOptions(chosen.num_articles, chosen.difficulty)).corpus
