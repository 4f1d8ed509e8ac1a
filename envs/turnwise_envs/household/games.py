"""Loading ALFWorld games: a `game.tw-pddl` file becomes a scene and a goal.

What is wrong with a game is a `DataError` that names its place in the file; `load_game` adds the
file's path in front.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from turnwise_envs.errors import DataError
from turnwise_envs.household.domain import Rules, check_domain
from turnwise_envs.household.expert import Expert
from turnwise_envs.household.formula import Names, read_goal
from turnwise_envs.household.goals import Goal
from turnwise_envs.household.grammar import read_texts
from turnwise_envs.household.pddl import Problem, parse_problem, words
from turnwise_envs.household.scene import Layout, Scene, State, mask_of
from turnwise_envs.household.texts import Texts
from turnwise_envs.splits import content_id

_OBJECT_FLAGS = words(
    "pickupable cleanable heatable coolable sliceable toggleable isreceptacleobject isclean ishot "
    "iscool istoggled ison issliced"
)
# The sentence that states the task, where nothing in it is escaped or refers to a rule.
_TASK = re.compile(r'"task"\s*:\s*\[\s*\{\s*"rhs"\s*:\s*"([^"\\#]*)"\s*\}\s*\]')
_PARTS = ("pddl_domain", "grammar", "pddl_problem")


@dataclass(frozen=True)
class Game:
    """A loaded game.

    Attributes:
        id: content hash of domain, grammar and problem.
        scene: its scene at the start.
        goal: what it asks for.
    """

    id: str
    scene: Scene
    goal: Goal


def read_parts(path: Path) -> dict[str, Any]:
    """Returns the JSON data of a game file.

    Raises:
        DataError: If it cannot be read, is no JSON object, or lacks a part.
    """
    try:
        return parse_parts(read_bytes(path))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def parse_parts(data: bytes) -> dict[str, Any]:
    """Returns the JSON data of a game file's content.

    Raises:
        DataError: If it is no JSON object, or lacks a part.
    """
    try:
        parts = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"cannot be read as JSON ({error}). Restore the file.") from None
    missing = [p for p in _PARTS if not (isinstance(parts, dict) and isinstance(parts.get(p), str))]
    if missing:
        raise DataError(
            f"must have the texts {', '.join(_PARTS)}; missing: {', '.join(missing)}. "
            "Is it a game.tw-pddl of ALFWorld?"
        )
    if not isinstance(parts.get("solvable", True), bool):
        raise DataError(f"solvable: must be true or false, got {parts['solvable']!r}.")
    found: dict[str, Any] = parts
    return found


def game_id(parts: dict[str, Any]) -> str:
    """Returns the content hash that names a game."""
    return content_id({part: parts[part] for part in _PARTS})


def read_game(parts: dict[str, Any]) -> Game:
    """Returns the game of a file's parts.

    Raises:
        DataError: If anything in it is not as the ALFRED domain has it, or the goal cannot be
            reached.
    """
    if parts.get("solvable") is False:
        raise DataError("solvable: is false, the game is marked as unsolvable. Leave it out.")
    rules = _domain_once(parts["pddl_domain"])
    where = "grammar"
    try:
        texts, task = _texts_of(parts["grammar"], rules.has_help)
        where = "pddl_problem"
        problem = parse_problem(parts["pddl_problem"], where)
        identity = game_id(parts)
        scene, names = compile_problem(problem, texts, task, identity, where)
        scene.examine_in_place = rules.examine_in_place
        goal = read_goal(problem.goal, names, where)
    except RecursionError:
        raise DataError(f"{where}: is nested too deeply. Restore the file.") from None
    _expect_reachable(scene, goal, where)
    return Game(identity, scene, goal)


def _expect_reachable(scene: Scene, goal: Goal, where: str) -> None:
    if goal.holds(scene, scene.initial):
        raise DataError(f"{where}, :goal: holds at the start. Leave the game out.")
    if goal.kind == "other":
        return
    looking = goal.kind == "look_at_obj_in_light"
    wanted = {"object": goal.targets}
    wanted |= {"lamp": goal.lamps} if looking else {"place": goal.places}
    for what, found in wanted.items():
        if not found:
            raise DataError(
                f"{where}, :goal: cannot be reached, the scene has no {what} that it asks for. "
                "Leave the game out."
            )
    if Expert(scene, goal).plan(scene.initial) is None:
        raise DataError(f"{where}, :goal: no plan reaches the goal. Leave the game out.")


def load_game(path: Path) -> Game:
    """Loads a game file.

    Raises:
        DataError: If it cannot be read or played; names path, place and remedy.
    """
    try:
        return read_game(parse_parts(read_bytes(path)))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def read_bytes(path: Path) -> bytes:
    """Returns a file's content.

    Raises:
        DataError: If it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror}). Restore the file.") from None


