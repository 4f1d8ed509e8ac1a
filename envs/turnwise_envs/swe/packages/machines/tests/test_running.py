from machines import Automaton, from_words, words


def even():
    return Automaton([{"a": 1, "b": 0}, {"a": 0, "b": 1}], {0})


def test_texts_are_accepted():
    """A text is accepted where it ends in a final state."""
    assert [even().accepts(text) for text in ("", "a", "aba", "abba")] == [True, False, True, True]


def test_unknown_letters():
    """A text with a letter that cannot be read is not accepted."""
    assert even().run("acb") is None
    assert even().accepts("c") is False


def test_a_list_of_words():
    """An automaton made of words accepts exactly them."""
    found = from_words(["to", "tea", "t"])
    assert [found.accepts(word) for word in ("t", "to", "te", "tea", "")] == [
        True,
        True,
        False,
        True,
        False,
    ]


def test_accepted_words_are_listed():
    """Accepted words are listed by length, then by the alphabet."""
    assert words(even(), 2) == ["", "b", "aa", "bb"]


def test_matches_are_as_long_as_possible():
    """In a text the longest accepted parts are found, one after the other."""
    assert from_words(["a", "aab", "b"]).find_all("aabxaaab") == ["aab", "a", "aab"]


def test_useless_states():
    """States that lead nowhere, or that nothing leads to, are of no use."""
    found = Automaton([{"a": 1, "b": 2}, {}, {}, {"a": 1}], {1})
    assert (found.reached(), found.useful()) == ([0, 1, 2], [0, 1])
