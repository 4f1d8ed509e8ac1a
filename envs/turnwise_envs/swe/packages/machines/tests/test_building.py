import pytest
from machines import both, either, equivalent, from_pattern, from_words, minimal, opposite, words


def test_patterns():
    """A pattern accepts what it describes."""
    found = from_pattern("a(b|cd)*e?")
    accepted = ("a", "ae", "abcdb", "acde")
    assert all(found.accepts(text) for text in accepted)
    assert not any(found.accepts(text) for text in ("", "e", "ac", "aee", "abe "))


def test_at_least_once():
    """What must come at least once may come again, but not be missing."""
    assert words(from_pattern("a+b"), 3) == ["ab", "aab"]


def test_patterns_that_are_none():
    """Brackets that are open, and repetitions of nothing, are refused."""
    for bad in ("(a", "a)", "*a", "a|+"):
        with pytest.raises(ValueError):
            from_pattern(bad)


def test_the_smallest_automaton():
    """States that cannot be told apart become one."""
    found = minimal(from_words(["aa", "ba", "ab", "bb"]))
    assert len(found.steps) == 3
    assert words(found, 3) == ["aa", "ab", "ba", "bb"]


def test_combining():
    """Two automata are combined to one that accepts what both accept, or one of them."""
    left, right = from_words(["a", "b", "cc"]), from_words(["b", "cc", "d"])
    assert words(both(left, right), 2) == ["b", "cc"]
    assert words(either(left, right), 2) == ["a", "b", "d", "cc"]


def test_the_opposite():
    """The opposite accepts what is not accepted."""
    assert words(opposite(from_words(["", "a"]), "ab"), 1) == ["b"]


def test_equal_patterns():
    """Patterns that accept the same texts are equivalent."""
    assert equivalent(from_pattern("(a|b)*"), from_pattern("(a*b*)*")) is True
    assert equivalent(from_pattern("a*"), from_pattern("a+")) is False
