import pytest
from heaps import Job, Median, largest, merge, plan


def test_merging():
    """Sorted sequences are merged into one."""
    assert merge([[1, 4, 9], [], [2, 4], [3]]) == [1, 2, 3, 4, 4, 9]


def test_merging_without_repetition():
    """If asked for, every number comes once."""
    assert merge([[1, 1, 2], [2, 3]], unique=True) == [1, 2, 3]


def test_the_largest():
    """The largest numbers come in falling order."""
    assert largest([3, 9, 1, 7, 7, 2], 3) == [9, 7, 7]


def test_the_median():
    """The median is the middle number, or lies between the two in the middle."""
    median = Median()
    seen = []
    for value in (5, 1, 9, 2):
        median.add(value)
        seen.append(median.value())
    assert seen == [5, 3, 5, 3.5]


def test_short_jobs_first():
    """Of the jobs that wait, the shortest one begins when the machine is free."""
    found = plan([Job("a", 5), Job("b", 2), Job("c", 1, release=1)])
    assert found.begins == {"b": 0, "c": 2, "a": 3}
    assert found.length == 8


def test_two_machines():
    """Two machines work at the same time."""
    found = plan([Job("a", 4), Job("b", 3), Job("c", 2)], machines=2)
    assert found.begins == {"c": 0, "b": 0, "a": 2}
    assert found.machines == {"c": 0, "b": 1, "a": 0}


def test_late_jobs():
    """A job that ends after its deadline is late, one that ends at its deadline is not."""
    found = plan([Job("a", 2, deadline=2), Job("b", 3, deadline=4)])
    assert found.late == ["b"]
    with pytest.raises(ValueError):
        plan([], machines=0)
