"""The shipped checks find worlds that break a promise."""

import random

import pytest
from gymnasium.envs.registration import EnvSpec
from two_rooms import TwoRoomsEnv

from turnwise_envs.core import StepResult
from turnwise_envs.testing import check_text_env


class SharedList(TwoRoomsEnv):
    menu = ["walk", "pull left", "pull right"]  # noqa: RUF012

    def admissible_actions(self):
        return self.menu if len(self.menu) == 3 else ["spoilt"]


class GlobalRandomness(TwoRoomsEnv):
    def _flicker(self):
        return f"{random.random()} of the lamps flicker."


class ForgetfulWorld(TwoRoomsEnv):
    def get_world(self):
        return {"room": "near", "pulled": list(self.pulled)}


class CountInteger(TwoRoomsEnv):
    def apply(self, action):
        result = super().apply(action)
        result.cost["turns"] = 1
        return result


class UnnamedReward(TwoRoomsEnv):
    reward_names = ("fame",)


class ShortMemory(TwoRoomsEnv):
    def set_world(self, task, state):
        super().set_world(task, state)
        self.np_random.random()


class WrongMenu(TwoRoomsEnv):
    def admissible_actions(self):
        return ["walk", "sing"]


class BadExpert(TwoRoomsEnv):
    def expert_action(self):
        return "walk"


class PaidSilence(TwoRoomsEnv):
    def apply(self, action):
        return super().apply(action) if action else StepResult("Hush.", {"silence": 1.0})


class OverlappingSplits(TwoRoomsEnv):
    @classmethod
    def task_set(cls, split, **options):
        tasks = TwoRoomsEnv.task_set("train", **options)
        tasks.split = split
        return tasks


class Leak(TwoRoomsEnv):
    def gold(self):
        self.np_random.random()
        return super().gold()


class Raises(TwoRoomsEnv):
    def apply(self, action):
        action.encode()
        return super().apply(action)


@pytest.mark.parametrize(
    ("world", "message"),
    [
        (SharedList, "freshness: .*admissible_actions"),
        (GlobalRandomness, "gymnasium: |determinism: "),
        (ForgetfulWorld, "truncation|snapshots: "),
        (CountInteger, r"info: info\['cost'\] must hold floats"),
        (UnnamedReward, "info: reward_names lacks"),
        (ShortMemory, "snapshots: "),
        (WrongMenu, "menu: the offered 'sing' must be applicable"),
        (BadExpert, "oracle: the expert must solve"),
        (PaidSilence, "oracle: the expert must earn more"),
        (OverlappingSplits, "splits: .* is in valid and in train"),
        (Leak, "gold: with and without expose_reference"),
    ],
)
def test_broken_promises_are_found(world, message):
    spec = EnvSpec("tests/Broken-v0", entry_point=world, disable_env_checker=True)
    with pytest.raises(AssertionError, match=f"tests/Broken-v0, ({message})"):
        check_text_env(spec, episodes=4, skip=("other_process", "vector", "pickling"))


def test_a_world_that_cannot_answer_some_text_is_found():
    spec = EnvSpec("tests/Broken-v0", entry_point=Raises, disable_env_checker=True)
    with pytest.raises(UnicodeEncodeError):
        check_text_env(spec, skip=("other_process", "vector"))


def test_the_unbroken_world_passes_from_its_class():
    spec = EnvSpec("tests/Whole-v0", entry_point=TwoRoomsEnv, disable_env_checker=True)
    check_text_env(spec, skip=("pickling",))
