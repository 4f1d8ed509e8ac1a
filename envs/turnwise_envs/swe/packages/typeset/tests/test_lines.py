import pytest
from typeset import align, indent, wrap


def test_lines_are_as_long_as_they_may_be():
    """Wrapped lines hold as many words as fit into the width."""
    assert wrap("the quick brown fox", 9) == ["the quick", "brown fox"]


def test_a_long_word_is_broken():
    """A word longer than the line is broken, and what is left of it starts the next line."""
    assert wrap("an incomprehensible text", 6) == ["an", "incomp", "rehens", "ible", "text"]


def test_lines_are_aligned():
    """Lines are filled with blanks on the side that the alignment asks for."""
    assert align(["ab"], 5, "right") == ["   ab"]
    assert align(["ab"], 5, "centre") == [" ab  "]
    assert align(["ab"], 5) == ["ab   "]


def test_both_margins():
    """Justified lines reach both margins, the last one does not."""
    assert align(["a b c", "d"], 8, "both") == ["a   b  c", "d       "]


def test_indentation():
    """The first line and the others are indented differently, empty lines not at all."""
    assert indent("a\n\nb", "- ", "  ") == "- a\n\n  b"


def test_a_width_must_be_positive():
    """Wrapping to a width of zero is refused."""
    with pytest.raises(ValueError):
        wrap("a", 0)
