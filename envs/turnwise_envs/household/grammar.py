"""Reading a game's text grammar: templates of commands and replies.

Only the strings are taken from the grammar; which reply a command gets is the engine's business.
A grammar whose rules are built otherwise than ALFWorld's is an error, not a guess.
"""

from __future__ import annotations

import json
import re
from typing import Any

from turnwise_envs.errors import DataError
from turnwise_envs.household.texts import OBJECT_CONDITIONS, Texts

_ACTION = re.compile(
    r'\baction\s+(\w+)\s*\{\s*template\s*::\s*"([^"]*)"(?:\s*;\s*feedback\s*::\s*"([^"]*)")?'
)
_BLOCK = re.compile(r'"""(.*?)"""', re.DOTALL)
_FIELDS = {
    "{r.name}": "{r}",
    "{lend.name}": "{l}",
    "{o.name}": "{o}",
    "{co.name}": "{o}",
    "{ko.name}": "{k}",
    "#examineReceptacle.feedback#": "{examine}",
    "#look.feedback#": "{look}",
    "#task#": "{task}",
    "#list_objects_on_the_floor#": "{list}",
    "#list_appliances#": "{list}",
}
RULES = {
    "intro": ("intro", 0),
    "arrive": ("GotoLocation.feedback", 0),
    "open": ("OpenObject.feedback", 0),
    "close": ("CloseObject.feedback", 0),
    "take": ("PickupObject.feedback", 0),
    "move": ("PutObject.feedback", 0),
    "clean": ("cleanObject.feedback", 0),
    "heat": ("heatObject.feedback", 0),
    "cool": ("coolObject.feedback", 0),
    "use": ("toggleObject.feedback", 0),
    "slice": ("sliceObject.feedback", 0),
    "carrying": ("inventory.feedback", 0),
    "empty_handed": ("inventory.feedback", 1),
    "inside": ("examineReceptacle.feedback", 0),
    "closed": ("examineReceptacle.feedback", 1),
    "on_top": ("examineReceptacle.feedback", 2),
    "room": ("look.feedback", 1),
}
"""Which rule, and which of its alternatives, each template comes from."""


def read_texts(grammar: str, where: str) -> tuple[Texts, str]:
    """Returns the templates of a grammar, and the sentence that states the task.

    Raises:
        DataError: If a rule is missing or has a form that the engine does not know.
    """
    rules = _rules(grammar, where)
    fields: dict[str, Any] = {
        name: _template(rules, rule, i, where) for name, (rule, i) in RULES.items()
    }
    facing = _template(rules, "look-variations", 0, where).replace("{list}", "{receptacles}")
    behind = _template(rules, "look.feedback", 0, where)
    fields["facing"] = behind.replace("#look-variations#", facing)
    fields["object_conditions"] = _object_conditions(rules, where)
    actions = {name.lower(): rest for name, *rest in _ACTION.findall(grammar)}
    if "putobject" in actions:
        fields["move_command"] = actions["putobject"][0]
    # The data has the help text in the action, the alfworld package in a rule; 2.1.1 has no help.
    _, reply = actions.get("help", ("", ""))
    fields["help"] = (
        _template(rules, "help.feedback", 0, where)
        if reply == "#help.feedback#"
        else reply.lstrip()
    )
    for name, text in fields.items():
        if isinstance(text, str) and ("#" in text or re.search(r"\{[^}]*[.|]", text)):
            raise DataError(
                f"{where}: the rule of {name!r} has a form that is not ALFWorld's: {text!r}."
            )
    return Texts(**fields), _rule(rules, "task", 0, where)["rhs"]


def _rules(grammar: str, where: str) -> dict[str, list[dict[str, str]]]:
    rules: dict[str, list[dict[str, str]]] = {}
    for block in _BLOCK.findall(grammar):
        lines = [line for line in block.split("\n") if not line.lstrip().startswith("#")]
        try:
            rules.update(json.loads("\n".join(lines)))
        except ValueError as error:
            raise DataError(f"{where}: a block of rules is not JSON ({error}).") from None
    return rules


def _rule(rules: dict[str, Any], name: str, i: int, where: str) -> dict[str, str]:
    try:
        rule: dict[str, str] = rules[name][i]
        rule["rhs"]
    except (KeyError, IndexError, TypeError):
        raise DataError(
            f"{where}: has no rule {name!r} with {i + 1} alternatives. Take the grammar of the "
            "alfworld package."
        ) from None
    return rule


def _template(rules: dict[str, Any], name: str, i: int, where: str) -> str:
    text = _rule(rules, name, i, where)["rhs"]
    text = re.sub(r"\[\{[^\]]*\}\]", "{list}", text)
    for theirs, ours in _FIELDS.items():
        text = text.replace(theirs, ours)
    return text.lstrip()  # the original's grammar reader skips white space before a rule


def _object_conditions(
    rules: dict[str, Any], where: str
) -> tuple[tuple[tuple[str, ...], str], ...]:
    found = []
    for i, rule in enumerate(rules.get("examineObject.feedback", ())):
        condition = rule.get("condition", "")
        predicates = tuple(re.findall(r"(\w+)\(o:object\)", condition))
        unknown = set(predicates) - OBJECT_CONDITIONS
        if unknown:
            raise DataError(f"{where}: examineObject.feedback asks for {sorted(unknown)}.")
        found.append((predicates, _template(rules, "examineObject.feedback", i, where)))
    if not found or found[-1][0]:
        raise DataError(f"{where}: examineObject.feedback must end with an unconditional rule.")
    return tuple(found)
