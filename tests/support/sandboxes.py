"""What tests of the sandbox layer share: which isolations work here, and what is left behind."""

import os
import select
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TypeVar

from turnwise_envs.sandbox import Completed, Limits, Sandbox, SandboxFault, open_sandbox

T = TypeVar("T")
CONTAINED = ("bubblewrap", "namespaces")
ATTEMPT_LIMITS = Limits(wall_s=20, cpu_s=6, memory_mb=128, processes=32, file_mb=8, disk_mb=16)


@cache
def why_not(isolation: str) -> str:
    """Returns why an isolation does not work here, or "" where it does."""
    try:
        with open_sandbox(isolation) as sandbox:
            return sandbox.run(["true"]).stderr
    except SandboxFault as error:
        return str(error)


def processes_with(marker: str) -> list[int]:
    """Returns the processes of this system whose command line has the marker."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            try:
                if marker.encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


MOUNTED = ("/", "/tmp", "/work", "/dev", "/dev/shm", "/proc", "/run/turnwise")
"""Where a sandbox mounts something; what other programs mount meanwhile is not its business."""


def traces() -> dict[str, set[str]]:
    """Returns what sandboxes of this process could leave behind, by kind."""
    return {
        "children": _children(),
        "descriptors": set(os.listdir("/proc/self/fd")),
        "mounts": _mounts(),
        "folders": folders_of(os.getpid()),
    }


def _children() -> set[str]:
    found: set[str] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # a thread that has ended meanwhile
            found.update((task / "children").read_text().split())
    return found


def _mounts() -> set[str]:
    # The line of a mount has its target fifth. An engine's containers are not this process's.
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {
        line
        for line in lines
        if line.split()[4] in MOUNTED or ("turnwise" in line and "turnwise-engine" not in line)
    }


def folders_of(pid: int) -> set[str]:
    """Returns the folders of a process's sandboxes; other tests have theirs at the same time."""
    return {str(path) for path in Path(tempfile.gettempdir()).glob(f"turnwise-sandbox-{pid}-*")}


def wait_until(is_so: Callable[[], bool], patience_s: float = 60.0) -> bool:
    """Returns whether something becomes so in time; a loaded machine may need it."""
    until = time.monotonic() + patience_s
    while not (found := is_so()) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def break_from_outside(sandbox: Sandbox) -> None:
    """Kills a sandbox's processes and returns when its first one is dead.

    The signal goes to the one that was started here, which may only be the first one's parent;
    the kernel passes it on in its own time.
    """
    sandbox._finalizer.peek()[2][0].kill()  # type: ignore[index]
    assert select.select([sandbox.control_fd], [], [], 60.0)[0], "its end of the line is open"


def attempt(sandbox: Sandbox, program: str, **limits: float) -> Completed:
    """Runs a Python program inside."""
    prelude = "import ctypes, os, signal, socket, sys, time\nlibc = ctypes.CDLL(None)\n"
    source = prelude + textwrap.dedent(program)
    changed = Limits(**{**vars(ATTEMPT_LIMITS), **limits}) if limits else None
    return sandbox.run([sys.executable, "-c", source], limits=changed)


def resolved_of(attempts: Mapping[str, T], is_resolved: Callable[[T], bool]) -> list[str]:
    """Returns the names of the attempts that get the reward; four are judged at a time."""
    with ThreadPoolExecutor(4) as pool:
        won = pool.map(is_resolved, attempts.values())
        return [name for name, has_won in zip(attempts, won, strict=True) if has_won]


TRY = """
def tried(name, call):
    try:
        call()
    except OSError:
        return
    print("REACHED", name)
"""


def held(sandbox: Sandbox, *attempts: str) -> None:
    """Asserts that every attempt, a Python expression, raises OSError inside."""
    lines = [f"tried({text!r}, lambda: {text})" for text in attempts]
    completed = attempt(sandbox, TRY + "\n".join(lines) + "\nprint('end')")
    assert (completed.stdout, completed.stderr) == ("end\n", "")
