"""Reading a game's text grammar: templates of commands and replies.

Only the strings are taken from the grammar; which reply a command gets is the engine's business.
A grammar whose rules are built otherwise than ALFWorld's is an error, not a guess.

Three versions are known. The games of before December 2024 ("put O in/on R") say "You arrive at loc
12." and have no command "help"; those since ("move O to R") have the text of "help" in the action
itself, where the original shows its line breaks as a backslash and an n; those made by the
`alfworld` package 0.4 have it in a rule.
"""

from __future__ import annotations

import json
import re
from string import Formatter
from typing import Any

from turnwise_envs.errors import DataError
from turnwise_envs.household.texts import OBJECT_CONDITIONS, TEXTS, Texts

_ACTION = re.compile(
    r'\baction\s+(\w+)\s*\{\s*template\s*::\s*"([^"]*)"\s*;\s*feedback\s*::\s*"([^"]*)"', re.DOTALL
)
_BLOCK = re.compile(r'"""(.*?)"""', re.DOTALL)
_NAME_LIST = re.compile(r"\[\{(\w+)\.name\s*\|[^\]]*\}\]")
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
_REMEDY = "Was the game made for another version? Take the grammar of the alfworld package."
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
    "help": ("help.feedback", 0),
}
"""Which rule, and which of its alternatives, each template comes from."""


_CONDITIONS = {
    "carrying": {"holdsany"},
    "inside": {"openable", "opened"},
    "closed": {"openable"},
    "use": {"toggleable", "istoggled"},
}
COMMANDS = {
    "gotolocation": "go to {r}",
    "openobject": "open {r}",
    "closeobject": "close {r}",
    "pickupobject": "take {o} from {r}",
    "cleanobject": "clean {o} with {r}",
    "heatobject": "heat {o} with {r}",
    "coolobject": "cool {o} with {r}",
    "toggleobject": "use {o}",
    "sliceobject": "slice {co} with {ko}",
    "examinereceptacle": "examine {r}",
    "examineobject": "examine {o}",
    "look": "look",
    "inventory": "inventory",
    "help": "help",
}
"""Commands of the actions that have one spelling; how objects are put down differs by version."""


def read_texts(grammar: str, where: str, *, has_help: bool = True) -> tuple[Texts, str]:
    """Returns the templates of a grammar, and the sentence that states the task.

    Args:
        grammar: the text.
        where: its place in the file, for messages.
        has_help: whether the game's domain has a command "help".

    Raises:
        DataError: If a rule or a command is missing, or has a form that the engine does not know.
    """
    rules = _rules(grammar, where)
    fields: dict[str, Any] = {
        name: _template(rules, rule, i, where, _CONDITIONS.get(name, set()))
        for name, (rule, i) in RULES.items()
        if rule != "help.feedback"
    }
    facing = _template(rules, "look-variations", 0, where).replace("{list}", "{receptacles}")
    at_one = {"atlocation", "receptacleatlocation"}
    behind = _template(rules, "look.feedback", 0, where, at_one)
    fields["facing"] = behind.replace("#look-variations#", facing)
    fields["object_conditions"] = _object_conditions(rules, where)
    actions = _actions(grammar, where, has_help)
    fields["move_command"] = actions["putobject"][0]
    for name, text in fields.items():
        if isinstance(text, str):
            allowed = _fields_of(getattr(TEXTS, name)) or set()
            _expect_fields(name, text, allowed | ({"l"} if name == "arrive" else set()), where)
    for _, text in fields["object_conditions"]:
        _expect_fields("examineObject.feedback", text, {"o", "list"}, where)
    fields["help"] = _help(rules, actions, where) if has_help else ""
    return Texts(**fields), _rule(rules, "task", 0, where)["rhs"]


def _fields_of(text: str) -> set[str] | None:
    """Returns the names of a template's fields; None where it is no template."""
    try:
        parts = [part for part in Formatter().parse(text) if part[1] is not None]
    except ValueError:
        return None
    return {str(name) + str(spec or "") + str(sign or "") for _, name, spec, sign in parts}


