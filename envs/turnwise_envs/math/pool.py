"""A pool of worker processes, each killed and replaced when a job takes too much.

Processes are started by `subprocess` (no fork of a threaded parent, usable from a daemonic
process) and spoken to over pipes of their own, by any thread; nothing depends on signals or on an
event loop.
"""

from __future__ import annotations

import atexit
import json
import math
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from turnwise_envs.errors import EnvironmentFault, UsageError

Reply = tuple[str, str, str]
"""(reason, method, detail); see `Verdict`."""

_START_S = 120.0
"""For a worker's start or its import of Math-Verify, on a busy machine."""
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop(2)); "
    "from turnwise_envs.math.worker import serve; serve()"
)
_PATIENCE = 4
"""By the clock, a job may take this many times its seconds on a machine that is busy."""
_STOPPED_BY_MEMORY = (-6, -9)  # SIGABRT from an allocator, SIGKILL from the kernel


Job = dict[str, Any]
"""What `worker` reads: JSON data."""


class Worker:
    """One process; used by one thread at a time."""

    def __init__(self, memory_mb: int) -> None:
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _PROGRAM, str(memory_mb), json.dumps(sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                start_new_session=True,  # Ctrl-C is the parent's business
            )
        except OSError as error:
            raise EnvironmentFault(f"A verifier process could not be started: {error}.") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self.stdout = self._process.stdin, self._process.stdout
        os.set_blocking(self.stdout.fileno(), False)
        self._received = b""
        self._is_ready = False
        self.deadline = self._last_s = time.monotonic() + _START_S
        self._timeout_s = 0.0
        self._cpu_began_s = 0.0

    def submit(self, job: Job, timeout_s: float) -> None:
        """Sends a job; a pipe holds any job whole, so this does not block."""
        self._timeout_s = timeout_s
        self._allow(timeout_s if self._is_ready else _START_S)
        line = json.dumps({**job, "cpu_s": timeout_s + _START_S})
        with suppress(BrokenPipeError):  # a dead worker is found by `receive`
            self._stdin.write(line.encode() + b"\n")
            self._stdin.flush()

    def receive(self) -> Reply | None:
        """Returns the job's reply where it is there, also that of a worker that is dead or late."""
        while True:
            line, newline, rest = self._received.partition(b"\n")
            if newline:
                self._received = rest
                said = json.loads(line)
                if isinstance(said, list):
                    reason, method, detail = said
                    return reason, method, detail
                self._is_ready = said != "loading"
                self._allow(self._timeout_s if self._is_ready else _START_S)
                continue
            try:
                data = os.read(self.stdout.fileno(), 1 << 16)
            except BlockingIOError:
                break
            if not data:
                return self._death()
            self._received += data
        if time.monotonic() < self.deadline:
            return None
        left_s = self._timeout_s - (self._cpu_s() - self._cpu_began_s)
        if self._is_ready and left_s > 0 and self.deadline + left_s <= self._last_s:
            # A busy machine is no answer's fault: a job may use its seconds of processor time.
            self.deadline += max(left_s, 0.05)
            return None
        if not self._is_ready:
            self.kill()
            raise EnvironmentFault(f"A verifier process did not start within {_START_S:g} s.")
        return "timeout", "none", f"the comparison took more than {self._timeout_s:g} s"

    def _allow(self, seconds: float) -> None:
        now = time.monotonic()
        self.deadline, self._last_s = now + seconds, now + _PATIENCE * seconds
        self._cpu_began_s = self._cpu_s()

    def _cpu_s(self) -> float:
        """Returns the processor time that the process has used; infinity where nobody says."""
        try:
            # Linux's clock of another process, as clock_getcpuclockid(3) makes it.
            return time.clock_gettime((~self._process.pid << 3) | 2)
        except (AttributeError, OSError):
            return math.inf

    def _death(self) -> Reply:
        self._process.wait()
        code = self._process.returncode
        if not self._is_ready:
            raise EnvironmentFault(
                f"A verifier process ended with status {code} while it started. Check that "
                "turnwise_envs and math-verify can be imported and that memory_mb suffices."
            )
        if code in _STOPPED_BY_MEMORY:
            return "memory", "none", "the comparison needed too much memory"
        return "failed", "none", f"the comparison ended its process with status {code}"

    def kill(self) -> None:
        """Ends the process at once."""
        self._process.kill()
        self._process.wait()
        self.forget()

    def forget(self) -> None:
        """Closes this side's ends of the pipes."""
        for pipe in (self._stdin, self.stdout):
            with suppress(OSError):
                pipe.close()


