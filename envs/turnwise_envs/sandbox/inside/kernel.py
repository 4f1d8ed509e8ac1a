"""The system calls of Linux that Python's standard library does not wrap.

Names and numbers are those of the kernel's own headers (include/uapi/linux).
"""

import ctypes
import os
import struct

NEWNS, NEWUTS, NEWIPC = 0x00020000, 0x04000000, 0x08000000
NEWUSER, NEWPID, NEWNET, NEWCGROUP = 0x10000000, 0x20000000, 0x40000000, 0x02000000
ALL_NAMESPACES = NEWNS | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET | NEWCGROUP

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_NOATIME, MS_NODIRATIME, MS_BIND, MS_REC = 1024, 2048, 4096, 16384
MS_PRIVATE, MS_RELATIME = 1 << 18, 1 << 21
MNT_DETACH = 2

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP = 1, 4, 22
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 36, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL, _SECCOMP_MODE_FILTER = 4, 2
_SIGKILL = 9
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Moves this process (for NEWPID: its later children) into new namespaces."""
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Adds a mount or changes one."""
    arguments = [part.encode() or None for part in (source, target, kind)]
    result = _libc.mount(*arguments, ctypes.c_ulong(flags), data.encode() or None)
    _check(result, f"mount {target}")


def unmount(target: str) -> None:
    """Detaches a mount and all below it."""
    _check(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    """Makes `new` the root and puts the old one at `old`."""
    _check(_libc.pivot_root(new.encode(), old.encode()), "pivot_root")


def _prctl(option: int, *arguments: int) -> None:
    padded = [ctypes.c_ulong(a) for a in (*arguments, 0, 0, 0, 0)[:4]]
    _check(_libc.prctl(option, *padded), f"prctl {option}")


def die_with_parent() -> None:
    """Has the kernel kill this process when the thread that created it ends."""
    _prctl(_PR_SET_PDEATHSIG, _SIGKILL)


def hide_from_tracing() -> None:
    """Closes this process's memory and /proc entries to processes of the same user."""
    _prctl(_PR_SET_DUMPABLE, 0)


def adopt_orphans() -> None:
    """Makes orphaned descendants children of this process rather than of the system's init."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def give_up_privileges() -> None:
    """Gives up capabilities across `exec`, and every way to regain some; for any user but 0."""
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(header, bytes(24)), "capset")
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


# What a program under test has no use for, and what would get around a limit: memory that no
# resource limit counts (memfd, System V objects), nested namespaces (mounts without a size), other
# processes' memory, and interfaces with a history of kernel faults. Numbers: (x86_64, aarch64).
_DENIED = (
    *((101, 117), (310, 270), (311, 271), (312, 272), (438, 438)),  # ptrace, process_vm_*, kcmp
    *((272, 97), (308, 268), (165, 40), (166, 39), (155, 41)),  # unshare, setns, mount, pivot_root
    *((428, 428), (429, 429), (430, 430), (432, 432), (433, 433), (442, 442)),  # new mount calls
    *((319, 279), (447, 447), (29, 194), (64, 190), (68, 186)),  # memfd_*, shmget, semget, msgget
    *((248, 217), (249, 218), (250, 219)),  # add_key, request_key, keyctl
    *((321, 280), (298, 241), (323, 282), (304, 265)),  # bpf, perf, userfaultfd, open_by_handle_at
    *((425, 425), (426, 426), (427, 427)),  # io_uring_*
)
# About another process these would let the code starve or maim process 1, where both have one user:
# prlimit64, sched_setparam, sched_setscheduler, sched_setattr, setpriority; and which argument
# must be 0, "myself".
_OWN_ONLY = (((302, 261), 0), ((142, 118), 0), ((144, 119), 0), ((314, 274), 0), ((141, 140), 1))
_CLONE, _CLONE3, _SOCKET = (56, 220), (435, 435), (41, 198)
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_FAMILIES = (1, 2, 10, 16)  # unix, inet, inet6, netlink: the network namespace holds these
_LD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_AT_NUMBER, _AT_ARCH, _AT_ARGUMENT_0 = 0, 4, 16


def machine_is_supported() -> bool:
    """Returns whether the table of system calls covers this processor."""
    return os.uname().machine in _AUDIT_ARCH


def system_call_filter() -> bytes:
    """Returns the seccomp program that `apply_filter` installs.

    An allow-by-default filter: the calls of `_DENIED` fail with EPERM, those of `_OWN_ONLY` too
    where they are about another process, and `clone` with a namespace flag; `clone3` fails with
    ENOSYS (C libraries fall back to `clone`, whose flags can be seen), and sockets exist in four
    families only (vsock, for one, is not held by a network namespace).
    """
    machine = os.uname().machine
    column = list(_AUDIT_ARCH).index(machine)

    def line(code: int, k: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("=HBBI", code, if_true, if_false, k)

    def refuse(number: int, error: int) -> bytes:
        return line(_JEQ, number, 0, 1) + line(_RET, _ERRNO | error)

    program = line(_LD, _AT_ARCH) + line(_JEQ, _AUDIT_ARCH[machine], 1, 0)
    program += line(_RET, _ERRNO | _EPERM) + line(_LD, _AT_NUMBER)
    if machine == "x86_64":
        program += line(_JGE, _X32_BIT, 0, 1) + line(_RET, _ERRNO | _ENOSYS)
    for numbers in _DENIED:
        program += refuse(numbers[column], _EPERM)
    for numbers, argument in _OWN_ONLY:
        program += line(_JEQ, numbers[column], 0, 4)
        program += line(_LD, _AT_ARGUMENT_0 + 8 * argument)
        program += line(_JEQ, 0, 1, 0) + line(_RET, _ERRNO | _EPERM) + line(_LD, _AT_NUMBER)
    program += refuse(_CLONE3[column], _ENOSYS)
    program += line(_JEQ, _CLONE[column], 0, 4) + line(_LD, _AT_ARGUMENT_0)
    program += line(_JSET, ALL_NAMESPACES, 0, 1) + line(_RET, _ERRNO | _EPERM) + line(_RET, _ALLOW)
    program += line(_JEQ, _SOCKET[column], 1, 0) + line(_RET, _ALLOW) + line(_LD, _AT_ARGUMENT_0)
    for i, family in enumerate(_FAMILIES):
        program += line(_JEQ, family, len(_FAMILIES) - i, 0)
    return program + line(_RET, _ERRNO | _EAFNOSUPPORT) + line(_RET, _ALLOW)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("lines", ctypes.c_char_p))


def apply_filter(program: bytes) -> None:
    """Installs a seccomp program for this process and its descendants; needs no_new_privs."""
    described = _Program(len(program) // 8, program)
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(described))
