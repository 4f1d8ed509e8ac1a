"""Lines become blocks."""

from collections.abc import Sequence
from dataclasses import dataclass, field

FENCE = "```"


@dataclass
class Block:
    """A heading, paragraph, item, quote, code or rule.

    Headings have a level from 1 to 6, items a depth from 0; numbered items have a number.
    """

    kind: str
    lines: list[str] = field(default_factory=list)
    level: int = 0
    number: int = 0

    @property
    def text(self) -> str:
        """The lines joined by blanks."""
        return " ".join(self.lines)


def parse(text: str) -> list[Block]:
    """Returns the blocks of a text; a blank line ends paragraphs, items and quotes."""
    lines = text.split("\n")
    blocks: list[Block] = []
    place = 0
    open_block = False
    while place < len(lines):
        line = lines[place]
        if line.startswith(FENCE):
            place = _code(lines, place, blocks)
            open_block = False
            continue
        place += 1
        if not line.strip():
            open_block = False
            continue
        found = _block(line)
        same = open_block and found.kind == blocks[-1].kind
        if found.kind == "paragraph" and open_block and blocks[-1].kind == "item":
            same = True
        if same and found.kind in ("paragraph", "quote"):
            blocks[-1].lines += found.lines
        else:
            blocks.append(found)
        open_block = blocks[-1].kind in ("paragraph", "quote", "item")
    return blocks


def _code(lines: Sequence[str], place: int, blocks: list[Block]) -> int:
    """Reads up to the closing fence, or to the end; returns the place behind it."""
    end = place + 1
    while end < len(lines) and not lines[end].startswith(FENCE):
        end += 1
    blocks.append(Block("code", list(lines[place + 1 : end])))
    return end + 1


def _block(line: str) -> Block:
    stripped = line.strip()
    level = len(line) - len(line.lstrip("#"))
    if 1 <= level <= 6 and line[level:].startswith(" "):
        return Block("heading", [line[level:].strip(" #")], level)
    if len(stripped) >= 3 and set(stripped) == {"-"}:
        return Block("rule")
    if line.startswith(">"):
        return Block("quote", [line[1:].strip()])
    depth = (len(line) - len(line.lstrip(" "))) // 2
    if stripped.startswith(("- ", "* ")):
        return Block("item", [stripped[2:].strip()], depth)
    number, dot, rest = stripped.partition(". ")
    if dot and number.isdigit():
        return Block("item", [rest.strip()], depth, int(number))
    return Block("paragraph", [stripped])
