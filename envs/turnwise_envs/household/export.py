"""Export of generated tasks as genuine ALFWorld games, for other people's ALFWorld code.

An exported folder looks like ALFWorld's data:

    DIR/json_2.1.1/train/pick_heat_then_place_in_recep-Potato-None-SinkBasin-10017/trial_<task id>/
        game.tw-pddl         domain, grammar, problem, solvable flag, walkthrough
        initial_state.pddl   the problem alone, which `alfworld-play-tw` reads
        traj_data.json       task type and parameters, which ALFWorld's loaders and expert read

The PDDL domain and the text grammar are ALFWorld's own: they are read from the installed `alfworld`
package, or from any of its games. Scene numbers count from 10001, beyond those of ALFRED's rooms.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from turnwise_envs.errors import DataError, DependencyNotInstalled, UsageError
from turnwise_envs.household import vocabulary as words
from turnwise_envs.household.engine import Engine
from turnwise_envs.household.expert import Expert
from turnwise_envs.household.games import read_parts
from turnwise_envs.household.generator import LAYOUTS_PER_ROOM, GeneratedTask
from turnwise_envs.household.goals import KINDS
from turnwise_envs.household.scene import Scene, bits
from turnwise_envs.household.tasks import HouseholdTasks, household_tasks
from turnwise_envs.household.texts import DATA_VERSIONS, in_version
from turnwise_envs.splits import Task

TASK_TYPES = dict(
    zip(
        KINDS,
        (
            "pick_and_place_simple",
            "look_at_obj_in_light",
            "pick_clean_then_place_in_recep",
            "pick_heat_then_place_in_recep",
            "pick_cool_then_place_in_recep",
            "pick_two_obj_and_place",
        ),
        strict=True,
    )
)
"""ALFRED's name of each task type, in the order of ALFWorld's numbers 1 to 6."""

_COMPOUNDS = (
    "AlarmClock ArmChair BaseballBat BasketBall BathtubBasin ButterKnife CD CellPhone "
    "CoffeeMachine CoffeeTable CounterTop CreditCard DeskLamp DiningTable DishSponge FloorLamp "
    "GarbageCan Glassbottle HandTowel HandTowelHolder KeyChain LaundryHamper PepperShaker "
    "RemoteControl SaltShaker SideTable SinkBasin SoapBar SoapBottle SprayBottle StoveBurner "
    "TVStand TennisRacket TissueBox ToiletPaper ToiletPaperHanger TowelHolder WateringCan "
    "WineBottle"
)
_ALFRED_NAMES = {name.lower(): name for name in _COMPOUNDS.split()}

_ROOM_NUMBERS = {"kitchen": 0, "livingroom": 1, "bedroom": 2, "bathroom": 3}

_REWORDED = (
    ("You arrive at {r.name}.", "You arrive at {lend.name}."),
    ("move {o} to {r}", "put {o} in/on {r}"),
    ("You move the {o.name} to the {r.name}.", "You put the {o.name} in/on the {r.name}."),
)
"""Strings of the grammar in data version 2.1.2 and 2.1.1."""


def alfred_name(kind: str) -> str:
    """Returns ALFRED's spelling of an object or receptacle type: "sinkbasin" is "SinkBasin"."""
    return _ALFRED_NAMES.get(kind, kind.capitalize())


# -------------------------------------------------------------------- domain and grammar


