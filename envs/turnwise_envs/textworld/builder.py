"""Building games: a process that makes and compiles them, and the cache that keeps them.

TextWorld's generators depend on the order of Python's sets, hence on its hash seed: the same seed
makes another game in another process. Games are therefore made in a process of their own, with a
fixed hash seed. That process stays for the next game, since importing TextWorld takes seconds.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from turnwise_envs.cache import cache_folder, write_whole
from turnwise_envs.errors import DataError, EnvironmentFault
from turnwise_envs.textworld.recipes import Recipe

BUILD_SECONDS = 600.0
"""How long one game may take; the largest of the generators take a minute."""


def games_folder() -> Path:
    """Returns the folder of the cache that holds games."""
    return cache_folder() / "textworld"


def file_digest(path: Path) -> str:
    """Returns the 16-digit hash of a file's bytes."""
    return blake2b(path.read_bytes(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class CachedGame:
    """A game in the cache.

    Attributes:
        path: its `.z8` file; the `.json` beside it says what it is about.
        content: hash of the `.json`, which decides every text and rule of the game.
    """

    path: Path
    content: str


def find(key: str) -> CachedGame | None:
    """Returns a game of the cache, or None where it is not there whole and undamaged."""
    return _read(games_folder() / key)


def _read(folder: Path) -> CachedGame | None:
    path = folder / "game.z8"
    try:
        digests = json.loads((folder / "digests.json").read_text(encoding="utf-8"))
        found = {name: file_digest(folder / name) for name in ("game.z8", "game.json")}
    except (OSError, ValueError):
        return None
    return CachedGame(path, found["game.json"]) if found == digests else None


def game_of(recipe: Recipe) -> CachedGame:
    """Returns the game of a recipe, built if the cache does not have it.

    Raises:
        EnvironmentFault: If it cannot be built.
    """
    return find(recipe.key) or _built(recipe.key, {"recipe": recipe.to_json()})


def compiled(source: Path) -> CachedGame:
    """Returns a game compiled from a user's `.json`, from the cache if it is there.

    Raises:
        DataError: If the file is no game of this version of TextWorld.
        EnvironmentFault: If it cannot be compiled.
    """
    key = "file-" + file_digest(source)
    return find(key) or _built(key, {"source": str(source.resolve())})


def _built(key: str, order: dict[str, Any]) -> CachedGame:
    _builder().build(key, order)
    found = find(key)
    if found is None:
        raise EnvironmentFault(f"The game built in {games_folder() / key} is damaged. Try again.")
    return found


def build_all(recipes: Sequence[Recipe], processes: int) -> int:
    """Builds the games that the cache lacks, several at once.

    Args:
        recipes: what to build.
        processes: how many builders run at once; each holds about 300 MB.

    Returns:
        How many were built.

    Raises:
        EnvironmentFault: If one cannot be built.
    """
    missing = [recipe for recipe in recipes if find(recipe.key) is None]
    free: SimpleQueue[Builder] = SimpleQueue()
    builders = [Builder() for _ in range(min(processes, len(missing)))]
    for builder in builders:
        free.put(builder)

    def build(recipe: Recipe) -> None:
        builder = free.get()
        try:
            builder.build(recipe.key, {"recipe": recipe.to_json()})
        finally:
            free.put(builder)

    try:
        with ThreadPoolExecutor(max(1, len(builders))) as pool:
            list(pool.map(build, missing))
    finally:
        for builder in builders:
            builder.close()
    return len(missing)


class Builder:
    """A process that builds games, one order at a time; safe to share among threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._owner = os.getpid()

    def build(self, key: str, order: dict[str, Any]) -> None:
        """Builds one game into the cache.

        Args:
            key: its name there.
            order: `{"recipe": ...}` or `{"source": path of a .json}`.

        Raises:
            DataError: If the source is no game.
            EnvironmentFault: If the process fails, or takes longer than `BUILD_SECONDS`.
        """
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            watchdog = threading.Timer(BUILD_SECONDS, process.kill)
            watchdog.daemon = True
            watchdog.start()
            try:
                folder = str(games_folder() / key)
                process.stdin.write(json.dumps({**order, "folder": folder}) + "\n")
                process.stdin.flush()
                line = process.stdout.readline()
            except OSError:
                line = ""
            finally:
                watchdog.cancel()
            if not line:
                self.close()
                raise EnvironmentFault(
                    "The process that builds TextWorld games has died, or was ended after "
                    f"{BUILD_SECONDS:.0f} s. Is memory short, or the game too large?"
                )
        answer = json.loads(line)
        if answer.get("bad_source"):
            raise DataError(answer["bad_source"])
        if answer.get("error"):
            raise EnvironmentFault(f"TextWorld could not make the game: {answer['error']}")

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None or self._owner != os.getpid():
            environment = {
                **os.environ,
                "PYTHONHASHSEED": "0",
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            }
            self._owner = os.getpid()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "turnwise_envs.textworld.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=environment,
            )
        return self._process

    def close(self) -> None:
        """Ends the process."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


_shared: list[Builder] = []
_shared_lock = threading.Lock()


def _builder() -> Builder:
    """Returns the builder that this process shares; a forked child gets one of its own."""
    with _shared_lock:
        if not _shared or _shared[0]._owner != os.getpid():
            _shared[:] = [Builder()]
            atexit.register(_shared[0].close)
        return _shared[0]


def store(folder: Path, make: Any) -> None:
    """Puts a game into the cache whole or not at all.

    Args:
        folder: where it goes.
        make: called with the path of the `.z8` to write, in a folder of its own.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".building-") as scratch:
        work = Path(scratch) / "game"
        work.mkdir()
        make(work / "game.z8")
        digests = {name: file_digest(work / name) for name in ("game.z8", "game.json")}
        for left_over in set(os.listdir(work)) - set(digests):
            (work / left_over).unlink()
        write_whole(work / "digests.json", json.dumps(digests))
        if folder.exists() and _read(folder) is None:
            os.rename(folder, Path(scratch) / "damaged")
        try:
            os.rename(work, folder)
        except OSError:
            if _read(folder) is None:  # else another process was faster
                raise
