from diffs import merge, similarity


def test_changes_at_different_places():
    """Changes at different places are both kept."""
    found = merge([*"abcde"], [*"aXcde"], [*"abcdY"])
    assert (found.lines, found.conflicts) == ([*"aXcdY"], [])


def test_changes_at_one_place():
    """Different changes at one place are a conflict."""
    found = merge([*"abc"], [*"aXc"], [*"aYc"])
    assert found.conflicts == [(["X"], ["Y"])]
    assert found.lines == ["a", "<<<", "X", "===", "Y", ">>>", "c"]


def test_the_same_change():
    """The same change on both sides is no conflict."""
    assert merge([*"abc"], [*"aXc"], [*"aXc"]).lines == [*"aXc"]


def test_removed_and_added_lines():
    """Lines removed on one side are gone, lines added on one side are there."""
    assert merge([*"abc"], [*"ac"], [*"abcd"]).lines == [*"acd"]


def test_similar_lines():
    """Equal lines are wholly similar, lines without a common character not at all."""
    assert [similarity("abcd", other) for other in ("abcd", "abxx", "")] == [1.0, 0.5, 0.0]
