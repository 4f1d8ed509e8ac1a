"""A map of places and roads."""


class RoadMap:
    """Places joined by roads that have a length and may lead one way only."""

    def __init__(self) -> None:
        self.roads: dict[str, dict[str, int]] = {}

    def add_place(self, name: str) -> None:
        """Adds a place, unless it is there."""
        self.roads.setdefault(name, {})

    def add_road(self, start: str, end: str, length: int, one_way: bool = False) -> None:
        """Adds a road; of two roads between the same places the shorter counts."""
        if length < 0:
            raise ValueError("a road cannot be shorter than nothing")
        self.add_place(start)
        self.add_place(end)
        self.roads[start][end] = min(length, self.roads[start].get(end, length))
        if not one_way:
            self.roads[end][start] = min(length, self.roads[end].get(start, length))

    def remove_place(self, name: str) -> None:
        """Removes a place and all roads to it."""
        self.roads.pop(name, None)
        for ends in self.roads.values():
            ends.pop(name, None)

    def neighbours(self, name: str) -> list[str]:
        """Returns where roads from a place lead, nearest first, then by name."""
        ends = self.roads[name]
        return sorted(ends, key=lambda end: (ends[end], end))

    def total_length(self) -> int:
        """Returns the length of all roads; one that leads both ways counts once."""
        total = 0
        for start, ends in self.roads.items():
            for end, length in ends.items():
                back = self.roads[end].get(start)
                if back != length or start <= end:
                    total += length
        return total

    def groups(self) -> list[list[str]]:
        """Returns the places that hang together, largest group first, then by name."""
        joined: dict[str, set[str]] = {name: set(ends) for name, ends in self.roads.items()}
        for start, ends in self.roads.items():
            for end in ends:
                joined[end].add(start)
        found: list[list[str]] = []
        seen: set[str] = set()
        for name in sorted(self.roads):
            if name in seen:
                continue
            group, waiting = set(), [name]
            while waiting:
                place = waiting.pop()
                if place not in group:
                    group.add(place)
                    waiting.extend(joined[place])
            seen |= group
            found.append(sorted(group))
        return sorted(found, key=lambda group: (-len(group), group[0]))
