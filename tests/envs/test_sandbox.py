"""The sandbox layer as its callers use it: commands, files, Python sessions, threads, ends."""

import asyncio
import gc
import os
import select
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandboxes import CONTAINED, traces, why_not

import turnwise_envs
from turnwise_envs.errors import EnvironmentFault, UsageError
from turnwise_envs.sandbox import (
    Limits,
    PythonSession,
    Sandbox,
    SandboxFault,
    SandboxFileError,
    best_isolation,
    open_sandbox,
)
from turnwise_envs.sandbox.isolation import place_of
from turnwise_envs.sandbox.output import Kept

LIMITS = Limits(wall_s=20, cpu_s=10, memory_mb=256, output_chars=400)


@pytest.fixture(params=[*CONTAINED, "none"])
def isolation(request: pytest.FixtureRequest) -> str:
    if reason := why_not(request.param):
        pytest.skip(f"{request.param} does not work here: {reason}")
    return request.param


@pytest.fixture
def sandbox(isolation: str) -> Iterator[Sandbox]:
    with open_sandbox(isolation, LIMITS) as sandbox:
        yield sandbox


# Commands


def test_a_command_says_how_it_ended(sandbox: Sandbox) -> None:
    done = sandbox.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert (done.killed_by, done.timed_out, done.truncated) == (None, False, False)
    assert 0 < done.wall_s < 20
    assert 0 < done.cpu_s < 10
    assert 0.5 < done.peak_memory_mb < 64
    assert sandbox.run(["sh", "-c", "kill -TERM $$"]).returncode == -15


def test_a_command_that_cannot_start_ends_with_127(sandbox: Sandbox) -> None:
    for argv, cwd in ((["no-such-program"], ""), (["true"], "no/such/folder"), ([""], "")):
        done = sandbox.run(argv, cwd=cwd)
        assert done.returncode == 127
        assert "cannot run" in done.stderr
    assert sandbox.run(["sh", "-c", "exit 0"]).returncode == 0


def test_input_folder_and_variables(sandbox: Sandbox) -> None:
    data = bytes(range(256)) * 4096  # more than a pipe holds
    done = sandbox.run(["sh", "-c", "sha256sum | cut -c1-8; wc -c < /dev/null"], stdin=data)
    assert done.stdout == "fbbab289\n0\n"
    assert sandbox.run(["sh", "-c", "exit 0"], stdin=data).returncode == 0  # nobody reads it
    sandbox.write("a/b/file", "")
    assert sandbox.run(["ls"], cwd="a/b").stdout == "file\n"
    assert sandbox.run(["ls"], cwd=f"{sandbox.work}/a").stdout == "b\n"
    done = sandbox.run(["env"], env={"COLOUR": "blue", "LANG": "C"})
    assert {"COLOUR=blue", "LANG=C", f"HOME={sandbox.temporary}"} <= {*done.stdout.split("\n")}
    assert sandbox.run(["sh", "-c", "pwd; cd; pwd"]).stdout.split() == [
        sandbox.work,
        sandbox.temporary,
    ]


def test_the_temporary_folder_is_emptied_after_a_command(sandbox: Sandbox) -> None:
    filled = sandbox.run(["sh", "-c", "mkdir $HOME/a && echo x > $TMPDIR/a/b && ls -A $HOME"])
    assert filled.stdout == "a\n"
    assert sandbox.run(["sh", "-c", "ls -A $HOME"]).stdout == ""
    assert sandbox.run(["sh", "-c", "echo x > $HOME/again"]).returncode == 0


def test_commands_of_two_sandboxes_are_joined(isolation: str) -> None:
    with (
        open_sandbox(isolation) as one,
        open_sandbox(isolation) as two,
        ThreadPoolExecutor() as pool,
    ):
        (one_in, two_out), (two_in, one_out) = os.pipe(), os.pipe()
        script = "read x; echo $((x + 1)); read y; echo $y >&2"
        first = pool.submit(one.run, ["sh", "-c", f"echo 1; {script}"], connect=(one_in, one_out))
        second = pool.submit(two.run, ["sh", "-c", script], connect=(two_in, two_out))
        assert (first.result().stderr, second.result().stderr) == ("\n", "3\n")


