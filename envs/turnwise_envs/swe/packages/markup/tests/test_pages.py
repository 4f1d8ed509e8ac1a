from markup import contents, parse, render, statistics

PAGE = """# Title

First line
second line

- one
- two
  - deep
1. number

## Part *one*
> said
> so
"""


def kinds(text):
    return [block.kind for block in parse(text)]


def test_paragraphs():
    """Lines that follow each other are one paragraph, a blank line ends it."""
    assert [block.text for block in parse("a\nb\n\nc")] == ["a b", "c"]


def test_kinds_of_blocks():
    """Each block is of its kind."""
    assert kinds(PAGE) == ["heading", "paragraph", *["item"] * 4, "heading", "quote"]


def test_code_is_left_alone():
    """Between fences everything is code."""
    found = parse("```\n# no\n\n  x\n```\nend")
    assert [(block.kind, block.lines) for block in found] == [
        ("code", ["# no", "", "  x"]),
        ("paragraph", ["end"]),
    ]


def test_lists():
    """Lists are opened and closed where items begin and end, one within the other."""
    assert render("- a\n  - b\n- c\nmore") == (
        "<ul>\n<li>a</li>\n<ul>\n<li>b</li>\n</ul>\n<li>c more</li>\n</ul>"
    )


def test_headings_have_names():
    """Headings get names to link to, and equal ones different names."""
    assert render("# A b!\n# A b") == '<h1 id="a-b">A b!</h1>\n<h1 id="a-b-1">A b</h1>'


def test_contents():
    """Headings are numbered by their levels."""
    found = contents("# A\n## B\n## C\n# D\n## E")
    assert [number for number, _, _ in found] == ["1", "1.1", "1.2", "2", "2.1"]


def test_words_are_counted():
    """Words outside code are counted, and blocks by their kind."""
    assert statistics("a b\n\n```\nc\n```\n- d") == {
        "words": 3,
        "paragraph": 1,
        "code": 1,
        "item": 1,
    }
