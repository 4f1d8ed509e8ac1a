"""The text space: any Unicode string up to a length, at memory-copy speed in vector environments.

`gymnasium.spaces.Text` knows a finite alphabet and moves every character through Python; its
asynchronous vectors crawl. `TextSpace` holds any `str` (lone surrogates too, which models emit) and
registers its own vector functions: shared memory is one length-prefixed block of UTF-8 per
environment.
"""

from __future__ import annotations

import multiprocessing as mp
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Tuple
from gymnasium.spaces.utils import flatdim, flatten, flatten_space, unflatten
from gymnasium.vector.utils import (
    batch_differing_spaces,
    batch_space,
    concatenate,
    create_empty_array,
    create_shared_memory,
    read_from_shared_memory,
    write_to_shared_memory,
)

MAX_OBSERVATION_CHARS = 65536
MAX_ACTION_CHARS = 16384

_PREFIX = struct.Struct("<Q")
_SAMPLE_CHARS = 64
_SAMPLE_ALPHABET = (
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 "
    ".,;:!?'\"()[]{}<>/\\|@#$%^&*-_=+~`\n\täßçñøЖя中文字日本語한글אבγλ🙂🚀"
)


def cut_middle(text: str, limit: int) -> str:
    """Returns `text`, its middle replaced by a note where it is longer than `limit` characters.

    Args:
        text: any text.
        limit: length of the result at most, in characters; at least the length of the note (50).

    Returns:
        Text of at most `limit` characters; the note says how many characters were left out.
    """
    if len(text) <= limit:
        return text
    # The note's own length depends on the number in it; the widest number is certain to fit.
    room = limit - len(f"\n[... {len(text)} characters left out ...]\n")
    head = (room + 1) // 2
    tail = room - head
    note = f"\n[... {len(text) - room} characters left out ...]\n"
    return text[:head] + note + text[len(text) - tail :]


class TextSpace(gym.Space[str]):
    """All Unicode strings of at most `max_length` characters.

    Args:
        max_length: number of characters (code points) at most.
        seed: seeds `sample`.
    """

    def __init__(self, max_length: int, seed: int | np.random.Generator | None = None) -> None:
        if not isinstance(max_length, int) or max_length < 1:
            raise ValueError(f"max_length must be a positive integer, got {max_length!r}.")
        self.max_length = max_length
        super().__init__(shape=None, dtype=None, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """False: text has no fixed-size array form."""
        return False

    def sample(
        self,
        mask: Sequence[str] | None = None,
        probability: Mapping[str, float] | None = None,
    ) -> str:
        """Draws a text.

        Args:
            mask: texts to draw from uniformly, such as `info["admissible_actions"]`.
            probability: texts with their probabilities, which must add up to 1.

        Returns:
            One of the given texts; without any, up to 64 characters of several scripts.

        Raises:
            ValueError: If both are given, or one of them is empty.
        """
        if mask is not None and probability is not None:
            raise ValueError("mask and probability must not both be given. Pass one of them.")
        if mask is not None:
            if not len(mask):
                raise ValueError("mask must hold at least one text, got none.")
            return mask[int(self.np_random.integers(len(mask)))]
        if probability is not None:
            texts = list(probability)
            if not texts:
                raise ValueError("probability must hold at least one text, got none.")
            return texts[int(self.np_random.choice(len(texts), p=list(probability.values())))]
        length = int(self.np_random.integers(min(_SAMPLE_CHARS, self.max_length) + 1))
        places = self.np_random.integers(len(_SAMPLE_ALPHABET), size=length)
        return "".join(_SAMPLE_ALPHABET[place] for place in places)

    def contains(self, x: Any) -> bool:
        """Returns whether `x` is a string that is short enough."""
        return isinstance(x, str) and len(x) <= self.max_length

    def to_jsonable(self, sample_n: Iterable[str]) -> list[str]:
        """Returns the batch as a list of strings."""
        return list(sample_n)

    def from_jsonable(self, sample_n: list[Any]) -> list[str]:
        """Reverses `to_jsonable`."""
        return [str(text) for text in sample_n]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TextSpace) and other.max_length == self.max_length

    def __hash__(self) -> int:
        return hash((TextSpace, self.max_length))

    def __repr__(self) -> str:
        return f"TextSpace({self.max_length})"

    @property
    def slot_bytes(self) -> int:
        """Bytes of shared memory an environment needs: the length, then UTF-8 at its widest."""
        return _PREFIX.size + 4 * self.max_length


