"""What tests of the sandbox layer share: which isolations work here, and what is left behind."""

import os
import tempfile
from functools import cache
from pathlib import Path

from turnwise_envs.sandbox import SandboxFault, open_sandbox

CONTAINED = ("bubblewrap", "namespaces")


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


def traces() -> dict[str, set[str]]:
    """Returns what sandboxes of this process could leave behind, by kind."""
    return {
        "children": set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()),
        "descriptors": set(os.listdir("/proc/self/fd")),
        "mounts": set(Path("/proc/self/mountinfo").read_text().splitlines()),
        "folders": {str(path) for path in Path(tempfile.gettempdir()).glob("turnwise-sandbox-*")},
    }
