"""`Sandbox`: one separated work folder in which commands run under limits."""

import marshal
import os
import select
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cache

from turnwise_envs.errors import UsageError
from turnwise_envs.sandbox import isolation as isolations
from turnwise_envs.sandbox.closing import Closing
from turnwise_envs.sandbox.files import WorkFolder
from turnwise_envs.sandbox.inside import wire
from turnwise_envs.sandbox.limits import Completed, Limits, SandboxFault, SandboxFileError
from turnwise_envs.sandbox.output import FLOOD_BYTES, Kept

_PATIENCE_S = 20.0
"""For the machinery itself: a start, or the end of a tree that was killed."""


class Sandbox(Closing):
    """A work folder and the processes that see it; made by `open_sandbox`.

    Commands run one after another (calls from several threads wait for each other), each with all
    its processes ended before `run` returns; the work folder persists between them until `close`,
    the temporary folder is emptied after each.
    Every method blocks; from asyncio use `asyncio.to_thread(sandbox.run, ...)`. When the process
    that opened the sandbox ends, even by SIGKILL, everything in it ends too.

    Attributes:
        isolation: "bubblewrap", "namespaces" or "none".
        limits: the limits of a run that brings none of its own.
        work: the work folder's path as commands see it.
        temporary: the temporary folder's path as commands see it.
        python: the program to start Python with.
    """

    python = sys.executable

    def __init__(self, isolation: str, limits: Limits) -> None:
        self.isolation, self.limits = isolation, limits
        self._lock = threading.Lock()
        try:
            launch = isolations.plan(isolation, limits)
            process, self._control = isolations.spawn(launch)
        except OSError as error:
            raise SandboxFault(f"A sandbox could not be started: {error}.") from error
        self.work, self.temporary = launch.work, launch.temporary
        self._finalizer = weakref.finalize(self, _end, process, self._control, os.getpid())
        self._control.settimeout(_PATIENCE_S)
        try:
            for frame in launch.frames:
                wire.send(self._control, wire.RUN, marshal.dumps(frame))
            kind, payload, fds = wire.receive(self._control)
        except (OSError, wire.Closed) as error:
            kind, payload, fds = wire.FAILED, str(error).encode(), []
        if kind != wire.READY or len(fds) != 1:
            said = self._finalizer()
            self._control.close()
            reason = f"{payload.decode(errors='replace')}; {said}".strip("; ")
            raise SandboxFault(f"A sandbox could not be started: {reason}.")
        self._folder = WorkFolder(fds[0])

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
        """Runs a command to its end and ends whatever it left running.

        Args:
            argv: program and arguments; the program is looked up in PATH.
            stdin: what it can read.
            cwd: folder to run in, relative to the work folder (or absolute, inside).
            env: variables beside PATH, HOME, TMPDIR and LANG; nothing comes from the host.
            limits: instead of the sandbox's own; `disk_mb` stays as it was opened.
            connect: descriptors that become its standard input and output, to join it to another
                sandbox's command; closed here.

        Returns:
            How it ended and what it printed. A command that cannot be started ends with 127.

        Raises:
            UsageError: If `argv` is empty or an argument is no text.
            SandboxFault: If the sandbox itself broke, or was closed.
        """
        limits = limits or self.limits
        with self._lock:
            pipes = Pipes(connect)
            try:
                self.start(argv, pipes, limits, cwd=cwd, env=env)
                return self._follow(pipes, stdin, limits)
            finally:
                pipes.close()

    def write(self, path: str, data: bytes | str) -> None:
        """Creates or replaces a file of the work folder, and the folders above it.

        Raises:
            SandboxFileError: If the path leaves the folder or passes a symbolic link, or the
                folder is full.
        """
        self._open_folder().write(path, data)

    def read(self, path: str, max_bytes: int = 16 << 20) -> bytes:
        """Returns the content of a regular file of the work folder.

        Raises:
            SandboxFileError: If it is missing, larger than `max_bytes`, no regular file, or
                reached through `..` or a symbolic link.
        """
        return self._open_folder().read(path, max_bytes)

    def list(self) -> list[str]:
        """Returns the paths of the regular files in the work folder, sorted."""
        return [*self._open_folder().stamps()]

    def stamps(self) -> dict[str, tuple[int, ...]]:
        """Returns a stamp for each regular file; one that stays the same has not been written."""
        return self._open_folder().stamps()

    def delete(self, path: str) -> None:
        """Removes a file of the work folder.

        Raises:
            SandboxFileError: If it is missing, or reached through `..` or a symbolic link.
        """
        self._open_folder().delete(path)

    def change(self, files: Mapping[str, bytes], gone: Sequence[str] = ()) -> None:
        """Removes files and writes others.

        Raises:
            SandboxFileError: The first that `delete` and `write` raise.
        """
        for path in gone:
            self.delete(path)
        for path, data in files.items():
            self.write(path, data)

    def read_all(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Returns the content of files; those that `read` refuses are left out."""
        found = {}
        for path in paths:
            with suppress(SandboxFileError):
                found[path] = self.read(path)
        return found

    def close(self) -> None:
        """Ends every process and drops the folders; harmless when called again."""
        if not self._finalizer.alive:
            return
        self._finalizer()
        with self._lock:
            self._control.close()
            self._folder.close()

    def start(
        self,
        argv: Sequence[str],
        pipes: "Pipes",
        limits: Limits,
        *,
        cwd: str = "",
        env: Mapping[str, str] | None = None,
        whole_run: bool = True,
    ) -> None:
        """Starts a command on the far ends of `pipes`; `PythonSession` builds on this.

        Args:
            argv: as for `run`.
            pipes: the command gets their far ends as descriptors 0, 1 and 2.
            limits: as for `run`.
            cwd: as for `run`.
            env: as for `run`.
            whole_run: whether `limits.cpu_s` is for the whole run, or since the last `mark`.

        Raises:
            UsageError: As for `run`.
            SandboxFault: As for `run`.
        """
        if isinstance(argv, str) or not argv:
            raise UsageError(f"argv must be a non-empty list of texts, got {argv!r}.")
        argv = [*argv]
        variables = {
            "PATH": isolations.search_path(self.isolation),
            "HOME": self.temporary,
            "TMPDIR": self.temporary,
            "LANG": "C.UTF-8",
            **(env or {}),
        }
        for text in (*argv, cwd, *variables, *variables.values()):
            if not isinstance(text, str) or "\0" in text:
                raise UsageError(
                    f"Arguments and variables must be text without zero bytes, got {text!r:.80}."
                )
        request = {
            "argv": [isolations.program_inside(argv[0], self.isolation), *argv[1:]],
            "cwd": os.path.join(self.work, cwd),
            "env": variables,
            "limits": asdict(limits) | {"whole_run": whole_run},
        }
        self.send(wire.RUN, marshal.dumps(request), pipes.far_ends)
        pipes.close_far_ends()

    def send(self, kind: bytes, payload: bytes = b"", fds: tuple[int, ...] = ()) -> None:
        """Sends a frame to the sandbox's first process."""
        if not self._finalizer.alive:
            raise SandboxFault("The sandbox is closed. Open a new one.")
        try:
            wire.send(self._control, kind, payload, fds)
        except OSError as error:
            raise SandboxFault(f"The sandbox broke: {error}. Open a new one.") from error

    def ended(self) -> tuple[int, float, int, str]:
        """Receives the end of the run: return code, CPU seconds, peak bytes, reason of a kill."""
        try:
            kind, payload, _ = wire.receive(self._control)
        except (OSError, wire.Closed) as error:
            raise SandboxFault(f"The sandbox broke: {error}. Open a new one.") from error
        if kind != wire.ENDED:
            raise SandboxFault(f"The sandbox broke: {payload.decode(errors='replace')}.")
        code, cpu_s, memory, _, reason = wire.STATUS.unpack(payload)
        return code, cpu_s, memory, reason.rstrip(b"\0").decode(errors="replace")

    @property
    def control_fd(self) -> int:
        """The descriptor that becomes readable when a run has ended."""
        return self._control.fileno()

    def _open_folder(self) -> WorkFolder:
        if not self._finalizer.alive:
            raise SandboxFault("The sandbox is closed. Open a new one.")
        return self._folder

    def _follow(self, pipes: "Pipes", stdin: bytes, limits: Limits) -> Completed:
        """Feeds and reads a command until its end; kills it at the clock's or output's limit."""
        began = time.monotonic()
        kept = {fd: Kept(limits.output_chars) for fd in (pipes.stdout, pipes.stderr)}
        left = memoryview(stdin)
        poller = select.poll()
        poller.register(self.control_fd, select.POLLIN)
        for descriptor in kept:
            poller.register(descriptor, select.POLLIN)
        if left:
            poller.register(pipes.stdin, select.POLLOUT)
        else:
            pipes.close_stdin()
        asked_s = 0.0
        over = False
        while not over:
            now = time.monotonic()
            total = sum(stream.total for stream in kept.values())
            if not asked_s and (now - began > limits.wall_s or total > FLOOD_BYTES):
                self.send(wire.KILL, b"output" if total > FLOOD_BYTES else b"wall")
                asked_s = now
            if asked_s and now - asked_s > _PATIENCE_S:
                raise SandboxFault("The sandbox did not end a run. Open a new one.")
            wait_s = _PATIENCE_S if asked_s else began + limits.wall_s - now
            for descriptor, _ in poller.poll(max(1, 1000 * wait_s + 1)):
                if descriptor == self.control_fd:
                    over = True
                elif descriptor in kept:
                    if not kept[descriptor].take(descriptor):
                        poller.unregister(descriptor)
                else:
                    left = feed(descriptor, left)
                    if not left:
                        poller.unregister(descriptor)
                        pipes.close_stdin()
        wall_s = time.monotonic() - began
        code, cpu_s, memory, reason = self.ended()
        for descriptor, stream in kept.items():
            stream.drain(descriptor)  # all writers are dead
        (stdout, cut_out), (stderr, cut_err) = (stream.text() for stream in kept.values())
        return Completed(
            returncode=code,
            stdout=stdout,
            stderr=stderr,
            truncated=cut_out or cut_err,
            killed_by=reason or None,
            wall_s=wall_s,
            cpu_s=cpu_s,
            peak_memory_mb=memory / 2**20,
        )


class Pipes:
    """Three pipes to a command; the near ends do not block.

    Args:
        connect: other descriptors for the command's ends of the first two; this object closes them.
    """

    def __init__(self, connect: tuple[int, int] | None = None) -> None:
        far_in, self.stdin = os.pipe()
        self.stdout, far_out = os.pipe()
        self.stderr, far_err = os.pipe()
        if connect is not None:
            os.close(far_in)
            os.close(far_out)
            far_in, far_out = connect
        self.far_ends: tuple[int, ...] = (far_in, far_out, far_err)
        self._near = {self.stdin, self.stdout, self.stderr}
        for descriptor in self._near:
            os.set_blocking(descriptor, False)

    def close_far_ends(self) -> None:
        """Closes the command's ends on this side, so that an end of stream is seen."""
        for descriptor in self.far_ends:
            os.close(descriptor)
        self.far_ends = ()

    def close_stdin(self) -> None:
        """Closes the near end of standard input."""
        if self.stdin in self._near:
            self._near.remove(self.stdin)
            os.close(self.stdin)

    def close(self) -> None:
        """Closes every end that is still open."""
        self.close_far_ends()
        for descriptor in self._near:
            os.close(descriptor)
        self._near = set()


def feed(descriptor: int, data: memoryview) -> memoryview:
    """Writes what the pipe takes now; returns what is left, nothing if nobody reads."""
    try:
        return data[os.write(descriptor, data[:65536]) :]
    except BlockingIOError:
        return data
    except BrokenPipeError:
        return data[:0]


def _end(process: "subprocess.Popen[bytes]", control: socket.socket, owner: int) -> str:
    """Ends a sandbox's processes and returns what its launcher complained of.

    In a forked copy of the owner this is not ours to do.
    """
    if os.getpid() != owner:
        return ""
    with suppress(OSError):
        wire.send(control, wire.EXIT)
        control.shutdown(socket.SHUT_WR)
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert process.stderr is not None
    with process.stderr:
        os.set_blocking(process.stderr.fileno(), False)
        return " ".join((process.stderr.read(4096) or b"").decode(errors="replace").split())


def open_sandbox(
    isolation: str = "auto",
    limits: Limits | None = None,
    files: Mapping[str, bytes | str] | None = None,
) -> Sandbox:
    """Opens a sandbox; use it as a context manager or call its `close`.

    Args:
        isolation: "bubblewrap", "namespaces", "none" (the caller's own rights, host and network:
            for use within a container that separates already), or "auto": the first of the first
            two that works here, found out once.
        limits: what a run may use.
        files: path within the work folder, and content.

    Raises:
        UsageError: If `isolation` is none of these.
        SandboxFault: If the isolation does not work here; the message says why.
        SandboxFileError: If a path of `files` leaves the work folder.
    """
    if isolation not in ("auto", *isolations.ISOLATIONS):
        names = ", ".join(("auto", *isolations.ISOLATIONS))
        raise UsageError(f"isolation must be one of {names}, got {isolation!r}.")
    sandbox = Sandbox(best_isolation() if isolation == "auto" else isolation, limits or Limits())
    try:
        for path, data in (files or {}).items():
            sandbox.write(path, data)
    except BaseException:
        sandbox.close()
        raise
    return sandbox


_choice_lock = threading.Lock()


def best_isolation() -> str:
    """Returns the isolation that "auto" means here; a refusal is remembered, too.

    Raises:
        SandboxFault: If neither bubblewrap nor namespaces work here.
    """
    with _choice_lock:
        name, reasons = _try_isolations()
    if not name:
        raise SandboxFault(
            f"Code cannot be separated from this system: {reasons} "
            "Install bubblewrap, allow user namespaces, or, within a container of your own that "
            'separates already, pass isolation="none".'
        )
    return name


@cache
def _try_isolations() -> tuple[str, str]:
    reasons = []
    for name in ("bubblewrap", "namespaces"):
        try:
            with Sandbox(name, Limits()) as sandbox:
                completed = sandbox.run(["true"])
        except SandboxFault as error:
            reasons.append(f"{name}: {error}")
            continue
        if completed.returncode == 0:
            return name, ""
        reasons.append(f"{name}: {completed.stderr.strip()}.")
    return "", " ".join(reasons)
