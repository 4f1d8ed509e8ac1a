"""A cache of values that grow old. Times are seconds, and are passed in."""

from typing import Any


class ExpiringCache:
    """Values live for `lifetime` seconds; with `sliding`, from when they were read last."""

    def __init__(self, lifetime: int, sliding: bool = False) -> None:
        self.lifetime = lifetime
        self.sliding = sliding
        self._values: dict[Any, tuple[Any, int]] = {}

    def put(self, key: Any, value: Any, now: int, lifetime: int | None = None) -> None:
        """Stores a value, for another time than the usual one if `lifetime` is given."""
        length = self.lifetime if lifetime is None else lifetime
        if length <= 0:
            self._values.pop(key, None)
        else:
            self._values[key] = (value, now + length)

    def get(self, key: Any, now: int, default: Any = None) -> Any:
        """Returns a value that is not too old; one is when its whole lifetime is over."""
        if key not in self._values:
            return default
        value, ends = self._values[key]
        if now >= ends:
            del self._values[key]
            return default
        if self.sliding:
            self._values[key] = (value, max(ends, now + self.lifetime))
        return value

    def remaining(self, key: Any, now: int) -> int:
        """Returns the seconds that a value still has, 0 for one that is too old or not there."""
        if key not in self._values:
            return 0
        return max(0, self._values[key][1] - now)

    def clean(self, now: int) -> int:
        """Removes all that is too old, and returns how much it was."""
        old = [key for key, (_, ends) in self._values.items() if now >= ends]
        for key in old:
            del self._values[key]
        return len(old)

    def alive(self, now: int) -> list[Any]:
        """Returns the keys that can be read, the one that dies first at the front."""
        ends = {key: end for key, (_, end) in self._values.items() if now < end}
        return sorted(ends, key=lambda key: (ends[key], key))
