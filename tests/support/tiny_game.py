"""A game file in ALFWorld's format, small enough to read: a desk with a lamp, a drawer, a sink."""

import json
from pathlib import Path
from typing import Any

from turnwise_envs.household.grammar import COMMANDS, RULES
from turnwise_envs.household.pddl import PREDICATES, TYPES
from turnwise_envs.household.texts import TEXTS

INIT = """
(receptacletype Desk_bar_1 DeskType) (receptacletype Drawer_bar_1 DrawerType)
(receptacletype Sink_bar_1_bar_SinkBasin SinkBasinType)
(receptacleAtLocation Desk_bar_1 loc_bar_1) (receptacleAtLocation Drawer_bar_1 loc_bar_2)
(receptacleAtLocation Sink_bar_1_bar_SinkBasin loc_bar_3)
(openable Drawer_bar_1) (atLocation agent1 loc_bar_0)
(objectType Book_bar_1 BookType) (objectType Book_bar_2 BookType) (objectType Mug_bar_1 MugType)
(objectType DeskLamp_bar_1 DeskLampType) (toggleable DeskLamp_bar_1)
(pickupable Book_bar_1) (pickupable Book_bar_2) (pickupable Mug_bar_1) (cleanable Mug_bar_1)
(isReceptacleObject Mug_bar_1)
(inReceptacle Book_bar_1 Drawer_bar_1) (inReceptacle Book_bar_2 Desk_bar_1)
(inReceptacle Mug_bar_1 Desk_bar_1) (inReceptacle DeskLamp_bar_1 Desk_bar_1)
(objectAtLocation Mug_bar_1 loc_bar_1)
(canContain DeskType MugType) (canContain DeskType BookType) (canContain DrawerType BookType)
(canContain SinkBasinType MugType)
"""

OBJECTS = """
agent1 - agent Book_bar_1 Book_bar_2 Mug_bar_1 DeskLamp_bar_1 Unused - object
Desk_bar_1 Drawer_bar_1 Sink_bar_1_bar_SinkBasin - receptacle
loc_bar_0 loc_bar_1 loc_bar_2 loc_bar_3 - location
DeskType DrawerType SinkBasinType - rtype BookType MugType DeskLampType - otype
"""

PLACE = """(and (exists (?r - receptacle) (exists (?o - object) (and (inReceptacle ?o ?r)
(objectType ?o {o}) (receptacleType ?r {r}){more}))))"""
GOALS = {
    "pick_and_place": PLACE.format(o="MugType", r="DeskType", more=""),
    "clean": PLACE.format(o="MugType", r="DeskType", more=" (cleanable ?o) (isClean ?o)"),
    "heat": PLACE.format(o="MugType", r="DeskType", more=" (isHot ?o)"),
    "cool": PLACE.format(o="MugType", r="DeskType", more=" (isCool ?o)"),
    "pick_two": """(and (exists (?r - receptacle) (exists (?o1 - object) (and
        (objectType ?o1 BookType) (receptacleType ?r DrawerType) (inReceptacle ?o1 ?r)
        (exists (?o2 - object) (and (not (= ?o1 ?o2)) (objectType ?o2 BookType)
        (receptacleType ?r DrawerType) (inReceptacle ?o2 ?r)))))))""",
    "look_at_obj_in_light": """(and (exists (?ot - object ?r - receptacle ?a - agent ?l - location)
        (and (objectType ?ot DeskLampType) (toggleable ?ot) (isToggled ?ot)
        (receptacleAtLocation ?r ?l) (atLocation ?a ?l) (inReceptacle ?ot ?r)))
        (exists (?o - object ?a - agent) (and (objectType ?o MugType) (holds ?a ?o))))""",
}


CONDITIONS = {
    ("inventory.feedback", 0): "holdsany(a:agent)",
    ("examineReceptacle.feedback", 0): "openable(r:receptacle) & opened(r:receptacle)",
    ("examineReceptacle.feedback", 1): "openable(r:receptacle)",
    ("toggleObject.feedback", 0): "toggleable(o:object) & istoggled(o:object)",
    ("look.feedback", 0): "atlocation(a:agent, l:location) & receptacleatlocation(r, l)",
}


def grammar(task: str, *, put: str = "move {o} to {r}", with_help: bool = True) -> str:
    """A grammar with the default texts, in the form that the original's parser reads."""
    rules: dict[str, list[dict[str, str]]] = {"task": [{"rhs": task}]}
    listed = "[{o.indefinite + ' ' + o.name | inreceptacle(o:object, r:receptacle)}]"
    for field, (rule, i) in RULES.items():
        rhs = getattr(TEXTS, field).replace("{r}", "{r.name}").replace("{list}", listed)
        rhs = rhs.replace("{o}", "{co.name}" if field == "slice" else "{o.name}")
        rhs = rhs.replace("{k}", "{ko.name}").replace("{look}", "#look.feedback#")
        rhs = rhs.replace("{task}", "#task#").replace("{examine}", "#examineReceptacle.feedback#")
        rules.setdefault(rule, []).extend([{"rhs": ""}] * (i + 1 - len(rules.get(rule, ()))))
        rules[rule][i] = {"rhs": rhs}
    rules["look.feedback"][0] = {
        "rhs": "#look-variations#. Next to it, you see #list_objects_on_the_floor#."
    }
    for (rule, i), condition in CONDITIONS.items():
        rules[rule][i] = {"condition": condition, **rules[rule][i]}
    rules["look-variations"] = [{"rhs": "You are facing the [{r.name | atlocation(a, l)}]"}]
    rules["examineObject.feedback"] = [
        {
            "condition": " & ".join(f"{p}(o:object)" for p in conditions),
            "rhs": text.replace("{o}", "{o.name}").replace("{list}", listed),
        }
        for conditions, text in TEXTS.object_conditions
    ]
    blocks = "\n".join(json.dumps(rules).splitlines())
    actions = "\n".join(
        f'action {name} {{\n  template :: "{command}";\n  feedback :: "#{name}.feedback#";\n}}'
        for name, command in {**COMMANDS, "putobject": put}.items()
        if with_help or name != "help"
    )
    return f'grammar :: """\n{blocks}\n""";\n{actions}\n'


