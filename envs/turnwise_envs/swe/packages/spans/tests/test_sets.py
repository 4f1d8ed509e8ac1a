from spans import difference, intersection, length, normal, union


def test_touching_spans_are_joined():
    """Spans that touch become one."""
    assert normal([(3, 5), (1, 3), (7, 7)]) == [(1, 5)]


def test_a_span_within_another_disappears():
    """A span inside a longer one does not shorten it."""
    assert union([(1, 10)], [(2, 3)]) == [(1, 10)]


def test_common_numbers():
    """The intersection has the numbers that are in both sets."""
    assert intersection([(1, 5), (8, 12)], [(3, 9)]) == [(3, 5), (8, 9)]


def test_touching_spans_have_nothing_in_common():
    """Spans that only touch do not intersect."""
    assert intersection([(1, 3)], [(3, 5)]) == []


def test_a_hole_is_cut():
    """Taking a span away leaves what lies on both sides of it."""
    assert difference([(1, 10)], [(4, 6)]) == [(1, 4), (6, 10)]


def test_numbers_are_counted_once():
    """Overlapping spans count their common numbers once."""
    assert length([(1, 4), (2, 6)]) == 5
