"""A binary heap that knows where its items are."""

from typing import Any


class Queue:
    """Items with priorities, the smallest first; equal ones in the order of their arrival."""

    def __init__(self) -> None:
        self._heap: list[tuple[Any, int, Any]] = []
        self._places: dict[Any, int] = {}
        self._arrived = 0

    def __len__(self) -> int:
        return len(self._heap)

    def __contains__(self, item: Any) -> bool:
        return item in self._places

    def push(self, item: Any, priority: Any) -> None:
        """Adds an item, or changes its priority; a changed item keeps its arrival."""
        if item in self._places:
            place = self._places[item]
            self._heap[place] = (priority, self._heap[place][1], item)
            self._settle(place)
            return
        self._arrived += 1
        self._heap.append((priority, self._arrived, item))
        self._places[item] = len(self._heap) - 1
        self._settle(len(self._heap) - 1)

    def peek(self) -> Any:
        """Returns the first item."""
        if not self._heap:
            raise IndexError("the queue is empty")
        return self._heap[0][2]

    def pop(self) -> Any:
        """Removes the first item and returns it."""
        item = self.peek()
        self.remove(item)
        return item

    def remove(self, item: Any) -> None:
        """Removes an item from anywhere."""
        if item not in self._places:
            raise KeyError(item)
        place = self._places.pop(item)
        last = self._heap.pop()
        if place < len(self._heap):
            self._heap[place] = last
            self._places[last[2]] = place
            self._settle(place)

    def priority(self, item: Any) -> Any:
        """Returns an item's priority."""
        return self._heap[self._places[item]][0]

    def _settle(self, place: int) -> None:
        self._down(self._up(place))

    def _up(self, place: int) -> int:
        while place > 0:
            parent = (place - 1) // 2
            if not self._before(place, parent):
                break
            self._exchange(place, parent)
            place = parent
        return place

    def _down(self, place: int) -> None:
        while True:
            best = place
            for child in (2 * place + 1, 2 * place + 2):
                if child < len(self._heap) and self._before(child, best):
                    best = child
            if best == place:
                return
            self._exchange(place, best)
            place = best

    def _before(self, one: int, other: int) -> bool:
        return self._heap[one][:2] < self._heap[other][:2]

    def _exchange(self, one: int, other: int) -> None:
        self._heap[one], self._heap[other] = self._heap[other], self._heap[one]
        self._places[self._heap[one][2]] = one
        self._places[self._heap[other][2]] = other
