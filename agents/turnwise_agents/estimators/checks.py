"""Shape checks shared by the estimators and the losses."""

from __future__ import annotations

from typing import Any

from turnwise_envs.errors import UsageError


def expect_rank(rank: int, **arrays: Any) -> None:
    """Raises `UsageError` naming the first array (numpy or torch) whose rank is not `rank`."""
    for name, array in arrays.items():
        shape = tuple(array.shape)
        if len(shape) != rank:
            raise UsageError(f"{name} must have rank {rank}, got shape {shape}.")


def expect_equal_shape(**arrays: Any) -> None:
    """Raises `UsageError` naming the first array whose shape is not that of the first one."""
    items = iter(arrays.items())
    first_name, first = next(items)
    for name, array in items:
        if tuple(array.shape) != tuple(first.shape):
            raise UsageError(
                f"{name} must have the shape of {first_name} {tuple(first.shape)}, "
                f"got {tuple(array.shape)}. Pass one entry per entry of {first_name}."
            )


def expect_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raises `UsageError` if `value` is not among `choices`."""
    if value not in choices:
        raise UsageError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}.")


def expect_range(name: str, value: float, low: float, high: float) -> None:
    """Raises `UsageError` if `value` is not in [low, high]; NaN never is."""
    if not low <= value <= high:
        raise UsageError(f"{name} must be in [{low:g}, {high:g}], got {value!r}.")
