"""`Container`: a sandbox that is a Docker container; what `open_sandbox` is without an engine."""

import builtins
import contextlib
import json
import os
import select
import threading
import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from turnwise_envs.errors import UsageError
from turnwise_envs.sandbox.channel import Channel
from turnwise_envs.sandbox.closing import Closing
from turnwise_envs.sandbox.core import Sandbox, open_sandbox
from turnwise_envs.sandbox.engine import BASE_IMAGE, Engine, Kind, engine
from turnwise_envs.sandbox.files import parts_of
from turnwise_envs.sandbox.inside import wire
from turnwise_envs.sandbox.limits import Completed, Limits, SandboxFault, SandboxFileError
from turnwise_envs.sandbox.output import FLOOD_BYTES, Kept

_PATIENCE_S = 60.0
_CHUNK = 1 << 18
_MOST_WAITING = 1 << 20
"""Bytes that wait to be passed on; then no more is taken from where they come."""
_GLANCE_S = 1.0
_MOST_READ = 16 << 20


@dataclass(frozen=True)
class ContainerImage:
    """An image, and how containers of it are used. The engine must have it: nothing is fetched.

    It needs Python 3.11 or later and `sh`; to grade repairs in it, pytest, too.
    """

    name: str = BASE_IMAGE
    work: str = "/work"
    """Path of the work folder inside; what the image has there is hidden."""
    python: str = "python3"
    """Program to start Python with, for an image whose own is older."""
    tests_python: str = ""
    """Path of the program to run a repository's own tests with, where that is another; it may be
    as old as Python 3.6. Its folder comes first in the PATH of an agent's commands."""
    cpus: float = 1.0
    """Processors that one container may keep busy."""

    def open(
        self, limits: Limits | None = None, files: Mapping[str, bytes] | None = None
    ) -> "Container":
        """Opens a container; use it as a context manager or call its `close`.

        Args:
            limits: what a run may use. Memory, disk and processes stay as they are opened.
            files: path within the work folder, and content.

        Raises:
            DependencyNotInstalled: If the Docker SDK is missing.
            SandboxFault: If there is no engine or no such image; the message says what to do.
            SandboxFileError: If a path of `files` leaves the work folder, or they do not fit.
        """
        limits = limits or Limits()
        memory_mb, disk_mb, processes = limits.memory_mb, limits.disk_mb, limits.processes
        kind = Kind(self.name, self.work, self.python, self.cpus, memory_mb, disk_mb, processes)
        container = Container(engine(), kind, limits)
        try:
            container.change(files or {})
        except BaseException:
            container.close()
            raise
        return container

    @property
    def id(self) -> str:
        """The engine's name of the image's content.

        Raises:
            SandboxFault: If there is no engine or no such image.
        """
        return engine().image_id(self.name)

    def read_folder(self, folder: str) -> dict[str, bytes]:
        """Returns path and content of the regular files in a folder of the image."""
        return engine().read_folder(self.name, folder)


