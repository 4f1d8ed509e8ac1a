"""The remote retriever against real servers: ours, and such as fail, stall and talk nonsense."""

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import gymnasium as gym
import pytest

from turnwise_envs.errors import EnvironmentFault, UsageError
from turnwise_envs.search.remote import MAX_REPLY_BYTES, RemoteRetriever
from turnwise_envs.search.retriever import BM25Retriever
from turnwise_envs.search.server import RetrievalServer
from turnwise_envs.search.tasks import shared_world
from turnwise_envs.search.world import WorldOptions

ID = "turnwise/MultiHopSearch-v0"
SERVE = Path(__file__).parents[2] / "scripts" / "serve_retriever.py"
GOOD = {"result": [[{"document": {"id": "4", "contents": '"Fox"\nwhite'}, "score": 1.5}]]}


@contextmanager
def running(server):
    """Serves in a thread until the block ends."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def answering(answer):
    """A server whose requests are answered by `answer(handler, number of the request)`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.server.asked.append(self.rfile.read(int(self.headers["Content-Length"])))
            answer(self, len(self.server.asked))

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.asked = []
    server.url = f"http://127.0.0.1:{server.server_address[1]}/retrieve"
    with running(server):
        yield server


def reply(handler, body, status=200, length=None):
    """Writes an answer; `length` may lie."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(data) if length is None else length))
    handler.end_headers()
    handler.wfile.write(data)


@pytest.fixture(scope="module")
def corpus():
    return shared_world(WorldOptions()).corpus


@pytest.fixture(scope="module")
def served(corpus):
    with running(RetrievalServer(("127.0.0.1", 0), BM25Retriever(corpus))) as server:
        yield server


def test_an_episode_is_the_same_as_in_process(served):
    far = gym.make(ID, retriever="remote", retriever_options={"url": served.url})
    near = gym.make(ID)
    for index in range(14):
        observations = []
        for env in (far, near):
            obs, info = env.reset(options={"task_index": index})
            seen, over = [obs], False
            while not over:
                obs, _, over, _, info = env.step(env.unwrapped.expert_action())
                seen.append(obs)
            assert info["success"]
            observations.append(seen)
        assert observations[0] == observations[1]


def test_reading_finds_the_article_among_the_best(served, corpus):
    title = corpus[0].title
    found = RemoteRetriever(served.url).read(title.upper())
    assert [p.title for p in found] == [title] * len(corpus.titled(title))
    assert RemoteRetriever(served.url).read("Atlantis") == []


def test_what_was_asked_is_remembered():
    with answering(lambda handler, _: reply(handler, GOOD)) as server:
        retriever = RemoteRetriever(server.url)
        hits = [retriever.search("fox", 3) for _ in range(4)]
        assert len(server.asked) == 1
        assert json.loads(server.asked[0]) == {"queries": ["fox"], "topk": 3, "return_scores": True}
        assert hits[0] == hits[3]
        assert (hits[0][0].passage.title, hits[0][0].passage.text) == ("Fox", "white")
        retriever.search("fox", 2)
        assert len(server.asked) == 2
        forgetful = RemoteRetriever(server.url, cache_size=0)
        for _ in range(3):
            forgetful.search("fox", 3)
        assert len(server.asked) == 5


def test_a_passing_failure_is_tried_again():
    def third_time(handler, number):
        reply(handler, GOOD, status=503 if number < 3 else 200)

    with answering(third_time) as server:
        assert RemoteRetriever(server.url, backoff_s=0.0).search("fox", 1)
        assert len(server.asked) == 3


def drip(handler, _):
    """Sends a header line without an end, byte by byte."""
    try:
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"y" * 1000:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.02)
    except OSError:
        pass


def drip_body(handler, _):
    """Sends the body byte by byte."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    drip(handler, _)


@pytest.mark.parametrize(
    "answer", [lambda *_: time.sleep(20), drip, drip_body], ids=["silent", "headers", "body"]
)
def test_a_slow_server_costs_its_timeout_and_no_more(answer):
    with answering(answer) as server:
        retriever = RemoteRetriever(server.url, timeout_s=0.3, attempts=2, backoff_s=0.01)
        start = time.monotonic()
        with pytest.raises(EnvironmentFault, match=r"within 0.3 s, got .* in 2 attempts"):
            retriever.search("fox", 1)
        assert 0.5 < time.monotonic() - start < 15
        assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("answer", "message", "attempts"),
    [
        (lambda h, _: reply(h, b"<html>busy</html>"), 'must answer {"result"', 1),
        (lambda h, _: reply(h, b"\xff\xfe"), 'must answer {"result"', 1),
        (lambda h, _: reply(h, b"[" * 100_000), 'must answer {"result"', 1),
        (lambda h, _: reply(h, {"result": []}), 'must answer {"result"', 1),
        (lambda h, _: reply(h, {"result": [[], []]}), 'must answer {"result"', 1),
        (lambda h, _: reply(h, {"result": [[{"document": "x"}]]}), 'must answer {"result"', 1),
        (lambda h, _: reply(h, {"result": [[{"document": {}}]]}), 'must answer {"result"', 1),
        (lambda h, _: reply(h, b'{"result": [[{"contents": "x", "score": 1' + b"0" * 400 + b"}]]}"),
         'must answer {"result"', 1),
        (lambda h, _: reply(h, {"detail": "no"}, status=404), "status 200, got 404", 1),
        (lambda h, _: reply(h, {}, status=500), "got status 500 in 3", 3),
        (lambda h, _: reply(h, GOOD, length=10_000), "got an answer that was cut off in 3", 3),
        (lambda h, _: h.wfile.write(b"SSH-2.0\r\n"), "BadStatusLine", 3),
        (lambda h, _: None, "in 3 attempts", 3),
    ],
)  # fmt: skip
def test_nonsense_is_a_fault_not_a_wrong_answer(answer, message, attempts):
    with answering(answer) as server:
        retriever = RemoteRetriever(server.url, backoff_s=0.0)
        with pytest.raises(EnvironmentFault) as caught:
            retriever.search("fox", 1)
        assert message in str(caught.value)
        assert len(server.asked) == attempts


