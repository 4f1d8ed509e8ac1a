"""The worker pool: threads, event loops, processes, limits, endings."""

import asyncio
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from turnwise_envs import EnvironmentFault, UsageError
from turnwise_envs.math import WorkerPool, verify, verify_async, verify_batch

SLOW = r"\sum_{k=1}^{10^{12}} k^k"
"""Math-Verify would sum this for years."""


@pytest.fixture(scope="module")
def pool():
    with_math_verify = WorkerPool(size=2)
    verify("3", r"\int_0^1 x dx", pool=with_math_verify)
    yield with_math_verify
    with_math_verify.close()


def test_a_late_worker_is_killed_and_the_next_answer_is_graded(pool):
    began = time.monotonic()
    verdict = verify("3", SLOW, timeout_s=1.0, pool=pool)
    assert (verdict.correct, verdict.reason) == (False, "timeout")
    assert 0.9 < time.monotonic() - began < 20  # with the import of Math-Verify, on a busy machine
    assert verify("x+1", "1+x", pool=pool).correct


def test_one_late_job_does_not_spoil_its_batch(pool):
    pairs = [("x+1", f"x+{n}") for n in range(20)]
    pairs[7] = ("3", SLOW)
    reasons = [v.reason for v in verify_batch(pairs, timeout_s=1.0, pool=pool)]
    assert [n for n, reason in enumerate(reasons) if reason == "correct"] == [1]
    assert [n for n, reason in enumerate(reasons) if reason == "timeout"] == [7]


@pytest.mark.parametrize(
    ("sent", "reason"), [(signal.SIGKILL, "memory"), (signal.SIGSEGV, "failed")]
)
def test_a_worker_that_dies_gives_a_reason_and_is_replaced(sent, reason):
    """The kernel's memory killer sends SIGKILL; a defect of a library ends in SIGSEGV."""
    small = WorkerPool(size=1, memory_mb=700)
    assert verify("3", r"\int_0^1 3 dx", pool=small)
    pid = small._idle[0]._process.pid
    assert resource.prlimit(pid, resource.RLIMIT_AS)[0] == 700 * 2**20
    killer = threading.Timer(0.3, os.kill, (pid, sent))
    killer.start()
    verdict = verify("3", SLOW, timeout_s=30, pool=small)
    assert (verdict.correct, verdict.reason) == (False, reason)
    assert verify("x+1", "1+x", pool=small).correct
    small.close()


def test_from_many_threads_at_once(pool):
    pairs = [(f"x+{n}", f"{n}+x") for n in range(12)] + [("x", "2x")]

    def one(shift):
        return [bool(v) for v in verify_batch(pairs[shift:] + pairs[:shift], pool=pool)]

    with ThreadPoolExecutor(6) as executor:
        for shift, found in enumerate(executor.map(one, range(6))):
            assert found.count(False) == 1
            assert found.index(False) == 12 - shift


def test_from_any_event_loop():
    async def many():
        return await asyncio.gather(*(verify_async("x+1", f"{n}+x") for n in range(4)))

    for _ in range(2):  # a loop of its own each time
        assert [bool(v) for v in asyncio.run(many())] == [False, True, False, False]
    found = []
    thread = threading.Thread(target=lambda: found.extend(asyncio.run(many())))
    thread.start()
    thread.join()
    assert [v.correct for v in found] == [False, True, False, False]


def _in_child(queue):
    queue.put(verify("x+1", "1+x").correct)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_process_has_a_pool_of_its_own(method):
    assert verify("x+1", "1+x")
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue,), daemon=True)
    child.start()
    assert queue.get(timeout=60)
    child.join()
    assert verify("x+2", "2+x")


def test_workers_end_with_their_process():
    code = (
        "import os\n"
        "from turnwise_envs.math import verifier\n"
        "assert verifier.verify('x+1', '1+x')\n"
        "print(verifier.shared_pool()._idle[0]._process.pid)\n"
        "os._exit(0)"  # no exit handler runs, as after SIGKILL
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pid = int(done.stdout)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return  # dead, in a container whose first process collects nobody
        time.sleep(0.05)
    pytest.fail("the worker outlived its process")


def test_a_closed_pool_says_so():
    closed = WorkerPool(size=1)
    closed.close()
    closed.close()
    assert verify("3", "3", pool=closed).correct  # needs no worker
    with pytest.raises(EnvironmentFault, match="closed"):
        verify("x+1", "1+x", pool=closed)


@pytest.mark.parametrize(
    ("program", "message"), [("/no/python", "could not be started"), ("/bin/false", "status 1")]
)
def test_workers_that_cannot_start_are_a_fault_not_a_verdict(program, message, monkeypatch):
    broken = WorkerPool(size=1)
    monkeypatch.setattr(sys, "executable", program)
    for _ in range(2):  # and no slot is lost
        with pytest.raises(EnvironmentFault, match=message):
            verify("x+1", "1+x", pool=broken)
    broken.close()


def test_arguments_of_a_pool_are_checked():
    with pytest.raises(UsageError, match="size must be"):
        WorkerPool(size=0)
    with pytest.raises(UsageError, match="memory_mb must be"):
        WorkerPool(memory_mb=10)
