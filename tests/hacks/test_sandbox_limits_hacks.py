"""Attempts to outlive a sandbox's command, or to use more than it allows; none succeeds."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sandboxes import (
    ATTEMPT_LIMITS,
    CONTAINED,
    attempt,
    folders_of,
    processes_with,
    traces,
    wait_until,
    why_not,
)

from turnwise_envs.sandbox import (
    PythonSession,
    Sandbox,
    SandboxFileError,
    open_sandbox,
)

FILES = [str(path) for path in Path(__file__).parent.glob("test_sandbox_*.py")]

# Outliving the command

SURVIVORS = {
    "background": "os.fork() or time.sleep(600)",
    "own session": "os.fork() or (os.setsid(), time.sleep(600))",
    "double fork": "os.fork() or (os.setsid(), os.fork() and os._exit(0), time.sleep(600))",
    "deaf": "[signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; os.fork() or time.sleep(600)",
    "stopped": "os.fork() or os.kill(os.getpid(), signal.SIGSTOP)",
    "many": "[os.fork() or time.sleep(600) for _ in range(20)]",
    "relay": "os.fork() or [os.fork() and os._exit(0) for _ in range(400)]",
    "closed streams": "os.fork() or (os.closerange(0, 9), os.setsid(), time.sleep(600))",
}


@pytest.mark.parametrize("kind", SURVIVORS)
def test_no_process_outlives_the_command(sandbox: Sandbox, kind: str) -> None:
    marker = f"survivor{os.urandom(6).hex()}"
    completed = attempt(sandbox, f"{marker!r}\n{SURVIVORS[kind]}\nos._exit(7)")
    # A held pipe does not keep the run open.
    assert (completed.returncode, completed.killed_by) == (7, None)
    assert processes_with(marker) == []
    program = "print(sum(n.isdecimal() for n in os.listdir('/proc')))"
    assert attempt(sandbox, program).stdout == "2\n"


def test_a_command_deaf_to_signals_ends_at_its_time(sandbox: Sandbox) -> None:
    program = """
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        time.sleep(600)
    """
    completed = attempt(sandbox, program, wall_s=0.7)
    assert completed.killed_by == "wall"
    assert completed.returncode == -9
    assert completed.wall_s < 60


# Using more than is allowed


def test_a_fork_bomb_is_held(sandbox: Sandbox) -> None:
    marker = f"bomb{os.urandom(6).hex()}"
    seen = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal seen
        while not done.wait(0.02):
            seen = max(seen, len(processes_with(marker)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    program = f"{marker!r}\nwhile True:\n    try: os.fork()\n    except OSError: pass"
    completed = attempt(sandbox, program, wall_s=1.5, cpu_s=60)
    done.set()
    watcher.join()
    assert completed.killed_by in ("wall", "processes")
    assert 0 < seen <= ATTEMPT_LIMITS.processes + 3  # the host also sees the launcher's own
    assert processes_with(marker) == []


def test_threads_count_as_processes(sandbox: Sandbox) -> None:
    program = """
        import threading
        try:
            for _ in range(200): threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
        except RuntimeError:
            print("held", flush=True)
        os._exit(0)
    """
    completed = attempt(sandbox, program)
    assert completed.stdout == "held\n" or completed.killed_by == "processes"


@pytest.mark.parametrize("folder", ["/work", "/tmp", "/dev/shm"])
def test_a_disk_is_full_at_its_size(sandbox: Sandbox, folder: str) -> None:
    program = f"""
        total = 0
        try:
            for i in range(10_000):
                with open({folder!r} + f"/{{i}}", "wb") as file:
                    total += file.write(bytes(1 << 20))
        except OSError as error:
            print(error.errno, total >> 20)
    """
    number, megabytes = attempt(sandbox, program).stdout.split()
    assert number == "28"
    assert int(megabytes) <= 16
    assert attempt(sandbox, f"[os.unlink(e) for e in os.scandir({folder!r})]").returncode == 0


def test_files_are_not_without_number(sandbox: Sandbox) -> None:
    program = """
        try:
            for i in range(1_000_000): open(f"{i}", "w").close()
        except OSError as error:
            print(error.errno, i)
    """
    number, count = attempt(sandbox, program, cpu_s=6).stdout.split()
    assert number == "28"
    assert int(count) < 16 * 256
    with pytest.raises(SandboxFileError, match="No space"):
        sandbox.write("one_more", "x")


def test_a_file_ends_at_its_size(sandbox: Sandbox) -> None:
    completed = attempt(sandbox, "open('big', 'wb').write(bytes(9 << 20))")
    assert "File too large" in completed.stderr
    assert sandbox.run(["sh", "-c", "head -c 9000000 /dev/zero > big"]).returncode != 0
    assert attempt(sandbox, "os.truncate('big', 1 << 40)").returncode == 1


MEMORY = {
    "one allocation": "bytearray(1 << 30)",
    "many allocations": "kept = [bytearray(1 << 20) for _ in range(4000)]",
    "shared memory": "m = __import__('mmap').mmap(-1, 1 << 30); m.write(bytes([1]) * (1 << 30))",
    "many processes": (
        "[os.fork() or (globals().update(b=bytearray(os.urandom(1 << 20) * 60)), time.sleep(5))"
        " for _ in range(12)]; time.sleep(5)"
    ),
    "a list that grows": "x = [0]\nwhile True: x += x",
    "a text that grows": "x = 'a'\nwhile True: x += x",
    "a big number": "9 ** 9 ** 9",
}


@pytest.mark.parametrize("kind", MEMORY)
def test_memory_is_held(sandbox: Sandbox, kind: str) -> None:
    completed = attempt(sandbox, MEMORY[kind], cpu_s=1.5, wall_s=30)
    refused = "MemoryError" in completed.stderr or "Cannot allocate" in completed.stderr
    assert completed.killed_by in ("memory", "cpu") or refused
    assert (
        completed.peak_memory_mb < 3 * ATTEMPT_LIMITS.memory_mb
    )  # of what was seen between two looks


def test_processor_time_is_that_of_all_processes(sandbox: Sandbox) -> None:
    program = "[os.fork() for _ in range(3)]\nwhile True: pass"
    completed = attempt(sandbox, program, cpu_s=1, wall_s=60)
    assert completed.killed_by == "cpu"
    assert completed.cpu_s < 3  # and not one second each of four


def test_output_without_end_is_kept_in_bounded_memory(sandbox: Sandbox) -> None:
    completed = attempt(sandbox, "while True: os.write(1, b'y' * 65536)", cpu_s=30, wall_s=20)
    assert completed.killed_by == "output"
    assert completed.truncated
    assert len(completed.stdout) <= ATTEMPT_LIMITS.output_chars
    assert "characters left out" in completed.stdout
    flood = attempt(sandbox, "while True: os.write(2, bytes(range(256)) * 256)", wall_s=20)
    assert flood.killed_by == "output"
    assert len(flood.stderr) <= ATTEMPT_LIMITS.output_chars


# Leading the trainer astray


def test_links_and_dots_lead_nowhere(sandbox: Sandbox) -> None:
    program = """
        os.symlink('/etc/passwd', 'link')
        os.symlink('/', 'root')
        os.symlink('..', 'up')
        os.mkdir('in')
        os.symlink('/etc', 'in/etc')
        os.mkfifo('pipe')
        os.symlink('loop', 'loop')
    """
    assert attempt(sandbox, program).returncode == 0
    for path in ("link", "root/etc/passwd", "up/etc/passwd", "in/etc/passwd", "pipe", "loop"):
        with pytest.raises(SandboxFileError):
            sandbox.read(path)
    for path in ("root/x", "up/x", "in/etc/x", "../x", "in/../../x", "/x", "", ".", "a\0b"):
        with pytest.raises(SandboxFileError):
            sandbox.write(path, "x")
    assert sandbox.list() == []
    sandbox.write("link", "mine")  # replaces the link, does not follow it
    assert sandbox.read("link") == b"mine"
    assert "mine" not in Path("/etc/passwd").read_text()


def test_folders_below_folders_without_end_are_an_error(sandbox: Sandbox) -> None:
    attempt(sandbox, "for _ in range(2000): os.mkdir('d'); os.chdir('d')")
    with pytest.raises(SandboxFileError, match="below each other"):
        sandbox.list()
    assert sandbox.run(["sh", "-c", "rm -r /work/d"]).returncode == 0


def test_a_swapped_folder_does_not_lead_a_write_outside(sandbox: Sandbox) -> None:
    program = """
        import shutil
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            try:
                os.mkdir('a'); os.rename('a', 'c'); os.symlink('/tmp', 'a')
                os.unlink('a'); os.rename('c', 'a')
            except OSError:
                pass
            for name in ('a', 'c'):
                shutil.rmtree(name, ignore_errors=True)
        print(os.listdir('/tmp'))
    """
    with ThreadPoolExecutor(1) as pool:
        racer = pool.submit(attempt, sandbox, program)
        while not racer.done():
            try:
                sandbox.write("a/planted", "x")
            except SandboxFileError:
                continue
        assert racer.result().stdout == "[]\n"


def test_sandboxes_do_not_see_each_other(sandbox: Sandbox) -> None:
    with open_sandbox(sandbox.isolation, ATTEMPT_LIMITS, files={"secret": "42"}) as other:
        for command in (["cat", "/work/secret"], ["sh", "-c", "cat /proc/*/root/work/secret"]):
            assert "42" not in sandbox.run(command).stdout
        assert other.run(["cat", "secret"]).stdout == "42"


# Sessions

ENDINGS = {
    "exit": "os._exit(0)",
    "killing itself": "os.kill(os.getpid(), 9)",
    "killing all": "os.kill(-1, 9)",
    "a crash": "ctypes.string_at(0)",
    "a forged reply": "os.write(4, b'x' * 40)",
    "closed descriptors": "os.closerange(0, 64)",
    "endless": "while True: pass",
    "deaf": "[signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; time.sleep(60)",
    "swallowing": "while True:\n    try: time.sleep(60)\n    except BaseException: pass",
    "flood": "while True: os.write(2, b'y' * 65536)",
    "memory": "kept = [bytearray(os.urandom(1 << 20)) for _ in range(4000)]\nos._exit(1)",
}


@pytest.mark.parametrize("isolation", CONTAINED)
def test_a_session_survives_what_its_code_does(isolation: str) -> None:
    if reason := why_not(isolation):
        pytest.skip(f"{isolation} does not work here: {reason}")
    with PythonSession(isolation, ATTEMPT_LIMITS) as session:
        for name, code in ENDINGS.items():
            session.run("import ctypes, os, signal, time; x = 1")
            result = session.run(code, timeout_s=0.8)
            assert result.error is not None, name
            after = session.run("print(1 + 1)")
            assert (after.output, after.error) == ("2\n", None), name
            assert after.restarted == ("variables are lost" in result.error), name


@pytest.mark.parametrize("isolation", CONTAINED)
def test_one_session_cannot_spoil_another(isolation: str) -> None:
    if reason := why_not(isolation):
        pytest.skip(f"{isolation} does not work here: {reason}")
    with (
        PythonSession(isolation, ATTEMPT_LIMITS) as bad,
        PythonSession(isolation, ATTEMPT_LIMITS) as good,
    ):
        bad.run("import builtins, os; builtins.print = None; os.sched_setaffinity(0, {0})")
        bad.run("open('/work/json.py', 'w').write('raise SystemExit')")
        result = good.run("import json; print(json.dumps({'a': 1}))")
        assert (result.output, result.error) == ('{"a": 1}\n', None)


# The trainer's own end

TRAINER = """
import sys, threading, time
from turnwise_envs.sandbox import open_sandbox
sandbox = open_sandbox(sys.argv[1])
sandbox.write("kept", "x" * 1000)
argv = ["sh", "-c", "(setsid sleep 6{0} & sleep 6{0}) & sleep 6{0}".format(sys.argv[2])]
threading.Thread(target=sandbox.run, args=(argv,), daemon=True).start()
print("ready", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("isolation", [*CONTAINED, "none"])
def test_nothing_is_left_when_the_trainer_is_killed(isolation: str) -> None:
    if reason := why_not(isolation):
        pytest.skip(f"{isolation} does not work here: {reason}")
    before = traces()
    marker = f".{int.from_bytes(os.urandom(6))}"
    argv = [sys.executable, "-c", TRAINER, isolation, marker]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as trainer:
        assert trainer.stdout is not None
        assert trainer.stdout.readline() == "ready\n"
        assert wait_until(lambda: len(processes_with(f"6{marker}")) >= 3)
        trainer.kill()
    assert wait_until(lambda: not processes_with(f"6{marker}"))
    assert wait_until(lambda: not folders_of(trainer.pid))
    assert wait_until(lambda: traces() == before)


# A trainer that is not root


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="the tests above ran without root already")
def test_all_of_this_holds_for_a_trainer_that_is_not_root() -> None:
    helper = Path(__file__).parents[1] / "support" / "as_nobody.py"
    pytest_of_it = [sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "-q", *FILES]
    argv = [sys.executable, str(helper), *pytest_of_it]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
