"""A key-value cache whose rows are conversations of different lengths.

Row r of every layer holds one conversation, written at explicit positions, so that rows of any
lengths advance together and stay in place between calls. Rows in use are kept at the front: the
model then reads a slice, never a gathered copy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin


class RaggedLayer(CacheLayerMixin):
    """Keys and values of one layer, stored as [rows, capacity, kv_heads, head_dim]."""

    is_sliding = False

    def __init__(self, owner: RaggedCache) -> None:
        super().__init__()
        # Not an attribute of a module, so the cycle owner <-> layer is harmless.
        self.owner = owner
        self.storage: tuple[Tensor, ...] = ()

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Allocates the storage in the shape, dtype and device of the model's own states."""
        rows, capacity = self.owner.rows, self.owner.capacity
        _, heads, _, dim = key_states.shape
        _, value_heads, _, value_dim = value_states.shape
        # Zeros, because a masked slot still enters the product with weight 0, and 0 * nan is nan.
        self.storage = (
            key_states.new_zeros(rows, capacity, heads, dim),
            value_states.new_zeros(rows, capacity, value_heads, value_dim),
        )
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Writes [n, kv_heads, C, head_dim]; returns all that is visible, [n, ..., used, ...]."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        owner = self.owner
        for storage, states in zip(self.storage, (key_states, value_states), strict=True):
            flat = storage.view(-1, *storage.shape[2:])
            flat.index_copy_(0, owner.slots, states.transpose(1, 2).reshape(-1, *flat.shape[1:]))
        keys, values = (
            storage[owner.first : owner.last, : owner.used].transpose(1, 2)
            for storage in self.storage
        )
        return keys, values

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Returns (visible length, offset); the sampler passes its own mask."""
        return self.owner.used, 0

    def get_seq_length(self) -> int:
        """Returns the visible length; positions are passed explicitly."""
        return self.owner.used

    def get_max_length(self) -> int:
        """Returns -1: the storage grows."""
        return -1


class RaggedCache(Cache):
    """The layers' storage, the place that the next forward writes to, and row management.

    Args:
        num_layers: attention layers of the model.
        device: of the model.
    """

    def __init__(self, num_layers: int, device: torch.device) -> None:
        self.rows = 0
        self.capacity = 0
        self.first = 0
        self.last = 0
        self.used = 0
        self.extent = 0
        self.device = device
        self.slots = torch.zeros(0, dtype=torch.long, device=device)
        self.ragged = [RaggedLayer(self) for _ in range(num_layers)]
        super().__init__(layers=[*self.ragged])

    def reserve(self, rows: int, capacity: int) -> None:
        """Makes room for `rows` conversations of `capacity` positions, by doubling.

        The last position of every row is scratch: padding is written there and never read.
        """
        rows = _doubled(self.rows, rows, 8)
        capacity = _doubled(self.capacity, capacity + 1, 64)
        if (rows, capacity) == (self.rows, self.capacity):
            return
        for layer in self.ragged:
            layer.storage = tuple(_grown(storage, rows, capacity) for storage in layer.storage)
        self.rows, self.capacity = rows, capacity

    def aim(self, first: int, last: int, used: int, positions: Tensor) -> None:
        """Sets what the next forward writes and sees.

        Args:
            first: first row of the forward.
            last: one past its last row.
            used: number of positions it may attend to.
            positions: [last - first, C] where its tokens are written; -1 for padding.
        """
        self.first, self.last, self.used = first, last, used
        self.extent = max(self.extent, used)
        rows = torch.arange(first, last, device=self.device)[:, None] * self.capacity
        scratch = self.capacity - 1
        self.slots = (rows + positions.masked_fill(positions < 0, scratch)).reshape(-1)

    def swap(self, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> None:
        """Exchanges rows pairwise; `left` and `right` are disjoint."""
        if not len(left):
            return
        target = torch.from_numpy(np.concatenate([left, right])).to(self.device)
        source = torch.from_numpy(np.concatenate([right, left])).to(self.device)
        for layer in self.ragged:
            for storage in layer.storage:
                # Positions beyond the longest conversation hold nothing worth moving.
                view = storage[:, : self.extent]
                view[target] = view[source]

    def copy_row(self, source: int, target: int) -> None:
        """Copies one conversation."""
        for layer in self.ragged:
            for storage in layer.storage:
                storage[target] = storage[source]


def _doubled(current: int, needed: int, minimum: int) -> int:
    size = max(current, minimum)
    while size < needed:
        size *= 2
    return size


def _grown(storage: Tensor, rows: int, capacity: int) -> Tensor:
    grown = storage.new_zeros(rows, capacity, *storage.shape[2:])
    grown[: storage.shape[0], : storage.shape[1]] = storage
    return grown
