import pytest
from lexicon import Tree


def test_words_are_counted():
    """A word is found as often as it was added, and a mere prefix is no word."""
    tree = Tree(["tea", "ten", "tea"])
    assert [tree.count(word) for word in ("tea", "ten", "te", "tent")] == [2, 1, 0, 0]
    assert len(tree) == 2


def test_words_with_a_prefix():
    """The words with a prefix are listed in the order of the alphabet."""
    tree = Tree(["ten", "to", "tea", "in"])
    assert tree.words("te") == ["tea", "ten"]
    assert tree.words("x") == []


def test_completing():
    """A prefix is completed to the words that were added most often."""
    tree = Tree(["tea", "ten", "team"])
    tree.add("team", 4)
    assert tree.complete("te", 2) == ["team", "tea"]


def test_removing():
    """A removed word is gone, longer and shorter ones are not."""
    tree = Tree(["tea", "team", "te"])
    assert tree.remove("tea") is True
    assert tree.remove("tea") is False
    assert tree.words() == ["te", "team"]


def test_the_longest_beginning():
    """The longest word that a text begins with is found."""
    tree = Tree(["a", "an", "antler"])
    assert tree.longest_prefix("antenna") == "an"
    assert tree.longest_prefix("bear") == ""


def test_cutting():
    """A text without blanks is cut into words."""
    assert Tree(["car", "pet", "carpet", "s"]).segment("carpets") == ["carpet", "s"]
    with pytest.raises(ValueError):
        Tree([""])
