"""Episodes as JSON lines on disk."""

from __future__ import annotations

import json
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from turnwise_envs.errors import RecordingError
from turnwise_envs.wrappers.base import TextWrapper

try:
    import fcntl
except ImportError:  # Windows: several processes must not share a file there
    fcntl = None  # type: ignore[assignment]

RECORD_SCHEMA = 1
_TURN_KEYS = (
    "state_key",
    "belief_key",
    "anchor_key",
    "action",
    "format_is_valid",
    "action_is_valid",
    "reward_components",
    "metrics",
    "cost",
)


class EpisodeRecorder(TextWrapper):
    """Appends every episode as one JSON line to a file.

    A line holds `schema, turnwise, env_id, kwargs, split, manifest_hash, task_id, seed, complete,
    episode_return, success, score, verdict, observation` (the first) and `turns`; a turn holds the
    raw `completion`, what the environment answered (`observation, reward, terminated, truncated`)
    and the `info` keys of a step. Gold answers (`reference`, `evidence`) are never written.

    A line is written in one piece at the episode's end, or with `"complete": false` at `reset` or
    `close` if turns were played before. Several environments and processes may share a file. Where
    the disk is full, what was written before stays intact, `RecordingError` is raised, and the
    line is kept and written by the next attempt (`flush`).

    Args:
        env: a text environment.
        path: the file, created with its folder at the first line; nothing else is written.
    """

    def __init__(self, env: gym.Env[str, str], path: str) -> None:
        RecordConstructorArgs.__init__(self, path=str(path))
        super().__init__(env)
        self.path = Path(path)
        self._record: dict[str, Any] | None = None
        self._pending: list[bytes] = []

    def before_reset(self) -> None:
        """Writes an unfinished episode."""
        self._finish(complete=False)

    def begin(
        self, observation: str, info: dict[str, Any], seed: int | None
    ) -> tuple[str, dict[str, Any]]:
        """Starts a record."""
        inner: Any = self.unwrapped
        tasks = inner.tasks
        self._record = {
            "schema": RECORD_SCHEMA,
            "turnwise": _package_version(),
            "env_id": inner.spec.id if inner.spec is not None else type(inner).__name__,
            "kwargs": dict(inner.spec.kwargs) if inner.spec is not None else {},
            "split": inner.split,
            "manifest_hash": tasks.manifest_hash if tasks.finite else None,
            "task_id": info["task_id"],
            "seed": seed,
            "complete": False,
            "episode_return": 0.0,
            "success": False,
            "score": 0.0,
            "verdict": "",
            "observation": observation,
            "turns": [],
        }
        return observation, info

    def step(self, action: str) -> tuple[str, Any, bool, bool, dict[str, Any]]:
        """Plays one turn and records it."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        assert self._record is not None
        turn = {
            "completion": action,
            "observation": observation,
            "reward": float(reward),
            "terminated": terminated,
            "truncated": truncated,
        }
        # A copy through JSON's types: the caller owns info and may change it.
        turn |= {key: _copied(info[key]) for key in _TURN_KEYS}
        self._record["turns"].append(turn)
        self._record["episode_return"] += float(reward)
        for key in ("success", "score", "verdict"):
            self._record[key] = info[key]
        if terminated or truncated:
            self._finish(complete=True)
        return observation, reward, terminated, truncated, info

    def close(self) -> None:
        """Writes an unfinished episode and closes the environment."""
        try:
            self._finish(complete=False)
        finally:
            super().close()

    def flush(self) -> None:
        """Writes the lines that an earlier attempt could not write.

        Raises:
            RecordingError: If they still cannot be written.
        """
        if self._pending:
            _append(self.path, b"".join(self._pending))
            self._pending.clear()

    def _finish(self, *, complete: bool) -> None:
        record, self._record = self._record, None
        if record is not None and record["turns"]:
            record["complete"] = complete
            line = json.dumps(record, default=str) + "\n"
            self._pending.append(line.encode("ascii"))
        self.flush()

    def get_state(self) -> Any:
        """Returns the record so far: a restored episode is recorded whole."""
        return self._record

    def set_state(self, state: Any) -> None:
        """Goes on with the record."""
        self._record = state


def _copied(value: Any) -> Any:
    return dict(value) if isinstance(value, dict) else value


def _package_version() -> str:
    try:
        return version("turnwise")
    except PackageNotFoundError:
        return "unknown"


def _append(path: Path, data: bytes) -> None:
    """Appends `data` whole, or raises `RecordingError` and leaves the file as it was."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as error:
        raise _error(path, error) from error
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        size = os.fstat(handle).st_size
        try:
            # A process killed in the middle of a line must not spoil the line after it.
            if size and os.pread(handle, 1, size - 1) != b"\n":
                data = b"\n" + data
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
        except OSError as error:
            os.ftruncate(handle, size)
            raise _error(path, error) from error
    finally:
        os.close(handle)


def _error(path: Path, error: OSError) -> RecordingError:
    return RecordingError(
        f"The recording {str(path)!r} must be writable, got {error.strerror or error}. Earlier "
        "lines are intact; make room and call flush(), or record elsewhere."
    )
