"""A cache that forgets what was not used for longest, as a doubly linked list."""

from typing import Any


class _Node:
    def __init__(self, key: Any = None, value: Any = None) -> None:
        self.key, self.value = key, value
        self.before: _Node = self
        self.after: _Node = self


class RecentCache:
    """Keeps at most `size` values."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError("a cache must have room for one value")
        self.size = size
        self.hits = self.misses = 0
        self._nodes: dict[Any, _Node] = {}
        self._ring = _Node()

    def __len__(self) -> int:
        return len(self._nodes)

    def put(self, key: Any, value: Any) -> list[Any]:
        """Stores a value, and returns the key that had to go for it, if one had, in a list."""
        if key in self._nodes:
            self._nodes[key].value = value
            self._touch(self._nodes[key])
            return []
        gone = []
        if len(self._nodes) >= self.size:
            oldest = self._ring.after
            self._unlink(oldest)
            del self._nodes[oldest.key]
            gone.append(oldest.key)
        self._nodes[key] = node = _Node(key, value)
        self._append(node)
        return gone

    def get(self, key: Any, default: Any = None) -> Any:
        """Returns a value, which counts as using it."""
        node = self._nodes.get(key)
        if node is None:
            self.misses += 1
            return default
        self.hits += 1
        self._touch(node)
        return node.value

    def peek(self, key: Any, default: Any = None) -> Any:
        """Returns a value without using it."""
        return self._nodes[key].value if key in self._nodes else default

    def drop(self, key: Any) -> bool:
        """Removes a value, and says whether it was there."""
        node = self._nodes.pop(key, None)
        if node is None:
            return False
        self._unlink(node)
        return True

    def keys(self) -> list[Any]:
        """Returns the keys, the one used last first."""
        found = []
        node = self._ring.before
        while node is not self._ring:
            found.append(node.key)
            node = node.before
        return found

    def resize(self, size: int) -> list[Any]:
        """Changes the size, and returns the keys that had to go, oldest first."""
        if size < 1:
            raise ValueError("a cache must have room for one value")
        self.size = size
        gone = self.keys()[size:][::-1]
        for key in gone:
            self.drop(key)
        return gone

    def hit_rate(self) -> float:
        """Returns the share of the calls of `get` that found something, 0 where there was none."""
        calls = self.hits + self.misses
        return self.hits / calls if calls else 0.0

    def _touch(self, node: _Node) -> None:
        self._unlink(node)
        self._append(node)

    def _append(self, node: _Node) -> None:
        last = self._ring.before
        node.before, node.after = last, self._ring
        last.after = self._ring.before = node

    def _unlink(self, node: _Node) -> None:
        node.before.after, node.after.before = node.after, node.before
