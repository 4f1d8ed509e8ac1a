"""The real kitchen of the shared samples, and the same kitchen with other goals and a lamp."""

import json
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from turnwise_envs.household.export import goal_text, with_task

DATA = Path(
    os.environ.get("TURNWISE_TEST_DATA", Path(__file__).parents[2].parent / "shared" / "data")
)
GAME = DATA / "alfworld" / "real_kitchen" / "game.tw-pddl"
needs_kitchen = pytest.mark.skipif(not GAME.exists(), reason=f"no sample game at {GAME}")

GOALS = {
    "pick_and_place": ("mug", "sinkbasin"),
    "look_at_obj_in_light": ("mug", "desklamp"),
    "clean": ("tomato", "microwave"),
    "heat": ("potato", "sinkbasin"),
    "cool": ("bread", "countertop"),
    "pick_two": ("mug", "cabinet"),
}
"""An object type and a goal receptacle (or lamp) for each task type."""

_LAMP = "DeskLamp_bar__plus_00_dot_99_bar__plus_00_dot_91_bar__plus_00_dot_90"


def variant(kind: str) -> dict[str, Any]:
    """The kitchen with a goal of this type; for looking, with a lamp on its first counter."""
    game = json.loads(GAME.read_text(encoding="utf-8"))
    target, place = GOALS[kind]
    head = game["pddl_problem"].partition("(:goal")[0]
    if kind == "look_at_obj_in_light":
        counter = re.search(r"\(receptacleType (CounterTop\S+) CounterTopType\)", head)
        assert counter is not None
        head = head.replace("(:objects", f"(:objects\n{_LAMP} - object\n", 1)
        if "DeskLampType" not in head:
            head = head.replace("(:objects", "(:objects\nDeskLampType - otype\n", 1)
        facts = f"(objectType {_LAMP} DeskLampType) (toggleable {_LAMP})"
        facts += f" (inReceptacle {_LAMP} {counter.group(1)})"
        head = head.replace("(:init", f"(:init\n{facts}\n", 1)
    goal = goal_text(SimpleNamespace(kind=kind, target=target, place=place))  # type: ignore[arg-type]
    game["pddl_problem"] = f"{head}(:goal {goal}))"
    game["grammar"] = with_task(game["grammar"], f"Your task is to: {kind} {target} {place}.")
    return game
