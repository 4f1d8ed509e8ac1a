"""A text bandit in two rooms: the smallest world that keeps every promise of the contract."""

from typing import Any

import gymnasium as gym

from turnwise_envs.core import StepResult, TextEnv, digest
from turnwise_envs.formats import Tool
from turnwise_envs.splits import GeneratedTaskSet, Task, TaskSet

ENV_ID = "tests/TwoRooms-v0"
SIZES = {"train": 40, "valid": 8, "test": 8, "stream": None}


class TwoRoomsEnv(TextEnv):
    """Pull the right lever in the right room; the lamps flicker at random."""

    splits = ("train", "valid", "test")
    default_max_turns = 8
    default_instruction = "Find the lever that opens the door."
    grammar = 'Commands: "walk", "pull left", "pull right".'
    tools = (
        Tool("walk", "Go to the other room.", {}, "walk"),
        Tool("pull", "Pull a lever.", {"side": "left or right"}, "pull {side}"),
    )

    def __init__(self, *, lamps: int = 3, **common: Any) -> None:
        super().__init__(**common)
        self.lamps = lamps

    @classmethod
    def task_set(cls, split: str, **options: Any) -> TaskSet:
        return GeneratedTaskSet(
            split,
            generator="two-rooms-1",
            options=options,
            kinds=("near", "far"),
            size=SIZES[split],
        )

    def task_options(self) -> dict[str, Any]:
        return {"lamps": self.lamps}

    def identity(self) -> dict[str, Any]:
        return {**super().identity(), "lamps": self.lamps}

    def start(self, task: Task) -> str:
        self.goal = (
            "far" if task.kind == "far" else "near",
            ("left", "right")[task.index // 2 % 2],
        )
        self.room = "near"
        self.pulled: list[str] = []
        return f"You are in the near room. {self._flicker()}"

    def _flicker(self) -> str:
        return f"{int(self.np_random.integers(1000))} of {self.lamps} lamps flicker."

    def apply(self, action: str) -> StepResult:
        if action == "walk":
            self.room = "far" if self.room == "near" else "near"
            return StepResult(f"You are in the {self.room} room. {self._flicker()}")
        if action not in ("pull left", "pull right"):
            return StepResult("Nothing happens.", action_is_valid=False)
        side = action.removeprefix("pull ")
        if (self.room, side) == self.goal:
            return StepResult(
                "The door opens.", {"goal": 1.0}, True, success=True, score=1.0, verdict="correct"
            )
        self.pulled = sorted({*self.pulled, f"{self.room} {side}"})
        return StepResult(
            f"Wrong lever. {self._flicker()}", {"goal": 0.0, "mistake": -0.1}, cost={"pulls": 1.0}
        )

    def keys(self) -> tuple[str, str, str]:
        state = digest(f"{self.goal}{self.room}")
        return state, digest(f"{self.room}{self.pulled}"), digest(self.room)

    def get_world(self) -> Any:
        return {"room": self.room, "pulled": list(self.pulled)}

    def set_world(self, task: Task, state: Any) -> None:
        self.goal = (
            "far" if task.kind == "far" else "near",
            ("left", "right")[task.index // 2 % 2],
        )
        self.room, self.pulled = state["room"], list(state["pulled"])

    def admissible_actions(self) -> list[str] | None:
        return ["walk", "pull left", "pull right"]

    def gold(self) -> tuple[list[str] | None, list[str] | None]:
        return [f"pull {self.goal[1]}"], [f"{self.goal[0]} room"]

    def expert_action(self) -> str | None:
        return f"pull {self.goal[1]}" if self.room == self.goal[0] else "walk"


if ENV_ID not in gym.registry:
    gym.register(ENV_ID, "two_rooms:TwoRoomsEnv", disable_env_checker=True)
