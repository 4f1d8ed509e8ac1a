from markup import plain, render_line


def test_emphasis():
    """One star on each side is emphasis, two are strong."""
    assert render_line("a *b* **c d**") == "a <em>b</em> <strong>c d</strong>"


def test_marks_in_code():
    """Within code marks are characters."""
    assert render_line("`*a*`") == "<code>*a*</code>"


def test_links():
    """A link has its address, and marks in its label."""
    assert render_line("see [*here*](x.html)!") == 'see <a href="x.html"><em>here</em></a>!'


def test_special_characters():
    """Characters that mean something to a browser are escaped."""
    assert render_line('1 < 2 & "x"') == "1 &lt; 2 &amp; &quot;x&quot;"


def test_marks_that_are_not_closed():
    """A mark that is not closed, or before a blank, is a character."""
    assert render_line("2 * 3 * 4 `x [y]") == "2 * 3 * 4 `x [y]"


def test_without_marks():
    """A line without its marks has the text that is shown."""
    assert plain("**a** `b<c` [d](e)") == "a b<c d"
