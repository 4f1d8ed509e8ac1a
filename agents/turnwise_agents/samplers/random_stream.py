"""Counter-based uniform numbers: draw i of a stream is a function of (stream, i) alone.

A sampled token thereby depends on its own key and on nothing else that is in the batch. The mixer
is the 64-bit finaliser of SplitMix64 (Steele, Lea, Flood 2014, "Fast Splittable Pseudorandom Number
Generators", OOPSLA, figure 17), applied to the key and then to the key plus a Weyl sequence.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_WEYL = np.uint64(0x9E3779B97F4A7C15)
_MASK = (1 << 64) - 1


def _mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniforms(streams: Sequence[int], count: int, start: int = 0) -> npt.NDArray[np.float64]:
    """Returns draws `start ... start + count - 1` of every stream.

    Args:
        streams: keys; only their low 64 bits count.
        count: number of draws of each stream.
        start: index of the first draw.

    Returns:
        [len(streams), count] numbers in [0, 1), multiples of 2**-53.
    """
    keys = np.array([stream & _MASK for stream in streams], dtype=np.uint64)
    counters = np.arange(start + 1, start + count + 1, dtype=np.uint64)
    # Arithmetic of unsigned arrays wraps modulo 2**64, which is what the mixer asks for.
    mixed = _mix(_mix(keys + _WEYL)[:, None] + counters[None, :] * _WEYL)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53