def test_the_interpreter_inside_is_the_trainers(sandbox: Sandbox) -> None:
    program = "import sys, gymnasium; print(sys.prefix, *sys.version_info[:3])"
    done = sandbox.run(["python", "-c", program])
    prefix = place_of(sys.prefix, sandbox.isolation)
    assert done.stdout.split() == [prefix, *map(str, sys.version_info[:3])], done.stderr


def test_wrong_arguments_are_named(sandbox: Sandbox) -> None:
    with pytest.raises(UsageError, match="non-empty list"):
        sandbox.run([])
    with pytest.raises(UsageError, match="non-empty list"):
        sandbox.run("ls -l")
    with pytest.raises(UsageError, match="zero bytes"):
        sandbox.run(["a\0b"])
    with pytest.raises(UsageError, match="zero bytes"):
        sandbox.run(["env"], env={"A": 1})  # type: ignore[dict-item]
    with pytest.raises(UsageError, match="isolation must be one of auto, bubblewrap, namespaces"):
        open_sandbox("docker")
    assert sandbox.run(["echo", "still here"]).stdout == "still here\n"


@pytest.mark.parametrize("value", [0, -1, True, "5", None, float("nan"), float("inf")])
def test_limits_are_checked(value: object) -> None:
    with pytest.raises(UsageError, match="wall_s must be"):
        Limits(wall_s=value)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="processes must be"):
        Limits(processes=value)  # type: ignore[arg-type]


def test_each_limit_is_named_where_it_struck(sandbox: Sandbox) -> None:
    quick = Limits(wall_s=0.3)
    done = sandbox.run(["sleep", "60"], limits=quick)
    assert (done.killed_by, done.timed_out, done.returncode) == ("wall", True, -9)
    done = sandbox.run(["python", "-c", "while True: pass"], limits=Limits(cpu_s=0.3, wall_s=30))
    assert (done.killed_by, done.timed_out) == ("cpu", True)
    write = ["head", "-c", "3000000", "/dev/zero"]
    done = sandbox.run(["sh", "-c", f"exec {' '.join(write)} > big"], limits=Limits(file_mb=2))
    assert done.killed_by == "file"
    program = "b = b'x' * (40 << 20); import os, time; os.fork(); os.fork(); b += b; time.sleep(9)"
    done = sandbox.run(["python", "-c", program], limits=Limits(memory_mb=128))
    assert done.killed_by == "memory"
    assert done.peak_memory_mb > 128


def test_long_output_is_cut_in_the_middle(sandbox: Sandbox) -> None:
    program = "print('b' * 300 + 'm' * 300 + 'e' * 300, end='')"
    done = sandbox.run(["python", "-c", program])
    assert done.truncated
    assert len(done.stdout) <= 400
    assert done.stdout.startswith("bbb")
    assert done.stdout.endswith("eee")
    assert "characters left out" in done.stdout


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=40), st.integers(60, 200))
def test_kept_text_is_the_beginning_and_the_end(parts: list[str], chars: int) -> None:
    kept = Kept(chars)
    for part in parts:
        kept.add(part.encode(errors="replace"))
    whole = "".join(parts).encode(errors="replace").decode()
    text, cut = kept.text()
    assert len(text) <= chars
    assert cut == (len(whole) > chars)
    if cut:
        begin, end = text.split("\n[... ")[0], text.rpartition(" ...]\n")[2]
        assert whole.startswith(begin)
        assert whole.endswith(end)
        assert int(text.split("[... ")[1].split()[0]) == len(whole) - len(begin) - len(end)
    else:
        assert text == whole


def test_undecodable_output_is_replaced(sandbox: Sandbox) -> None:
    done = sandbox.run(["printf", r"a\377b"])
    assert done.stdout == "a\ufffdb"


