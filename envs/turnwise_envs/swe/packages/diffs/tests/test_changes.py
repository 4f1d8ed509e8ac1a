import pytest
from diffs import PatchError, apply, changes, common, hunks, inline, read_patch, write_patch


def places(old, new):
    return [(c.start, c.end, c.first, c.last) for c in changes(old, new)]


def test_common_lines():
    """The longest common part is found."""
    assert common("abcbd", "bacd") == [(0, 1), (2, 2), (4, 3)]


def test_what_changed():
    """Lines that are replaced, added or removed are told by their places."""
    assert places("abcd", "axcde") == [(1, 2, 1, 2), (4, 4, 4, 5)]
    assert places("abc", "ac") == [(1, 2, 1, 1)]


def test_hunks():
    """A change is told with the lines around it."""
    (hunk,) = hunks([*"abcdefg"], [*"abcxefg"])
    assert (hunk.start, hunk.lines) == (1, [" b", " c", "-d", "+x", " e", " f"])


def test_a_patch_is_applied():
    """A patch makes the new lines of the old ones."""
    old, new = [*"abcdefghijkl"], [*"aBcdefghikll"]
    assert apply(old, hunks(old, new)) == new


def test_a_patch_that_does_not_fit():
    """A patch for other lines is refused."""
    patch = hunks([*"abc"], [*"axc"])
    with pytest.raises(PatchError, match="hunk 1"):
        apply([*"aBc"], patch)


def test_patches_are_written():
    """A patch is written with places and sizes, and read again."""
    text = write_patch(hunks([*"abc"], [*"abcd"], around=1))
    assert text == "@ 3 -1 +2\n c\n+d\n"
    assert write_patch(read_patch(text)) == text


def test_changed_words():
    """Within a line the words that changed are marked."""
    assert inline("the old house", "the new house!") == "the [old]{new} house{!}"
