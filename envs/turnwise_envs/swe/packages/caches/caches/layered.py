"""A small fast cache before a large slow one."""

from collections.abc import Callable
from typing import Any

from caches.recent import RecentCache


class LayeredCache:
    """Looks into the first layer, then the second, then asks `load`."""

    def __init__(self, first: int, second: int, load: Callable[[Any], Any]) -> None:
        if first >= second:
            raise ValueError("the second layer must be larger than the first")
        self.first = RecentCache(first)
        self.second = RecentCache(second)
        self._load = load
        self.loads = 0

    def get(self, key: Any) -> Any:
        """Returns a value, which is in both layers afterwards."""
        if self.first.peek(key) is not None:
            return self.first.get(key)
        value = self.second.get(key)
        if value is None:
            value = self._load(key)
            self.loads += 1
            for gone in self.second.put(key, value):
                self.first.drop(gone)
        self.first.put(key, value)
        return value

    def forget(self, key: Any) -> bool:
        """Removes a value from both layers, and says whether it was in either."""
        in_first, in_second = self.first.drop(key), self.second.drop(key)
        return in_first or in_second

    def layer(self, key: Any) -> int:
        """Returns the first layer that has a key, 1 or 2, and 0 where none has."""
        for number, layer in enumerate((self.first, self.second), start=1):
            if layer.peek(key) is not None:
                return number
        return 0
