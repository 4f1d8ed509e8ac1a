"""The first process of a container: runs commands and keeps the work folder, over two streams.

Requests come as frames of `wire` on standard input, answers go to standard output. It has the same
user as the commands: what keeps them from it is that it is process 1 of its namespace (no signal
from within reaches it), that its memory is closed to tracing, and the filter of system calls.
"""

import json
import os
import select
import signal
import stat
import time

import kernel
import wire
from serve import Server

from turnwise_envs.sandbox.files import WorkFolder
from turnwise_envs.sandbox.limits import SandboxFileError

_WATCH_MS = 40
_CHUNK = 1 << 18
_LOWEST_PRIORITY = 19
_MOST_WAITING = 1 << 20
"""Bytes for a command that does not read them; then no more is taken from the trainer."""


class Streams:
    """Standard input and output, in the place of a socket."""

    def fileno(self) -> int:
        """Returns the descriptor of requests."""
        return 0

    def recv(self, count: int) -> bytes:
        """Reads at most so many bytes."""
        return os.read(0, count)

    def recvmsg(self, count: int, *_: int) -> tuple[bytes, list, int, None]:
        """Reads likewise; no descriptors come this way."""
        return self.recv(count), [], 0, None

    def sendmsg(self, parts: list[bytes], _: list) -> None:
        """Writes all of the parts."""
        self.sendall(b"".join(parts))

    def sendall(self, data: bytes) -> None:
        """Writes all."""
        left = memoryview(data)
        while left:
            left = left[os.write(1, left) :]


class ContainerServer(Server):
    """A server whose namespaces, mounts and limits an engine has made.

    Args:
        work: the work folder, mounted already.
        temporary: folders to be emptied after each command.
    """

    def __init__(self, work: str, temporary: list[str]) -> None:
        self._temporary = temporary
        self._near: dict[int, bytes] = {}  # near ends of the command's output -> kind of frame
        self._stdin = -1
        self._waiting = bytearray()
        self._ends_after = False
        self._began = 0.0
        self._staged = bytearray()
        super().__init__(Streams(), -1, {"contained": True, "work": work, "folders": []})
        self._folder = WorkFolder(os.open(work, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))

    def _secure(self, plan: dict) -> None:
        kernel.hide_from_tracing()
        kernel.adopt_orphans()

    def serve(self) -> None:
        """Answers requests until standard input ends."""
        while True:
            poller = select.poll()
            if len(self._waiting) <= _MOST_WAITING:
                poller.register(0, select.POLLIN)
            for descriptor in self._near:
                poller.register(descriptor, select.POLLIN)
            if self._waiting and self._stdin >= 0:
                poller.register(self._stdin, select.POLLOUT)
            if self.child:
                poller.register(self._child_fd, select.POLLIN)
            for descriptor, _ in poller.poll(_WATCH_MS if self.child else None):
                if descriptor == 0:
                    self._answer_one()
                elif descriptor in self._near:
                    self._forward(descriptor)
                elif descriptor == self._stdin:
                    self._feed()
            if self.child and not self._reap():
                self._watch()

    def _answer_one(self) -> None:
        kind, payload, _ = wire.receive(self.control)
        if kind == wire.RUN:
            self._run(json.loads(payload))
        elif kind == wire.KILL and self.child:
            self._stop(payload.decode())
        elif kind == wire.INPUT and self._stdin >= 0:
            self._waiting += payload
            self._ends_after = self._ends_after or not payload
            self._feed()
        elif kind in wire.OF_FILES:
            self._answer_file(kind, payload)

    def _answer_file(self, kind: bytes, payload: bytes) -> None:
        if kind == wire.DATA:
            self._staged += payload
            return
        try:
            if kind == wire.WRITE:
                content, self._staged = bytes(self._staged), bytearray()
                self._folder.write(os.fsdecode(payload), content)
            elif kind == wire.DELETE:
                self._folder.delete(os.fsdecode(payload))
            elif kind == wire.STAMPS:
                self._send_data(json.dumps(self._folder.stamps()).encode())
            else:
                path, most = json.loads(payload)
                self._send_data(self._folder.read(path, most))
        except SandboxFileError as error:
            reason = json.dumps([error.errno, error.strerror, error.filename])
            wire.send(self.control, wire.REFUSED, reason.encode())
        else:
            wire.send(self.control, wire.DONE)

    def _send_data(self, data: bytes) -> None:
        for start in range(0, len(data), _CHUNK):
            wire.send(self.control, wire.DATA, data[start : start + _CHUNK])

    def _run(self, request: dict) -> None:
        far_in, self._stdin = os.pipe()
        out, far_out = os.pipe()
        err, far_err = os.pipe()
        self._near = {out: wire.OUT, err: wire.ERR}
        for descriptor in (self._stdin, out, err):
            os.set_blocking(descriptor, False)
        # Variables that the image sets, such as PATH, hold for commands, too.
        request["env"] = {**os.environ, **request["env"]}
        self._waiting, self._ends_after = bytearray(), False
        self._began = time.monotonic()
        self._start(request, [far_in, far_out, far_err])
        self._child_fd = os.pidfd_open(self.child)

    def _lower_limits(self) -> None:
        # Commands share the container's processors with this process, which has to end them.
        os.nice(_LOWEST_PRIORITY)
        # The kernel counts processes by user, and all containers have the same: here it is the
        # container's own limit that binds.
        self.limits["processes"] = 1 << 30
        super()._lower_limits()

    def _watch(self) -> None:
        if time.monotonic() - self._began > self.limits["wall_s"]:
            self._stop("wall")
        super()._watch()

    def end_tree(self) -> None:
        """Kills all processes, and sends what they had printed."""
        super().end_tree()
        os.close(self._child_fd)
        for descriptor in [*self._near]:
            while self._forward(descriptor):
                continue
            if self._near.pop(descriptor, None):
                os.close(descriptor)
        self._close_stdin()

    def _forward(self, descriptor: int) -> bool:
        """Sends what the command has printed; says whether there was something."""
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return False
        wire.send(self.control, self._near[descriptor], data)
        if not data:
            del self._near[descriptor]
            os.close(descriptor)
        return bool(data)

    def _feed(self) -> None:
        try:
            del self._waiting[: os.write(self._stdin, self._waiting)]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._waiting.clear()
            self._ends_after = True
        if self._ends_after and not self._waiting:
            self._close_stdin()

    def _close_stdin(self) -> None:
        if self._stdin >= 0:
            os.close(self._stdin)
        self._stdin = -1
        self._waiting.clear()

    def _empty_temporary(self) -> None:
        for folder in self._temporary:
            empty(folder)


def empty(folder: str) -> None:
    """Removes what is in a folder, however deep or closed: by taking it apart from the top."""
    while names := os.listdir(folder):
        for name in names:
            path = f"{folder}/{name}"
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                os.unlink(path)
                continue
            os.chmod(path, 0o700)
            for below in os.listdir(path):
                if stat.S_ISDIR(os.lstat(f"{path}/{below}").st_mode):
                    os.chmod(f"{path}/{below}", 0o700)
                os.rename(f"{path}/{below}", f"{folder}/{os.urandom(8).hex()}")
            os.rmdir(path)


def main() -> None:
    """Serves until the trainer is gone."""
    plan = json.loads(wire.receive(Streams())[1])  # type: ignore[arg-type]
    # Process 1 gets the signals only that it has a handler for, and Python has one for this.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.umask(0o022)
    try:
        server = ContainerServer(plan["work"], plan["temporary"])
        wire.send(server.control, wire.READY)
        server.serve()
    except (wire.Closed, BrokenPipeError):
        os._exit(0)
