"""An OpenAI-compatible endpoint on this machine that fails as it is told to."""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar


class Scripted(http.server.BaseHTTPRequestHandler):
    """Answers with what `replies` says for each request in turn, then with `default`."""

    default = "look"
    replies: ClassVar[list] = []
    requests: ClassVar[list] = []
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append((self.path, self.headers.get("Authorization"), body))
        reply = self.replies.pop(0) if self.replies else self.default
        status, headers, data = 200, {}, b""
        if isinstance(reply, tuple):
            status, headers = reply
            data = b"try later"
        elif reply == "drop":
            self.close_connection = True
            self.connection.close()
            return
        elif reply == "drip":
            self.drip()
            return
        elif reply == "garbage":
            data = b'{"choices": ['
        else:
            message = {"message": {"content": reply}, "finish_reason": "stop"}
            usage = {"prompt_tokens": 7, "completion_tokens": 2}
            data = json.dumps({"choices": [message], "usage": usage}).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def drip(self):
        """Sends a byte every now and then, so that no single read ever takes long."""
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.close_connection = True
        with suppress(OSError):
            for _ in range(1000):
                self.wfile.write(b" ")
                time.sleep(0.02)

    def log_message(self, *args):
        pass


@contextmanager
def serving(default: str = "look") -> Iterator[Any]:
    """Runs an endpoint; gives its handler class with `replies`, `requests` and `url`."""
    fields = {"default": default, "replies": [], "requests": []}
    handler: Any = type("Handler", (Scripted,), fields)
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
    handler.url = f"http://127.0.0.1:{httpd.server_address[1]}/v1"
    yield handler
    httpd.shutdown()
    httpd.server_close()