def read_logic(source: str | Path | None = None, data_version: str = "2.1.2") -> dict[str, str]:
    """Returns ALFWorld's domain and grammar.

    Args:
        source: a `game.tw-pddl`, or a folder with `alfred.pddl` and `alfred.twl2`; None takes the
            installed `alfworld` package's.
        data_version: wording of the grammar.

    Returns:
        `{"pddl_domain": str, "grammar": str}`.

    Raises:
        DependencyNotInstalled: If `source` is None and there is no such package.
        DataError: If the source lacks them.
        UsageError: If the version is unknown.
    """
    if data_version not in DATA_VERSIONS:
        raise UsageError(
            f"data_version must be one of {', '.join(DATA_VERSIONS)}, got {data_version!r}."
        )
    if source is None:
        spec = importlib.util.find_spec("alfworld")
        if spec is None or not spec.submodule_search_locations:
            raise DependencyNotInstalled(
                "Exporting needs ALFWorld's domain and grammar. Install turnwise[parity], which "
                "brings the alfworld package, or name one of its games as the source."
            )
        source = Path(spec.submodule_search_locations[0]) / "data"
    source = Path(source)
    if source.is_dir():
        logic = {
            "pddl_domain": _read(source / "alfred.pddl"),
            "grammar": _read(source / "alfred.twl2"),
        }
    else:
        parts = read_parts(source)
        logic = {name: parts[name] for name in ("pddl_domain", "grammar")}
    return logic if data_version == "2.1.2" else older(logic)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}). Name a game.tw-pddl, or a folder with "
            "alfred.pddl and alfred.twl2."
        ) from None


def older(logic: dict[str, str]) -> dict[str, str]:
    """Returns a domain and grammar of data version 2.1.2 as they were in 2.1.1."""
    grammar = logic["grammar"]
    for newer, old in _REWORDED:
        grammar = grammar.replace(newer, old)
    domain = _cut(logic["pddl_domain"], r"\(:action help\b", "()")
    return {"pddl_domain": domain, "grammar": _cut(grammar, r"action help\b", "{}")}


def _cut(text: str, start: str, brackets: str) -> str:
    """Returns `text` without the bracketed expression that `start` begins (or is before)."""
    found = re.search(start, text)
    if found is None:
        return text
    depth = 0
    for i in range(found.start(), len(text)):
        if text[i] == brackets[0]:
            depth += 1
        elif text[i] == brackets[1]:
            depth -= 1
            if depth == 0:
                return text[: found.start()] + text[i + 1 :]
    raise DataError(f"The grammar or domain has an unbalanced {found.group()!r}. Restore it.")


def with_task(grammar: str, task: str) -> str:
    """Returns `grammar` with the rule "task" saying `task`.

    Raises:
        DataError: If it has no such rule.
    """
    sentence = json.dumps(task)
    replaced, count = re.subn(
        r'("task"\s*:\s*\[\s*\{\s*"rhs"\s*:\s*)"(?:[^"\\]|\\.)*"',
        lambda match: match.group(1) + sentence,
        grammar,
    )
    if count != 1:
        raise DataError(f'The grammar must have one rule "task", it has {count}.')
    return replaced


# -------------------------------------------------------------------- the problem


class Identifiers:
    """Identifiers of a scene's things, whose order and numbering give the scene's own names."""

    def __init__(self, scene: Scene) -> None:
        layout = scene.layout
        self.receptacles = [self._receptacle(kind, r) for r, kind in enumerate(layout.types)]
        self.objects = [f"{alfred_name(k)}_bar_{_number(o)}" for o, k in enumerate(scene.types)]
        places = sorted({layout.start, *layout.locations})
        self.locations = {place: f"loc_bar_{i:02d}_bar_0_bar_0" for i, place in enumerate(places)}

    @staticmethod
    def _receptacle(kind: str, r: int) -> str:
        if kind.endswith("basin"):
            name = alfred_name(kind)
            return f"{name.removesuffix('Basin')}_bar_{_number(r)}_bar_{name}"
        return f"{alfred_name(kind)}_bar_{_number(r)}"


def _number(i: int) -> str:
    return f"_plus_{i:02d}_dot_00_bar__plus_00_dot_00_bar__plus_00_dot_00"


