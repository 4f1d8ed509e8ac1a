"""A folder laid out as ALFWorld's data: `json_2.1.1/SPLIT/TYPE-.../trial_.../` with small games."""

import json
from pathlib import Path
from typing import Any

import tiny_game

TYPES = {
    "pick_and_place": "pick_and_place_simple",
    "look_at_obj_in_light": "look_at_obj_in_light",
    "clean": "pick_clean_then_place_in_recep",
    "pick_two": "pick_two_obj_and_place",
}
"""Our name and the original's of the types that the small scene allows."""

SINK = tiny_game.PLACE.format(o="MugType", r="SinkBasinType", more="")


def game(kind: str, number: int, **changes: Any) -> dict[str, Any]:
    """The data of a game of its own content that can be solved."""
    data = tiny_game.game(kind, grammar=tiny_game.grammar(f"Your task is to: {kind} {number}."))
    if kind == "pick_and_place":
        data["pddl_problem"] = tiny_game.problem(SINK)
    return {**data, **changes}


def add(
    root: Path,
    name: str,
    data: dict[str, Any] | str | None,
    task_type: str | None,
    split: str = "train",
) -> Path:
    """Adds a game and its label, each unless None; returns the game's path."""
    folder = root / "json_2.1.1" / split / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "initial_state.pddl").write_text("(define)")
    if task_type is not None:
        (folder / "traj_data.json").write_text(json.dumps({"task_type": task_type, "plan": {}}))
    if data is not None:
        tiny_game.write(folder / "game.tw-pddl", data)
    return folder / "game.tw-pddl"


def fill(root: Path, games_per_type: int = 2, split: str = "train") -> list[str]:
    """Adds solvable games of four types; returns their names in the order of the paths."""
    names = []
    for kind, task_type in TYPES.items():
        for number in range(games_per_type):
            name = f"{task_type}-Mug-None-Desk-{300 + number}/trial_T2019_{kind}_{number}"
            add(root, name, game(kind, number), task_type, split)
            names.append(name)
    return sorted(names)


def add_left_out(root: Path) -> None:
    """Adds what the original leaves out: five games that do not count, one label without a game."""
    heat = "pick_heat_then_place_in_recep"
    add(root, "pick_and_place_with_movable_recep-Pen/trial_1", game("clean", 90), "x")
    add(root, f"{heat}-PotatoSliced-None-Fridge-2/trial_1", game("clean", 91), heat)
    add(root, f"{heat}-Mug-None-Fridge-2/trial_1", game("clean", 92, solvable=False), heat)
    add(root, f"{heat}-Mug-None-Fridge-2/trial_2", None, heat)
    add(root, "some_other_type-Mug/trial_1", game("clean", 93), "some_other_type")
    tiny_game.write(root / "json_2.1.1/train/extra.tw-pddl", game("clean", 94))
