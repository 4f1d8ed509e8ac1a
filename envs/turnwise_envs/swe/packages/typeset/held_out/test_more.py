import pytest
from typeset import abbreviate, align, columns, indent, slug, table, title, wrap

TEXT = "It was a bright cold day in April, and the clocks were striking thirteen."


def test_no_line_is_too_long_and_no_word_is_lost():
    """At every width, lines fit and the text is whole."""
    for width in range(1, 30):
        lines = wrap(TEXT, width)
        assert max(len(line) for line in lines) <= width
        assert "".join(lines).replace(" ", "") == TEXT.replace(" ", "")
    assert wrap("aaaa bb", 4) == ["aaaa", "bb"]
    assert wrap("a aaaa b", 2) == ["a", "aa", "aa", "b"]
    assert wrap("", 4) == []


def test_justified_lines_have_the_width():
    """Every justified line but the last has exactly the width."""
    lines = align(wrap(TEXT, 22), 22, "both")
    assert [len(line) for line in lines] == [22] * len(lines)
    assert not lines[0].endswith(" ")
    assert align(["ab", "c"], 4, "both") == ["ab  ", "c   "]


def test_long_lines_are_left_alone():
    """A line longer than the width is not changed by aligning it."""
    for how in ("left", "right", "centre"):
        assert align(["abcdef"], 3, how) == ["abcdef"]
    assert align(["abc"], 6, "centre") == [" abc  "]


def test_tables_with_gaps():
    """Short rows are filled up, long cells are cut, and a table may have no header."""
    rows = [["a", "b"], ["-1.5"], ["a cell that is long", "x"]]
    assert table(rows, widest=10, header=False) == [
        "a         | b",
        "     -1.5 |",
        "a cell... | x",
    ]
    assert table([]) == []


def test_columns_that_do_not_fit():
    """Items wider than the page stand below each other; nothing gives nothing."""
    assert columns(["abcdef", "gh"], 5) == ["abcdef", "gh"]
    assert columns(["ab", "cd", "ef"], 6) == ["ab  ef", "cd"]
    assert columns(["ab", "cd", "ef"], 10, gap=1) == ["ab cd ef"]
    assert columns([], 5) == []


def test_headings_and_slugs():
    """The last word of a heading is capitalised, a slug has no empty words."""
    assert title("what we came to") == "What We Came To"
    assert title("a") == "A"
    assert slug("--A  b--") == "a-b"
    assert slug("abc def", 7) == "abc-def"
    assert slug("abc def", 6) == "abc"
    assert slug("abcdef", 3) == ""


def test_cuts_and_indents():
    """Cuts drop blanks before the dots and need room for them; indents keep line breaks."""
    assert abbreviate("ab cdef", 6) == "ab..."
    with pytest.raises(ValueError):
        abbreviate("abcdef", 3)
    assert abbreviate("abcdef", 4) == "a..."
    assert indent("x\ny\n", "> ") == "> x\ny\n"