def problem_text(task: GeneratedTask, name: str) -> str:
    """Returns the PDDL problem of a generated task.

    Args:
        task: the built task.
        name: name of the problem.
    """
    scene, names = task.scene, Identifiers(task.scene)
    layout = scene.layout
    kinds = sorted({*scene.types, task.target})
    places = sorted(set(layout.types))
    objects = [
        "agent1 - agent",
        *(f"{o} - object" for o in names.objects),
        *(f"{r} - receptacle" for r in names.receptacles),
        *(f"{place} - location" for place in names.locations.values()),
        *(f"{alfred_name(kind)}Type - otype" for kind in kinds),
        *(f"{alfred_name(kind)}Type - rtype" for kind in places),
    ]
    facts = [f"(atLocation agent1 {names.locations[layout.start]})"]
    for r, identifier in enumerate(names.receptacles):
        facts.append(f"(receptacleType {identifier} {alfred_name(layout.types[r])}Type)")
        facts.append(f"(receptacleAtLocation {identifier} {names.locations[layout.locations[r]]})")
        if layout.openable >> r & 1:
            facts.append(f"(openable {identifier})")
    for place in places:
        for kind in sorted(words.HOLDS[place] & set(kinds)):
            facts.append(f"(canContain {alfred_name(place)}Type {alfred_name(kind)}Type)")
    facts += _object_facts(scene, names)
    return (
        f"(define (problem {name})\n(:domain alfred)\n(:objects\n"
        + "\n".join(f"    {line}" for line in objects)
        + "\n)\n(:init\n"
        + "\n".join(f"    {line}" for line in facts)
        + f"\n)\n(:goal\n    {goal_text(task)}\n)\n)\n"
    )


def _object_facts(scene: Scene, names: Identifiers) -> list[str]:
    layout = scene.layout
    able = {
        "pickupable": scene.pickupable,
        "cleanable": scene.cleanable,
        "heatable": scene.heatable,
        "coolable": scene.coolable,
        "sliceable": scene.sliceable,
        "toggleable": scene.toggleable,
        "isReceptacleObject": scene.vessels,
    }
    facts = []
    for o, identifier in enumerate(names.objects):
        facts.append(f"(objectType {identifier} {alfred_name(scene.types[o])}Type)")
        facts += [f"({fact} {identifier})" for fact, mask in able.items() if mask >> o & 1]
    for r, mask in enumerate(scene.initial.contents):
        for o in bits(mask):
            location = names.locations[layout.locations[r]]
            facts.append(f"(inReceptacle {names.objects[o]} {names.receptacles[r]})")
            facts.append(f"(objectAtLocation {names.objects[o]} {location})")
    return facts


_TREATED = {
    "clean": "(cleanable ?o) (isClean ?o) ",
    "heat": "(heatable ?o) (isHot ?o) ",
    "cool": "(coolable ?o) (isCool ?o) ",
}


def goal_text(task: GeneratedTask) -> str:
    """Returns the PDDL goal formula of a generated task."""
    target, place = (f"{alfred_name(kind)}Type" for kind in (task.target, task.place))
    if task.kind == "look_at_obj_in_light":
        return (
            "(and (exists (?ot - object ?r - receptacle ?a - agent ?l - location) (and "
            f"(objectType ?ot {place}) (toggleable ?ot) (isToggled ?ot) (receptacleAtLocation ?r "
            "?l) (atLocation ?a ?l) (inReceptacle ?ot ?r))) (exists (?o - object ?a - agent) "
            f"(and (objectType ?o {target}) (holds ?a ?o))))"
        )
    if task.kind == "pick_two":
        second = (
            f"(exists (?o2 - object) (and (not (= ?o ?o2)) (objectType ?o2 {target}) "
            f"(receptacleType ?r {place}) (inReceptacle ?o2 ?r)))"
        )
    else:
        second = ""
    return (
        f"(and (exists (?r - receptacle) (exists (?o - object) (and {_TREATED.get(task.kind, '')}"
        f"(objectType ?o {target}) (receptacleType ?r {place}) (inReceptacle ?o ?r) {second}))))"
    )


# -------------------------------------------------------------------- files


