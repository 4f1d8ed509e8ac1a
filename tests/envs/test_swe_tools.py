"""The repair tools: the grammar, and what needs no process."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise_envs.formats import ToolJSONFormat
from turnwise_envs.swe import tools
from turnwise_envs.swe.tools import Refused

TREE = {
    "a/b.py": b"one\ntwo\none\nthree\n",
    "empty.py": b"",
    "image.bin": b"\xff\x00",
    "c.py": b"x",
}
LINES = st.lists(st.text(st.characters(blacklist_characters="\n", codec="utf-8"), max_size=9))


def apply(action: str) -> dict[str, bytes]:
    call = tools.parse(action)
    return (tools.replace if call.tool == "replace" else tools.create)(call, dict(TREE))


@pytest.mark.parametrize(
    "action",
    ["", "shell", "view", "view a b", "view a 1", "view a 1 x", "search", "create", "replace a",
     "test all", "submit now", "submit\nnow", "replace a\n<<<<<<<\nx\n>>>>>>>", "delete a",
     "replace a\n<<<<<<<\n=======\nx\n>>>>>>>"],
)  # fmt: skip
def test_what_is_no_command_is_refused(action: str) -> None:
    with pytest.raises(Refused):
        tools.parse(action)


def test_commands_are_read() -> None:
    assert tools.parse("shell ls | wc\necho 2").text == "ls | wc\necho 2"
    assert tools.parse("search def f(").text == "def f("
    call = tools.parse("view a/b.py 3  7")
    assert (call.path, call.first, call.last) == ("a/b.py", 3, 7)
    assert tools.parse("create a.py\nx = 1").text == "x = 1\n"
    assert tools.parse("create a.py").text == ""


@settings(max_examples=40, deadline=None)
@given(LINES, LINES)
def test_a_replacement_is_written_as_it_is_read(old: list[str], new: list[str]) -> None:
    before, after = "\n".join(["x", *old]), "\n".join(new)
    if tools.MIDDLE in old:
        return
    call = tools.parse(tools.render_replace("p.py", before, after))
    assert (call.path, call.old, call.new) == ("p.py", before, after)


def test_every_tool_call_is_a_command() -> None:
    json_calls = ToolJSONFormat(tools.TOOLS)
    example = {"path": "a/b.py", "first": "1", "last": "2", "old": "two", "new": "2\n3"}
    example |= {"content": "x = 1", "text": "one", "command": "ls"}
    for tool in tools.TOOLS:
        action = tool.action({name: example[name] for name in tool.parameters})
        assert tools.parse(action).tool == tool.name.removesuffix("_lines")
        assert json_calls.parse(json_calls.render(action)).action == action


def test_a_view_has_numbers() -> None:
    assert tools.view(tools.parse("view a/b.py 2 3"), TREE) == ("    2 two\n    3 one", "a/b.py")
    assert tools.view(tools.parse("view ./a//b.py 4 99"), TREE)[0] == "    4 three"
    assert tools.view(tools.parse("view empty.py"), TREE)[0] == "empty.py is empty."
    assert tools.view(tools.parse("view ."), TREE) == ("a/b.py\nc.py\nempty.py\nimage.bin", "")
    assert tools.view(tools.parse("view a"), TREE) == ("a/b.py", "")
    for action in ("view a/b.py 5 6", "view a/b.py 3 2", "view a/b.py 0 2", "view d.py"):
        with pytest.raises(Refused):
            tools.view(tools.parse(action), TREE)
    for path in ("../a/b.py", "/etc/passwd", "a/../../x"):
        with pytest.raises(Refused, match="must lie in the work tree"):
            tools.view(tools.parse(f"view {path}"), TREE)
    with pytest.raises(Refused, match="no text, it has 2 bytes"):
        tools.view(tools.parse("view image.bin"), TREE)


def test_a_search_names_places() -> None:
    assert tools.search(tools.parse("search one"), TREE) == "a/b.py:1: one\na/b.py:3: one"
    assert tools.search(tools.parse("search none"), TREE) == "Nothing was found."
    many = {"m.txt": b"x\n" * 60}
    assert tools.search(tools.parse("search x"), many).endswith("\n... and 10 more.")


def test_a_replacement_has_one_place() -> None:
    two = tools.render_replace("a/b.py", "two", "2\n2")
    assert apply(two)["a/b.py"] == b"one\n2\n2\none\nthree\n"
    gone = tools.render_replace("a/b.py", "two\none", "")
    assert apply(gone)["a/b.py"] == b"one\nthree\n"
    for old, count in (("one", 2), ("four", 0), ("tw", 0)):
        with pytest.raises(Refused, match=f"occur {count} times"):
            apply(tools.render_replace("a/b.py", old, "x"))


def test_files_are_written_where_files_can_be() -> None:
    assert apply("create new/x.py\n1")["new/x.py"] == b"1\n"
    assert apply("create a/b.py\n1")["a/b.py"] == b"1\n"
    for action in ("create a\n1", "create a/b.py/c\n1", "create ../x\n1", "create .\n1"):
        with pytest.raises(Refused):
            apply(action)