class SharedTexts(Sequence[str]):
    """The texts in a block of shared memory, read anew at every access.

    `AsyncVectorEnv` reads its shared memory once and then hands out deep copies of what it got; a
    deep copy of this view is a plain tuple of strings. With `copy=False` the view itself is handed
    out, and its texts change with the next step.
    """

    def __init__(self, memory: Any, num_texts: int, slot_bytes: int) -> None:
        self._bytes = memoryview(memory).cast("B")
        self._num_texts = num_texts
        self._slot_bytes = slot_bytes

    def __len__(self) -> int:
        return self._num_texts

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return tuple(self)[index]
        place = range(self._num_texts)[index] * self._slot_bytes
        (size,) = _PREFIX.unpack_from(self._bytes, place)
        start = place + _PREFIX.size
        return str(self._bytes[start : start + size], "utf-8", "surrogatepass")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(tuple(self))

    def __deepcopy__(self, memo: dict[int, Any]) -> tuple[str, ...]:
        return tuple(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (tuple(self),)


@batch_space.register(TextSpace)
def _batch_space(space: TextSpace, n: int = 1) -> Tuple:
    batched = Tuple([TextSpace(space.max_length) for _ in range(n)])
    # Seeds from a copy of the generator, so that batching does not change what `space` samples.
    batched.seed([int(s) for s in deepcopy(space.np_random).integers(2**31, size=n)])
    return batched


@batch_differing_spaces.register(TextSpace)
def _batch_differing_spaces(spaces: Sequence[TextSpace]) -> Tuple:  # type: ignore[misc]
    return Tuple([deepcopy(space) for space in spaces])


# `iterate` is not registered: the batch is a Tuple, whose own `iterate` walks over the texts
# exactly as long as its subspaces are unknown to `iterate`, and over their characters otherwise.


@concatenate.register(TextSpace)
def _concatenate(space: TextSpace, items: Iterable[str], out: Any) -> tuple[str, ...]:
    return tuple(items)


@create_empty_array.register(TextSpace)
def _create_empty_array(
    space: TextSpace, n: int | None = 1, fn: Callable[..., Any] = np.zeros
) -> tuple[str, ...] | str:
    return "" if n is None else ("",) * n


@create_shared_memory.register(TextSpace)
def _create_shared_memory(space: TextSpace, n: int = 1, ctx: Any = mp) -> Any:
    # No lock: a worker writes its own slot before it answers through its pipe.
    return ctx.RawArray("B", n * space.slot_bytes)


@read_from_shared_memory.register(TextSpace)
def _read_from_shared_memory(space: TextSpace, shared_memory: Any, n: int = 1) -> SharedTexts:
    return SharedTexts(shared_memory, n, space.slot_bytes)


@write_to_shared_memory.register(TextSpace)
def _write_to_shared_memory(space: TextSpace, index: int, value: str, shared_memory: Any) -> None:
    data = value.encode("utf-8", "surrogatepass")
    if len(value) > space.max_length:
        raise ValueError(
            f"An observation must have at most {space.max_length} characters, got {len(value)}. "
            "Cut it with turnwise_envs.spaces.cut_middle."
        )
    place = index * space.slot_bytes
    start = place + _PREFIX.size
    memory = memoryview(shared_memory).cast("B")
    _PREFIX.pack_into(memory, place, len(data))
    memory[start : start + len(data)] = data


@flatten_space.register(TextSpace)
def _flatten_space(space: TextSpace) -> TextSpace:
    return space


@flatten.register(TextSpace)
def _flatten(space: TextSpace, x: str) -> str:  # type: ignore[misc]
    return x


@unflatten.register(TextSpace)
def _unflatten(space: TextSpace, x: str) -> str:  # type: ignore[misc]
    return x


@flatdim.register(TextSpace)
def _flatdim(space: TextSpace) -> int:
    raise ValueError(
        f"{space!r} cannot be flattened to an array: text has no fixed number of dimensions. "
        "Tokenise the text in your own wrapper."
    )
