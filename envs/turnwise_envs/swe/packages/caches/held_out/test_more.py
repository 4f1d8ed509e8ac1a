import pytest
from caches import ExpiringCache, FrequentCache, LayeredCache, RecentCache


def full(size):
    cache = RecentCache(size)
    for number in range(size):
        cache.put(number, number * number)
    return cache


def test_order_of_use():
    """Keys are listed by their last use, the newest first."""
    cache = full(4)
    cache.get(1)
    cache.get(0)
    assert cache.keys() == [0, 1, 3, 2]
    assert len(cache) == 4


def test_removed_values_leave_room():
    """A value that was removed needs no other to go."""
    cache = full(3)
    assert cache.drop(1) is True
    assert cache.drop(1) is False
    assert cache.put("new", 7) == []
    assert cache.keys() == ["new", 2, 0]
    assert cache.peek(1, "nothing") == "nothing"


def test_a_cache_shrinks():
    """Shrinking removes the oldest values, growing none."""
    cache = full(5)
    assert cache.resize(3) == [0, 1]
    assert cache.resize(4) == []
    assert cache.put(5, 25) == []
    assert cache.put(6, 36) == [2]
    with pytest.raises(ValueError):
        cache.resize(0)
    assert cache.resize(1) == [3, 4, 5]


def test_the_hit_rate():
    """The hit rate counts what was asked for, not what was peeked at or stored."""
    cache = full(2)
    assert cache.hit_rate() == 0.0
    cache.get(0)
    cache.get(1)
    cache.get(1)
    cache.get(5, default=0)
    cache.peek(9)
    assert (cache.hit_rate(), cache.hits, cache.misses) == (0.75, 3, 1)


def test_equal_counts_go_by_age():
    """Among values used equally often the one whose last use is longest ago goes."""
    cache = FrequentCache(3)
    for key in "abc":
        cache.put(key, key)
    for key in "cab":
        cache.get(key)
    assert cache.next_to_go() == "c"
    cache.put("d", 1)
    assert (cache.get("c", "gone"), cache.next_to_go()) == ("gone", "d")
    assert (len(cache), FrequentCache(2).next_to_go()) == (3, None)


def test_halving_counts():
    """Halving the counts forgets what was used once, and keeps the order of the rest."""
    cache = FrequentCache(5)
    for key, times in (("a", 5), ("b", 1), ("c", 2), ("d", 1)):
        for _ in range(times):
            cache.put(key, times)
    assert cache.halve() == ["b", "d"]
    assert [cache.uses(key) for key in "abcd"] == [2, 0, 1, 0]
    assert len(cache) == 2


def test_no_room_for_frequent_values():
    """A cache without room stores nothing; one that is full keeps a value stored again."""
    none = FrequentCache(0)
    none.put("a", 1)
    assert (len(none), none.get("a")) == (0, None)
    one = FrequentCache(1)
    one.put("a", 1)
    one.put("a", 2)
    assert (len(one), one.get("a"), one.uses("a")) == (1, 2, 3)


def test_lifetimes_of_single_values():
    """A value can have a lifetime of its own; one without lifetime is not kept."""
    cache = ExpiringCache(10)
    cache.put("a", 1, now=0, lifetime=50)
    cache.put("b", 2, now=0)
    cache.put("c", 3, now=0, lifetime=1)
    assert [cache.remaining(key, now=4) for key in "abcd"] == [46, 6, 0, 0]
    assert cache.alive(now=0) == ["c", "b", "a"]
    cache.put("a", 1, now=0, lifetime=0)
    assert cache.alive(now=1) == ["b"]


def test_sliding_never_shortens():
    """Reading a value in a sliding cache does not shorten a longer lifetime."""
    cache = ExpiringCache(10, sliding=True)
    cache.put("a", 1, now=0, lifetime=100)
    assert cache.get("a", now=5) == 1
    assert cache.remaining("a", now=5) == 95
    fixed = ExpiringCache(10)
    fixed.put("a", 1, now=0)
    fixed.get("a", now=5)
    assert fixed.remaining("a", now=5) == 5


def test_the_second_layer_forgets_too():
    """A value that the second layer forgets is loaded again."""
    cache = LayeredCache(1, 2, lambda key: key + 100)
    for key in (1, 2, 3, 1):
        cache.get(key)
    assert cache.loads == 4
    assert [cache.layer(key) for key in (1, 2, 3)] == [1, 0, 2]


def test_layers_agree():
    """What the large layer forgets leaves the small one, and a forgotten value leaves both."""
    cache = LayeredCache(2, 3, lambda key: -key)
    for key in (1, 2, 1, 3, 1, 4):
        cache.get(key)
    assert [cache.layer(key) for key in (1, 2, 3, 4)] == [0, 2, 1, 1]
    assert cache.forget(4) is True
    assert cache.forget(2) is True
    assert cache.forget(2) is False
    assert cache.layer(4) == 0


def test_layers_differ_in_size():
    """The second layer must be the larger one."""
    with pytest.raises(ValueError):
        LayeredCache(2, 2, lambda key: key)