def _expect_fields(name: str, text: str, allowed: set[str], where: str) -> None:
    found = _fields_of(text)
    if found is None or not found <= allowed or "#" in text:
        raise DataError(
            f"{where}: the rule of {name!r} has a form that is not ALFWorld's: {text!r}. {_REMEDY}"
        )


def _actions(grammar: str, where: str, has_help: bool) -> dict[str, tuple[str, str]]:
    """Returns (command, feedback) of each action, checked."""
    found = {
        name.lower(): (_NAME_LIST.sub(r"{\1}", template), feedback)
        for name, template, feedback in _ACTION.findall(grammar)
    }
    for name in (*COMMANDS, "putobject"):
        if name == "help" and not has_help:
            continue
        if name not in found:
            raise DataError(f"{where}: has no command for the action {name!r}. {_REMEDY}")
        command, feedback = found[name]
        fits = command == COMMANDS.get(name, command) and (
            name == "help" or feedback.lower() == f"#{name}.feedback#"
        )
        if name == "putobject":
            fits = fits and _fields_of(command) == {"o", "r"}
        if not fits:
            wanted = COMMANDS.get(name, "a command of {o} and {r}")
            raise DataError(
                f"{where}, action {name}: must be {wanted!r} answered by #{name}.feedback#, got "
                f"{command!r} answered by {feedback!r}. {_REMEDY}"
            )
    return found


def _help(rules: dict[str, Any], actions: dict[str, tuple[str, str]], where: str) -> str:
    feedback = actions["help"][1]
    if "#" not in feedback:
        return feedback.lstrip()
    return _template(rules, "help.feedback", 0, where)


def _rules(grammar: str, where: str) -> dict[str, list[dict[str, str]]]:
    rules: dict[str, list[dict[str, str]]] = {}
    for block in _BLOCK.findall(grammar):
        lines = [line for line in block.split("\n") if not line.lstrip().startswith("#")]
        try:
            rules.update(json.loads("\n".join(lines)))
        except (ValueError, TypeError) as error:
            raise DataError(
                f"{where}: a block of rules is not JSON ({error}). Restore the file."
            ) from None
    return rules


def _rule(rules: dict[str, Any], name: str, i: int, where: str) -> dict[str, str]:
    try:
        rule: dict[str, str] = rules[name][i]
        rule["rhs"] + rule.get("condition", "")
    except (AttributeError, LookupError, TypeError):
        raise DataError(
            f"{where}: has no rule {name!r} with {i + 1} alternatives. {_REMEDY}"
        ) from None
    return rule


def _template(
    rules: dict[str, Any], name: str, i: int, where: str, condition: set[str] | None = None
) -> str:
    """Returns a rule's text with our fields; checks which predicates it asks for, unless None."""
    rule = _rule(rules, name, i, where)
    asked = set(re.findall(r"(\w+)\(", rule.get("condition", "")))
    if condition is not None and asked != condition:
        raise DataError(
            f"{where}: alternative {i + 1} of the rule {name!r} must ask for {sorted(condition)}, "
            f"it asks for {sorted(asked)}. {_REMEDY}"
        )
    text = rule["rhs"]
    text = re.sub(r"\[\{[^\]]*\}\]", "{list}", text)
    for theirs, ours in _FIELDS.items():
        text = text.replace(theirs, ours)
    return text.lstrip()  # the original's grammar reader skips white space before a rule


def _object_conditions(
    rules: dict[str, Any], where: str
) -> tuple[tuple[tuple[str, ...], str], ...]:
    found = []
    for i, rule in enumerate(rules.get("examineObject.feedback", ())):
        template = _template(rules, "examineObject.feedback", i, where)
        condition = rule.get("condition", "")
        predicates = tuple(re.findall(r"(\w+)\(o:object\)", condition))
        unknown = set(predicates) - OBJECT_CONDITIONS
        if unknown:
            raise DataError(
                f"{where}: examineObject.feedback asks for {sorted(unknown)}. {_REMEDY}"
            )
        found.append((predicates, template))
    if not found or found[-1][0]:
        raise DataError(
            f"{where}: examineObject.feedback must end with an unconditional rule. {_REMEDY}"
        )
    return tuple(found)