# Files


def test_files_go_in_and_come_back(isolation: str) -> None:
    files: dict[str, bytes | str] = {"a.txt": "Grüße\n", "b/c/d.bin": bytes(range(256))}
    with open_sandbox(isolation, LIMITS, files) as sandbox:
        assert sandbox.list() == ["a.txt", "b/c/d.bin"]
        assert sandbox.read("a.txt").decode() == "Grüße\n"
        assert sandbox.read("b/c/d.bin") == bytes(range(256))
        assert sandbox.run(["sh", "-c", "cat a.txt && rm -r b && echo new > a.txt"]).returncode == 0
        assert sandbox.read("a.txt") == b"new\n"
        assert sandbox.list() == ["a.txt"]
        sandbox.write("a.txt", "again")
        assert sandbox.run(["cat", "a.txt"]).stdout == "again"


def test_files_that_cannot_be_had_are_named(sandbox: Sandbox) -> None:
    sandbox.write("file", "12345")
    for path in ("missing", "file/below", "../up", "/etc/passwd", ""):
        with pytest.raises(SandboxFileError) as caught:
            sandbox.read(path)
        assert isinstance(caught.value, OSError)
    with pytest.raises(SandboxFileError, match=r"at most max_bytes \(4\)"):
        sandbox.read("file", max_bytes=4)
    with pytest.raises(SandboxFileError):
        open_sandbox(sandbox.isolation, files={"../x": ""})


# Sessions


def test_a_session_keeps_its_variables(isolation: str) -> None:
    with PythonSession(isolation, LIMITS) as session:
        assert session.run("x = 6\ndef f(y):\n    return x * y").output == ""
        result = session.run("f(7)")
        assert (result.output, result.error, result.restarted) == ("42\n", None, False)
        assert session.run("_ + 1").output == "43\n"
        assert session.run("import math; print(math.tau)\n'text'").output.endswith("\n'text'\n")
        assert session.run("open('kept', 'w').write('1')").output == "1\n"
        assert session.run("input()").error is not None
        assert session.run("").output == ""
        assert session.run("None").output == ""


def test_a_sessions_errors_are_tracebacks_of_the_code_alone(isolation: str) -> None:
    with PythonSession(isolation, LIMITS) as session:
        error = session.run("def f():\n    return 1 / 0\nprint('before')\nf()")
        assert error.output == "before\n"
        assert error.error is not None
        lines = error.error.splitlines()
        assert lines[:2] == [
            "Traceback (most recent call last):",
            '  File "<cell 1>", line 4, in <module>',
        ]
        assert "    return 1 / 0" in lines
        assert lines[-1] == "ZeroDivisionError: division by zero"
        assert "SyntaxError" in (session.run("1 +").error or "")
        assert "SystemExit: 3" in (session.run("raise SystemExit(3)").error or "")
        assert "RecursionError" in (session.run("def g(): g()\ng()").error or "")
        assert "KeyboardInterrupt" in (session.run("raise KeyboardInterrupt").error or "")
        result = session.run("'\\ud800'; print('\\ud800')")
        assert "UnicodeEncodeError" in (result.error or "")
        long = session.run("raise ValueError('x' * 100_000)").error or ""
        assert len(long) <= LIMITS.output_chars
        assert session.run("x = 1; x").output == "1\n"


def test_a_timed_out_session_starts_anew_and_says_so(isolation: str) -> None:
    with PythonSession(isolation, LIMITS) as session:
        session.run("x = 1; open('kept', 'w').write('on disk')")
        result = session.run("print('so far'); import time; time.sleep(60)", timeout_s=0.4)
        assert result.timed_out
        assert not result.restarted
        assert result.output == "so far\n"
        assert "longer than 0.4 s" in (result.error or "")
        assert "variables are lost; files in its folder are kept" in (result.error or "")
        after = session.run("print(open('kept').read()); x")
        assert (after.output, after.restarted, after.timed_out) == ("on disk\n", True, False)
        assert "NameError" in (after.error or "")
        assert not session.run("1").restarted


