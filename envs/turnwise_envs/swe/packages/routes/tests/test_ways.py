import pytest
from routes import RoadMap, distances, reachable, shortest


def roads():
    found = RoadMap()
    found.add_road("a", "b", 4)
    found.add_road("a", "c", 1)
    found.add_road("c", "b", 2)
    found.add_road("b", "d", 5, one_way=True)
    return found


def test_a_detour_may_be_shorter():
    """The shortest way may lead over another place."""
    assert shortest(roads(), "a", "b") == ["a", "c", "b"]


def test_distances():
    """Distances are those of the shortest ways."""
    assert distances(roads(), "a") == {"a": 0, "c": 1, "b": 3, "d": 8}


def test_one_way_roads():
    """A one-way road cannot be used backwards."""
    assert shortest(roads(), "d", "a") == []


def test_what_is_near():
    """Places within the budget are listed, nearest first."""
    assert reachable(roads(), "a", 3) == ["c", "b"]


def test_the_shorter_of_two_roads_counts():
    """A second, longer road between two places changes nothing."""
    found = roads()
    found.add_road("a", "c", 9)
    assert distances(found, "a")["c"] == 1


def test_negative_roads_are_refused():
    """A road has no negative length."""
    with pytest.raises(ValueError):
        roads().add_road("a", "z", -1)
