"""Frames over a Unix stream socket: length, kind, payload, and file descriptors beside them.

Requests carry `marshal` data (the receiver trusts the sender: it is the trainer); replies carry a
fixed struct or plain text, so that the trainer never decodes structured data from a sandbox.
"""

import _socket
import struct

HEADER = struct.Struct("!Ic")
STATUS = struct.Struct("!idqq16s")
"""Return code, CPU seconds, peak memory in bytes, processes at the peak, reason of the kill."""

AGENT_ID = 1000
"""The user and group that commands have inside."""
USER_MAP_OF_ROOT = f"0 0 1\n{AGENT_ID} 65534 1\n"
"""Where the trainer is root: the first process stays root, to build the mounts; commands are nobody
outside, so that RLIMIT_NPROC binds and root's files stay closed to them."""

RUN, KILL, MARK, EXIT = b"r", b"k", b"m", b"x"
READY, FAILED, ENDED = b"R", b"F", b"E"
# Only where no descriptors can be passed, with containers: a command's streams, and files.
INPUT, OUT, ERR = b"i", b"o", b"e"
DATA, WRITE, DELETE, READ, STAMPS, DONE, REFUSED = b"d", b"w", b"u", b"g", b"l", b"D", b"X"
OF_FILES = (DATA, WRITE, DELETE, READ, STAMPS)

LONGEST = 16 << 20
_SOL_SOCKET, _SCM_RIGHTS, _MSG_CMSG_CLOEXEC = 1, 1, 0x40000000
_MAX_FDS = 4


class Closed(Exception):
    """The other side is gone, or sent what is no frame."""


def send(
    sock: _socket.socket, kind: bytes, payload: bytes = b"", fds: tuple[int, ...] = ()
) -> None:
    """Sends one frame; the descriptors travel with its header."""
    rights = [(_SOL_SOCKET, _SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))] if fds else []
    sock.sendmsg([HEADER.pack(len(payload), kind)], rights)
    if payload:
        sock.sendall(payload)


def receive(sock: _socket.socket) -> tuple[bytes, bytes, list[int]]:
    """Receives one frame: kind, payload, descriptors (the caller closes them)."""
    space = _MAX_FDS * 4 + 24
    header, rights, _, _ = sock.recvmsg(HEADER.size, space, _MSG_CMSG_CLOEXEC)
    fds: list[int] = []
    for level, kind_of_rights, data in rights:
        if (level, kind_of_rights) == (_SOL_SOCKET, _SCM_RIGHTS):
            fds += struct.unpack(f"{len(data) // 4}i", data[: len(data) // 4 * 4])
    header += _exactly(sock, HEADER.size - len(header)) if header else b""
    if not header:
        raise Closed("end of stream")
    length, kind = HEADER.unpack(header)
    if length > LONGEST:
        raise Closed(f"a frame of {length} bytes")
    return kind, _exactly(sock, length), fds


def _exactly(sock: _socket.socket, count: int) -> bytes:
    parts = []
    while count:
        part = sock.recv(min(count, 1 << 16))
        if not part:
            raise Closed("end of stream within a frame")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
