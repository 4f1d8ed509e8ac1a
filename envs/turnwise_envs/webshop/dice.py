"""`Dice`: random draws that are the same for ever, in every Python, numpy and process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_MASK = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15


def mix(value: int) -> int:
    """Returns splitmix64's output for a 64-bit counter (Steele, Lea and Flood 2014)."""
    value &= _MASK
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & _MASK
    return value ^ (value >> 31)


class Dice:
    """A stream of draws that starts at a few integers.

    Args:
        *keys: any integers; the same ones give the same stream.
    """

    __slots__ = ("_state",)

    def __init__(self, *keys: int) -> None:
        state = 0
        for key in keys:
            state = mix(state + _GOLDEN + (key & _MASK))
        self._state = state

    def below(self, count: int) -> int:
        """Returns a number in [0, count), count well below 2**32."""
        self._state = value = (self._state + _GOLDEN) & _MASK
        # `mix`, written out: this is the innermost call of every generated product.
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB & _MASK
        return ((value ^ (value >> 31)) >> 32) * count >> 32

    def pick(self, items: Sequence[T]) -> T:
        """Returns one of the items."""
        return items[self.below(len(items))]

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """Returns `count` different items in random order (all where there are fewer)."""
        pool = list(items)
        count = min(count, len(pool))
        for i in range(count):
            j = i + self.below(len(pool) - i)
            pool[i], pool[j] = pool[j], pool[i]
        return pool[:count]
