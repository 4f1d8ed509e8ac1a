"""An index of a folder's files by content: a data set is read once, not by every process.

What is known of a file (its facts, JSON data that a reader made of its bytes) belongs to its
content: a row holds the file's path, size, modification time and content digest, and the facts.
A file whose size and time are those of its row is taken as unchanged; any other is read and
digested, and only content that no row has goes to the reader. Times of the last two seconds are
never trusted, because a file can change twice within one tick of its clock. Whoever uses a file
compares its bytes with `digest` again (`read_unchanged`), so a file that was changed under the same
size and time is an error then, not another game.

The index is JSON lines below `cache_folder()`, one file a folder, replaced whole; a damaged one, or
one of other readers, is made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from turnwise_envs.cache import CACHE_VARIABLE, cache_folder, write_whole
from turnwise_envs.errors import DataError

_FORMAT = "turnwise file index 1"
_YOUNG_NS = 2_000_000_000

Facts = dict[str, Any]
Reader = Callable[[bytes], Facts]


@dataclass(frozen=True, slots=True)
class Found:
    """A file as the file system lists it.

    Attributes:
        name: path below the root, with "/".
        size: bytes.
        mtime_ns: time of the last change, nanoseconds since 1970.
    """

    name: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Row:
    """What the index knows of a file.

    Attributes:
        size, mtime_ns: of the file when it was read; a time of 0 is never trusted.
        digest: of its content.
        facts: what the reader made of its content.
    """

    size: int
    mtime_ns: int
    digest: str
    facts: Facts


def digest_of(data: bytes) -> str:
    """Returns the digest of a file's content, 32 hexadecimal digits."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def read_unchanged(path: Path, digest: str) -> bytes:
    """Returns a file's content.

    Raises:
        DataError: If it cannot be read, or is not the content that was indexed.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Restore the file.") from None
    if digest_of(data) != digest:
        raise DataError(
            f"{path}: has changed since its folder was opened. Start a new process to open it anew."
        )
    return data


def list_files(root: Path, wanted: Callable[[str], bool]) -> Iterator[Found]:
    """Yields the files below `root` whose name is wanted, sorted by path.

    Raises:
        DataError: If a folder cannot be read.
    """

    def walk(folder: str, above: str) -> Iterator[Found]:
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            raise DataError(
                f"{folder}: cannot be read ({error.strerror}). Change its permissions."
            ) from None
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from walk(entry.path, f"{above}{entry.name}/")
            elif wanted(entry.name):
                try:
                    status = entry.stat()
                except OSError:  # a link to nothing; reading it will say so
                    yield Found(above + entry.name, -1, 0)
                else:
                    yield Found(above + entry.name, status.st_size, status.st_mtime_ns)

    return walk(str(root), "")


def describe(
    root: Path,
    files: Iterable[Found],
    reader: Callable[[str], Reader],
    *,
    every_byte: bool = False,
) -> dict[str, Row]:
    """Returns a row for each file, from the index where that holds, else by reading.

    Args:
        root: the folder.
        files: what `list_files` found in it.
        reader: returns the reader of a file, by its name.
        every_byte: digest every file instead of trusting sizes and times.

    Warns:
        UserWarning: If the index had to be changed and cannot be written.
    """
    started = time.time_ns()
    known = _load(root)
    by_content = {(_last(name), row.digest): row.facts for name, row in known.items()}
    rows: dict[str, Row] = {}
    for file in files:
        row = known.get(file.name)
        if (
            every_byte
            or row is None
            or not file.mtime_ns
            or (row.size, row.mtime_ns) != (file.size, file.mtime_ns)
        ):
            row = _read(root, file, reader(file.name), by_content, started)
        rows[file.name] = row
    if rows != known:
        _save(root, rows)
    return rows


def _last(name: str) -> str:
    # Facts belong to content and reader; the last part of a path decides on the reader.
    return name.rpartition("/")[2]


def _read(
    root: Path,
    file: Found,
    reader: Reader,
    by_content: dict[tuple[str, str], Facts],
    started: int,
) -> Row:
    try:
        data = (root / file.name).read_bytes()
    except OSError as error:
        facts = {"problem": f"cannot be read ({error.strerror}). Restore the file."}
        return Row(file.size, 0, "", facts)
    digest = digest_of(data)
    key = (_last(file.name), digest)
    if key not in by_content:
        by_content[key] = reader(data)
    trusted = file.mtime_ns if file.mtime_ns < started - _YOUNG_NS else 0
    return Row(file.size, trusted, digest, by_content[key])


# ---------------------------------------------------------------- the file


@lru_cache(maxsize=1)
def _readers() -> str:
    """Digest of this package's source: facts hold only as long as the readers are the same."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return digest_of(b"\0".join(source.read_bytes() for source in sources))


def _path(root: Path) -> Path:
    return cache_folder() / "household" / f"{digest_of(os.fsencode(root))}.jsonl"


def _load(root: Path) -> dict[str, Row]:
    try:
        head, _, body = _path(root).read_text(encoding="utf-8").partition("\n")
        if json.loads(head) != _head(root, body):
            return {}
        return {name: Row(*row) for name, *row in map(json.loads, body.splitlines())}
    except (OSError, ValueError, TypeError):
        return {}


def _save(root: Path, rows: Mapping[str, Row]) -> None:
    body = "".join(
        json.dumps([name, row.size, row.mtime_ns, row.digest, row.facts]) + "\n"
        for name, row in rows.items()
    )
    try:
        write_whole(_path(root), json.dumps(_head(root, body)) + "\n" + body)
    except OSError as error:
        warnings.warn(
            f"The index of {root} cannot be kept ({error}), so every process reads all files anew. "
            f"Set {CACHE_VARIABLE} to a folder that can be written.",
            stacklevel=2,
        )


def _head(root: Path, body: str) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "readers": _readers(),
        "root": str(root),
        "digest": digest_of(body.encode()),
    }
