"""`Channel`: frames to and from the first process of a container, over the engine's connection."""

import select
import socket
import struct
import threading
import time
import weakref
from typing import ClassVar

from turnwise_envs.sandbox.inside import wire
from turnwise_envs.sandbox.limits import SandboxFault

_PART = struct.Struct("!BxxxI")
"""The engine puts this before each part of a container's output: which stream, how many bytes."""
_COMPLAINTS = 2
_CHUNK = 1 << 18


class Channel:
    """One end of a connection; neither reading nor writing ever blocks.

    Args:
        connection: attached to the container's three streams.
    """

    all: ClassVar["weakref.WeakSet[Channel]"] = weakref.WeakSet()
    """Those of this process; a forked copy closes its ends of them."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        Channel.all.add(self)
        self._socket = connection
        self._parts, self._frames = bytearray(), bytearray()
        self._complaints = bytearray()
        self._outgoing = bytearray()
        self._lock = threading.Lock()  # for what goes out: any thread may ask for a kill

    def fileno(self) -> int:
        """Returns the descriptor to wait for."""
        return self._socket.fileno()

    @property
    def waiting(self) -> int:
        """How many bytes wait to be sent."""
        return len(self._outgoing)

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        """Sends a frame, as much of it as goes now; `flush` sends what is left."""
        self.send_raw(wire.HEADER.pack(len(payload), kind) + payload)

    def send_raw(self, data: bytes) -> None:
        """Sends bytes that are no frame."""
        with self._lock:
            self._outgoing += data
        self.flush()

    def send_all(self, kind: bytes, data: bytes) -> None:
        """Sends data as frames of a bounded size, none where there is none."""
        for start in range(0, len(data), _CHUNK):
            self.send(kind, data[start : start + _CHUNK])

    def flush(self) -> None:
        """Sends what goes now.

        Raises:
            SandboxFault: If the container is gone.
        """
        with self._lock:
            try:
                while self._outgoing:
                    del self._outgoing[: self._socket.send(self._outgoing[:_CHUNK])]
            except BlockingIOError:
                return
            except OSError as error:
                raise self._gone() from error

    def receive(self) -> list[tuple[bytes, bytes]]:
        """Returns the frames that have arrived: kind and payload.

        Raises:
            SandboxFault: If the container is gone.
        """
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return []
        except OSError as error:
            raise self._gone() from error
        if not data:
            raise self._gone()
        self._parts += data
        while len(self._parts) >= _PART.size:
            stream, length = _PART.unpack_from(self._parts)
            end = _PART.size + length
            if len(self._parts) < end:
                break
            content = self._parts[_PART.size : end]
            del self._parts[:end]
            if stream == _COMPLAINTS:
                self._complaints = (self._complaints + content)[-4000:]
            else:
                self._frames += content
        found = []
        while len(self._frames) >= wire.HEADER.size:
            length, kind = wire.HEADER.unpack_from(self._frames)
            end = wire.HEADER.size + length
            if len(self._frames) < end:
                break
            found.append((kind, bytes(self._frames[wire.HEADER.size : end])))
            del self._frames[:end]
        return found

    def wait(self, patience_s: float) -> list[tuple[bytes, bytes]]:
        """Sends what waits, until frames have arrived, and returns them.

        Raises:
            SandboxFault: If the container is gone, or none arrive in time.
        """
        until = time.monotonic() + patience_s
        poller = select.poll()
        while (left_s := until - time.monotonic()) > 0:
            poller.register(self, select.POLLIN | (select.POLLOUT if self.waiting else 0))
            poller.poll(1000 * left_s)
            if self.waiting:
                self.flush()
            if found := self.receive():
                return found
        raise SandboxFault(f"A container did not answer within {patience_s:g} s.")

    def close(self) -> None:
        """Closes this end; harmless when called again."""
        self._socket.close()

    def _gone(self) -> SandboxFault:
        said = self._complaints.decode(errors="replace").strip()
        return SandboxFault(
            "A container ended: it was killed from outside, or ran out of memory. Open a new one."
            + (f" It said: {said}" if said else "")
        )
