import pytest
from heaps import Job, Median, Queue, largest, merge, plan

NUMBERS = [(37 * i * i + 11 * i) % 101 for i in range(60)]


def test_a_long_queue():
    """Sixty items come sorted."""
    queue = Queue()
    for i, number in enumerate(NUMBERS):
        queue.push((number, i), number)
    assert [queue.pop()[0] for _ in NUMBERS] == sorted(NUMBERS)
    assert len(queue) == 0


def test_removing_from_a_long_queue():
    """After many items are removed the others still come sorted, and have their priorities."""
    queue = Queue()
    for i, number in enumerate(NUMBERS):
        queue.push(i, number)
    for i in range(0, 60, 3):
        queue.remove(i)
    rest = [i for i in range(60) if i % 3]
    assert [queue.priority(i) for i in rest] == [NUMBERS[i] for i in rest]
    assert [queue.pop() for _ in rest] == sorted(rest, key=lambda i: (NUMBERS[i], i))


def test_changing_many_priorities():
    """Items whose priorities were all changed come in the new order."""
    queue = Queue()
    for i, number in enumerate(NUMBERS):
        queue.push(i, number)
    for i, number in enumerate(NUMBERS):
        queue.push(i, -number)
    assert [queue.pop() for _ in NUMBERS] == sorted(range(60), key=lambda i: (-NUMBERS[i], i))


def test_a_changed_item_keeps_its_arrival():
    """An item that gets the priority of a later one comes before it."""
    queue = Queue()
    queue.push("early", 9)
    queue.push("late", 5)
    queue.push("early", 5)
    assert (queue.pop(), queue.pop()) == ("early", "late")


def test_looking_removes_nothing():
    """Looking at the first item leaves it there; removed items may come again."""
    queue = Queue()
    queue.push("a", 1)
    assert (queue.peek(), queue.peek(), len(queue)) == ("a", "a", 1)
    assert queue.pop() == "a"
    assert "a" not in queue
    queue.push("a", 2)
    assert queue.priority("a") == 2


def test_merging_many():
    """Merging gives what sorting gives, and nothing for nothing."""
    streams = [sorted(NUMBERS[i::7]) for i in range(7)]
    assert merge(streams) == sorted(NUMBERS)
    assert merge(streams, unique=True) == sorted(set(NUMBERS))
    assert merge([]) == []


def test_the_largest_of_many():
    """As many of the largest are found as there are; none if none are wanted."""
    for count in (1, 5, 59, 60, 80):
        assert largest(NUMBERS, count) == sorted(NUMBERS, reverse=True)[:count]
    assert largest(NUMBERS, 0) == largest([], 2) == []


def test_the_median_of_many():
    """The median is right after each number, rising or falling."""
    for numbers in (NUMBERS, sorted(NUMBERS), sorted(NUMBERS)[::-1]):
        median = Median()
        for count, number in enumerate(numbers, start=1):
            median.add(number)
            seen = sorted(numbers[:count])
            assert median.value() == (seen[(count - 1) // 2] + seen[count // 2]) / 2


def test_no_numbers_have_no_median():
    """Without numbers there is no median."""
    with pytest.raises(ValueError, match="no numbers"):
        Median().value()


def test_ranks_come_before_lengths():
    """A job of smaller rank goes first, however long, and names decide at last."""
    jobs = [Job("a", 1, rank=1), Job("b", 9), Job("d", 3, rank=1), Job("c", 3, rank=1)]
    assert plan(jobs).begins == {"b": 0, "a": 9, "c": 10, "d": 13}


def test_waiting_for_jobs():
    """A machine without work waits until the next job is released."""
    found = plan([Job("a", 2, release=3), Job("b", 4, release=10), Job("c", 1, release=4)])
    assert found.begins == {"a": 3, "c": 5, "b": 10}
    assert (found.length, found.idle(0), found.idle(1)) == (14, 7, 0)
    assert plan([]).length == 0


def test_machines_that_become_free():
    """The machine that is free first gets the next job, the first one if both are."""
    jobs = [Job(name, length) for name, length in zip("abcde", (1, 1, 2, 2, 3))]
    found = plan(jobs, machines=2)
    assert [found.machines[name] for name in "abcde"] == [0, 1, 0, 1, 0]
    assert [found.ends[name] for name in "abcde"] == [1, 1, 3, 3, 6]
    assert (found.idle(0), found.idle(1), found.late) == (0, 0, [])


def test_several_late_jobs():
    """All late jobs are told, sorted by name."""
    jobs = [Job("z", 2, deadline=1), Job("y", 3, deadline=5), Job("x", 4, deadline=8)]
    assert plan(jobs).late == ["x", "z"]
