"""Shortest ways."""

import heapq

from routes.maps import RoadMap


def distances(roads: RoadMap, start: str) -> dict[str, int]:
    """Returns the length of the shortest way from `start` to every place it leads to."""
    best = {start: 0}
    waiting = [(0, start)]
    while waiting:
        length, place = heapq.heappop(waiting)
        if length > best[place]:
            continue
        for end, more in roads.roads[place].items():
            if end not in best or length + more < best[end]:
                best[end] = length + more
                heapq.heappush(waiting, (best[end], end))
    return best


def shortest(roads: RoadMap, start: str, end: str) -> list[str]:
    """Returns the places of a shortest way, both ends included; nothing where there is no way.

    Of several, the one with the alphabetically first places, seen from its end.
    """
    best = distances(roads, start)
    if end not in best:
        return []
    way = [end]
    while way[-1] != start:
        here = way[-1]
        before = [
            place
            for place, length in best.items()
            if here in roads.roads[place] and length + roads.roads[place][here] == best[here]
        ]
        before = [place for place in before if place not in way]
        way.append(min(before))
    return way[::-1]


def reachable(roads: RoadMap, start: str, budget: int) -> list[str]:
    """Returns the places within a distance, without the start, nearest first, then by name."""
    best = distances(roads, start)
    near = [place for place, length in best.items() if length <= budget and place != start]
    return sorted(near, key=lambda place: (best[place], place))
