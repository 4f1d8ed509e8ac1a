import pytest
from routes import RoadMap, layers, order


def test_neighbours_are_sorted():
    """Neighbours are listed by distance, then by name."""
    found = RoadMap()
    for name, length in (("z", 1), ("y", 3), ("x", 3)):
        found.add_road("a", name, length)
    assert found.neighbours("a") == ["z", "x", "y"]


def test_all_roads_are_measured():
    """The total length counts a road that leads both ways once."""
    found = RoadMap()
    found.add_road("a", "b", 4)
    found.add_road("b", "c", 3, one_way=True)
    assert found.total_length() == 7


def test_groups_hang_together():
    """Places joined by roads, one-way roads too, are one group."""
    found = RoadMap()
    found.add_road("c", "b", 1, one_way=True)
    found.add_road("a", "b", 1, one_way=True)
    found.add_place("d")
    assert found.groups() == [["a", "b", "c"], ["d"]]


def test_tasks_come_after_what_they_need():
    """A task comes after all that it needs, otherwise the alphabet decides."""
    assert order({"eat": ["cook"], "cook": ["shop", "light"]}) == ["light", "shop", "cook", "eat"]


def test_circles_are_found():
    """Tasks that wait for each other have no order."""
    with pytest.raises(ValueError, match="a, b"):
        order({"a": ["b"], "b": ["a"]})


def test_tasks_at_the_same_time():
    """Tasks that need nothing of each other can be done at the same time."""
    assert layers({"c": ["a", "b"], "d": ["c"]}) == [["a", "b"], ["c"], ["d"]]
