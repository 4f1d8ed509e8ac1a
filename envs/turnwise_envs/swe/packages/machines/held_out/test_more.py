from machines import (
    Automaton,
    both,
    difference,
    either,
    equivalent,
    from_pattern,
    from_words,
    minimal,
    opposite,
    words,
)


def test_runs_end_in_states():
    """A run ends in the state that its letters lead to."""
    found = Automaton([{"x": 1}, {"x": 2}, {"y": 0}], {2})
    assert [found.run(text) for text in ("", "x", "xx", "xxy", "xy")] == [0, 1, 2, 0, None]
    assert found.letters() == ["x", "y"]


def test_no_words_at_all():
    """An automaton without final states accepts nothing and is shrunk to one state."""
    found = Automaton([{"a": 1}, {"a": 0}], set())
    assert words(found, 4) == []
    small = minimal(found)
    assert (small.steps, small.final, found.useful()) == ([{}], set(), [])
    assert from_words([]).accepts("") is False


def test_lengths_of_words():
    """Words up to a length are listed, those of this length too."""
    found = from_pattern("(ab)*")
    assert words(found, 0) == [""]
    assert words(found, 4) == ["", "ab", "abab"]
    assert words(found, 3) == ["", "ab"]


def test_where_matches_end():
    """The longest match ends behind its last letter, an empty one where it begins."""
    found = from_pattern("ab|abcd|")
    assert [found.longest_match("abcab", place) for place in range(6)] == [2, 1, 2, 5, 4, 5]
    assert from_pattern("b").longest_match("ab") == -1
    assert from_pattern("b").longest_match("ab", 1) == 2


def test_nothing_is_found_twice():
    """Found parts do not overlap, and letters that belong to none are left out."""
    assert from_pattern("aba").find_all("ababa-aba") == ["aba", "aba"]
    assert from_pattern("a*").find_all("baab") == ["aa"]
    assert from_pattern("1+(.1+)?").find_all("11.1.x1") == ["11.1", "1"]


def test_words_share_beginnings():
    """Words with a common beginning share its states."""
    found = from_words(["car", "cat", "dog", "cat"])
    assert (len(found.steps), len(found.final)) == (8, 3)
    assert found.reached() == list(range(8))


def test_empty_alternatives():
    """A pattern may be empty, and so may its alternatives."""
    assert words(from_pattern(""), 2) == [""]
    assert words(from_pattern("a(|b)"), 2) == ["a", "ab"]
    assert words(from_pattern("()a"), 2) == ["a"]


def test_repeated_repetitions():
    """Repetitions can be repeated, and bind to one letter or bracket only."""
    assert equivalent(from_pattern("(a+)?"), from_pattern("a*"))
    assert equivalent(from_pattern("a?*"), from_pattern("a*"))
    assert words(from_pattern("ab*"), 3) == ["a", "ab", "abb"]
    assert words(from_pattern("a|b+c"), 3) == ["a", "bc", "bbc"]


def test_shrinking_keeps_the_language():
    """The smallest automaton accepts the same texts and has the known number of states."""
    sizes = {"(a|b)*abb": 4, "a(b|c)d|abd": 4, "(aa)*|(aaa)*": 6, "(a|b)(a|b)?": 3, "a?a?a?": 4}
    for pattern, size in sizes.items():
        found = from_pattern(pattern)
        small = minimal(found)
        assert len(small.steps) == size
        assert words(small, 7) == words(found, 7)


def test_numbers_of_states():
    """States of the smallest automaton are numbered in the order in which they are reached."""
    found = minimal(from_pattern("b(c|d)|ad"))
    assert found.steps == [{"a": 1, "b": 2}, {"d": 3}, {"c": 3, "d": 3}, {}]
    assert found.final == {3}


def test_differences():
    """The difference has what the left accepts and the right does not."""
    left, right = from_pattern("a*"), from_pattern("(aaa)*")
    assert words(difference(left, right), 5) == ["a", "aa", "aaaa", "aaaaa"]
    assert words(difference(right, left), 9) == []
    assert words(difference(from_words(["x", "y"]), from_words(["y", "z"])), 2) == ["x"]


def test_the_laws_of_sets():
    """Combinations obey the laws of sets."""
    a, b = from_pattern("a(a|b)*"), from_pattern("(a|b)*b")
    nots = both(opposite(a, "ab"), opposite(b, "ab"))
    assert equivalent(opposite(either(a, b), "ab"), nots) is True
    assert equivalent(both(a, b), from_pattern("a(a|b)*b")) is True
    assert equivalent(opposite(opposite(a, "ab"), "ab"), a) is True
    assert equivalent(a, b) is False
    assert opposite(a, "ab").accepts("c") is False
