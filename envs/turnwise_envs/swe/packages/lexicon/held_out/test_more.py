import pytest
from lexicon import Tree, anagrams, distance, find_words, matching, suggest


def test_an_empty_tree():
    """Without words nothing is found, nor completed, nor removed."""
    tree = Tree()
    assert (len(tree), tree.words(), tree.complete("a"), tree.count("a")) == (0, [], [], 0)
    assert tree.remove("a") is False
    assert tree.segment("a") is None
    assert tree.segment("") == []


def test_adding_nothing():
    """Words without letters, and no times, are refused."""
    tree = Tree()
    for arguments in (("", 1), ("a", 0), ("a", -1)):
        with pytest.raises(ValueError):
            tree.add(*arguments)
    tree.add("a", 3)
    tree.add("a", 2)
    assert (tree.count("a"), len(tree)) == (5, 1)


def test_completions_are_sorted():
    """Completions of equal count come by name, three unless more are asked for."""
    tree = Tree(["ad", "ac", "ab", "aa", "a", "b"])
    assert tree.complete("a") == ["a", "aa", "ab"]
    assert tree.complete("a", 9) == ["a", "aa", "ab", "ac", "ad"]
    assert tree.complete("", 0) == []


def test_removed_words_leave_nothing():
    """With a word go the prefixes that only it needed, not those of others."""
    tree = Tree(["team", "tea", "to"])
    assert tree.remove("te") is False
    assert tree.remove("team") is True
    assert tree.find("team") is None
    assert tree.remove("tea") is True
    assert tree.find("te") is None
    assert (tree.words(), len(tree)) == (["to"], 1)
    tree.add("to")
    assert tree.remove("to") is True
    assert (len(tree), tree.count("to"), tree.find("t") is None) == (0, 0, True)


def test_whole_texts_as_beginning():
    """A text may be a word as a whole, and a longer word is no beginning of it."""
    tree = Tree(["an", "and", "andes"])
    assert [tree.longest_prefix(text) for text in ("an", "ande", "andes", "a")] == [
        "an",
        "and",
        "andes",
        "",
    ]


def test_as_few_words_as_possible():
    """Of all ways to cut a text, one with the fewest words is taken."""
    tree = Tree(["a", "aa", "aaa", "ab", "b"])
    assert [len(tree.segment("a" * n)) for n in range(1, 8)] == [1, 1, 1, 2, 2, 2, 3]
    assert tree.segment("aaab") == ["aa", "ab"]
    assert tree.segment("aac") is None
    assert Tree(["ab", "cd", "abc"]).segment("abcd") == ["ab", "cd"]


def test_several_stars():
    """Stars may stand for nothing, and several of them are possible."""
    tree = Tree(["banana", "bandana", "ban", "an"])
    assert matching(tree, "*an*") == ["an", "ban", "banana", "bandana"]
    assert matching(tree, "b*an?") == ["banana", "bandana"]
    assert matching(tree, "*") == tree.words()
    assert matching(tree, "???") == ["ban"]
    assert matching(tree, "") == []


def test_blanks():
    """A blank stands for any letter, and every letter and blank is used."""
    tree = Tree(["aab", "abb", "ab", "abc", "bcd"])
    assert anagrams(tree, "ab", blanks=1) == ["aab", "abb", "abc"]
    assert anagrams(tree, "b", blanks=2) == ["aab", "abb", "abc", "bcd"]
    assert anagrams(tree, "aba") == ["aab"]
    assert anagrams(tree, "ba") == ["ab"]


def test_many_mistakes():
    """The number of mistakes is the same from both sides, and zero for equal words."""
    known = {("kitten", "sitting"): 3, ("", "abc"): 3, ("abc", "abc"): 0, ("ab", "ba"): 1}
    known |= {("sunday", "saturday"): 3, ("abcd", "badc"): 2, ("a", "b"): 1}
    for (left, right), steps in known.items():
        assert distance(left, right) == distance(right, left) == steps


def test_which_words_are_near():
    """Words with too many mistakes are not suggested; frequent ones come first."""
    tree = Tree(["bat", "cat", "rat", "cart", "chariot"])
    tree.add("rat", 5)
    assert suggest(tree, "zat") == ["rat", "bat", "cat"]
    assert suggest(tree, "zat", most=9) == ["rat", "bat", "cat", "cart"]
    assert suggest(tree, "zat", most=9, farthest=1) == ["rat", "bat", "cat"]
    assert suggest(tree, "charot", farthest=1) == ["chariot"]
    assert suggest(tree, "xyzxyz") == []


def test_paths_turn():
    """Hidden words turn corners in all four directions, but never go aslant."""
    grid = ["abc", "hid", "gfe"]
    tree = Tree(["abcdefghi", "ihgfedcba", "aid", "cde", "hif", "fih", "ai", "d", "bihg"])
    assert find_words(tree, grid) == ["abcdefghi", "bihg", "cde", "fih", "hif", "ihgfedcba"]
    assert find_words(tree, grid, shortest=1)[3] == "d"
    assert find_words(tree, []) == []
    assert find_words(Tree(["ab", "ba"]), ["a", "bb"]) == ["ab", "ba"]