def test_each_call_has_its_own_processor_time(isolation: str) -> None:
    with PythonSession(isolation, Limits(cpu_s=0.4, wall_s=30)) as session:
        spin = (
            "import time\nend = time.process_time() + 0.15\nwhile time.process_time() < end: pass"
        )
        assert [session.run(spin).error for _ in range(4)] == [None] * 4
        result = session.run("while True: pass")
        assert result.timed_out
        assert "0.4 s of CPU time" in (result.error or "")


def test_a_session_that_ends_between_calls_is_replaced(isolation: str) -> None:
    with PythonSession(isolation, LIMITS) as session:
        session.run("import os, threading; threading.Timer(0.2, os._exit, (0,)).start()")
        assert session._sandbox is not None
        assert select.select([session._sandbox.control_fd], [], [], 60.0)[0]
        result = session.run("1 + 1")
        assert (result.output, result.error, result.restarted) == ("2\n", None, True)


def test_a_sessions_arguments_are_checked() -> None:
    session = PythonSession(limits=LIMITS)
    for seconds in (0, -1, float("nan")):
        with pytest.raises(UsageError, match="timeout_s must be positive"):
            session.run("1", timeout_s=seconds)
    session.close()
    session.close()
    with pytest.raises(SandboxFault, match="closed"):
        session.run("1")


# Threads, and several at once


def test_eight_at_once_do_not_meet(isolation: str) -> None:
    def work(i: int) -> tuple[str, str, list[str]]:
        with (
            open_sandbox(isolation, LIMITS) as sandbox,
            PythonSession(isolation, LIMITS) as session,
        ):
            session.run(f"import os, time; x = {i}; open('mine', 'w').write(str(x))")
            sandbox.write(f"f{i}", f"{i}")
            time.sleep(0.3)
            seen = sandbox.run(["sh", "-c", "cat f*; ls /tmp >&2"]).stdout
            return session.run("x, open('mine').read()").output, seen, sandbox.list()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(8)))
    assert found == [(f"({i}, '{i}')\n", f"{i}", [f"f{i}"]) for i in range(8)]


def test_threads_take_turns_with_one_sandbox(sandbox: Sandbox) -> None:
    with PythonSession(sandbox.isolation, LIMITS) as session, ThreadPoolExecutor(8) as pool:
        session.run("total = 0")
        echoes = pool.map(lambda i: sandbox.run(["echo", f"{i}"]).stdout, range(24))
        sums = pool.map(lambda i: session.run(f"total += {i}; total").error, range(24))
        assert list(echoes) == [f"{i}\n" for i in range(24)]
        assert list(sums) == [None] * 24
        assert session.run("total").output == f"{sum(range(24))}\n"


def test_it_works_from_asyncio(isolation: str) -> None:
    async def both() -> list[str]:
        with open_sandbox(isolation) as one, open_sandbox(isolation) as two:
            runs = (asyncio.to_thread(each.run, ["echo", "hi"]) for each in (one, two))
            return [done.stdout for done in await asyncio.gather(*runs)]

    assert asyncio.run(both()) == ["hi\n", "hi\n"]


def test_a_sandbox_outlives_the_thread_that_opened_it(isolation: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        sandbox = pool.submit(open_sandbox, isolation).result()
    time.sleep(0.1)
    with sandbox:
        assert sandbox.run(["echo", "here"]).stdout == "here\n"


# Ends


def test_close_ends_a_run_of_another_thread(isolation: str) -> None:
    sandbox = open_sandbox(isolation)
    caught: list[BaseException] = []

    def run() -> None:
        try:
            sandbox.run(["sleep", "30"])
        except SandboxFault as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.3)
    sandbox.close()
    thread.join(25)
    assert len(caught) == 1
    sandbox.close()
    for call in (lambda: sandbox.run(["true"]), sandbox.list, lambda: sandbox.read("x")):
        with pytest.raises(SandboxFault, match="closed"):
            call()


