"""Replies of judges and proposers, kept so that a resumed run gets the same ones again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from turnwise_envs.core import digest


class Journal:
    """An append-only file of replies by the content of their requests.

    A line that was cut off by a crash is passed over; its request is asked again.

    Args:
        path: JSON lines; None keeps the replies in memory only.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._replies: dict[str, Any] = {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    entry = json.loads(line)
                except json.JSONDecodeError:
                    continue
                self._replies[entry["key"]] = entry["reply"]

    def __len__(self) -> int:
        return len(self._replies)

    @staticmethod
    def key(*request: Any) -> str:
        """Returns the key of a request, equal in every process."""
        return digest(json.dumps(request, sort_keys=True, ensure_ascii=True))

    def get(self, key: str) -> Any | None:
        """Returns the reply of a request that was answered before, else None."""
        return self._replies.get(key)

    def add(self, key: str, reply: Any) -> None:
        """Keeps a reply (JSON data)."""
        self._replies[key] = reply
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as file:
                # A line that a crash cut off must not swallow this one.
                file.seek(0, 2)
                if file.tell():
                    file.seek(-1, 2)
                    if file.read(1) != b"\n":
                        file.write(b"\n")
                file.write(json.dumps({"key": key, "reply": reply}).encode() + b"\n")
