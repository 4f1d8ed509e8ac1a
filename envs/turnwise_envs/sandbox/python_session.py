"""`PythonSession`: an interpreter that keeps its variables from call to call, in a sandbox."""

import os
import select
import sys
import threading
import time
from functools import cache

from turnwise_envs.errors import UsageError
from turnwise_envs.sandbox.closing import Closing
from turnwise_envs.sandbox.core import Pipes, Sandbox, feed, open_sandbox
from turnwise_envs.sandbox.inside import session, wire
from turnwise_envs.sandbox.isolation import INSIDE
from turnwise_envs.sandbox.limits import Limits, PythonResult, SandboxFault
from turnwise_envs.sandbox.output import FLOOD_BYTES, Kept
from turnwise_envs.spaces import cut_middle

_PATIENCE_S = 20.0
_WHY = {
    "wall": "TimeoutError: the code ran longer than {wall_s:g} s",
    "cpu": "TimeoutError: the code used more than {cpu_s:g} s of CPU time",
    "memory": "MemoryError: the code's processes used more than {memory_mb} MB",
    "processes": "OSError: the code had more than {processes} processes",
    "file": "OSError: the code wrote a file larger than {file_mb} MB",
    "output": "OSError: the code printed more than " + f"{FLOOD_BYTES >> 20} MB",
    "protocol": "OSError: the code wrote into the session's own pipes",
    "": "SystemExit: the code ended its interpreter",
}
_LOST = ". The session was ended and its variables are lost; files in its folder are kept."


class PythonSession(Closing):
    """A long-lived Python in a sandbox of its own; several threads may call, one at a time.

    The interpreter is the trainer's, with the same installed packages, and starts in the work
    folder. Where it ends (a limit, `os._exit`, a forged reply), all its processes are killed, and
    the next call gets a fresh one, with `restarted=True`.

    Args:
        isolation: as for `open_sandbox`.
        limits: `wall_s` and `cpu_s` are for each call.

    Raises:
        SandboxFault: If no sandbox can be had.
    """

    def __init__(self, isolation: str = "auto", limits: Limits | None = None) -> None:
        self._isolation, self.limits = isolation, limits or Limits()
        self._lock = threading.Lock()
        self._closed = False
        self._lost = False
        self._pipes: Pipes | None = None
        self._sandbox: Sandbox | None = open_sandbox(isolation, self.limits)
        # Not waited for: the interpreter starts while the caller goes on.
        self._start()

    def run(self, code: str, timeout_s: float | None = None) -> PythonResult:
        """Runs code; the value of a last expression is printed as at a prompt.

        Args:
            code: Python source, one or more statements.
            timeout_s: seconds by the clock; `limits.wall_s` if not given.

        Raises:
            UsageError: If `code` cannot be encoded, or `timeout_s` is not positive.
            SandboxFault: If the sandbox itself broke or the session is closed.
        """
        limit_s = self.limits.wall_s if timeout_s is None else timeout_s
        if not limit_s > 0:
            raise UsageError(f"timeout_s must be positive, got {limit_s!r}.")
        source = code.encode(errors="replace")
        with self._lock:
            if self._closed:
                raise SandboxFault("The session is closed. Open a new one.")
            try:
                self._notice_end()
                restarted, self._lost = self._lost, False
                if self._pipes is None:
                    self._start()
                return self._call(source, limit_s, restarted)
            except SandboxFault:
                self._forget()
                if self._sandbox is not None:
                    self._sandbox.close()
                self._sandbox = None
                raise

    def close(self) -> None:
        """Ends the interpreter and all it started; harmless when called again."""
        with self._lock:
            self._closed = True
            self._forget()
            if self._sandbox is not None:
                self._sandbox.close()

    def _start(self) -> None:
        if self._sandbox is None:
            self._sandbox = open_sandbox(self._isolation, self.limits)
        pipes = Pipes()
        # Linear algebra libraries would start a thread for every core of the host.
        env = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        argv = [sys.executable, "-I", "-c", _program()]
        try:
            self._sandbox.start(argv, pipes, self.limits, env=env, whole_run=False)
        except SandboxFault:
            pipes.close()
            raise
        self._pipes = pipes

    def _notice_end(self) -> None:
        """Finds out whether what an earlier call left running ended the session since."""
        if self._pipes is not None and self._sandbox is not None:
            poller = select.poll()
            poller.register(self._sandbox.control_fd, select.POLLIN)
            if poller.poll(0):
                self._sandbox.ended()
                self._forget()

    def _forget(self) -> None:
        if self._pipes is not None:
            self._pipes.close()
        self._pipes = None
        self._lost = True

    def _call(self, source: bytes, limit_s: float, restarted: bool) -> PythonResult:
        pipes, sandbox = self._pipes, self._sandbox
        assert pipes is not None
        assert sandbox is not None
        exchange = _Exchange(pipes, sandbox, source, self.limits.output_chars)
        reason = exchange.follow(limit_s)
        output, _ = exchange.output.text()
        if reason is None:
            error = cut_middle(exchange.error, self.limits.output_chars) or None
            return PythonResult(output=output, error=error, timed_out=False, restarted=restarted)
        self._forget()
        values = {"wall_s": limit_s, "cpu_s": self.limits.cpu_s, "memory_mb": self.limits.memory_mb}
        values |= {"processes": self.limits.processes, "file_mb": self.limits.file_mb}
        return PythonResult(
            output=output,
            error=_WHY.get(reason, _WHY[""]).format(**values) + _LOST,
            timed_out=reason in ("wall", "cpu"),
            restarted=restarted,
        )


