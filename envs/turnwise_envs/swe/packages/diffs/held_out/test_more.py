import pytest
from diffs import (
    Change,
    PatchError,
    apply,
    changes,
    common,
    hunks,
    inline,
    merge,
    read_patch,
    reverse,
    similarity,
    write_patch,
)
from diffs.merging import resolve
from diffs.words import renamed

OLD = [f"line {number}" for number in range(30)]
NEW = [*OLD[:3], "new", *OLD[4:12], *OLD[14:29], "line 12", "end"]


def test_nothing_changed():
    """Equal lists have no changes, and a patch without hunks changes nothing."""
    assert changes(OLD, OLD) == hunks(OLD, OLD) == []
    assert apply(OLD, []) == OLD
    assert (write_patch([]), read_patch("")) == ("", [])


def test_everything_changed():
    """Lists without a common line change as a whole."""
    assert changes("ab", "xyz") == [Change(0, 2, 0, 3)]
    assert changes("", "x") == [Change(0, 0, 0, 1)]
    assert changes("x", "") == [Change(0, 1, 0, 0)]
    assert common("", "abc") == []


def test_lengths_of_common_parts():
    """The common part is as long as it can be, whichever list comes first."""
    known = {("abcbdab", "bdcaba"): 4, ("xmjyauz", "mzjawxu"): 4, ("aaaa", "aa"): 2}
    for (left, right), length in known.items():
        found = common(left, right)
        assert len(found) == len(common(right, left)) == length
        assert all(left[i] == right[j] for i, j in found)
        assert all(a[0] < b[0] and a[1] < b[1] for a, b in zip(found, found[1:]))


def test_near_changes_are_joined():
    """Changes with few lines between them are one hunk."""
    old = [*"abcdefghij"]
    near, far = [*"aBcdeFghij"], [*"aBcdefgHij"]
    assert [len(hunks(old, far, around)) for around in (1, 2, 3)] == [2, 2, 1]
    assert [len(hunks(old, near, around)) for around in (1, 2, 3)] == [2, 1, 1]


def test_hunks_at_the_ends():
    """At the begin and the end there are fewer lines around a change."""
    first, last = hunks([*"abcdefgh"], [*"xbcdefg"])
    assert (first.start, first.lines) == (0, ["-a", "+x", " b", " c"])
    assert (last.start, last.lines) == (5, [" f", " g", "-h"])
    assert (first.old, first.new) == (["a", "b", "c"], ["x", "b", "c"])


def test_patches_there_and_back():
    """A patch makes the new lines, its reverse the old ones, with any number of lines around."""
    for around in (0, 1, 3, 50):
        patch = hunks(OLD, NEW, around)
        assert apply(OLD, patch, farthest=0) == NEW
        assert apply(NEW, reverse(patch), farthest=0) == OLD
        assert apply(OLD, read_patch(write_patch(patch))) == NEW


def test_lines_that_moved():
    """A patch fits where its lines have moved a little, but not where they moved far."""
    patch = hunks(OLD, NEW)
    assert apply(["a", "b", "c", *OLD], patch) == ["a", "b", "c", *NEW]
    assert apply(OLD[1:], patch) == NEW[1:]
    with pytest.raises(PatchError, match="hunk 1"):
        apply([*"abcd", *OLD], patch)
    assert apply([*"abcd", *OLD], patch, farthest=4) == [*"abcd", *NEW]


def test_moved_hunks_move_the_next():
    """Where one hunk has moved the next ones are looked for as far away."""
    changed = ["a", "b", *OLD[:8], "c", "d", *OLD[8:]]
    found = apply(changed, hunks(OLD, NEW), farthest=2)
    assert found == ["a", "b", *NEW[:8], "c", "d", *NEW[8:]]


def test_the_nearest_place():
    """Of several places where a hunk fits the nearest is taken, the earlier of two."""
    (hunk,) = hunks([*"..x.."], [*"..y.."], around=0)
    assert apply([*"x..x."], [hunk]) == [*"x..y."]
    assert apply([*".x.x."], [hunk]) == [*".y.x."]
    assert apply([*"x...x"], [hunk]) == [*"y...x"]


def test_patches_that_cannot_be_read():
    """Heads, signs and sizes of a patch must be right."""
    for bad in ("@ 1 -1\n a\n", "@ x -1 +1\n a\n", " a\n", "@ 1 -1 +1\n*a\n", "@ 1 -1 +2\n a\n"):
        with pytest.raises(PatchError):
            read_patch(bad)
    with pytest.raises(PatchError, match="line 4"):
        read_patch("@ 4 -2 +1\n a\n")
    (hunk,) = read_patch("@ 4 -1 +1\n-a\n+\n")
    assert (hunk.start, hunk.old, hunk.new) == (3, ["a"], [""])


def test_merging_one_side():
    """Where only one side changed its lines are taken, at the ends as well."""
    for new in (NEW, [], ["first", *OLD], [*OLD, "last"]):
        assert merge(OLD, new, OLD).lines == new
        assert merge(OLD, OLD, new).lines == new
        assert merge(OLD, new, new).conflicts == []


def test_several_conflicts():
    """Every conflict is told, and what is no conflict is merged."""
    found = merge([*"abcdef"], [*"1bcd2f"], [*"3bcd4fx"])
    assert found.conflicts == [(["1"], ["3"]), (["2"], ["4"])]
    assert found.lines[-2:] == ["f", "x"]
    assert merge([*"abc"], [*"ac"], [*"axc"]).conflicts == [([], ["x"])]


def test_conflicts_are_resolved():
    """A conflict is resolved by one side, or by both."""
    found = merge([*"abcd"], [*"aXcd"], [*"aYZcd"])
    assert "".join(resolve(found, "mine")) == "aXcd"
    assert "".join(resolve(found, "theirs")) == "aYZcd"
    assert "".join(resolve(found, "both")) == "aXYZcd"
    with pytest.raises(ValueError):
        resolve(found, "neither")


def test_marks_in_the_text():
    """Marks outside of a conflict are lines like others."""
    lines = ["===", "a", ">>>"]
    assert resolve(merge(lines, lines, lines), "mine") == lines


def test_words_and_signs():
    """Words are compared as wholes, signs and blanks one by one."""
    assert inline("ab cd", "ab  cde") == "ab [cd]{ cde}"
    assert inline("f(x)", "f(x, y)") == "f(x{, y})"
    assert inline("a b", "a b") == "a b"
    assert inline("", "a") == "{a}"
    assert inline("a-b", "b") == "[a-]b"


def test_similarities():
    """The similarity counts common characters of both lines."""
    assert similarity("", "") == 1.0
    assert similarity("abc", "bcd") == similarity("bcd", "abc") == 4 / 6


def test_renamed_files():
    """Files that are gone are found among the new ones, the most similar first, each once."""
    old = {"a": "12345", "b": "12344", "same": "x", "c": "zzz"}
    new = {"d": "12345", "e": "1234", "same": "y", "f": "12"}
    assert renamed(old, new) == {"a": "d", "b": "e"}
    assert renamed(old, new, least=0.95) == {"a": "d"}
    assert renamed({"a": "ab"}, {"b": "ax"}, least=0.5) == {"a": "b"}
    assert renamed(old, old) == {}
