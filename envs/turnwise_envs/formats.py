"""Action formats: the syntax between a model's raw completion and an action text.

A format owns both directions: `parse` (completion to action) and `render` (action to completion),
and `parse(render(a)).action == a` for every stripped text `a`. What the action *means* is the
world's business; a completion that does not parse is answered by an observation, never by an
exception.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

from turnwise_envs.errors import UsageError

_SHOWN_CHARS = 80


@dataclass(slots=True)
class Parsed:
    """What a completion says.

    Attributes:
        action: the action text, stripped; "" where there is none.
        error: the observation that answers a completion that does not parse; "" where it does.
    """

    action: str
    error: str = ""


@lru_cache(maxsize=1024)
def _template_parts(template: str) -> tuple[tuple[str, ...], tuple[str, ...], re.Pattern[str]]:
    """Splits a template into literals and parameter names; adds the pattern that matches it."""
    pieces = re.split(r"\{(\w+)\}", template)
    literals, names = tuple(pieces[0::2]), tuple(pieces[1::2])
    pattern = re.escape(literals[0])
    for i, (name, literal) in enumerate(zip(names, literals[1:], strict=True)):
        # Lazy, so that "put a in b in c" reads its first " in "; the last one takes what is left.
        some = ".+?" if i < len(names) - 1 else ".+"
        pattern += f"(?P<{name}>{some}){re.escape(literal)}"
    return literals, names, re.compile(pattern, re.DOTALL)


@dataclass(frozen=True, slots=True)
class Tool:
    """One kind of action, as a tool that a chat model can call.

        Tool("take", "Pick an object up.", {"object": "e.g. apple 1", "receptacle": "where it is"},
             "take {object} from {receptacle}")

    Attributes:
        name: the function's name.
        description: what it does, for the model.
        parameters: name and description of each parameter; all are required strings.
        template: the action text, with each parameter in braces exactly once.
    """

    name: str
    description: str
    parameters: dict[str, str]
    template: str

    def __post_init__(self) -> None:
        names = re.findall(r"\{(\w+)\}", self.template)
        if sorted(names) != sorted(self.parameters):
            raise UsageError(
                f"The template of tool {self.name!r} must hold each of its parameters "
                f"{sorted(self.parameters)} once, got {self.template!r}."
            )

    def action(self, arguments: Mapping[str, str]) -> str:
        """Returns the action text of a call with these arguments."""
        literals, names, _ = _template_parts(self.template)
        text = literals[0]
        for name, literal in zip(names, literals[1:], strict=True):
            text += arguments[name] + literal
        return text

    def match(self, action: str) -> dict[str, str] | None:
        """Returns the arguments whose call gives this action text, None where there are none."""
        found = _template_parts(self.template)[2].fullmatch(action)
        return None if found is None else found.groupdict()

    def schema(self) -> dict[str, Any]:
        """Returns the tool's JSON schema in OpenAI's form, as chat templates take it."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": {
                    "type": "object",
                    "properties": {
                        name: {"type": "string", "description": text}
                        for name, text in self.parameters.items()
                    },
                    "required": list(self.parameters),
                },
            },
        }


GENERIC_TOOL = Tool(
    "act", "Carries out one action.", {"command": "the action, as text"}, "{command}"
)
"""The tool of a world that declares none; understood everywhere, so any action can be rendered."""


