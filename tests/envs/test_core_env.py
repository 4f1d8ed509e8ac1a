"""The base class: counting, options, errors, snapshots, and what a step costs."""

import json
import pickle

import gymnasium as gym
import pytest
import two_rooms
from hypothesis import given, settings
from hypothesis import strategies as st

import turnwise_envs
from turnwise_envs.core import SNAPSHOT_SCHEMA
from turnwise_envs.errors import SnapshotError, UnknownTaskError, UsageError
from turnwise_envs.snapshots import decode_snapshot, encode_snapshot
from turnwise_envs.spaces import MAX_ACTION_CHARS, MAX_OBSERVATION_CHARS


def make(**kwargs):
    return gym.make(two_rooms.ENV_ID, **kwargs)


def test_an_episode_by_hand():
    env = make()
    # Task 3: kind far (odd index), 3 // 2 % 2 = 1: the right lever.
    _, info = env.reset(seed=0, options={"task_index": 3})
    assert info["action"] == ""
    _, reward, terminated, truncated, info = env.step("  pull right\n")
    assert (reward, terminated, truncated) == (-0.1, False, False)
    assert info["action"] == "pull right"
    assert info["reward_components"] == {"goal": 0.0, "mistake": -0.1}
    assert info["cost"] == {"pulls": 1.0}
    env.step("walk")
    observation, reward, terminated, truncated, info = env.step("pull right")
    assert (observation, reward, terminated, truncated) == ("The door opens.", 1.0, True, False)
    assert (info["success"], info["score"], info["verdict"]) == (True, 1.0, "correct")
    with pytest.raises(gym.error.ResetNeeded, match="Call reset"):
        env.step("walk")


def test_a_long_thought_does_not_cut_the_action_off():
    env = make(action_format="xml")
    env.reset(seed=0)
    info = env.step("<think>" + "hm " * MAX_ACTION_CHARS + "</think><action>walk</action>")[-1]
    assert info["action"] == "walk"
    assert info["action_is_valid"]
    info = env.step("<action>" + "x" * 10 * MAX_ACTION_CHARS + "</action>")[-1]
    assert info["action"] == "x" * MAX_ACTION_CHARS


class TalkativeEnv(two_rooms.TwoRoomsEnv):
    def start(self, task):
        super().start(task)
        return "begin" + "x" * 2 * MAX_OBSERVATION_CHARS + "end"


def test_long_observations_are_cut_in_the_middle():
    observation, _ = TalkativeEnv().reset(seed=0)
    assert MAX_OBSERVATION_CHARS - 10 < len(observation) <= MAX_OBSERVATION_CHARS
    assert observation.startswith("begin")
    assert observation.endswith("end")
    assert "characters left out" in observation


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"actions": "list"}, UsageError, 'actions must be "text" or "menu"'),
        ({"max_turns": 0}, UsageError, "max_turns must be a positive integer"),
        ({"max_turns": True}, UsageError, "max_turns must be a positive integer"),
        ({"render_mode": "human"}, UsageError, 'render_mode must be "ansi"'),
        ({"action_format": "yaml"}, UsageError, "plain, xml, tool_json"),
        ({"split": "validation"}, UnknownTaskError, "train, valid, test, stream"),
    ],
)
def test_constructor_errors(kwargs, error, message):
    with pytest.raises(error, match=message):
        two_rooms.TwoRoomsEnv(**kwargs)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"task_index": 40}, UnknownTaskError, r"must be in \[0, 40\)"),
        ({"task_index": "one"}, UsageError, "must be an integer"),
        ({"task_id": "zz"}, UnknownTaskError, "is not in split 'train'"),
        ({"task_id": "zz", "task_index": 1}, UsageError, "must name one task"),
        ({"task_id": "zz", "snapshot": b""}, UsageError, "alone"),
        ({"seed": 1}, UsageError, r"got \['seed'\]"),
    ],
)
def test_reset_option_errors(options, error, message):
    env = make()
    env.reset(seed=0)
    with pytest.raises(error, match=message):
        env.reset(options=options)
    with pytest.raises(gym.error.ResetNeeded):
        env.step("walk")


def changed(blob, **changes):
    state = decode_snapshot(blob)
    for key, value in changes.items():
        if value is None:
            del state["env"][key]
        else:
            state["env"][key] = value
    return encode_snapshot(state)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": SNAPSHOT_SCHEMA + 1}, "schema must be 1, got 2"),
        ({"env_id": "tests/TwoRooms-v1"}, "env_id must be 'tests/TwoRooms-v0'"),
        ({"task_id": "zz"}, "task does not exist here"),
        ({"world": None}, "content does not fit"),
        ({"world": {"room": "near"}}, "content does not fit"),
        ({"arguments": {}}, "other arguments: .*split"),
    ],
)
def test_snapshots_that_do_not_fit(changes, message):
    env = make()
    env.reset(seed=0)
    with pytest.raises(SnapshotError, match=message):
        turnwise_envs.restore(env, changed(turnwise_envs.snapshot(env), **changes))
    with pytest.raises(gym.error.ResetNeeded):
        env.step("walk")


def test_snapshot_is_json_with_a_header():
    env = make()
    env.reset(seed=0)
    env.step("\ud800\udc00")  # two lone surrogates, not one letter
    blob = turnwise_envs.snapshot(env)
    header, body = blob.split(b"\n", 1)
    assert header.startswith(b"turnwise-snapshot ")
    state = json.loads(body.decode("utf-8", "surrogatepass"))
    assert state["env"]["turn"] == 1
    assert state["env"]["arguments"]["lamps"] == 3
    _, info = turnwise_envs.restore(make(), blob)
    assert info["action"] == "\ud800\udc00"
    with pytest.raises(SnapshotError, match="lamps was"):
        turnwise_envs.restore(make(lamps=4), blob)


def test_snapshot_of_something_else():
    with pytest.raises(SnapshotError, match="needs a turnwise TextEnv, got CartPole"):
        turnwise_envs.snapshot(gym.make("CartPole-v1"))
    with pytest.raises(SnapshotError, match="must be bytes, got str"):
        turnwise_envs.restore(make(), "text")


ACTIONS = st.lists(st.sampled_from(["walk", "pull left", "pull right", "dance"]), max_size=7)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 99), before=ACTIONS, after=ACTIONS)
def test_restoring_equals_replaying(seed, before, after):
    def play(env, actions):
        lines = []
        for action in actions:
            if env.unwrapped._over:
                break
            lines.append(env.step(action))
        return lines

    env, fresh = make(), make()
    env.reset(seed=seed)
    play(env, before)
    turnwise_envs.restore(fresh, turnwise_envs.snapshot(env))
    assert play(env, after) == play(fresh, after)


def test_pickle_leaves_the_task_set_behind():
    env = two_rooms.TwoRoomsEnv()
    env.reset(seed=0)
    assert env.tasks.ids
    twin = pickle.loads(pickle.dumps(env))
    assert twin._tasks is None
    assert twin.tasks is env.tasks
