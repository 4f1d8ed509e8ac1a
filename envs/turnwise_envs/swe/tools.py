"""The agent's tools: one grammar for all, and those that need no process."""

import re
from dataclasses import dataclass

from turnwise_envs.formats import Tool
from turnwise_envs.swe.workspace import Tree

_PATH = "a file of the work tree, e.g. shop/cart.py"
BEGIN, MIDDLE, END = "<<<<<<<", "=======", ">>>>>>>"

TOOLS: tuple[Tool, ...] = (
    Tool(
        "shell", "Run a shell command in the work tree.", {"command": "for sh"}, "shell {command}"
    ),
    Tool(
        "view_lines",
        "Show lines of a file with their numbers.",
        {"path": _PATH, "first": "number of the first line", "last": "of the last"},
        "view {path} {first} {last}",
    ),
    Tool("view", "Show a file, or the files of a folder.", {"path": _PATH}, "view {path}"),
    Tool("search", "Find a text in all files.", {"text": "the text"}, "search {text}"),
    Tool(
        "replace",
        "Replace a text that occurs exactly once in a file.",
        {"path": _PATH, "old": "whole lines of the file", "new": "what they become"},
        f"replace {{path}}\n{BEGIN}\n{{old}}\n{MIDDLE}\n{{new}}\n{END}",
    ),
    Tool(
        "create",
        "Write a whole file, new or not.",
        {"path": _PATH, "content": "all of it"},
        "create {path}\n{content}",
    ),
    Tool("test", "Run the tests of the work tree.", {}, "test"),
    Tool("submit", "Hand the work tree in; ends the task.", {}, "submit"),
)

GRAMMAR = f"""Commands:
shell COMMAND
view PATH
view PATH FIRST LAST
search TEXT
replace PATH
{BEGIN}
lines of the file, which must occur exactly once
{MIDDLE}
lines to put in their place
{END}
create PATH
all lines of the file
test
submit
Paths are relative to the work tree. Nothing is graded but what you submit."""

_VIEW = re.compile(r"(?P<path>\S+)(?: +(?P<first>\d+) +(?P<last>\d+))?")
_MOST_MATCHES = 50
_LONGEST_LINE = 400


@dataclass(frozen=True)
class Call:
    """One parsed command; the fields that a tool has no use for are empty."""

    tool: str
    text: str = ""
    """The command of `shell`, the text of `search`, the content of `create`."""
    path: str = ""
    old: str = ""
    new: str = ""
    first: int = 1
    last: int = 0
    """Of `view`; 0 is the end."""


class Refused(Exception):
    """A command that cannot be carried out; the message is the observation."""


def parse(action: str) -> Call:
    """Reads a command.

    Raises:
        Refused: If it is none; says how it is written.
    """
    head, _, body = action.partition("\n")
    tool, _, rest = head.partition(" ")
    rest = rest.strip()
    if tool in ("test", "submit") and not rest and not body:
        return Call(tool)
    if tool == "shell" and (rest or body):
        return Call(tool, text=action[len("shell") :].strip())
    if tool == "search" and rest:
        return Call(tool, text=action[len("search") :].strip())
    if tool == "view" and not body and (found := _VIEW.fullmatch(rest)):
        first, last = found["first"], found["last"]
        return Call(tool, path=found["path"], first=int(first or 1), last=int(last or 0))
    if tool == "create" and rest:
        return Call(tool, path=rest, text=body if body.endswith("\n") or not body else body + "\n")
    if tool == "replace" and rest:
        return _parse_replace(rest, body)
    raise Refused(f"There is no such command. {GRAMMAR}")


def _parse_replace(path: str, body: str) -> Call:
    lines = body.split("\n")
    if lines[0] != BEGIN or lines[-1] != END or MIDDLE not in lines:
        raise Refused(
            f"replace is written as a line 'replace PATH', a line {BEGIN}, the old lines, a line "
            f"{MIDDLE}, the new lines, and a line {END}."
        )
    middle = lines.index(MIDDLE)
    old, new = "\n".join(lines[1:middle]), "\n".join(lines[middle + 1 : -1])
    if not old:
        raise Refused("replace needs old lines to find the place. Use create for a new file.")
    return Call("replace", path=path, old=old, new=new)


def render_replace(path: str, old: str, new: str) -> str:
    """Returns the command that replaces lines, both texts without their last line break."""
    return f"replace {path}\n{BEGIN}\n{old}\n{MIDDLE}\n{new}\n{END}"


def _normal(path: str) -> str:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts or "\0" in path:
        raise Refused(f"A path must lie in the work tree, without '..', got {path}.")
    return "/".join(parts)


def _text(path: str, tree: Tree) -> str:
    name = _normal(path)
    if name not in tree:
        raise Refused(f"There is no file {path}. Use 'view .' to list the files.")
    try:
        return tree[name].decode()
    except UnicodeDecodeError as error:
        raise Refused(f"{path} is no text, it has {len(tree[name])} bytes.") from error


def view(call: Call, tree: Tree) -> tuple[str, str]:
    """Returns lines of a file, and its path; or the files of a folder, and ""."""
    name = _normal(call.path)
    if name not in tree:
        below = [path for path in sorted(tree) if not name or path.startswith(f"{name}/")]
        if below:
            return "\n".join(below), ""
    lines = _text(call.path, tree).split("\n")
    if lines[-1] == "":
        lines.pop()
    last = min(call.last or len(lines), len(lines))
    if lines and not 1 <= call.first <= last:
        raise Refused(f"{call.path} has the lines 1 to {len(lines)}.")
    shown = [f"{i:5} {lines[i - 1]}" for i in range(call.first, last + 1)]
    return "\n".join(shown) or f"{call.path} is empty.", name


def search(call: Call, tree: Tree) -> str:
    """Returns the lines that have a text, as path:number: line."""
    found = []
    for path, content in sorted(tree.items()):
        for i, line in enumerate(content.decode(errors="replace").split("\n"), start=1):
            if call.text in line:
                found.append(f"{path}:{i}: {line[:_LONGEST_LINE]}")
    if len(found) > _MOST_MATCHES:
        found[_MOST_MATCHES:] = [f"... and {len(found) - _MOST_MATCHES} more."]
    return "\n".join(found) or "Nothing was found."


def replace(call: Call, tree: Tree) -> Tree:
    """Returns the tree after a replacement."""
    text = _text(call.path, tree)
    lines, old = text.split("\n"), call.old.split("\n")
    places = [i for i in range(len(lines) - len(old) + 1) if lines[i : i + len(old)] == old]
    if len(places) != 1:
        raise Refused(
            f"The old lines occur {len(places)} times in {call.path}, it must be once. "
            "Copy whole lines, with their indentation, and enough of them."
        )
    lines[places[0] : places[0] + len(old)] = call.new.split("\n") if call.new else []
    return {**tree, _normal(call.path): "\n".join(lines).encode(errors="surrogateescape")}


def create(call: Call, tree: Tree) -> Tree:
    """Returns the tree with a file written."""
    name = _normal(call.path)
    above = name.split("/")
    if any("/".join(above[:i]) in tree for i in range(1, len(above))):
        raise Refused(f"A part of {call.path} is a file, no folder.")
    if not name or any(path.startswith(f"{name}/") for path in tree):
        raise Refused(f"{call.path} is a folder.")
    return {**tree, name: call.text.encode(errors="replace")}
