from caches import ExpiringCache, LayeredCache


def test_values_die():
    """A value can be read until its lifetime is over."""
    cache = ExpiringCache(10)
    cache.put("a", 1, now=100)
    assert [cache.get("a", now) for now in (100, 109, 110)] == [1, 1, None]


def test_reading_keeps_alive():
    """In a sliding cache a value lives on from when it was read."""
    cache = ExpiringCache(10, sliding=True)
    cache.put("a", 1, now=0)
    assert cache.get("a", now=9) == 1
    assert cache.get("a", now=18) == 1
    assert cache.get("a", now=28, default="gone") == "gone"


def test_cleaning():
    """Cleaning removes what is too old, and nothing else."""
    cache = ExpiringCache(10)
    cache.put("a", 1, now=0)
    cache.put("b", 2, now=5)
    assert cache.clean(now=10) == 1
    assert cache.alive(now=10) == ["b"]


def test_values_are_loaded_once():
    """A value that is in a layer is not loaded again."""
    cache = LayeredCache(1, 3, lambda key: key * 2)
    assert [cache.get(key) for key in (1, 2, 1, 2)] == [2, 4, 2, 4]
    assert cache.loads == 2


def test_which_layer():
    """A value that is pushed out of the first layer stays in the second."""
    cache = LayeredCache(1, 3, lambda key: key * 2)
    cache.get(1)
    cache.get(2)
    assert [cache.layer(key) for key in (1, 2, 3)] == [2, 1, 0]
