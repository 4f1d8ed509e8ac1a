"""The edits that a task's menu offers: right ones among wrong ones, those that can be made now."""

from collections.abc import Iterable
from weakref import WeakKeyDictionary

from turnwise_envs.swe import tools
from turnwise_envs.swe.assignments import Assignment
from turnwise_envs.swe.workspace import Tree

_MOST_KNOWN = 1024


class EditMenu:
    """Replacements, and in which files each of them can be made.

    Args:
        edits: `replace` commands, their paths as they stand in work trees.
    """

    def __init__(self, edits: Iterable[str]) -> None:
        self._calls = {edit: tools.parse(edit) for edit in sorted(set(edits))}
        self._paths = sorted({call.path for call in self._calls.values()})
        self._known: dict[tuple[bytes | None, ...], list[str]] = {}

    def possible(self, tree: Tree) -> list[str]:
        """Returns the edits that can be made in a work tree (shared, not to be changed)."""
        contents = tuple(tree.get(path) for path in self._paths)
        found = self._known.get(contents)
        if found is None:
            found = [edit for edit, call in self._calls.items() if can_replace(call, tree)]
            if len(self._known) == _MOST_KNOWN:
                self._known.clear()
            self._known[contents] = found
        return found


_MENUS: WeakKeyDictionary[Assignment, EditMenu] = WeakKeyDictionary()
"""Wrong edits are searched for once, however many episodes are played."""


def edit_menu(repair: Assignment, task_id: str) -> EditMenu:
    """Returns the edits of a task's menu, the wrong ones chosen by the task's id."""
    menu = _MENUS.get(repair)
    if menu is None:
        menu = _MENUS[repair] = EditMenu(repair.edits + repair.wrong_edits(task_id))
    return menu


def can_replace(call: tools.Call, tree: Tree) -> bool:
    """Returns whether a replacement can be made."""
    try:
        tools.replace(call, tree)
    except tools.Refused:
        return False
    return True