@pytest.mark.parametrize(
    ("isolation", "rounds"),
    [(name, 12) for name in (*CONTAINED, "none")]
    + [pytest.param(name, 1000, marks=pytest.mark.slow) for name in CONTAINED],
)
def test_nothing_is_left_behind(isolation: str, rounds: int) -> None:
    if reason := why_not(isolation):
        pytest.skip(f"{isolation} does not work here: {reason}")
    gc.collect()
    before = traces()
    for i in range(rounds):
        sandbox = open_sandbox(isolation, files={"a": "x" * 4096})
        sandbox.run(["sh", "-c", "setsid sleep 60 & echo b > /tmp/b"])
        if i % 3 == 0:
            sandbox.run(["sleep", "60"], limits=Limits(wall_s=0.05))
        if i % 4 == 1 and isolation != "none":
            sandbox._finalizer.peek()[2][0].kill()  # type: ignore[index]  # the launcher
        if i % 4:
            sandbox.close()
        del sandbox  # what nobody closed ends with its last reference
    gc.collect()
    assert traces() == before


def test_a_sandbox_killed_from_outside_is_a_fault_and_no_result(isolation: str) -> None:
    sandbox = open_sandbox(isolation)
    process = sandbox._finalizer.peek()[2][0]  # type: ignore[index]
    killer = threading.Timer(0.3, process.kill)
    killer.start()
    with pytest.raises(EnvironmentFault, match="sandbox broke"):
        sandbox.run(["sleep", "20"])
    with pytest.raises(EnvironmentFault):
        sandbox.run(["true"])
    sandbox.close()


REFUSING = """
from turnwise_envs.sandbox import SandboxFault, best_isolation, open_sandbox
try:
    open_sandbox()
except SandboxFault as error:
    print(error)
try:
    best_isolation()
except SandboxFault:
    with open_sandbox("none") as sandbox:
        print(sandbox.run(["echo", "asked for"]).stdout, sandbox.limits.memory_mb)
"""


def test_without_isolation_it_refuses_unless_asked(isolation: str) -> None:
    # Within a sandbox there is no isolation to be had: it is the system this test needs.
    if isolation == "none":
        pytest.skip("needs a system without namespaces; a sandbox is one")
    package = Path(turnwise_envs.__file__).parent
    names = ["errors.py", "spaces.py"]
    names += [str(path.relative_to(package)) for path in package.glob("sandbox/**/*.py")]
    names += [str(path.relative_to(package)) for path in package.glob("sandbox/inside/etc/*")]
    files: dict[str, bytes | str] = {
        f"turnwise_envs/{n}": (package / n).read_bytes() for n in names
    }
    files |= {"turnwise_envs/__init__.py": "", "refusing.py": REFUSING}
    with open_sandbox(isolation, Limits(wall_s=60, cpu_s=30), files) as sandbox:
        done = sandbox.run(["python", "refusing.py"])
        assert "Code cannot be separated from this system" in done.stdout, done.stderr
        assert 'pass isolation="none"' in done.stdout
        assert done.stdout.endswith("asked for\n 512\n")


def test_the_first_that_works_is_chosen() -> None:
    working = [name for name in CONTAINED if not why_not(name)]
    if not working:
        pytest.skip("no isolation works here")
    assert best_isolation() == working[0]
    with open_sandbox() as sandbox:
        assert sandbox.isolation == working[0]


@pytest.mark.skipif(bool(why_not("namespaces")), reason="namespaces do not work here")
def test_without_bubblewrap_namespaces_are_chosen() -> None:
    program = "from turnwise_envs.sandbox import best_isolation; print(best_isolation())"
    environment = os.environ | {"PATH": "/nowhere"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "namespaces\n"
    if shutil.which("bwrap"):
        assert best_isolation() == "bubblewrap"
