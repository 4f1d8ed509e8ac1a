"""How many threads torch computes with on the CPU."""

from __future__ import annotations

from collections.abc import Callable

from turnwise_envs import UsageError


def use_threads(count: int | None) -> None:
    """Sets the number of threads that torch computes with on the CPU, for the calling thread.

    A thread of one's own begins with `same_threads`.

    Sums are rounded in another order with another number, so that a run on a machine with more
    cores would draw other tokens sooner or later. And more than one thread are many times slower as
    soon as another process wants a core.

    Args:
        count: number of threads; None leaves torch's choice, or OMP_NUM_THREADS.

    Raises:
        UsageError: If it is not positive.
    """
    if count is None:
        return
    if count < 1:
        raise UsageError(f"num_threads must be positive, or None for torch's choice, got {count}.")
    import torch

    torch.set_num_threads(count)


def same_threads() -> Callable[[], None]:
    """Returns what a new thread calls to compute with as many threads as the caller of this.

    A new thread has OpenMP's and MKL's defaults until torch itself divides work in it; a product of
    matrices comes before.
    """
    import torch

    count = torch.get_num_threads()
    return lambda: torch.set_num_threads(count)
