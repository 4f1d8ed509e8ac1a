"""Streams of numbers, looked at one at a time."""

from collections.abc import Iterable, Sequence

from heaps.queue import Queue


def merge(streams: Sequence[Sequence[int]], unique: bool = False) -> list[int]:
    """Merges sorted sequences into one; with `unique` every number comes once."""
    heads = Queue()
    for number, stream in enumerate(streams):
        if stream:
            heads.push((number, 0), stream[0])
    result: list[int] = []
    while len(heads) > 0:
        number, place = heads.pop()
        value = streams[number][place]
        if not unique or not result or result[-1] != value:
            result.append(value)
        if place + 1 < len(streams[number]):
            heads.push((number, place + 1), streams[number][place + 1])
    return result


def largest(values: Iterable[int], count: int) -> list[int]:
    """Returns the largest values, in falling order, and never keeps more than `count`."""
    if count <= 0:
        return []
    kept = Queue()
    for number, value in enumerate(values):
        if len(kept) < count:
            kept.push((number, value), value)
        elif value > kept.peek()[1]:
            kept.pop()
            kept.push((number, value), value)
    result = [kept.pop()[1] for _ in range(len(kept))]
    return result[::-1]


class Median:
    """The middle of the numbers that came so far."""

    def __init__(self) -> None:
        self._low = Queue()
        self._high = Queue()
        self._count = 0

    def add(self, value: int) -> None:
        """Takes note of a number."""
        self._count += 1
        item = (self._count, value)
        if len(self._low) > 0 and value < self._low.peek()[1]:
            self._low.push(item, -value)
        else:
            self._high.push(item, value)
        if len(self._low) > len(self._high):
            moved = self._low.pop()
            self._high.push(moved, moved[1])
        elif len(self._high) > len(self._low) + 1:
            moved = self._high.pop()
            self._low.push(moved, -moved[1])

    def value(self) -> float:
        """Returns the middle number, or the mean of the two in the middle."""
        if self._count == 0:
            raise ValueError("there are no numbers yet")
        if len(self._high) > len(self._low):
            return float(self._high.peek()[1])
        return (self._low.peek()[1] + self._high.peek()[1]) / 2
