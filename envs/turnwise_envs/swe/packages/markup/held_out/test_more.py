from markup import contents, parse, plain, render, render_line, statistics


def shape(text):
    return [(block.kind, block.lines, block.level, block.number) for block in parse(text)]


def test_levels_of_headings():
    """A heading has one to six signs and a blank; signs behind it do not count."""
    assert shape("###### a ##") == [("heading", ["a"], 6, 0)]
    assert shape("# b c") == [("heading", ["b c"], 1, 0)]
    assert [kind for kind, *_ in shape("####### a\n\n#a\n\n # a")] == ["paragraph"] * 3


def test_what_ends_a_paragraph():
    """Headings, rules, quotes, items and code end a paragraph without a blank line."""
    found = shape("a\n# b\nc\n---\nd\n> e\nf\n- g\n```\nh")
    kinds = ["paragraph", "heading", "paragraph", "rule", "paragraph", "quote", "paragraph"]
    assert [kind for kind, *_ in found] == [*kinds, "item", "code"]
    assert found[-1] == ("code", ["h"], 0, 0)


def test_rules():
    """Three dashes or more are a rule, two are text."""
    assert [kind for kind, *_ in shape("--\n\n---\n\n -----")] == ["paragraph", "rule", "rule"]


def test_quotes_of_several_lines():
    """Quoted lines are one quote until a blank line."""
    assert shape("> a\n>b\n\n> c") == [("quote", ["a", "b"], 0, 0), ("quote", ["c"], 0, 0)]


def test_depths_of_items():
    """Items are deeper by one for two blanks, and may have stars or numbers."""
    assert shape("* a\n  - b\n    12. c\n   - d") == [
        ("item", ["a"], 0, 0),
        ("item", ["b"], 1, 0),
        ("item", ["c"], 2, 12),
        ("item", ["d"], 1, 0),
    ]
    assert [kind for kind, *_ in shape("-a\n\n1.b\n\nx. c")] == ["paragraph"] * 3


def test_items_of_several_lines():
    """A line behind an item belongs to it, unless a blank line is between."""
    assert shape("- a\nb\n\nc") == [("item", ["a", "b"], 0, 0), ("paragraph", ["c"], 0, 0)]


def test_text_after_code():
    """After code a new paragraph begins, and code may be empty."""
    assert shape("a\n```\n```\nb") == [
        ("paragraph", ["a"], 0, 0),
        ("code", [], 0, 0),
        ("paragraph", ["b"], 0, 0),
    ]
    assert shape("") == []


def test_nested_marks():
    """Marks may be within others, and strong ones are looked for first."""
    assert render_line("**a *b* c**") == "<strong>a <em>b</em> c</strong>"
    assert render_line("*a* b *c*") == "<em>a</em> b <em>c</em>"
    assert render_line("** a**") == "** a**"
    assert render_line("****") == "****"


def test_backslashes():
    """A character behind a backslash means nothing, the last backslash is one."""
    assert render_line(r"\*a\* \< \\") == r"*a* &lt; " + "\\"
    assert render_line("a\\") == "a\\"


def test_code_with_special_characters():
    """Code is escaped, too, in lines and in blocks."""
    assert render_line("`a<b`c`") == "<code>a&lt;b</code>c`"
    assert render("```\n<x>\n&\n```") == "<pre>&lt;x&gt;\n&amp;</pre>"
    assert render_line("``") == "<code></code>"


def test_links_that_are_none():
    """Brackets without an address are brackets; addresses are escaped."""
    assert render_line("[a] (b)") == "[a] (b)"
    assert render_line("[a](b") == "[a](b"
    assert render_line('[a]( "b" )c)') == '<a href="&quot;b&quot;">a</a>c)'
    assert plain("x [y](z) & \\* <w>") == "x y & * <w>"


def test_lists_of_two_kinds():
    """A list of another kind is another list, also at the same depth."""
    assert render("- a\n1. b\n2. c") == (
        "<ul>\n<li>a</li>\n</ul>\n<ol>\n<li>b</li>\n<li>c</li>\n</ol>"
    )
    assert render("    - a\n- b\n---") == "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n<hr>"
    assert render("- a\n  1. b\n    - c") == (
        "<ul>\n<li>a</li>\n<ol>\n<li>b</li>\n<ul>\n<li>c</li>\n</ul>\n</ol>\n</ul>"
    )


def test_pages_of_all_kinds():
    """Quotes, paragraphs, rules and headings have their tags."""
    assert render("> *a*\n\nb\n\n### c") == (
        '<blockquote><em>a</em></blockquote>\n<p>b</p>\n<h3 id="c">c</h3>'
    )
    assert render("") == ""


def test_three_equal_headings():
    """The names of equal headings are numbered, and have letters and digits only."""
    found = contents("# *It's* 2\n# It s--2\n# it s 2 ")
    assert [name for _, _, name in found] == ["it-s-2", "it-s-2-1", "it-s-2-2"]
    assert [title for _, title, _ in found] == ["It's 2", "It s--2", "it s 2"]


def test_deep_headings():
    """Headings that are too deep are left out; a level that was skipped counts as 0."""
    text = "## a\n# b\n### c\n#### d\n### e\n# d"
    assert [number for number, _, _ in contents(text)] == ["0.1", "1", "1.0.1", "1.0.2", "2"]
    assert [name for _, _, name in contents(text)][-1] == "d-1"
    assert [number for number, _, _ in contents(text, deepest=1)] == ["1", "2"]


def test_counts_of_marks():
    """Marks are no words, and every kind of block is counted."""
    assert statistics("# a *b*\n\n- `c d`\n- e\n\n---") == {
        "words": 5,
        "heading": 1,
        "item": 2,
        "rule": 1,
    }