NEAR = "(atLocation ?a ?l) (receptacleAtLocation ?r ?l)"
OPEN = "(or (opened ?r) (not (openable ?r)))"
ALR = "?a - agent ?l - location ?r - receptacle"
TREAT = "({0}able ?o) (holds ?a ?o) (receptacleType ?r {1}Type) " + NEAR
ACTIONS = {
    "look": ("?a - agent ?l - location", "(atLocation ?a ?l)", "(checked ?l)"),
    "inventory": ("?a - agent", "", "(checked ?a)"),
    "help": ("?a - agent", "", "(checked ?a)"),
    "examineReceptacle": (
        "?r - receptacle ?a - agent",
        f"(exists (?l - location) (and {NEAR}))",
        "(checked ?r)",
    ),
    "examineObject": (
        "?a - agent ?o - object",
        "(or (holds ?a ?o) (exists (?l - location, ?r - receptacle) "
        f"(and {NEAR} (inReceptacle ?o ?r) {OPEN})))",
        "(checked ?o)",
    ),
    "gotoLocation": (
        "?a - agent ?lStart ?lEnd - location ?r - receptacle",
        "(receptacleAtLocation ?r ?lEnd) (atLocation ?a ?lStart)",
        "(atLocation ?a ?lEnd) (not (atLocation ?a ?lStart))",
    ),
    "openObject": (
        ALR,
        f"{NEAR} (openable ?r) (not (opened ?r))",
        "(opened ?r) (checked ?r) (increase (total-cost) 1)",
    ),
    "closeObject": (ALR, f"{NEAR} (openable ?r) (opened ?r)", "(not (opened ?r))"),
    "pickupObject": (
        ALR + " ?o - object",
        f"{NEAR} {OPEN} (inReceptacle ?o ?r) (pickupable ?o) (not (holdsAny ?a))",
        "(holds ?a ?o) (holdsAny ?a) (not (inReceptacle ?o ?r)) (not (objectAtLocation ?o ?l))",
    ),
    "putObject": (
        ALR + " ?o - object ?ot - otype ?rt - rtype",
        f"{NEAR} {OPEN} (holds ?a ?o) (objectType ?o ?ot) (receptacleType ?r ?rt) "
        "(canContain ?rt ?ot)",
        "(inReceptacle ?o ?r) (objectAtLocation ?o ?l) (not (holds ?a ?o)) (not (holdsAny ?a))",
    ),
    "cleanObject": (ALR + " ?o - object", TREAT.format("clean", "SinkBasin"), "(isClean ?o)"),
    "heatObject": (
        ALR + " ?o - object",
        TREAT.format("heat", "Microwave"),
        "(isHot ?o) (not (isCool ?o))",
    ),
    "coolObject": (
        ALR + " ?o - object",
        TREAT.format("cool", "Fridge"),
        "(isCool ?o) (not (isHot ?o))",
    ),
    "toggleObject": (
        ALR + " ?o - object",
        f"{NEAR} (toggleable ?o) (inReceptacle ?o ?r)",
        "(isToggled ?o) (when (isOn ?o) (not (isOn ?o))) (when (not (isOn ?o)) (isOn ?o))",
    ),
    "sliceObject": (
        "?a - agent ?l - location ?co ?ko - object",
        "(sliceable ?co) (holds ?a ?ko) (atLocation ?a ?l) (objectAtLocation ?co ?l) "
        "(or (objectType ?ko KnifeType) (objectType ?ko ButterKnifeType))",
        "(isSliced ?co)",
    ),
}
"""(parameters, precondition, effect) of every rule, in an order and form of our own."""


def domain(*, mended: bool = False, with_help: bool = True, **changes: tuple[str, str, str]) -> str:
    """The ALFRED domain; `changes` replace rules."""
    actions = {**ACTIONS, **changes}
    if not with_help:
        del actions["help"]
    text = " ".join(
        f"(:action {name} :parameters ({given}) :precondition (and {asked}) :effect (and {done}))"
        for name, (given, asked, done) in actions.items()
    )
    predicates = " ".join(f"({name} ?x)" for name in sorted(PREDICATES))
    return (
        f"(define (domain alfred) (:types {' '.join(sorted(TYPES))}) "
        f"(:predicates {predicates}) {text.replace('location,', 'location') if mended else text})"
    )


def problem(goal: str, *, init: str = INIT) -> str:
    """A problem over the objects above."""
    return (
        f"(define (problem tiny) (:domain alfred) (:objects {OBJECTS}) ; a comment (\n"
        f"(:init {init}) (:goal {goal}))"
    )


def game(kind: str = "clean", **changes: Any) -> dict[str, Any]:
    """The JSON data of a game; `changes` replace parts."""
    return {
        "pddl_domain": domain(),
        "grammar": grammar(f"Your task is to: {kind}."),
        "pddl_problem": problem(GOALS[kind]),
        "solvable": True,
        **changes,
    }


def write(path: Path, data: dict[str, Any] | str) -> Path:
    """Writes a game file and returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return path
