"""A question and two places to look: the smallest world with gold answers and an answer tool."""

from typing import Any

import gymnasium as gym

from turnwise_envs.core import StepResult, TextEnv, digest
from turnwise_envs.formats import Tool
from turnwise_envs.splits import GeneratedTaskSet, Task, TaskSet

ENV_ID = "tests/Quiz-v0"
ANIMALS = ("fox", "owl", "bear", "hare")
PLACES = ("barn", "mill")
SIZES = {"train": 16, "valid": 8, "stream": None}


class QuizEnv(TextEnv):
    """One of two places tells who took the cheese; the gold answer has an alias."""

    splits = ("train", "valid")
    default_max_turns = 4
    default_instruction = "Find out who took the cheese."
    grammar = 'Commands: "look barn", "look mill", "answer NAME".'
    tools = (
        Tool("look", "Go and look.", {"place": "barn or mill"}, "look {place}"),
        Tool("answer", "Give the final answer.", {"name": "who it was"}, "answer {name}"),
    )

    @classmethod
    def task_set(cls, split: str, **options: Any) -> TaskSet:
        return GeneratedTaskSet(
            split, generator="quiz-1", options=options, kinds=PLACES, size=SIZES[split]
        )

    def start(self, task: Task) -> str:
        self.thief = ANIMALS[task.index // 2 % 4]
        self.seen: list[str] = []
        return "Who took the cheese?"

    def apply(self, action: str) -> StepResult:
        verb, _, rest = action.partition(" ")
        if verb == "look" and rest in PLACES:
            self.seen = sorted({*self.seen, rest})
            return StepResult(self._told(rest))
        if verb != "answer" or not rest:
            return StepResult("Nothing happens.", action_is_valid=False)
        right = rest in self.gold()[0]
        return StepResult(
            "Thank you.",
            {"answer": float(right)},
            True,
            success=right,
            score=float(right),
            verdict="correct" if right else "wrong",
        )

    def _told(self, place: str) -> str:
        assert self.task is not None
        return f"It was the {self.thief}." if place == self.task.kind else "There is nobody."

    def keys(self) -> tuple[str, str, str]:
        assert self.task is not None
        shown = digest(f"{[self._told(p) for p in self.seen]}{self.seen}")
        return digest(self.task.id), shown, shown

    def get_world(self) -> Any:
        return list(self.seen)

    def set_world(self, task: Task, state: Any) -> None:
        self.thief = ANIMALS[task.index // 2 % 4]
        self.seen = list(state)

    def admissible_actions(self) -> list[str] | None:
        return [*(f"look {p}" for p in PLACES), *(f"answer {a}" for a in ANIMALS)]

    def gold(self) -> tuple[list[str], list[str]]:
        return [f"the sly {self.thief}", self.thief], [self._told(self.task.kind)]

    def expert_action(self) -> str | None:
        assert self.task is not None
        looked = self.task.kind in self.seen
        return f"answer {self.thief}" if looked else f"look {self.task.kind}"


if ENV_ID not in gym.registry:
    gym.register(ENV_ID, "quiz:QuizEnv", disable_env_checker=True)
