"""`HouseholdEnv`: the ALFRED household domain as a text game."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from turnwise_envs.core import StepResult, TextEnv
from turnwise_envs.formats import Tool
from turnwise_envs.household.belief import Belief
from turnwise_envs.household.engine import Engine
from turnwise_envs.household.expert import Expert
from turnwise_envs.household.explorer import explore
from turnwise_envs.household.loader import resolve
from turnwise_envs.household.scene import State
from turnwise_envs.household.tasks import household_tasks
from turnwise_envs.splits import Task, TaskSet

_O = "an object, e.g. apple 1"
_R = "a receptacle, e.g. fridge 1"

TOOLS = (
    Tool("go_to", "Walk to a receptacle.", {"receptacle": _R}, "go to {receptacle}"),
    Tool("open", "Open the receptacle in front of you.", {"receptacle": _R}, "open {receptacle}"),
    Tool(
        "close", "Close the receptacle in front of you.", {"receptacle": _R}, "close {receptacle}"
    ),
    Tool(
        "take",
        "Pick an object up; your hands must be empty.",
        {"object": _O, "receptacle": _R},
        "take {object} from {receptacle}",
    ),
    Tool(
        "move",
        "Put the object in your hand into or onto a receptacle.",
        {"object": _O, "receptacle": _R},
        "move {object} to {receptacle}",
    ),
    Tool(
        "clean",
        "Clean the object in your hand at a sink basin.",
        {"object": _O, "receptacle": "e.g. sinkbasin 1"},
        "clean {object} with {receptacle}",
    ),
    Tool(
        "heat",
        "Heat the object in your hand with a microwave.",
        {"object": _O, "receptacle": "e.g. microwave 1"},
        "heat {object} with {receptacle}",
    ),
    Tool(
        "cool",
        "Cool the object in your hand with a fridge.",
        {"object": _O, "receptacle": "e.g. fridge 1"},
        "cool {object} with {receptacle}",
    ),
    Tool("use", "Switch a lamp on.", {"object": "e.g. desklamp 1"}, "use {object}"),
    Tool(
        "slice",
        "Slice an object with the knife in your hand.",
        {"object": _O, "knife": "e.g. knife 1"},
        "slice {object} with {knife}",
    ),
    Tool("examine", "Look at a receptacle or an object.", {"thing": "its name"}, "examine {thing}"),
    Tool("look", "Look around where you are.", {}, "look"),
    Tool("inventory", "See what you hold.", {}, "inventory"),
    Tool("help", "List the commands.", {}, "help"),
)

GRAMMAR = """Commands:
go to RECEPTACLE
open RECEPTACLE
close RECEPTACLE
take OBJECT from RECEPTACLE
move OBJECT to RECEPTACLE
clean OBJECT with SINKBASIN
heat OBJECT with MICROWAVE
cool OBJECT with FRIDGE
use LAMP
slice OBJECT with KNIFE
examine THING
look
inventory
help
Names have a number, as in "apple 1"."""


class HouseholdEnv(TextEnv):
    """Household."""

    splits: ClassVar[tuple[str, ...]] = ("train", "valid_seen", "valid_unseen", "ood")
    default_max_turns: ClassVar[int] = 50
    default_instruction: ClassVar[str] = (
        "You are in a house and carry out a task in it with text commands, one a turn. Find what "
        "the task asks for: closed receptacles hide what is in them. You can hold one object."
    )
    grammar = GRAMMAR
    tools = TOOLS

    def __init__(
        self,
        *,
        size: str = "full",
        num_receptacles: Sequence[int] | None = None,
        num_objects: Sequence[int] | None = None,
        data_dir: str | bool | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        path = resolve(data_dir)
        self._options: dict[str, Any] = {
            "size": size,
            "num_receptacles": num_receptacles,
            "num_objects": num_objects,
            "data_dir": None if path is None else str(path),
        }
        self._engine: Any = None
        self._belief: Any = None
        self._expert: Expert | None = None
        self._menu = self.actions == "menu"

    # ---------------------------------------------------------------- tasks

    @classmethod
    def task_set(cls, split: str, **options: Any) -> TaskSet:
        """Returns the generated tasks of a split, or the user's games."""
        return household_tasks(split, **options)

    def task_options(self) -> dict[str, Any]:
        """Returns the arguments that choose tasks."""
        return dict(self._options)

    def identity(self) -> dict[str, Any]:
        """Returns the arguments that a snapshot's reader must share."""
        options = {**self._options, "data_dir": self._options["data_dir"] is not None}
        return {**super().identity(), **options}

    # ---------------------------------------------------------------- the game

    def _build(self, task: Task) -> None:
        game = self.tasks.game(task)  # type: ignore[attr-defined]
        self._engine = Engine(game.scene, game.goal)
        self._expert = None

    def start(self, task: Task) -> str:
        """Starts the game of `task`."""
        self._build(task)
        self._belief = Belief(self._engine)
        return self._engine.intro()

    def apply(self, action: str) -> StepResult:
        """Plays one command."""
        engine = self._engine
        reply, done = engine.step(action)
        if done is None:
            return StepResult(reply, action_is_valid=False)
        self._belief.update(done)
        if engine.goal.may_follow(done[0]) and engine.goal.holds(engine.scene, engine.state):
            return StepResult(
                reply,
                reward_components={"success": 1.0},
                terminated=True,
                success=True,
                score=1.0,
                verdict="solved",
            )
        return StepResult(reply)

    def admissible_actions(self) -> list[str]:
        """Returns the applicable commands in the original's order; in menu mode the acting ones."""
        commands = self._engine.commands()
        return (commands.menu if self._menu else commands.admissible).copy()

    def keys(self) -> tuple[str, str, str]:
        """Returns the three digests described in `belief.py`."""
        return self._belief.keys()

    def expert_action(self) -> str | None:
        """Returns the first command of a shortest plan from here."""
        if self._engine is None:
            return None
        if self._expert is None:
            self._expert = Expert(self._engine.scene, self._engine.goal)
        return self._expert.next_command(self._engine.state)

    def demonstration_action(self, rng: np.random.Generator) -> str | None:
        """Returns the next command of a demonstrator without hidden knowledge."""
        planned = self.expert_action()
        if self._engine is None or self._engine.goal.kind == "other":
            return planned
        return explore(self._engine, self._belief, planned, rng)

    # ---------------------------------------------------------------- snapshots

    def get_world(self) -> dict[str, Any]:
        """Returns the facts that change and what was seen."""
        return {
            "scene": self._engine.scene.key,
            "state": self._engine.state.to_json(),
            "visited": self._belief.visited,
            "known": self._belief.known,
        }

    def set_world(self, task: Task, state: Any) -> None:
        """Reverses `get_world`."""
        if self._engine is None or self._engine.scene.key != state["scene"]:
            self._build(task)
        self._engine.put_into(State.from_json(state["state"]))
        self._belief = Belief(self._engine, state["visited"], state["known"])