class _Exchange:
    """One request, and what comes back until its reply or the session's end."""

    def __init__(self, pipes: Pipes, sandbox: Sandbox, source: bytes, chars: int) -> None:
        self._pipes, self._sandbox = pipes, sandbox
        self._nonce = os.urandom(16)
        self._left = memoryview(session.REQUEST.pack(self._nonce, len(source)) + source)
        self._reply = b""
        self.output = Kept(chars)
        self.error = ""

    def follow(self, limit_s: float) -> str | None:
        """Returns None at the reply, else why the session ended ("": by itself)."""
        pipes, control = self._pipes, self._sandbox.control_fd
        self._sandbox.send(wire.MARK)
        poller = select.poll()
        for descriptor in (control, pipes.stdout, pipes.stderr):
            poller.register(descriptor, select.POLLIN)
        poller.register(pipes.stdin, select.POLLOUT)
        deadline = time.monotonic() + limit_s
        while True:
            reason = self._state(deadline)
            if reason is not None:
                return self._end(reason)
            wait_ms = 1000 * (deadline - time.monotonic())
            for descriptor, _ in poller.poll(max(1, wait_ms + 1)):
                if descriptor == control:
                    return self._end("")
                if descriptor == pipes.stderr:
                    if not self.output.take(descriptor):
                        poller.unregister(descriptor)
                elif descriptor == pipes.stdout:
                    if not self._take_reply():
                        poller.unregister(descriptor)
                else:
                    self._left = feed(descriptor, self._left)
                    if not self._left:
                        poller.unregister(descriptor)
            if self._is_answered():
                self.output.drain(pipes.stderr)
                return None

    def _state(self, deadline: float) -> str | None:
        if self.output.total > FLOOD_BYTES:
            return "output"
        return "wall" if time.monotonic() > deadline else self._broken()

    def _broken(self) -> str | None:
        """Returns "protocol" where what arrived is not the beginning of a reply to this call."""
        size = session.REPLY.size
        if self._reply[:16] != self._nonce[: len(self._reply)]:
            return "protocol"
        if len(self._reply) >= size:
            length = session.REPLY.unpack(self._reply[:size])[2]
            if length > session.LONGEST_ERROR or len(self._reply) > size + length:
                return "protocol"
        return None

    def _is_answered(self) -> bool:
        size = session.REPLY.size
        if len(self._reply) < size or self._broken():
            return False
        failed, length = session.REPLY.unpack(self._reply[:size])[1:]
        if len(self._reply) < size + length:
            return False
        self.error = self._reply[size:].decode(errors="replace") if failed else ""
        return True

    def _take_reply(self) -> bool:
        try:
            data = os.read(self._pipes.stdout, 1 << 16)
        except BlockingIOError:
            return True
        self._reply += data
        return bool(data)

    def _end(self, reason: str) -> str:
        """Kills the session where it still runs, and returns why it ended."""
        if reason:
            self._sandbox.send(wire.KILL, reason.encode())
        poller = select.poll()
        poller.register(self._sandbox.control_fd, select.POLLIN)
        if not poller.poll(1000 * _PATIENCE_S):
            raise SandboxFault("The sandbox did not end a session. Open a new one.")
        ended = self._sandbox.ended()[3]
        self.output.drain(self._pipes.stderr)
        return ended or reason


@cache
def _program() -> str:
    return (INSIDE / "session.py").read_text(encoding="utf-8")
