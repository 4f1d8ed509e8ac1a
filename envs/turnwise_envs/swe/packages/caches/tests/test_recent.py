import pytest
from caches import FrequentCache, RecentCache


def test_the_oldest_value_goes():
    """A full cache forgets the value that was not used for longest."""
    cache = RecentCache(2)
    assert cache.put("a", 1) == []
    cache.put("b", 2)
    assert cache.get("a") == 1
    assert cache.put("c", 3) == ["b"]
    assert cache.get("b") is None


def test_storing_again_counts_as_use():
    """A value that is stored again is the newest, and nothing has to go for it."""
    cache = RecentCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.put("a", 9) == []
    assert (cache.get("a"), cache.keys()) == (9, ["a", "b"])


def test_peeking_is_no_use():
    """Looking at a value without using it does not keep it."""
    cache = RecentCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.peek("a") == 1
    assert cache.put("c", 3) == ["a"]


def test_a_cache_has_room():
    """A cache of no size is refused."""
    with pytest.raises(ValueError):
        RecentCache(0)
    assert len(RecentCache(1)) == 0


def test_the_least_used_value_goes():
    """The value that was used least often goes first."""
    cache = FrequentCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    cache.get("a")
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)


def test_uses_are_counted():
    """Storing and asking count as uses, asking in vain does not."""
    cache = FrequentCache(3)
    cache.put("a", 1)
    cache.get("a")
    cache.get("b")
    assert (cache.uses("a"), cache.uses("b")) == (2, 0)