class Container(Closing):
    """A container with a work folder; made by `ContainerImage.open`, with the methods of `Sandbox`.

    Attributes:
        limits: the limits of a run that brings none of its own.
        work: the work folder's path as commands see it.
        temporary: the temporary folder's path as commands see it.
        python: the program to start Python with.
        id: the engine's name of the container.
    """

    temporary = "/tmp"

    def __init__(self, engine: Engine, kind: Kind, limits: Limits) -> None:
        self.limits, self.work, self.python = limits, kind.work, kind.python
        started = engine.take(kind)
        self.id = started.id
        self._channel = started.channel
        self._lock = threading.Lock()
        self._finalizer = weakref.finalize(self, engine.remove, started)

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        cwd: str = "",
        env: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        connect: tuple[int, int] | None = None,
    ) -> Completed:
        """Runs a command to its end and ends whatever it left running; as `Sandbox.run`."""
        limits = limits or self.limits
        if isinstance(argv, str) or not argv:
            raise UsageError(f"argv must be a non-empty list of texts, got {argv!r}.")
        variables = {"HOME": self.temporary, "TMPDIR": self.temporary, "LANG": "C.UTF-8"}
        variables |= env or {}
        for text in (*argv, cwd, *variables, *variables.values()):
            if not isinstance(text, str) or "\0" in text:
                raise UsageError(
                    f"Arguments and variables must be text without zero bytes, got {text!r:.80}."
                )
        request = {
            "argv": [*argv],
            "cwd": os.path.join(self.work, cwd),
            "env": variables,
            "limits": asdict(limits) | {"whole_run": True},
        }
        with self._lock:
            joint = _Joint(*(connect or (-1, -1)))
            try:
                self.send(wire.RUN, json.dumps(request).encode())
                self._channel.send_all(wire.INPUT, stdin)
                if connect is None:
                    self.send(wire.INPUT)
                return self._follow(limits, joint)
            finally:
                joint.close()

    def write(self, path: str, data: bytes | str) -> None:
        """Creates or replaces a file of the work folder; as `Sandbox.write`."""
        self.change({path: data.encode() if isinstance(data, str) else data})

    def delete(self, path: str) -> None:
        """Removes a file of the work folder; as `Sandbox.delete`."""
        self.change({}, [path])

    def change(self, files: Mapping[str, bytes], gone: Sequence[str] = ()) -> None:
        """Removes files and writes others, in one go.

        Raises:
            SandboxFileError: The first of those that `write` and `delete` would raise.
        """
        with self._lock:
            for path in (*gone, *files):
                parts_of(path)
            for path in gone:
                self.send(wire.DELETE, os.fsencode(path))
            for path, data in files.items():
                self._channel.send_all(wire.DATA, data)
                self.send(wire.WRITE, os.fsencode(path))
            answers = self._answers(len(gone) + len(files))
        for answer in answers:
            _content(answer)

    def read(self, path: str, max_bytes: int = _MOST_READ) -> bytes:
        """Returns the content of a regular file of the work folder; as `Sandbox.read`."""
        with self._lock:
            parts_of(path)
            self.send(wire.READ, json.dumps([path, max_bytes]).encode())
            return _content(self._answers(1)[0])

    def read_all(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Returns the content of files; those that `read` refuses are left out."""
        asked = [*paths]
        with self._lock:
            for path in asked:
                self.send(wire.READ, json.dumps([path, _MOST_READ]).encode())
            answers = self._answers(len(asked))
        return {
            path: answer
            for path, answer in zip(asked, answers, strict=True)
            if isinstance(answer, bytes)
        }

    def list(self) -> list[str]:
        """Returns the paths of the regular files in the work folder, sorted."""
        return [*self.stamps()]

    def stamps(self) -> dict[str, tuple[int, ...]]:
        """Returns a stamp for each regular file; as `Sandbox.stamps`."""
        with self._lock:
            self.send(wire.STAMPS, b"")
            found = json.loads(_content(self._answers(1)[0]))
        return {path: tuple(stamp) for path, stamp in found.items()}

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        """Sends a frame to the container's first process; from any thread."""
        if not self._finalizer.alive:
            raise SandboxFault("The container is closed. Open a new one.")
        self._channel.send(kind, payload)

    def close(self) -> None:
        """Ends and removes the container; harmless when called again."""
        self._finalizer()

    def _answers(self, count: int) -> "builtins.list[bytes | SandboxFileError]":
        """Returns what came of so many requests about files: content, or the refusal."""
        answers: builtins.list[bytes | SandboxFileError] = []
        data = bytearray()
        while len(answers) < count:
            for kind, payload in self._channel.wait(_PATIENCE_S):
                if kind == wire.DATA:
                    data += payload
                elif kind == wire.REFUSED:
                    answers.append(SandboxFileError(*json.loads(payload)))
                else:
                    answers.append(bytes(data))
                    data.clear()
        return answers

    def _follow(self, limits: Limits, joint: "_Joint") -> Completed:
        """Passes streams on until the command has ended; has it killed where it exceeds a limit."""
        began = time.monotonic()
        out, err = Kept(limits.output_chars), Kept(limits.output_chars)
        status = b""
        asked_s = 0.0
        while not status:
            now = time.monotonic()
            flood = out.total + err.total > FLOOD_BYTES
            # The first process minds the clock itself: this is for one that does not.
            if not asked_s and (now - began > limits.wall_s + 1 or flood):
                self.send(wire.KILL, b"output" if flood else b"wall")
                asked_s = now
            if asked_s and now - asked_s > _PATIENCE_S:
                raise SandboxFault("A container did not end a run. Open a new one.")
            for kind, payload in joint.exchange(self._channel):
                if kind == wire.ENDED:
                    status = payload
                elif kind == wire.ERR:
                    err.add(payload)
                elif kind == wire.OUT and not joint.add(payload):
                    out.add(payload)
        joint.finish()
        code, cpu_s, memory, _, reason = wire.STATUS.unpack(status)
        (stdout, cut_out), (stderr, cut_err) = out.text(), err.text()
        return Completed(
            returncode=code,
            stdout=stdout,
            stderr=stderr,
            truncated=cut_out or cut_err,
            killed_by=reason.rstrip(b"\0").decode(errors="replace") or None,
            wall_s=time.monotonic() - began,
            cpu_s=cpu_s,
            peak_memory_mb=memory / 2**20,
        )


class _Joint:
    """Joins a command's first two streams to descriptors of this process, where there are any.

    Args:
        source: what the command reads, or -1; closed by `close`.
        sink: where its output goes, or -1; likewise.
    """

    def __init__(self, source: int, sink: int) -> None:
        self._source, self._sink = source, sink
        self._waiting = bytearray()
        for descriptor in (source, sink):
            if descriptor >= 0:
                os.set_blocking(descriptor, False)

    def exchange(self, channel: Channel) -> list[tuple[bytes, bytes]]:
        """Waits until something can go on, lets it, and returns the frames that have come."""
        poller = select.poll()
        events = select.POLLOUT if channel.waiting else 0
        if len(self._waiting) < _MOST_WAITING:
            events |= select.POLLIN
        poller.register(channel, events)
        if self._source >= 0 and channel.waiting < _MOST_WAITING:
            poller.register(self._source, select.POLLIN)
        if self._waiting:
            poller.register(self._sink, select.POLLOUT)
        frames = []
        for descriptor, _ in poller.poll(1000 * _GLANCE_S):
            if descriptor == self._source:
                self._take(channel)
            elif descriptor == self._sink:
                self._give()
            else:
                channel.flush()
                frames = channel.receive() if events & select.POLLIN else []
        return frames

    def add(self, data: bytes) -> bool:
        """Passes output on; False where nobody is there to take it."""
        if self._sink < 0:
            return False
        self._waiting += data
        self._give()
        if not data:
            self.finish()
        return True

    def finish(self) -> None:
        """Passes the rest on, then lets the reader know that no more comes."""
        if self._waiting and self._sink >= 0:
            os.set_blocking(self._sink, True)
            with contextlib.suppress(BrokenPipeError):
                while self._waiting:
                    del self._waiting[: os.write(self._sink, self._waiting)]
        self._sink = _closed(self._sink)
        self._waiting.clear()

    def close(self) -> None:
        """Closes both."""
        self._source, self._sink = _closed(self._source), _closed(self._sink)

    def _take(self, channel: Channel) -> None:
        data = os.read(self._source, _CHUNK)
        channel.send(wire.INPUT, data)
        if not data:
            self._source = _closed(self._source)

    def _give(self) -> None:
        try:
            while self._waiting:
                del self._waiting[: os.write(self._sink, self._waiting)]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._waiting.clear()


def _content(answer: bytes | SandboxFileError) -> bytes:
    if isinstance(answer, SandboxFileError):
        raise answer
    return answer


def _closed(descriptor: int) -> int:
    if descriptor >= 0:
        os.close(descriptor)
    return -1


Isolation = str | ContainerImage
"""How code is kept apart: a name, as `open_sandbox` takes it, or the image of a container."""


def open_isolated(
    isolation: Isolation, limits: Limits | None = None, files: Mapping[str, bytes] | None = None
) -> Sandbox | Container:
    """Opens a sandbox on this machine, or a container; raises what either raises."""
    if isinstance(isolation, ContainerImage):
        return isolation.open(limits, files)
    return open_sandbox(isolation, limits, files)
