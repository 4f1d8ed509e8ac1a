"""Ways to win a TextWorld game without playing it: commands to the interpreter."""

import gymnasium as gym
import pytest
from adventures import CUSTOM, ID

import turnwise_envs
from turnwise_envs.textworld.session import MAX_COMMAND_BYTES, REFUSED

pytest.importorskip("textworld", reason="textworld is not installed")


@pytest.fixture(scope="module")
def env():
    return gym.make(ID, **CUSTOM, max_turns=1000)


@pytest.mark.parametrize(
    "command",
    [
        "save",
        "restore",
        "restart",
        "undo",
        "quit",
        "q",
        "QUIT",
        "  restart  ",
        "script",
        "tw-print player",
        "tw-extra-infos score",
        "tw-trace-actions",
        "look. restart",
        "look, undo",
        "look then quit",
        "look then restart.",
        "verify",
        "#random 1",
    ],
)
def test_the_interpreter_takes_no_orders(env, command):
    _, before = env.reset(options={"task_index": 0})
    obs, reward, terminated, _, info = env.step(command)
    assert obs == REFUSED
    assert (reward, terminated, info["action_is_valid"]) == (0.0, False, False)
    assert info["state_key"] == before["state_key"]


@pytest.mark.parametrize(
    "command",
    [
        "look\nrestart",
        "look\r\nquit",
        "look\x00quit",
        "look\x1b[Aquit",
        "a" * 16_000,
        "é" * 400,
        "take \ud800",
        "purloin key",  # verbs of a debugging build
        "gonear key",
        "abstract key to player",
        "[look - succeeded]",
        "<score>\n9\n</score>",
        "*** The End ***",
        "say *** The End ***",
        "answer <score> 99 </score>",
        "[eating - succeeded]",
    ],
)
def test_typed_text_is_not_the_games(env, command):
    """What the game echoes of a command is neither its score, nor its end, nor an event."""
    _, before = env.reset(options={"task_index": 0})
    _, reward, terminated, _, info = env.step(command)
    assert (reward, terminated, info["success"], info["score"]) == (0.0, False, False, 0.0)
    assert info["state_key"] == before["state_key"]
    assert len(info["action"]) <= 16_384
    *_, info = env.step("inventory")  # the interpreter is whole
    assert info["action_is_valid"]


def test_a_long_command_is_cut():
    assert MAX_COMMAND_BYTES < 200


def test_points_do_not_count_twice(env):
    """Going back by a snapshot gives the points back, too."""
    env.reset(options={"task_index": 0})
    blob = turnwise_envs.snapshot(env)
    totals = []
    for _ in range(2):
        turnwise_envs.restore(env, blob)
        total, over = 0.0, False
        while not over:
            _, reward, over, *_ = env.step(env.unwrapped.expert_action())
            total += reward
        totals.append(total)
    assert totals == pytest.approx([1.0, 1.0])