_SPENT = ("timeout", "memory", "failed")


class WorkerPool:
    """Up to `size` workers, started as they are needed.

    Args:
        size: number of processes; None for one a core, at most 8.
        memory_mb: address space of each, in MiB.

    Raises:
        UsageError: If an argument cannot be used.
    """

    def __init__(self, size: int | None = None, memory_mb: int = 4096) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
        self.size = min(8, cores) if size is None else size
        self.memory_mb = memory_mb
        if self.size < 1:
            raise UsageError(f"size must be a positive number of processes, got {size!r}.")
        if memory_mb < 64:
            raise UsageError(f"memory_mb must be at least 64, got {memory_mb!r}.")
        self._slots = threading.Semaphore(self.size)
        self._idle: list[Worker] = []
        self._lock = threading.Lock()
        self._is_open = True
        atexit.register(self.close)

    def run(self, jobs: Sequence[Job], timeout_s: float) -> list[Reply]:
        """Returns the replies to `jobs`, in order.

        Args:
            jobs: what to compare.
            timeout_s: seconds for each job, from when a worker has it: of its processor time, by
                the clock at least as many, and at most four times as many.

        Raises:
            EnvironmentFault: If workers cannot be started.
        """
        replies: list[Reply | None] = [None] * len(jobs)
        waiting = list(range(len(jobs)))[::-1]
        running: dict[Worker, int] = {}
        selector = selectors.DefaultSelector()
        try:
            while waiting or running:
                # Only the first slot is waited for: threads that held some and waited for more
                # could wait for each other.
                while waiting and self._slots.acquire(blocking=not running):
                    self._start(jobs, waiting.pop(), timeout_s, running, selector)
                for key, _ in selector.select(self._patience(running)):
                    self._take(key.data, jobs, timeout_s, replies, waiting, running, selector)
                for worker in [w for w in running if time.monotonic() >= w.deadline]:
                    self._take(worker, jobs, timeout_s, replies, waiting, running, selector)
        finally:
            selector.close()
            for worker in running:
                worker.kill()
                self._slots.release()
        return [reply for reply in replies if reply is not None]

    def _start(
        self,
        jobs: Sequence[Job],
        place: int,
        timeout_s: float,
        running: dict[Worker, int],
        selector: selectors.BaseSelector,
    ) -> None:
        try:
            worker = self._checkout()
        except BaseException:
            self._slots.release()
            raise
        running[worker] = place
        selector.register(worker.stdout, selectors.EVENT_READ, worker)
        worker.submit(jobs[place], timeout_s)

    def _take(
        self,
        worker: Worker,
        jobs: Sequence[Job],
        timeout_s: float,
        replies: list[Reply | None],
        waiting: list[int],
        running: dict[Worker, int],
        selector: selectors.BaseSelector,
    ) -> None:
        """Takes a worker's reply, and gives it the next job or hands it back."""
        if worker not in running or (reply := worker.receive()) is None:
            return
        replies[running[worker]] = reply
        spent = reply[0] in _SPENT
        if waiting and not spent:
            running[worker] = waiting.pop()
            worker.submit(jobs[running[worker]], timeout_s)
            return
        selector.unregister(worker.stdout)
        del running[worker]
        if spent:
            worker.kill()
        else:
            self._give_back(worker)
        self._slots.release()

    @staticmethod
    def _patience(running: dict[Worker, int]) -> float:
        return max(0.0, min(worker.deadline for worker in running) - time.monotonic()) + 0.001

    def _checkout(self) -> Worker:
        with self._lock:
            if not self._is_open:
                raise EnvironmentFault("The verifier's processes are closed. Open a new pool.")
            if self._idle:
                return self._idle.pop()
        return Worker(self.memory_mb)

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            if self._is_open:
                self._idle.append(worker)
                return
        worker.kill()

    def close(self) -> None:
        """Ends the idle workers; those at work end with their job. Harmless when called again."""
        atexit.unregister(self.close)
        with self._lock:
            self._is_open = False
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.kill()

    def forget(self) -> None:
        """Drops the workers without ending them: they belong to the process that was forked."""
        for worker in self._idle:
            worker.forget()
        self._idle = []