def game_data(task: GeneratedTask, name: str, logic: dict[str, str]) -> dict[str, Any]:
    """Returns the content of a `game.tw-pddl` (JSON data), its walkthrough played and found good.

    Args:
        task: the built task.
        name: name of the problem.
        logic: what `read_logic` returned.
    """
    version = "2.1.1" if _REWORDED[0][1] in logic["grammar"] else "2.1.2"
    task.scene.texts = in_version(task.scene.texts, version)
    engine = Engine(task.scene, task.goal)
    expert = Expert(task.scene, task.goal)
    walkthrough = []
    while not task.goal.holds(task.scene, engine.state):
        command = expert.next_command(engine.state)
        assert command is not None
        engine.step(command)
        walkthrough.append(command)
    return {
        "pddl_domain": logic["pddl_domain"],
        "grammar": with_task(logic["grammar"], task.scene.task),
        "pddl_problem": problem_text(task, name),
        "solvable": True,
        "walkthrough": walkthrough,
    }


def trajectory_data(task: GeneratedTask, name: str) -> dict[str, Any]:
    """Returns the content of a `traj_data.json`: what ALFWorld's loaders and expert ask for."""
    looking = task.kind == "look_at_obj_in_light"
    number = scene_number(task)
    sentence = task.scene.task.removeprefix("Your task is to: ")
    return {
        "task_id": name,
        "task_type": TASK_TYPES[task.kind],
        "pddl_params": {
            "object_target": alfred_name(task.target),
            "parent_target": "" if looking else alfred_name(task.place),
            "mrecep_target": "",
            "toggle_target": alfred_name(task.place) if looking else "",
            "object_sliced": False,
        },
        "scene": {"scene_num": number, "floor_plan": f"FloorPlan{number}"},
        "turk_annotations": {"anns": [{"task_desc": sentence, "high_descs": []}]},
    }


def scene_number(task: GeneratedTask) -> int:
    """Returns the number of a task's layout; every layout has its own, above 10000."""
    room, group, number = task.layout_id.split("/")
    before = 0
    for name, count in LAYOUTS_PER_ROOM.items():
        if name == group:
            break
        before += count
    layouts = sum(LAYOUTS_PER_ROOM.values())
    return 10_001 + _ROOM_NUMBERS[room] * layouts + before + int(number)


def export_games(
    folder: str | Path,
    split: str,
    indices: Iterable[int],
    *,
    source: str | Path | None = None,
    data_version: str = "2.1.2",
    **options: Any,
) -> list[Path]:
    """Writes generated tasks as ALFWorld games.

    Args:
        folder: what ALFWorld calls its data folder; `json_2.1.1/SPLIT/...` is made below it.
        split: the tasks' split, which is also the folder's name.
        indices: which tasks of the split.
        source: where domain and grammar come from, see `read_logic`.
        data_version: wording of the games, "2.1.2" or "2.1.1".
        **options: `size`, `num_receptacles`, `num_objects` of `HouseholdEnv`.

    Returns:
        The paths of the `game.tw-pddl` files, in the order of `indices`.

    Raises:
        UsageError, UnknownTaskError: If an argument cannot be used.
        DependencyNotInstalled, DataError: If there is no domain and grammar.
    """
    logic = read_logic(source, data_version)
    tasks = household_tasks(split, **options)
    assert isinstance(tasks, HouseholdTasks)
    root = Path(folder) / "json_2.1.1" / split
    return [_write(root, tasks, tasks[index], logic) for index in indices]


def _write(root: Path, tasks: HouseholdTasks, task: Task, logic: dict[str, str]) -> Path:
    built = tasks.build(task)
    name = f"trial_{task.id}"
    target, place = alfred_name(built.target), alfred_name(built.place)
    group = f"{TASK_TYPES[built.kind]}-{target}-None-{place}-{scene_number(built)}"
    folder = root / group / name
    folder.mkdir(parents=True, exist_ok=True)
    game = game_data(built, name, logic)
    path = folder / "game.tw-pddl"
    (folder / "initial_state.pddl").write_text(game["pddl_problem"], encoding="utf-8")
    trajectory = json.dumps(trajectory_data(built, name), indent=2)
    (folder / "traj_data.json").write_text(trajectory + "\n", encoding="utf-8")
    path.write_text(json.dumps(game), encoding="utf-8")
    return path
