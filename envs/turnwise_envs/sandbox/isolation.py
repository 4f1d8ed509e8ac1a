"""How a sandbox is separated from the host: the command that starts it and the plan it is sent."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from turnwise_envs.sandbox.inside import kernel, wire
from turnwise_envs.sandbox.limits import Limits

ISOLATIONS = ("bubblewrap", "namespaces", "none")

INSIDE = Path(__file__).parent / "inside"
_PACKAGE = Path(__file__).parents[1]
_PROGRAMS = "/run/turnwise"
_WORK, _TEMPORARY, _SHARED = "/work", "/tmp", "/dev/shm"
_ELSEWHERE = "/run/host"
_SHARED_MB = 16
_PATIENCE_S = 20.0
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_STREAMS = ("stdin", "stdout", "stderr")
_ETC_OF_HOST = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime")


@dataclass(frozen=True)
class Launch:
    """How to start one sandbox."""

    argv: list[str]
    """Command line, but for the last argument: the descriptors."""
    frames: list[dict[str, Any]]
    """What to send, in order."""
    work: str
    """The work folder as commands see it."""
    temporary: str
    """The temporary folder as commands see it, their home too."""
    maps_users: bool = False
    """Whether `argv` is of bubblewrap run by root, which waits for its map of users."""


def plan(isolation: str, limits: Limits) -> Launch:
    """Returns how to start a sandbox of this isolation.

    Raises:
        OSError: If this system lacks what the isolation needs.
    """
    if not sys.platform.startswith("linux"):
        raise OSError(f"sandboxes need Linux, this is {sys.platform}")
    if isolation == "none":
        base = f"{tempfile.gettempdir()}/turnwise-sandbox-{os.getpid()}-{os.urandom(8).hex()}"
        work, temporary = f"{base}/work", f"{base}/tmp"
        serve = {"contained": False, "work": work, "folders": [base, work, temporary]}
        return Launch([*_program(INSIDE, isolation), "serve"], [serve], work, temporary)
    if not kernel.machine_is_supported():
        raise OSError(f"no table of system calls for the processor {os.uname().machine}")
    folders = [(path, _options(path, limits)) for path in (_WORK, _TEMPORARY, _SHARED)]
    serve = {
        "contained": True,
        "work": _WORK,
        "folders": folders,
    }
    root = _root()
    if isolation == "namespaces":
        view = {"binds": root.binds, "links": root.links, "hidden": root.hidden}
        frames = [{"folders": folders, "devices": _DEVICES, **view}, serve]
        # The host's interpreter: the root is replaced by the program itself.
        return Launch([*_program(INSIDE, "none"), "boot"], frames, _WORK, _TEMPORARY)
    wrapped = [*_bubblewrap(root, limits), *_program(Path(_PROGRAMS), isolation), "serve"]
    return Launch(wrapped, [serve], _WORK, _TEMPORARY, maps_users=os.getuid() == 0)


def spawn(launch: Launch) -> tuple["subprocess.Popen[bytes]", socket.socket]:
    """Starts a sandbox's first process; returns it, or its parent, and the connection to it.

    Raises:
        OSError: If it cannot be started.
    """
    near, far = socket.socketpair()
    bubblewrap, its_end = socket.socketpair()
    # Readable when this process dies, whichever of its threads made the sandbox and however long
    # that lives; a parent-death signal would be bound to the thread.
    trainer = os.pidfd_open(os.getpid())
    program, *arguments = launch.argv
    passed = [far.fileno(), trainer]
    gate = os.dup(its_end.fileno())
    if launch.maps_users:
        passed += [its_end.fileno(), gate]
        arguments[:0] = ["--info-fd", f"{its_end.fileno()}", "--userns-block-fd", f"{gate}"]
    try:
        with far, its_end:
            process = subprocess.Popen(
                [program, *arguments, f"{far.fileno()},{trainer}"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=passed,
                env={"LANG": "C.UTF-8"},
                cwd="/",
                start_new_session=True,
            )
    except OSError:
        near.close()
        bubblewrap.close()
        raise
    finally:
        os.close(trainer)
        os.close(gate)
    with bubblewrap:
        if launch.maps_users:
            _map_users(bubblewrap)
    return process, near


def _map_users(bubblewrap: socket.socket) -> None:
    """Writes the map of users of the namespace that bubblewrap has made and waits with.

    Where that fails bubblewrap ends, the connection closes, and the sandbox is never ready.
    """
    bubblewrap.settimeout(_PATIENCE_S)
    said = b""
    with suppress(OSError, ValueError):
        while b"}" not in said:
            said += bubblewrap.recv(4096) or b"}"
        pid = json.loads(said)["child-pid"]
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{pid}/{name}").write_text(wire.USER_MAP_OF_ROOT)
        bubblewrap.sendall(b"g")


def place_of(path: str, isolation: str) -> str:
    """Returns where a path of the host's is seen inside.

    An interpreter below a folder that sandboxes have for themselves, as in a checkout below /work
    or /tmp, is shown elsewhere.
    """
    own = isolation != "none" and path.startswith((f"{_WORK}/", f"{_TEMPORARY}/", f"{_SHARED}/"))
    return _ELSEWHERE + path if own else path


def program_inside(program: str, isolation: str) -> str:
    """Returns how to call a program inside: this interpreter and its scripts by their place."""
    of_interpreter = (os.path.dirname(sys.executable), sys.prefix, sys.base_prefix)
    if program.startswith(tuple(f"{folder}/" for folder in of_interpreter)):
        return place_of(program, isolation)
    return program


def search_path(isolation: str) -> str:
    """Returns the PATH of commands: this interpreter's scripts first."""
    scripts = place_of(os.path.dirname(sys.executable), isolation)
    folders = [scripts, *os.defpath.split(":"), "/usr/local/bin"]
    return ":".join(dict.fromkeys(folder for folder in folders if folder))