def test_an_endless_answer_is_cut_off():
    def flood(handler, _):
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(MAX_REPLY_BYTES // 2**20 + 8):
                handler.wfile.write(b"x" * 2**20)
        except OSError:
            pass

    too_much = pytest.raises(EnvironmentFault, match="at most 33554432 bytes, got more")
    with answering(flood) as server, too_much:
        RemoteRetriever(server.url, timeout_s=30.0).search("fox", 1)


def test_a_server_that_is_not_there():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/retrieve"
    env = gym.make(
        ID, retriever="remote", retriever_options={"url": url, "attempts": 2, "backoff_s": 0.01}
    )
    env.reset(seed=0)
    with pytest.raises(EnvironmentFault, match=r"ConnectionRefused.* in 2 attempts\. Start it"):
        env.step("search[fox]")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"url": "127.0.0.1:8000"}, "url must look like"),
        ({"url": "http://h:99999/"}, "url must look like"),
        ({"url": "http://[::1/"}, "url must look like"),
        ({"url": 7}, "url must look like"),
        ({"url": "http://h/", "timeout_s": 0}, r"timeout_s must be seconds in \(0, 600\], got 0"),
        ({"url": "http://h/", "timeout_s": "5"}, "timeout_s must be seconds"),
        ({"url": "http://h/", "timeout_s": float("nan")}, "timeout_s must be seconds"),
        ({"url": "http://h/", "attempts": 0}, "attempts must be a positive integer"),
        ({"url": "http://h/", "backoff_s": -1}, "backoff_s must be"),
        ({"url": "http://h/", "cache_size": -1}, "cache_size must be"),
        ({"url": "http://h/", "retries": 3}, "arguments of the remote retriever"),
    ],
)
def test_options_that_cannot_be(arguments, message):
    env = gym.make(ID, retriever="remote", retriever_options=arguments)
    env.reset(seed=0)
    with pytest.raises(UsageError, match=message):
        env.step("search[x]")


def post(server, body, path="/retrieve", headers=None):
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10)
    try:
        connection.request("POST", path, body, headers or {})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"{", 400, ""),
        (b"[" * 100_000, 400, "the body must be JSON"),
        (b"\xff", 400, ""),
        (b"[]", 400, "the body must be a JSON object"),
        (b'{"queries": "fox"}', 400, "queries must be a list of 1 to 4096 texts"),
        (b'{"queries": []}', 400, "queries must be a list"),
        (b'{"queries": ["x"], "topk": 0}', 400, "topk must be an integer in [1, 1000]"),
        (b'{"queries": ["x"], "topk": "3"}', 400, "topk must be an integer"),
    ],
)
def test_the_server_says_what_is_wrong_with_a_request(served, body, status, detail):
    got, answer = post(served, body)
    assert (got, detail in answer["detail"]) == (status, True)


def test_the_server_answers_in_search_r1s_form(served):
    body = json.dumps({"queries": ["river", "qqqq"], "topk": 2}).encode()
    status, answer = post(served, body)
    assert status == 200
    assert [len(found) for found in answer["result"]] == [2, 0]
    document = answer["result"][0][0]
    assert document["contents"] == f'"{document["title"]}"\n{document["text"]}'
    body = json.dumps({"queries": ["river"], "topk": 1, "return_scores": True}).encode()
    entry = post(served, body)[1]["result"][0][0]
    assert entry["document"] == document
    assert entry["score"] > 0
    assert post(served, body, path="/other")[0] == 404
    assert post(served, b"", headers={"Content-Length": str(10**9)})[0] == 413


def test_the_script_serves_a_file(tmp_path):
    corpus = tmp_path / "passages.jsonl"
    corpus.write_text('{"id": "0", "title": "Fox", "text": "The fox is white."}\n')
    command = [sys.executable, str(SERVE), "--corpus", str(corpus), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            line = server.stdout.readline()
            assert line.startswith("1 passages at http://127.0.0.1:")
            hits = RemoteRetriever(line.split()[-1]).search("white fox", 3)
            assert [hit.passage.title for hit in hits] == ["Fox"]
        finally:
            server.terminate()
    missing = subprocess.run(
        [sys.executable, str(SERVE), "--corpus", str(tmp_path / "none.jsonl")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert missing.returncode == 2
    assert "none.jsonl must be a file that can be read" in missing.stderr
