"""Collecting what a command prints, in bounded memory."""

import os

from turnwise_envs.spaces import cut_middle

FLOOD_BYTES = 64 << 20
"""A command that printed more than this is killed ("output")."""

_CHUNK = 1 << 18
_CONTINUATION = bytes(range(0x80, 0xC0))


class Kept:
    """The beginning and the end of a stream of UTF-8.

    Args:
        chars: how many characters `text` has at most, its note included.
    """

    def __init__(self, chars: int) -> None:
        self._chars = chars
        self._room = 4 * chars  # a character has at most four bytes
        self._head, self._tail = bytearray(), bytearray()
        self._total_chars = 0
        self.total = 0

    def take(self, descriptor: int) -> bool:
        """Reads what is there now; False at the end of the stream."""
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return True
        self.add(data)
        return bool(data)

    def drain(self, descriptor: int) -> None:
        """Reads all that is there now."""
        before = -1
        while self.total != before:
            before = self.total
            self.take(descriptor)

    def add(self, data: bytes) -> None:
        """Adds bytes to the stream."""
        self.total += len(data)
        self._total_chars += len(data.translate(None, _CONTINUATION))
        room = self._room - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > self._room + _CHUNK:
            del self._tail[: -self._room]

    def text(self) -> tuple[str, bool]:
        """Returns the text, cut in the middle with a note, and whether it was cut."""
        whole = (self._head + self._tail).decode(errors="replace")
        dropped = self.total - len(self._head) - len(self._tail)
        if not dropped:
            return cut_middle(whole, self._chars), len(whole) > self._chars
        note = f"\n[... {self._total_chars} characters left out ...]\n"
        room = self._chars - len(note)
        note = note.replace(str(self._total_chars), str(self._total_chars - room))
        return whole[: room - room // 2] + note + whole[len(whole) - room // 2 :], True