@lru_cache(maxsize=8)
def _domain_once(domain: str) -> Rules:
    return check_domain(domain, "pddl_domain")


def _texts_of(grammar: str, has_help: bool) -> tuple[Texts, str]:
    """Returns what `read_texts` does; grammars differ in the task only, so the rest is kept."""
    found = _TASK.search(grammar)
    if found is None:
        return _texts_once(grammar, has_help)
    texts, _ = _texts_once(grammar[: found.start(1)] + grammar[found.end(1) :], has_help)
    return texts, found[1]


@lru_cache(maxsize=8)
def _texts_once(grammar: str, has_help: bool) -> tuple[Texts, str]:
    return read_texts(grammar, "grammar", has_help=has_help)


def display_names(identifiers: list[str]) -> dict[str, str]:
    """Returns the name shown for each identifier; numbers fall with the sorted identifier.

    "cabinet_bar_..." becomes "cabinet N"; a basin is part of its sink's identifier.
    """
    kinds: dict[str, str] = {}
    for identifier in sorted(identifiers):
        kind, bar, _ = identifier.partition("_bar_")
        kinds[identifier] = (kind + "basin" if "basin" in identifier else kind) if bar else ""
    left: dict[str, int] = {}
    for kind in kinds.values():
        left[kind] = left.get(kind, 0) + 1
    names = {}
    for identifier, kind in kinds.items():
        if not kind:
            names[identifier] = identifier + " "
            continue
        names[identifier] = f"{kind} {left[kind]}"
        left[kind] -= 1
    return names


def compile_problem(
    problem: Problem, texts: Texts, task: str, key: str, where: str
) -> tuple[Scene, Names]:
    """Returns the scene of a parsed problem.

    Raises:
        DataError: If a receptacle has no or several locations, or the agent none.
    """
    facts = problem.facts
    mentioned = sorted({name for found in facts.values() for fact in found for name in fact})
    shown = display_names(mentioned)
    of_type: dict[str, list[str]] = {}
    for name in mentioned:
        of_type.setdefault(problem.types[name], []).append(name)
    receptacles = {name: r for r, name in enumerate(of_type.get("receptacle", ()))}
    objects = {name: o for o, name in enumerate(of_type.get("object", ()))}
    locations = {name: i for i, name in enumerate(of_type.get("location", ()))}
    names = Names(receptacles, objects, locations, problem)
    layout = _layout(names, shown, where)
    types = {fact[0]: fact[1].removesuffix("type") for fact in facts.get("objecttype", ())}
    unary = {
        p: mask_of(objects[f[0]] for f in facts.get(p, ()) if f[0] in objects)
        for p in _OBJECT_FLAGS
    }
    inner: dict[int, tuple[int, ...]] = {}
    for inside, outside in sorted(facts.get("inreceptacleobject", ())):
        inner[objects[outside]] = (*inner.get(objects[outside], ()), objects[inside])
    scene = Scene(
        layout,
        names=tuple(shown[name] for name in objects),
        types=tuple(types.get(name, "") for name in objects),
        initial=_initial(names, unary, where),
        holders=_holders(names),
        pickupable=unary["pickupable"],
        cleanable=unary["cleanable"],
        heatable=unary["heatable"],
        coolable=unary["coolable"],
        sliceable=unary["sliceable"],
        toggleable=unary["toggleable"],
        vessels=unary["isreceptacleobject"],
        knives=mask_of(o for n, o in objects.items() if types.get(n) in ("knife", "butterknife")),
        cleaners=_of_kind(layout, "sinkbasin"),
        heaters=_of_kind(layout, "microwave"),
        coolers=_of_kind(layout, "fridge"),
        task=task,
        key=key,
        inner=inner,
        texts=texts,
    )
    return scene, names


