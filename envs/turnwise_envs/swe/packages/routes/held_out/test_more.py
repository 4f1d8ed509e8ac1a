from routes import RoadMap, distances, layers, order, reachable, shortest


def grid(size):
    found = RoadMap()
    for x in range(size):
        for y in range(size):
            for end, length in ((f"{x + 1}{y}", 2), (f"{x}{y + 1}", 3)):
                if int(end[0]) < size and int(end[1]) < size:
                    found.add_road(f"{x}{y}", end, length)
    return found


def test_a_grid():
    """On a grid distances are sums of steps, whichever way one takes."""
    best = distances(grid(4), "00")
    assert all(best[f"{x}{y}"] == 2 * x + 3 * y for x in range(4) for y in range(4))
    assert len(best) == 16


def test_ways_have_their_length():
    """A shortest way has the length of the distance, and only steps along roads."""
    found = grid(4)
    way = shortest(found, "30", "03")
    steps = [found.roads[a][b] for a, b in zip(way, way[1:])]
    assert sum(steps) == distances(found, "30")["03"] == 15
    assert shortest(found, "11", "11") == ["11"]
    assert shortest(found, "00", "11") == ["00", "01", "11"]


def test_what_is_near_on_a_grid():
    """Places at exactly the budget are near, those beyond it are not."""
    assert reachable(grid(3), "00", 4) == ["10", "01", "20"]
    assert reachable(grid(3), "00", 1) == []


def test_roads_of_no_length():
    """Roads of length zero can be used like any other."""
    found = RoadMap()
    found.add_road("a", "b", 0)
    found.add_road("b", "c", 0)
    assert shortest(found, "a", "c") == ["a", "b", "c"]


def test_a_place_is_removed_with_its_roads():
    """After a place is removed, no way leads over it."""
    found = grid(3)
    before = found.total_length()
    found.remove_place("11")
    assert found.total_length() == before - 10
    assert "11" not in distances(found, "00")
    found.remove_place("nowhere")
    assert len(found.roads) == 8


def test_lengths_that_differ_by_direction():
    """Two one-way roads of different length both count, two of the same length once."""
    found = RoadMap()
    found.add_road("a", "b", 2, one_way=True)
    found.add_road("b", "a", 5, one_way=True)
    assert found.total_length() == 7
    found.add_road("b", "a", 2, one_way=True)
    assert found.total_length() == 2


def test_groups_are_sorted():
    """The largest group comes first, equal ones by name."""
    found = RoadMap()
    for pair in ("xy", "ab", "cd", "de"):
        found.add_road(pair[0], pair[1], 1)
    assert found.groups() == [["c", "d", "e"], ["a", "b"], ["x", "y"]]


def test_longer_orders():
    """Layers depend on the longest chain before a task; no tasks have no layers."""
    needs = {"d": ["a", "c"], "c": ["b"], "b": ["a"], "e": []}
    assert order(needs) == ["a", "b", "c", "d", "e"]
    assert layers(needs) == [["a", "e"], ["b"], ["c"], ["d"]]
    assert layers({}) == []
