from lexicon import Tree, anagrams, distance, find_words, matching, suggest


def test_patterns():
    """A question mark stands for one letter, a star for any number."""
    tree = Tree(["cat", "cut", "coat", "ct"])
    assert matching(tree, "c?t") == ["cat", "cut"]
    assert matching(tree, "c*t") == ["cat", "coat", "ct", "cut"]


def test_anagrams():
    """Anagrams use all letters, each once."""
    tree = Tree(["stone", "notes", "tone", "tents"])
    assert anagrams(tree, "onset") == ["notes", "stone"]


def test_mistakes_are_counted():
    """Missing, superfluous, wrong and exchanged letters are one mistake each."""
    assert [distance("tree", word) for word in ("tee", "three", "trek", "rtee")] == [1, 1, 1, 1]


def test_suggestions():
    """The nearest words are suggested for one that is not known."""
    tree = Tree(["house", "horse", "mouse", "cat"])
    assert suggest(tree, "hause") == ["house", "horse", "mouse"]
    assert suggest(tree, "cat") == ["cat"]


def test_hidden_words():
    """Words in a grid go along neighbouring fields, and use no field twice."""
    tree = Tree(["cat", "tac", "cab", "act", "tat"])
    assert find_words(tree, ["cat", "xbx"]) == ["cab", "cat", "tac"]