def _program(folder: Path, isolation: str) -> list[str]:
    # Without site-packages: the interpreter alone, started in tens of milliseconds.
    interpreter = place_of(os.path.realpath(sys.executable), isolation)
    return [interpreter, "-E", "-s", "-S", str(folder / "__main__.py")]


def _options(path: str, limits: Limits) -> str:
    size_mb = _SHARED_MB if path == _SHARED else limits.disk_mb
    # One inode for every 4 KiB: empty files use kernel memory, too.
    return f"size={size_mb}m,nr_inodes={256 * size_mb},mode=1777"


@dataclass(frozen=True)
class _Root:
    binds: list[tuple[str, str]]
    links: list[tuple[str, str]]
    hidden: list[str]


@cache
def _root() -> _Root:
    """Returns what of the host is visible inside, read-only."""
    binds: list[tuple[str, str]] = []
    links = [("/dev/fd", "/proc/self/fd")]
    links += [(f"/dev/{name}", f"/proc/self/fd/{i}") for i, name in enumerate(_STREAMS)]

    def covered(path: str) -> bool:
        return any(path == target or path.startswith(target + "/") for _, target in binds)

    def inside(path: str) -> str:
        return place_of(path, "bubblewrap")

    def show(path: str) -> None:
        if os.path.exists(path) and not covered(inside(path)):
            binds.append((os.path.realpath(path), inside(path)))

    show("/usr")
    for path in ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"):
        if os.path.islink(path):
            links.append((path, os.readlink(path)))
        else:
            show(path)
    for name in _ETC_OF_HOST:
        show(f"/etc/{name}")
    for file in sorted((INSIDE / "etc").iterdir()):
        binds.append((str(file), f"/etc/{file.name}"))
    show(os.path.dirname(os.path.dirname(os.path.realpath(sys.executable))))
    for path in (sys.base_prefix, sys.base_exec_prefix, sys.prefix, sys.exec_prefix):
        show(os.path.realpath(path))
        if not covered(inside(path)):
            links.append((inside(path), inside(os.path.realpath(path))))
    link = sys.executable
    while os.path.islink(link):
        target = os.readlink(link)
        if not covered(inside(link)) and (inside(link), inside(target)) not in links:
            links.append((inside(link), inside(target)))
        link = os.path.normpath(os.path.join(os.path.dirname(link), target))
    # Generated tasks lie beside their solutions: code inside must not read either.
    package = inside(str(_PACKAGE))
    hidden = [package] if covered(package) else []
    binds.append((str(INSIDE), _PROGRAMS))
    return _Root(binds, links, hidden)


def _bubblewrap(root: _Root, limits: Limits) -> list[str]:
    program = shutil.which("bwrap")
    if program is None:
        raise OSError("bubblewrap (bwrap) is not installed")
    arguments = [
        program,
        "--unshare-user",
        "--unshare-pid",
        "--unshare-net",
        "--unshare-ipc",
        "--unshare-uts",
    ]
    arguments += ["--unshare-cgroup-try", "--hostname", "sandbox", "--as-pid-1"]
    arguments += ["--cap-add", "ALL"]
    if os.getuid():
        arguments += ["--uid", str(wire.AGENT_ID), "--gid", str(wire.AGENT_ID)]
    above = {str(folder) for _, path in root.binds for folder in Path(path).parents}
    for folder in sorted(above - {"/"}):
        # Left to itself bubblewrap may make them as closed as the source's parent is.
        arguments += ["--perms", "0755", "--dir", folder]
    for source, target in root.binds:
        arguments += ["--ro-bind", source, target]
    for path in root.hidden:
        arguments += ["--tmpfs", path, "--remount-ro", path]
    # Its own "--dev" has pseudo-terminals, and a second user namespace for them.
    arguments += ["--perms", "0755", "--size", "65536", "--tmpfs", "/dev", "--proc", "/proc"]
    for name in _DEVICES:
        arguments += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    for link, target in root.links:
        arguments += ["--symlink", target, link]
    for path, size_mb in ((_WORK, limits.disk_mb), (_TEMPORARY, limits.disk_mb)):
        arguments += ["--perms", "1777", "--size", str(size_mb << 20), "--tmpfs", path]
    arguments += ["--perms", "1777", "--size", str(_SHARED_MB << 20), "--tmpfs", _SHARED]
    return [*arguments, "--remount-ro", "/dev", "--remount-ro", "/", "--"]
