"""Enters new namespaces, builds a small read-only root, and becomes the sandbox's first process.

What bubblewrap does where it is installed.
"""

import _socket
import fcntl
import marshal
import os
import struct

import kernel
import serve
import wire


def main(argument: str) -> None:
    """Runs as the launcher; `argument` is "control,trainer", two descriptors."""
    control_fd, trainer_fd = (int(part) for part in argument.split(","))
    control = _socket.socket(fileno=control_fd)
    try:
        plan = marshal.loads(wire.receive(control)[1])
        os.umask(0o022)
        enter_user_namespace()
        kernel.unshare(kernel.ALL_NAMESPACES & ~kernel.NEWUSER)
        child = os.fork()
        if child:
            control.close()
            os.close(trainer_fd)
            os.waitpid(child, 0)
            os._exit(0)
        build_root(plan)
        _raise_loopback()
        _socket.sethostname("sandbox")
    except (OSError, ValueError) as error:
        wire.send(control, wire.FAILED, str(error).encode())
        os._exit(1)
    control.detach()
    serve.main(argument)


def enter_user_namespace() -> None:
    """Unshares the user namespace and maps users into it.

    Root becomes root inside, to build the mounts, and commands are mapped to nobody, so that
    RLIMIT_NPROC binds and files of root stay closed. Anyone else is mapped to the agent.
    """
    uid, gid = os.getuid(), os.getgid()
    target, wait_end, go_end = os.getpid(), *os.pipe()
    helper = os.fork() if uid == 0 else 0
    if uid == 0 and helper == 0:
        # A map of two users can only be written from the parent namespace.
        try:
            os.read(wait_end, 1)
            for name in ("uid_map", "gid_map"):
                _write(f"/proc/{target}/{name}", wire.USER_MAP_OF_ROOT)
        except OSError:
            os._exit(1)
        os._exit(0)
    kernel.unshare(kernel.NEWUSER)
    os.write(go_end, b"g")
    os.close(wait_end)
    os.close(go_end)
    if uid == 0 and os.waitpid(helper, 0)[1] == 0:
        return
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{wire.AGENT_ID} {uid} 1\n")
    _write("/proc/self/gid_map", f"{wire.AGENT_ID} {gid} 1\n")


def build_root(plan: dict) -> None:
    """Replaces the root by a read-only one that has only what `plan` names."""
    secure = kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", "/tmp", "tmpfs", secure, "size=1m,mode=755")
    os.mkdir("/tmp/old")
    kernel.pivot_root("/tmp", "/tmp/old")
    os.chdir("/")
    os.mkdir("/new")
    kernel.mount("tmpfs", "/new", "tmpfs", secure, "size=4m,nr_inodes=4k,mode=755")
    for source, target in plan["binds"]:
        _bind("/old" + source, "/new" + target)
    for target in plan["hidden"]:
        kernel.mount("tmpfs", "/new" + target, "tmpfs", secure, "size=4k,mode=755")
    _mount_devices(plan["devices"], secure)
    for link, target in plan["links"]:
        os.makedirs(os.path.dirname("/new" + link), exist_ok=True)
        os.symlink(target, "/new" + link)
    os.mkdir("/new/proc")
    try:
        kernel.mount("proc", "/new/proc", "proc", secure | kernel.MS_NOEXEC)
    except OSError:
        # Within a container whose own /proc is masked the kernel refuses: then there is none.
        kernel.mount("tmpfs", "/new/proc", "tmpfs", secure, "size=4k,mode=755")
    for target, options in plan["folders"]:
        os.makedirs("/new" + target, exist_ok=True)
        kernel.mount("tmpfs", "/new" + target, "tmpfs", secure, options)
    for target in ("", "/dev", *plan["hidden"]):
        flags = secure | kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_RDONLY
        kernel.mount("none", "/new" + target, "", flags)
    os.chdir("/new")
    kernel.pivot_root(".", ".")
    kernel.unmount(".")
    os.chdir("/")


def _bind(source: str, target: str) -> None:
    """Binds a folder or a file read-only, with all that is mounted below it."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    kernel.mount(source, target, "", kernel.MS_BIND | kernel.MS_REC)
    with open("/old/proc/self/mountinfo") as lines:
        points = [_unescape(line.split()[4]) for line in lines]
    for point in points:
        if point == target or point.startswith(target + "/"):
            _remount_read_only(point)


def _unescape(point: str) -> str:
    for code, character in (("040", " "), ("011", "\t"), ("012", "\n"), ("134", "\\")):
        point = point.replace("\\" + code, character)
    return point


def _remount_read_only(point: str) -> None:
    # A user namespace may add flags to a mount it inherited but never take one away.
    state = os.statvfs(point).f_flag
    flags = state & (kernel.MS_NOEXEC | kernel.MS_NOATIME | kernel.MS_NODIRATIME)
    if state & 4096:  # ST_RELATIME, the one flag whose mount(2) value differs
        flags |= kernel.MS_RELATIME
    flags |= kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_RDONLY
    kernel.mount("none", point, "", flags | kernel.MS_BIND | kernel.MS_REMOUNT)


def _mount_devices(names: tuple[str, ...], secure: int) -> None:
    os.mkdir("/new/dev")
    kernel.mount("tmpfs", "/new/dev", "tmpfs", secure & ~kernel.MS_NODEV, "size=64k,mode=755")
    for name in names:
        target = f"/new/dev/{name}"
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
        kernel.mount(f"/old/dev/{name}", target, "", kernel.MS_BIND)


def _raise_loopback() -> None:
    set_flags, up_and_running = 0x8914, 0x41
    probe = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    fcntl.ioctl(probe.fileno(), set_flags, struct.pack("16sH22x", b"lo", up_and_running))
    probe.close()


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
