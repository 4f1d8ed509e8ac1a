from typeset import abbreviate, columns, slug, table, title


def test_a_table_has_even_columns():
    """Columns are as wide as their widest cell, and numbers stand to the right."""
    assert table([["name", "n"], ["pear", "10"], ["fig", "7"]]) == [
        "name | n",
        "-----+---",
        "pear | 10",
        "fig  |  7",
    ]


def test_columns_are_read_downwards():
    """Items are laid out in columns, from top to bottom."""
    assert columns(["a", "b", "c", "d", "e"], 7) == ["a  c  e", "b  d"]


def test_a_slug_is_cut_between_words():
    """A slug keeps whole words only, up to its length."""
    assert slug("Hello, World: a New Day", 13) == "hello-world-a"


def test_a_heading_has_small_words():
    """Small words in the middle of a heading stay small."""
    assert title("the lord of the rings") == "The Lord of the Rings"


def test_a_cut_is_marked():
    """A text that is too long ends in three dots and has the width asked for."""
    assert abbreviate("abcdefghij", 7) == "abcd..."
    assert abbreviate("abcdefg", 7) == "abcdefg"