def _of_kind(layout: Layout, kind: str) -> int:
    return mask_of(r for r, its in enumerate(layout.types) if its == kind)


def _layout(names: Names, shown: dict[str, str], where: str) -> Layout:
    facts = names.problem.facts
    places: dict[str, str] = {}
    for r, place in facts.get("receptacleatlocation", ()):
        if places.setdefault(r, place) != place:
            raise DataError(f"{where}, :init: receptacle {r!r} must have one location, has two.")
    for r in names.receptacles:
        if r not in places:
            raise DataError(f"{where}, :init: receptacle {r!r} must have a location, has none.")
    start = [fact[1] for fact in facts.get("atlocation", ())]
    if len(start) != 1:
        raise DataError(f"{where}, :init: the agent must be at 1 location, is at {len(start)}.")
    types = {fact[0]: fact[1].removesuffix("type") for fact in facts.get("receptacletype", ())}
    return Layout(
        names=tuple(shown[r] for r in names.receptacles),
        types=tuple(types.get(r, "") for r in names.receptacles),
        locations=tuple(names.locations[places[r]] for r in names.receptacles),
        openable=mask_of(names.receptacles[fact[0]] for fact in facts.get("openable", ())),
        start=names.locations[start[0]],
        elsewhere=tuple(names.locations.values()),
    )


def _holders(names: Names) -> tuple[int, ...]:
    facts = names.problem.facts
    of_kind: dict[str, int] = {}
    for r, kind in facts.get("receptacletype", ()):
        of_kind[kind] = of_kind.get(kind, 0) | 1 << names.receptacles[r]
    by_type: dict[str, int] = {}
    for place, kind in facts.get("cancontain", ()):
        by_type[kind] = by_type.get(kind, 0) | of_kind.get(place, 0)
    masks = dict.fromkeys(names.objects, 0)
    for o, kind in facts.get("objecttype", ()):
        masks[o] |= by_type.get(kind, 0)
    return tuple(masks.values())


def _initial(names: Names, unary: dict[str, int], where: str) -> State:
    facts, objects = names.problem.facts, names.objects
    contents = [0] * len(names.receptacles)
    for o, r in facts.get("inreceptacle", ()):
        contents[names.receptacles[r]] |= 1 << objects[o]
    object_at: dict[int, int] = {}
    for o, place in facts.get("objectatlocation", ()):
        object_at[objects[o]] = object_at.get(objects[o], 0) | 1 << names.locations[place]
    held = [objects[fact[1]] for fact in facts.get("holds", ())]
    if len(held) > 1:
        raise DataError(f"{where}, :init: the agent must hold at most 1 object, got {len(held)}.")
    start = facts["atlocation"][0][1]
    return State(
        names.locations[start],
        held[0] if held else -1,
        mask_of(names.receptacles[fact[0]] for fact in facts.get("opened", ())),
        contents,
        unary["isclean"],
        unary["ishot"],
        unary["iscool"],
        unary["istoggled"],
        unary["ison"],
        unary["issliced"],
        object_at,
    )
