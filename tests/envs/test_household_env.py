"""The household through `gym.make`: rewards, text properties, keys, menu, snapshots."""

import json
import random

import gymnasium as gym
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import turnwise_envs

FULL, SMALL = "turnwise/Household-v0", "turnwise/HouseholdSmall-v0"
PASSIVE = ("examine", "look", "inventory", "help")


@pytest.fixture(scope="module")
def small():
    return gym.make(SMALL)


def walk(env, rng, turns):
    """Plays random admissible commands; returns the last info."""
    info = None
    for _ in range(turns):
        actions = env.unwrapped.admissible_actions()
        _, _, terminated, truncated, info = env.step(rng.choice(actions))
        if terminated or truncated:
            break
    return info


@pytest.mark.parametrize("env_id", [FULL, SMALL])
def test_doing_nothing_earns_nothing(env_id):
    env = gym.make(env_id)
    for index in range(6):
        env.reset(options={"task_index": index})
        total, over = 0.0, False
        while not over:
            obs, reward, terminated, over, info = env.step("")
            assert obs == "Nothing happens."
            assert not terminated
            assert not info["action_is_valid"]
            total += reward
        assert total == 0.0
        assert (info["verdict"], info["success"]) == ("turn_limit", False)


def test_reward_is_its_component(small):
    small.reset(options={"task_index": 3})
    terminated = False
    while not terminated:
        _, reward, terminated, _, info = small.step(small.unwrapped.expert_action())
        assert reward == sum(info["reward_components"].values())
    assert info["reward_components"] == {"success": 1.0}
    assert info["score"] == 1.0


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.integers(0, 200))
def test_any_text_is_answered(small, text, index):
    small.reset(options={"task_index": index})
    before = small.unwrapped.get_world()
    obs, reward, terminated, truncated, info = small.step(text)
    assert isinstance(obs, str)
    assert (reward, terminated, truncated) == (0.0, False, False)
    if not info["action_is_valid"]:
        assert obs == "Nothing happens."
        assert small.unwrapped.get_world() == before


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 40), st.sampled_from([FULL, SMALL]))
def test_snapshots_replay(seed, turns, env_id):
    env, twin = gym.make(env_id), gym.make(env_id)
    rng = random.Random(seed)
    env.reset(seed=seed)
    walk(env, rng, turns)
    blob = turnwise_envs.snapshot(env)
    _, info = turnwise_envs.restore(twin, blob)
    assert info == env.unwrapped._info()
    if env.unwrapped._over:
        return
    for _ in range(10):
        action = rng.choice(info["admissible_actions"])
        one, other = env.step(action), twin.step(action)
        assert one == other
        info = one[4]
        if one[2] or one[3]:
            break


def test_world_state_is_json(small):
    small.reset(options={"task_index": 1})
    walk(small, random.Random(0), 10)
    world = small.unwrapped.get_world()
    assert json.loads(json.dumps(world)) == json.loads(json.dumps(world, sort_keys=True))


def test_admissible_actions_are_exactly_the_valid_ones(small):
    rng = random.Random(1)
    for index in range(12):
        small.reset(options={"task_index": index})
        walk(small, rng, 6)
        if small.unwrapped._over:
            continue
        actions = small.unwrapped.admissible_actions()
        assert actions == sorted(set(actions))
        blob = turnwise_envs.snapshot(small)
        for action in actions:
            turnwise_envs.restore(small, blob)
            assert small.step(action)[4]["action_is_valid"]


def test_menu_holds_the_acting_commands_and_is_enough():
    env, text = gym.make(SMALL, actions="menu"), gym.make(SMALL)
    for index in range(12):
        _, info = env.reset(options={"task_index": index})
        _, full = text.reset(options={"task_index": index})
        over = False
        while not over:
            menu = info["admissible_actions"]
            assert menu == [a for a in full["admissible_actions"] if not a.startswith(PASSIVE)]
            action = env.unwrapped.expert_action()
            assert action in menu
            _, reward, over, _, info = env.step(action)
            *_, full = text.step(action)
        assert reward == 1.0


def test_tools_render_commands_that_apply():
    env = gym.make(SMALL, action_format="tool_json")
    env.reset(options={"task_index": 3})
    terminated = False
    while not terminated:
        action = env.unwrapped.expert_action()
        completion = env.unwrapped.action_format.render(action)
        _, _, terminated, truncated, info = env.step(completion)
        assert info["action"] == action
        assert not truncated


# ------------------------------------------------------------------ keys


def keys(env):
    info = env.unwrapped._info()
    return info["state_key"], info["belief_key"], info["anchor_key"]


def test_state_key_is_exact(small):
    """Equal keys answer every command alike; a detour that changes nothing keeps the key."""
    small.reset(options={"task_index": 2})
    start = keys(small)
    small.step("look")
    small.step("nonsense")
    assert keys(small) == start
    groups = {}
    rng = random.Random(5)
    for _ in range(30):
        small.reset(options={"task_index": 2})
        for _ in range(8):
            actions = small.unwrapped.admissible_actions()
            key = keys(small)[0]
            world = small.unwrapped.get_world()["state"]
            assert groups.setdefault(key, (world, actions)) == (world, actions)
            if small.step(rng.choice(actions))[2]:
                break
    assert len(set(map(str, groups.values()))) == len(groups)


def test_belief_key_does_not_know_what_is_hidden():
    """Two tasks that look the same so far have one belief, though the rest differs."""
    env = gym.make(SMALL)
    seen = {}
    for index in range(1500):
        obs, info = env.reset(options={"task_index": index})
        world = env.unwrapped.get_world()["state"]["contents"]
        first = seen.setdefault(obs, (info["belief_key"], info["state_key"], world))
        assert first[0] == info["belief_key"]
        if first[2] != world:
            assert first[1] != info["state_key"]
    assert len(seen) < 1500


def test_belief_grows_by_looking_into_a_receptacle(small):
    small.reset(options={"task_index": 0})
    places = [a for a in small.unwrapped.admissible_actions() if a.startswith("go to")]
    small.step(places[0])
    small.step(places[1])
    before = keys(small)
    small.step(places[0])
    small.step(places[1])
    assert keys(small) == before
    small.step(places[2])
    small.step(places[1])
    assert keys(small)[0] == before[0]
    assert keys(small)[1] != before[1]


def test_anchor_forgets_distractors(small):
    """Opening an empty drawer on the way does not make another anchor, holding the target does."""
    for index in range(60):
        small.reset(options={"task_index": index})
        env = small.unwrapped
        scene, goal = env._engine.scene, env._engine.goal
        dull = [
            name
            for r, name in enumerate(scene.layout.names)
            if scene.layout.openable >> r & 1
            and not scene.initial.contents[r] & (goal.targets | goal.lamps)
        ]
        bed = next(n for n in scene.layout.names if n.startswith(("bed", "countertop", "desk")))
        if not dull:
            continue
        small.step(f"go to {bed}")
        before = keys(small)
        small.step(f"go to {dull[0]}")
        small.step(f"open {dull[0]}")
        small.step(f"go to {bed}")
        after = keys(small)
        assert after[2] == before[2]
        assert after[0] != before[0]
        return
    pytest.fail("No task had an openable receptacle without targets.")


def test_bad_arguments():
    with pytest.raises(turnwise_envs.UsageError, match="size must be one of"):
        gym.make(FULL, size="huge").reset()
    with pytest.raises(turnwise_envs.UnknownTaskError):
        gym.make(SMALL).reset(options={"task_index": 10_000})
