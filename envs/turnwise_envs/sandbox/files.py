"""Files of a work folder, reached from the host without ever leaving the folder.

Every path is walked component by component from a descriptor of the work folder, and no component
may be a symbolic link, so neither `..` nor a link that the code inside plants or swaps meanwhile
leads anywhere else. The descriptor stays valid across mount namespaces.
"""

import errno
import os
import stat
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from turnwise_envs.sandbox.limits import SandboxFileError

_DEEPEST = 64
"""Folders below each other that `WorkFolder.stamps` follows; a descriptor is open for each."""

_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def parts_of(path: str) -> list[str]:
    """Splits a path relative to the work folder.

    Raises:
        SandboxFileError: If it is empty or absolute, or has `..` or a zero byte.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts or "\0" in path or not parts:
        raise SandboxFileError(
            errno.EINVAL,
            "A path must be relative to the work folder, without '..'. Pass for example 'a/b.py'",
            path,
        )
    return parts


class WorkFolder:
    """A work folder behind a descriptor.

    Args:
        descriptor: of the folder, opened with O_PATH; closed with this object, which without that
            would keep the folder's memory.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._closer = weakref.finalize(self, os.close, descriptor)
        found = os.fstat(descriptor)
        self._owner = (found.st_uid, found.st_gid)

    def close(self) -> None:
        """Closes the descriptor; harmless when called again."""
        self._closer()

    def write(self, path: str, data: bytes | str) -> None:
        """Creates or replaces a regular file, and the folders above it."""
        content = data.encode() if isinstance(data, str) else data
        with self._parent(path, create=True) as (folder, name):
            # A fresh file under a name nobody holds open, then put in place at once.
            fresh = f".{name[:200]}.{os.urandom(6).hex()}"
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                descriptor = os.open(fresh, flags, 0o644, dir_fd=folder)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    self._hand_over(file.fileno())
                os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                _unlink_quietly(fresh, folder)
                raise

    def read(self, path: str, max_bytes: int) -> bytes:
        """Returns a regular file's content; one larger than `max_bytes` is refused."""
        with self._parent(path) as (folder, name):
            # O_NONBLOCK: a pipe planted under the name must not hang the reader.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            with os.fdopen(os.open(name, flags, dir_fd=folder), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise OSError(errno.EINVAL, "Not a regular file")
                content = file.read(max_bytes + 1)
        if len(content) > max_bytes:
            reason = f"The file must have at most max_bytes ({max_bytes}) bytes, it has more"
            raise SandboxFileError(errno.EFBIG, reason, path)
        return content

    def delete(self, path: str) -> None:
        """Removes a file, or a link itself."""
        with self._parent(path) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def stamps(self) -> dict[str, tuple[int, ...]]:
        """Returns path -> stamp of all regular files, by path; links are not followed."""
        found: dict[str, tuple[int, ...]] = {}
        with _errors("."):
            self._collect(self._descriptor, ".", "", _DEEPEST, found)
        return dict(sorted(found.items()))

    def _collect(
        self, parent: int, name: str, above: str, depth: int, found: dict[str, tuple[int, ...]]
    ) -> None:
        if depth == 0:
            reason = f"The work folder must have at most {_DEEPEST} folders below each other"
            raise SandboxFileError(errno.ENAMETOOLONG, reason, above)
        try:
            here = os.open(name, _FOLDER, dir_fd=parent)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return  # gone, exchanged, or closed by the code inside
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    path = above + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        self._collect(here, entry.name, f"{path}/", depth - 1, found)
                    elif entry.is_file(follow_symlinks=False):
                        seen = entry.stat(follow_symlinks=False)
                        found[path] = (
                            seen.st_ino,
                            seen.st_size,
                            seen.st_mtime_ns,
                            seen.st_ctime_ns,
                        )
        finally:
            os.close(here)

    @contextmanager
    def _parent(self, path: str, create: bool = False) -> Iterator[tuple[int, str]]:
        *folders, name = parts_of(path)
        with _errors(path):
            here = os.open(".", _FOLDER, dir_fd=self._descriptor)
            try:
                for folder in folders:
                    if create:
                        self._make(folder, here)
                    below = os.open(folder, _FOLDER, dir_fd=here)
                    os.close(here)
                    here = below
                yield here, name
            finally:
                os.close(here)

    def _make(self, folder: str, parent: int) -> None:
        try:
            os.mkdir(folder, 0o755, dir_fd=parent)
        except FileExistsError:
            return
        if os.geteuid() == 0:
            os.chown(folder, *self._owner, dir_fd=parent, follow_symlinks=False)

    def _hand_over(self, descriptor: int) -> None:
        if os.geteuid() == 0:
            os.fchown(descriptor, *self._owner)


@contextmanager
def _errors(path: str) -> Iterator[None]:
    """Turns a system error into one that names the path within the work folder."""
    try:
        yield
    except SandboxFileError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            reason = "Refused: a part of the path is a symbolic link or no folder"
        raise SandboxFileError(error.errno or errno.EIO, reason, path) from error


def _unlink_quietly(name: str, folder: int) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        return
