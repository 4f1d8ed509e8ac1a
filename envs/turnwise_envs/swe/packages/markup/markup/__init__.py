"""Light markup: headings, lists, quotes and code, with marks in the lines."""

from markup.blocks import Block, parse
from markup.inline import plain, render_line
from markup.pages import contents, render, statistics

__all__ = ["Block", "contents", "parse", "plain", "render", "render_line", "statistics"]
