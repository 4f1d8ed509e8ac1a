"""Action formats: rendering and parsing are inverse; everything else is answered."""

import json
import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from turnwise_envs.errors import UsageError
from turnwise_envs.formats import FORMATS, PlainFormat, Tool, make_action_format

TOOLS = (
    Tool(
        "take",
        "Pick up.",
        {"object": "what", "receptacle": "where"},
        "take {object} from {receptacle}",
    ),
    Tool("look", "Look around.", {}, "look"),
    Tool("go", "Walk.", {"to": "where"}, "go to {to}"),
)
TAGS = ("<action>", "</action>", "<think>", "</think>", "<tool_call>", "</tool_call>")
ODD = ("&lt;", "&amp;", "&", "<", "\\", '"', "\\u003c", "{", "}", "\ud800", "\udc00")
PIECES = st.sampled_from((*TAGS, *ODD, "take ", " from ", "go to ", "look"))
ACTIONS = st.lists(
    PIECES | st.text(st.characters(exclude_categories=()), max_size=5), max_size=8
).map(lambda parts: "".join(parts).strip())


@pytest.mark.parametrize("tools", [(), TOOLS], ids=["without tools", "with tools"])
@pytest.mark.parametrize("name", FORMATS)
@given(action=ACTIONS, thought=ACTIONS)
@example(action="</tool_call>", thought="</think><action>x</action>")
@example(action="&amp;lt;action>", thought="")
@example(action="\ud800\udc00", thought="<tool_call>")
def test_parse_reverses_render(name, tools, action, thought):
    fmt = make_action_format(name, tools)
    parsed = fmt.parse(fmt.render(action))
    assert (parsed.action, parsed.error) == (action, "")
    if name != "plain":
        parsed = fmt.parse(fmt.render(action, thought))
        assert (parsed.action, parsed.error) == (action, "")


@pytest.mark.parametrize("name", FORMATS)
@given(completion=ACTIONS)
def test_every_completion_is_answered(name, completion):
    parsed = make_action_format(name, TOOLS).parse(completion)
    assert parsed.action == parsed.action.strip()
    assert not (parsed.action and parsed.error)


@pytest.mark.parametrize("name", FORMATS)
def test_answer_prefix_and_suffix_enclose_an_action(name):
    fmt = make_action_format(name, TOOLS)
    assert (
        fmt.parse(f"{fmt.answer_prefix}go to fridge 1{fmt.answer_suffix}").action
        == "go to fridge 1"
    )
    assert fmt.grammar
    assert pickle.loads(pickle.dumps(fmt)).parse(fmt.render("look")).action == "look"


@pytest.mark.parametrize(
    ("completion", "action", "error"),
    [
        ("<think>a</think><action>look</action>", "look", ""),
        ("a thought</think> <action> look </action> bye", "look", ""),
        ("<think><action>no</action></think><action>look</action>", "look", ""),
        ("<action>a < b && c</action>", "a < b && c", ""),
        ("<action></action>", "", ""),
        ("look", "", "there was no <action> block"),
        ("<think>look", "", "<think> was not closed"),
        ("<action>look", "", "did not match"),
        ("</action>look<action>", "", "did not match"),
        ("<action>a</action><action>b</action>", "", "there were 2 <action> blocks"),
    ],
)
def test_xml(completion, action, error):
    parsed = make_action_format("xml").parse(completion)
    assert parsed.action == action
    assert error in parsed.error
    assert bool(error) == bool(parsed.error)


def call(name, arguments):
    body = json.dumps({"name": name, "arguments": arguments})
    return f"<tool_call>\n{body}\n</tool_call>"


@pytest.mark.parametrize(
    ("completion", "action", "error"),
    [
        (
            call("take", {"object": "apple 1", "receptacle": "fridge 1"}),
            "take apple 1 from fridge 1",
            "",
        ),
        ("I look." + call("look", {}), "look", ""),
        (call("act", {"command": "dance"}), "dance", ""),
        (call("go", {"to": 3}), "go to 3", ""),
        (call("go", {"to": True}), "", "the arguments of go must be texts: to"),
        (call("go", {}), "", "the arguments of go must be texts: to"),
        (call("look", {"at": "x"}), "", "the arguments of look must be texts: none"),
        (call("fly", {}), "", "there is no tool 'fly'; the tools are take, look, go"),
        (call(["look"], {}), "", "there is no tool"),
        (call("look", []), "", 'the JSON must be {"name"'),
        ("<tool_call>[1]</tool_call>", "", 'the JSON must be {"name"'),
        ("<tool_call>{look}</tool_call>", "", "was not JSON"),
        ("<tool_call>" + "[" * 100000 + "</tool_call>", "", "was not JSON"),
        ("look", "", "there was no complete <tool_call> block"),
        (call("look", {}) * 2, "", "there were 2 <tool_call> blocks"),
    ],
)
def test_tool_json(completion, action, error):
    parsed = make_action_format("tool_json", TOOLS).parse(completion)
    assert parsed.action == action
    assert error in parsed.error
    assert bool(error) == bool(parsed.error)


def test_tool_json_renders_through_the_worlds_tools():
    fmt = make_action_format("tool_json", TOOLS)
    body = json.loads(fmt.render("take apple 1 from fridge 1").split("\n")[1])
    assert body == {"name": "take", "arguments": {"object": "apple 1", "receptacle": "fridge 1"}}
    assert [tool["function"]["name"] for tool in fmt.tools] == ["take", "look", "go"]
    assert fmt.tools[0]["function"]["parameters"]["required"] == ["object", "receptacle"]
    alone = make_action_format("tool_json")
    assert [tool["function"]["name"] for tool in alone.tools] == ["act"]
    assert make_action_format("xml", TOOLS).tools == []


def test_tool_is_checked():
    with pytest.raises(UsageError, match="must hold each of its parameters"):
        Tool("go", "Walk.", {"to": "where"}, "go to {place}")
    assert TOOLS[1].match("look around") is None
    assert TOOLS[0].match("take a from b from c") == {"object": "a", "receptacle": "b from c"}


def test_make_action_format():
    own = PlainFormat()
    assert make_action_format(own) is own
    with pytest.raises(UsageError, match="must be one of plain, xml, tool_json"):
        make_action_format("json")
