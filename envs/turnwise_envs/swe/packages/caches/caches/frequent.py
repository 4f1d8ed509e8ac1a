"""A cache that forgets what was used least often."""

from typing import Any


class FrequentCache:
    """Keeps at most `size` values; of those used equally often the one not used longest goes."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._values: dict[Any, Any] = {}
        self._uses: dict[Any, int] = {}
        self._last: dict[Any, int] = {}
        self._now = 0

    def __len__(self) -> int:
        return len(self._values)

    def uses(self, key: Any) -> int:
        """Returns how often a key was stored or asked for; 0 for a key that is not there."""
        return self._uses.get(key, 0)

    def put(self, key: Any, value: Any) -> None:
        """Stores a value; a cache without room stores nothing."""
        if self.size <= 0:
            return
        if key not in self._values and len(self._values) >= self.size:
            self._forget(self.next_to_go())
        self._values[key] = value
        self._use(key)

    def get(self, key: Any, default: Any = None) -> Any:
        """Returns a value, which counts as using it."""
        if key not in self._values:
            return default
        self._use(key)
        return self._values[key]

    def next_to_go(self) -> Any:
        """Returns the key that goes next, None if there is none."""
        if not self._values:
            return None
        return min(self._values, key=lambda key: (self._uses[key], self._last[key]))

    def halve(self) -> list[Any]:
        """Halves all counts, rounded down, and forgets values whose count becomes 0."""
        gone = []
        for key in sorted(self._values):
            self._uses[key] //= 2
            if self._uses[key] == 0:
                self._forget(key)
                gone.append(key)
        return gone

    def _use(self, key: Any) -> None:
        self._now += 1
        self._uses[key] = self._uses.get(key, 0) + 1
        self._last[key] = self._now

    def _forget(self, key: Any) -> None:
        del self._values[key], self._uses[key], self._last[key]
