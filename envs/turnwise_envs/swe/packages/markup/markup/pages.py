"""Whole pages."""

from markup.blocks import Block, parse
from markup.inline import escape, plain, render_line

_TAGS = {"paragraph": "p", "quote": "blockquote"}


def anchor(text: str, taken: dict[str, int]) -> str:
    """Returns a name for a heading; of equal ones the second ends in -1, the third in -2."""
    letters = [letter.lower() if letter.isalnum() else "-" for letter in plain(text)]
    name = "-".join(part for part in "".join(letters).split("-") if part)
    count = taken.get(name, 0)
    taken[name] = count + 1
    return f"{name}-{count}" if count > 0 else name


def render(text: str) -> str:
    """Returns a page as HTML, a block a line; lists are closed where they end."""
    result: list[str] = []
    lists: list[str] = []
    taken: dict[str, int] = {}
    for block in parse(text):
        if block.kind == "item":
            _adjust(result, lists, block)
            result.append(f"<li>{render_line(block.text)}</li>")
            continue
        while lists:
            result.append(f"</{lists.pop()}>")
        result.append(_single(block, taken))
    while lists:
        result.append(f"</{lists.pop()}>")
    return "\n".join(result)


def _adjust(result: list[str], lists: list[str], item: Block) -> None:
    """Closes and opens lists until an item of this depth and kind can follow."""
    kind = "ol" if item.number > 0 else "ul"
    depth = min(item.level, len(lists)) + 1
    while len(lists) > depth or (len(lists) == depth and lists[-1] != kind):
        result.append(f"</{lists.pop()}>")
    while len(lists) < depth:
        lists.append(kind)
        result.append(f"<{kind}>")


def _single(block: Block, taken: dict[str, int]) -> str:
    if block.kind == "rule":
        return "<hr>"
    if block.kind == "code":
        inside = escape("\n".join(block.lines))
        return f"<pre>{inside}</pre>"
    if block.kind == "heading":
        name = anchor(block.text, taken)
        return f'<h{block.level} id="{name}">{render_line(block.text)}</h{block.level}>'
    tag = _TAGS[block.kind]
    return f"<{tag}>{render_line(block.text)}</{tag}>"


def contents(text: str, deepest: int = 3) -> list[tuple[str, str, str]]:
    """Returns number, title and anchor of each heading, such as 1.2 for the second in the first."""
    taken: dict[str, int] = {}
    counts: list[int] = []
    found = []
    for block in parse(text):
        if block.kind != "heading":
            continue
        name = anchor(block.text, taken)
        if block.level > deepest:
            continue
        while len(counts) < block.level:
            counts.append(0)
        counts = counts[: block.level]
        counts[-1] += 1
        found.append((".".join(str(count) for count in counts), plain(block.text), name))
    return found


def statistics(text: str) -> dict[str, int]:
    """Returns how many blocks there are of each kind, and how many words outside code."""
    found: dict[str, int] = {"words": 0}
    for block in parse(text):
        found[block.kind] = found.get(block.kind, 0) + 1
        if block.kind != "code":
            found["words"] += len(plain(block.text).split())
    return found
