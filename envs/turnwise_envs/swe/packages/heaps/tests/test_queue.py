import pytest
from heaps import Queue


def test_the_smallest_comes_first():
    """Items come in the order of their priorities."""
    queue = Queue()
    for number in (5, 2, 8, 1, 9, 3):
        queue.push(f"item {number}", number)
    assert [queue.pop() for _ in range(6)] == [f"item {number}" for number in (1, 2, 3, 5, 8, 9)]


def test_equal_items_keep_their_order():
    """Items of one priority come in the order in which they were added."""
    queue = Queue()
    for name in "dacb":
        queue.push(name, 1)
    assert "".join(queue.pop() for _ in range(4)) == "dacb"


def test_priorities_change():
    """An item that becomes more urgent comes earlier, and is in the queue once."""
    queue = Queue()
    for number, name in enumerate("abc"):
        queue.push(name, number)
    queue.push("c", -1)
    assert (len(queue), queue.peek(), queue.priority("c")) == (3, "c", -1)
    queue.push("c", 9)
    assert [queue.pop() for _ in range(3)] == ["a", "b", "c"]


def test_items_are_removed():
    """An item can be removed from the middle, and is not there any more."""
    queue = Queue()
    for number, name in enumerate("abcd"):
        queue.push(name, number)
    queue.remove("b")
    assert ("b" in queue, "c" in queue) == (False, True)
    assert [queue.pop() for _ in range(3)] == ["a", "c", "d"]


def test_an_empty_queue():
    """An empty queue has no first item, and nothing can be removed that is not there."""
    with pytest.raises(IndexError):
        Queue().pop()
    with pytest.raises(KeyError):
        Queue().remove("a")
