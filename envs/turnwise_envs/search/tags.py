"""The tag form of Search-R1: `<search>`, `<answer>` and `<information>`.

    <think>Who wrote it?</think><search>The Winter Clock author</search>

Only the first block after the thought acts; what a model writes behind it is ignored, as if
generation had stopped at the closing tag, and so is an `<information>` block that it invents or
repeats, wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from turnwise_envs.formats import ActionFormat, Parsed
from turnwise_envs.search.corpus import Passage

_VERBS = ("search", "read", "answer")
_PLAIN = re.compile(rf"({'|'.join(_VERBS)})\[(.*)\]", re.DOTALL)
_TAGS = "think|search|read|answer|action|information|tool_call|tool_response"
_TAG = re.compile(rf"<(?=\s*/?\s*(?:{_TAGS})\s*/?>)", re.IGNORECASE)
_ESCAPE = re.compile(rf"<(?=/?(?:{_TAGS})>)|&(?=(?:lt|amp);)")
_UNESCAPE = re.compile(r"&(lt|amp);")
_BLOCK = re.compile(r"<(search|read|answer|action)>(.*?)</\1>", re.DOTALL)

_QUOTED = re.compile(r"<information>.*?(?:</information>|\Z)", re.DOTALL)


class SearchR1Format(ActionFormat):
    """`<think>...</think>` and one of `<search>`, `<read>`, `<answer>`.

    `<action>` holds any other action text. Inside a block, a tag is written with `&lt;`, and a text
    that looks like such an escape with `&amp;`; everything else stands for itself.
    """

    name = "search_r1"
    grammar = (
        "Reply with one of these, once a turn:\n"
        "<search>query</search>  shows the passages that fit the query best, inside <information>\n"
        "<read>title</read>  shows the whole article with this title\n"
        "<answer>text</answer>  gives your final answer, as short as possible, and ends the task\n"
        "You may reason before it, inside <think>...</think>."
    )
    answer_prefix = "<action>"
    answer_suffix = "</action>"

    def parse(self, completion: str) -> Parsed:
        """Reads the first block after the thought."""
        _, closed, rest = completion.rpartition("</think>")
        if not closed and "<think>" in rest:
            return self._error("<think> was not closed")
        found = _BLOCK.search(_QUOTED.sub("", rest))
        if found is None:
            return self._error("there was no complete block")
        text = found[2]
        if "&" in text:
            text = _UNESCAPE.sub(lambda entity: "<" if entity[1] == "lt" else "&", text)
        return Parsed(text.strip() if found[1] == "action" else f"{found[1]}[{text.strip()}]")

    def render(self, action: str, thought: str = "") -> str:
        """Returns the block that says `action`, after the thought where there is one."""
        said = _PLAIN.fullmatch(action)
        tag, text = "action", action
        if said is not None and said[2] == said[2].strip():
            tag, text = said[1], said[2]
        text = _ESCAPE.sub(lambda found: "&lt;" if found[0] == "<" else "&amp;", text)
        block = f"<{tag}>{text}</{tag}>"
        return f"<think>{thought}</think>{block}" if thought else block

    @staticmethod
    def information(passages: Sequence[Passage]) -> str:
        """Returns the passages as Search-R1 shows them; tags inside them are made harmless."""
        lines = [
            f"Doc {place}(Title: {harmless(p.title)}) {harmless(p.text)}"
            for place, p in enumerate(passages, start=1)
        ]
        return "<information>" + "\n".join(lines) + "</information>"

    @staticmethod
    def _error(what: str) -> Parsed:
        return Parsed(
            "",
            f"Your reply could not be read: {what}. Write one block <search>query</search> or "
            "<answer>text</answer>, after any thought.",
        )


def harmless(text: str) -> str:
    """Returns retrieved text in which no tag of an action format stands any more."""
    return _TAG.sub("&lt;", text)