class ActionFormat(ABC):
    """The syntax of completions.

    Attributes:
        name: what `gym.make(..., action_format=name)` calls it.
        grammar: how to write an action, for the model; the world's own grammar says which.
        answer_prefix, answer_suffix: what stands before and after a bare action text.
    """

    name: ClassVar[str]
    grammar: str = ""
    answer_prefix: str = ""
    answer_suffix: str = ""

    def __init__(self, tools: Sequence[Tool] = ()) -> None:
        self._tools = tuple(tools)

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The JSON schemas to hand to a chat template (fresh; empty in formats without tools)."""
        return []

    @abstractmethod
    def parse(self, completion: str) -> Parsed:
        """Reads a completion; any text is answered."""

    @abstractmethod
    def render(self, action: str, thought: str = "") -> str:
        """Returns the completion that says `action`, after `thought` where the format has room."""


class PlainFormat(ActionFormat):
    """The whole completion, stripped, is the action. Thoughts have no place in it."""

    name = "plain"
    grammar = "Reply with one action and nothing else."

    def parse(self, completion: str) -> Parsed:
        """Strips the completion."""
        return Parsed(completion.strip())

    def render(self, action: str, thought: str = "") -> str:
        """Returns the action."""
        return action


class XMLFormat(ActionFormat):
    """`<think>...</think><action>...</action>`; the thought is optional.

    The thought ends at the last `</think>`; after it there must be exactly one `<action>` block,
    and text around the block is ignored. Inside a block, a tag of the format's own is written
    with `&lt;` and a text that looks like such an escape with `&amp;`; everything else stands for
    itself, so that `a < b && c` needs no escape.
    """

    name = "xml"
    grammar = (
        "Reply with <action>your action</action>. "
        "You may reason before it, inside <think>...</think>."
    )
    answer_prefix = "<action>"
    answer_suffix = "</action>"

    _escape = re.compile(r"<(?=/?(?:think|action)>)|&(?=(?:lt|amp);)")
    _unescape = re.compile(r"&(lt|amp);")

    def parse(self, completion: str) -> Parsed:
        """Reads the one `<action>` block after the thought."""
        _, closed, rest = completion.rpartition("</think>")
        if not closed and "<think>" in rest:
            return self._error("<think> was not closed")
        opened, ended = rest.count("<action>"), rest.count("</action>")
        if not opened and not ended:
            return self._error("there was no <action> block")
        if opened > 1 and opened == ended:
            return self._error(f"there were {opened} <action> blocks")
        start, end = rest.find("<action>"), rest.find("</action>")
        if opened != 1 or ended != 1 or end < start:
            return self._error("<action> and </action> did not match")
        text = rest[start + len("<action>") : end]
        if "&" in text:
            text = self._unescape.sub(lambda found: "<" if found[1] == "lt" else "&", text)
        return Parsed(text.strip())

    def render(self, action: str, thought: str = "") -> str:
        """Returns the action block, after the thought where there is one."""
        text = self._escape.sub(lambda found: "&lt;" if found[0] == "<" else "&amp;", action)
        block = f"<action>{text}</action>"
        return f"<think>{thought}</think>{block}" if thought else block

    @staticmethod
    def _error(what: str) -> Parsed:
        return Parsed(
            "",
            f"Your reply could not be read: {what}. "
            "Write exactly one block <action>your action</action>, after any thought.",
        )


class ToolJSONFormat(ActionFormat):
    r"""One tool call in the form of Hermes and Qwen models.

        <tool_call>
        {"name": "take", "arguments": {"object": "apple 1", "receptacle": "fridge 1"}}
        </tool_call>

    Text before the call is the thought; calls inside `<think>...</think>` do not count. An action
    that no tool of the world can say is rendered through the generic tool `act(command)`, which
    every world understands.
    """

    name = "tool_json"
    grammar = (
        'Reply with one tool call: <tool_call>\n{"name": ..., "arguments": {...}}\n</tool_call>. '
        "You may reason before it, inside <think>...</think>."
    )
    answer_prefix = '<tool_call>\n{"name": "act", "arguments": {"command": "'
    answer_suffix = '"}}\n</tool_call>'

    _blocks = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)

    def __init__(self, tools: Sequence[Tool] = ()) -> None:
        super().__init__(tools or (GENERIC_TOOL,))
        self._by_name = {GENERIC_TOOL.name: GENERIC_TOOL} | {t.name: t for t in self._tools}

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The JSON schemas of the world's tools."""
        return [tool.schema() for tool in self._tools]

    def parse(self, completion: str) -> Parsed:
        """Reads the one `<tool_call>` block."""
        rest = completion.rpartition("</think>")[2]
        calls = self._blocks.findall(rest)
        if len(calls) != 1:
            found = f"there were {len(calls)}" if calls else "there was no complete"
            return self._error(f"{found} <tool_call> block{'s' if calls else ''}")
        try:
            call = json.loads(calls[0], strict=False)
        except (ValueError, RecursionError):
            return self._error("the text inside <tool_call> was not JSON")
        if not isinstance(call, dict) or not isinstance(call.get("arguments"), dict):
            return self._error('the JSON must be {"name": ..., "arguments": {...}}')
        tool = self._by_name.get(call["name"]) if isinstance(call.get("name"), str) else None
        if tool is None:
            known = ", ".join(t.name for t in self._tools)
            name = str(call.get("name"))[:_SHOWN_CHARS]
            return self._error(f"there is no tool {name!r}; the tools are {known}")
        arguments = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in call["arguments"].items()
            if isinstance(value, str | int | float) and not isinstance(value, bool)
        }
        if arguments.keys() != tool.parameters.keys() or len(call["arguments"]) != len(arguments):
            wanted = ", ".join(tool.parameters) or "none"
            return self._error(f"the arguments of {tool.name} must be texts: {wanted}")
        return Parsed(tool.action(arguments).strip())

    def render(self, action: str, thought: str = "") -> str:
        """Returns the call of the first tool that can say `action`."""
        name, arguments = GENERIC_TOOL.name, {"command": action}
        for tool in self._tools:
            found = tool.match(action)
            if found is not None:
                name, arguments = tool.name, found
                break
        # Raw characters, not \u escapes: two lone surrogates in a row would be read as one letter.
        body = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
        for tag in ("<tool_call>", "</tool_call>", "</think>"):
            body = body.replace(tag, "\\u003c" + tag[1:])
        call = f"<tool_call>\n{body}\n</tool_call>"
        return f"<think>{thought}</think>\n{call}" if thought else call

    @staticmethod
    def _error(what: str) -> Parsed:
        return Parsed(
            "",
            f"Your reply could not be read: {what}. Write exactly one call "
            '<tool_call>\n{"name": ..., "arguments": {...}}\n</tool_call>.',
        )


FORMATS: dict[str, type[ActionFormat]] = {
    cls.name: cls for cls in (PlainFormat, XMLFormat, ToolJSONFormat)
}
"""The formats by name, as `gym.make(..., action_format=name)` takes them."""


def make_action_format(format: str | ActionFormat, tools: Sequence[Tool] = ()) -> ActionFormat:
    """Returns the action format of this name, for a world with these tools.

    Args:
        format: a name in `FORMATS`, or an instance, which is returned as it is. An environment made
            with an instance works, but its `spec.to_json()` cannot; names are the normal form.
        tools: the world's tools.

    Raises:
        UsageError: If there is no such format.
    """
    if isinstance(format, ActionFormat):
        return format
    if format not in FORMATS:
        raise UsageError(
            f"action_format must be one of {', '.join(FORMATS)} or an ActionFormat, got {format!r}."
        )
    return FORMATS[format](tools)
