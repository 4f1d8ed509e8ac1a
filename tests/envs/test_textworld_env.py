"""TextWorld through `gym.make`, beside the package's own environment of the same games."""

import os
import pickle
import random
import subprocess
import sys
import threading

import gymnasium as gym
import pytest
from adventures import CUSTOM, ID, original

import turnwise_envs
from turnwise_envs.errors import UsageError
from turnwise_envs.textworld import env as module

pytest.importorskip("textworld", reason="textworld is not installed")

KINDS = [{"game": "cooking"}, {"game": "coin_collector"}, {"game": "treasure_hunter"}, CUSTOM]
NAMES = [kind["game"] for kind in KINDS]


def make(**arguments):
    return gym.make(ID, **{**CUSTOM, **arguments})


def episode(env, commands=(), index=0):
    """Plays commands; returns what each step returned."""
    env.reset(options={"task_index": index})
    return [env.step(command) for command in commands]


def solution(env, index=0):
    env.reset(options={"task_index": index})
    commands, over = [], False
    while not over:
        commands.append(env.unwrapped.expert_action())
        *_, over, truncated, _ = env.step(commands[-1])
        assert not truncated
    return commands


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_the_oracle_wins(kind):
    env = gym.make(ID, **kind)
    steps = episode(env, solution(env))
    *_, terminated, _, info = steps[-1]
    assert terminated
    assert (info["success"], info["score"], info["verdict"]) == (True, 1.0, "solved")
    assert sum(reward for _, reward, *_ in steps) == pytest.approx(1.0)


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_the_package_plays_the_same_game(kind):
    env = gym.make(ID, **kind, reward="nearer", max_turns=1000)
    tasks = env.unwrapped.tasks
    theirs = original(tasks.open(tasks[0]))
    rng = random.Random(1)
    for _ in range(2):
        state = theirs.reset()
        text, info = env.reset(options={"task_index": 0})
        assert text.startswith(" ".join(state.objective.split("\n"))[:40])
        for _ in range(40):
            known = sorted(set(state.admissible_commands))
            assert info["admissible_actions"] == known
            assert env.unwrapped.expert_action() == next(iter(state.policy_commands or ()), None)
            odd = ["", "xyzzy", "take all", "go", "open the the"]
            command = rng.choice(odd if rng.random() < 0.2 else known)
            state, _, done = theirs.step(command)
            text, reward, terminated, _, info = env.step(command)
            assert " ".join(state.feedback.split()).startswith(" ".join(text.split()))
            assert terminated == done
            assert info["metrics"]["score"] == state.score
            assert info["score"] == state.score / state.max_score
            assert info["success"] == bool(state.won)
            if not done:
                assert reward == state.intermediate_reward
            else:
                break


def test_rewards():
    for reward, component in (("success", "success"), ("nearer", "nearer")):
        env = make(reward=reward)
        steps = episode(env, solution(env))
        values = [value for _, value, *_ in steps]
        assert values == [0.0] * (len(steps) - 1) + [1.0] if reward == "success" else values
        assert steps[-1][4]["reward_components"] == {component: 1.0}
    assert all(value == 1.0 for value in values)  # each command of a solution comes nearer


def test_an_unknown_reward_is_an_error():
    with pytest.raises(UsageError, match="reward must be one of score, success, nearer, got 'x'"):
        make(reward="x")


def test_losing_ends_the_episode():
    env = gym.make(ID, reward="nearer")
    env.reset(options={"task_index": 0})
    first = env.unwrapped.expert_action()
    food = first.removeprefix("take ").partition(" from ")[0]
    for command in (first, *[f"cook {food} with stove"] * 2, f"eat {food}"):
        obs, reward, terminated, truncated, info = env.step(command)
        if terminated:
            break
    assert (reward, terminated, truncated) == (-1.0, True, False)
    assert (info["success"], info["verdict"]) == (False, "lost")
    assert obs.endswith("*** You lost! ***")


def test_what_nothing_happens_to_keeps_its_keys():
    env = make()
    _, start = env.reset(options={"task_index": 0})
    for command in ("xyzzy", "", "look", "take the moon"):
        *_, info = env.step(command)
        assert info["state_key"] == start["state_key"]
        assert info["anchor_key"] == start["anchor_key"]
    assert info["action_is_valid"] is False


def test_keys_follow_the_facts():
    env = gym.make(ID)
    _, start = env.reset(options={"task_index": 0})
    take = env.unwrapped.expert_action()
    thing, _, place = take.removeprefix("take ").partition(" from ")
    *_, taken = env.step(take)
    back = (f"insert {thing} into {place}", f"put {thing} on {place}")
    *_, returned = env.step(next(a for a in back if a in taken["admissible_actions"]))
    *_, taken_again = env.step(take)
    assert returned["state_key"] != start["state_key"]  # a point was made meanwhile
    assert taken_again["state_key"] == taken["state_key"] != returned["state_key"]
    assert taken_again["anchor_key"] == taken["anchor_key"] != returned["anchor_key"]


def test_a_demonstrator_reads_before_it_cooks():
    env = gym.make(ID).unwrapped
    env.reset(options={"task_index": 0})
    assert env.demonstration_action(None) == "examine cookbook"
    env.step("examine cookbook")
    assert env.demonstration_action(None) == env.expert_action()


@pytest.mark.parametrize("turns", [2, 7])
@pytest.mark.parametrize("kept", [True, False], ids=["kept", "replayed"])
def test_snapshots(turns, kept):
    env, twin = make(), make()
    rng = random.Random(turns)
    env.reset(options={"task_index": 0})
    for _ in range(turns):
        env.step(rng.choice([a for a in env.unwrapped.admissible_actions() if a[0] != "e"]))
    blob = turnwise_envs.snapshot(env)
    if not kept:
        module._kept.clear()
    obs, info = turnwise_envs.restore(twin, blob)
    assert obs == env.unwrapped._observation
    for _ in range(5):
        command = rng.choice(info["admissible_actions"])
        ours, theirs = env.step(command), twin.step(command)
        assert ours == theirs
        info = theirs[4]
        if theirs[2]:
            break


def test_a_branch_does_not_disturb_the_trunk():
    env = make()
    commands = solution(env)
    env.reset(options={"task_index": 0})
    blob = turnwise_envs.snapshot(env)
    for _ in range(2):
        turnwise_envs.restore(env, blob)
        *_, terminated, _, info = [env.step(command) for command in commands][-1]
        assert terminated
        assert info["success"]


def test_another_process_goes_on():
    env = make()
    commands = solution(env)
    episode(env, commands[:-1])
    program = (
        "import sys, gymnasium as gym, turnwise_envs\n"
        f"env = gym.make({ID!r}, **{CUSTOM!r})\n"
        "turnwise_envs.restore(env, sys.stdin.buffer.read())\n"
        f"print(env.step({commands[-1]!r})[4]['verdict'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=turnwise_envs.snapshot(env),
        capture_output=True,
        env={**os.environ, "PYTHONHASHSEED": "3"},
        check=True,
    )
    assert done.stdout.split() == [b"solved"]


def test_a_copy_goes_on():
    env = make().unwrapped
    commands = solution(env)
    episode(env, commands[:-1])
    twin = pickle.loads(pickle.dumps(env))
    assert twin.step(commands[-1])[4]["verdict"] == "solved"
    assert env.step(commands[-1])[4]["verdict"] == "solved"


def test_threads_and_neighbours_do_not_mix():
    results = {}

    def play(name):
        env = make()
        rng = random.Random(name % 2)
        _, info = env.reset(options={"task_index": 0})
        seen = []
        for _ in range(15):
            obs, *_, terminated, _, info = env.step(rng.choice(info["admissible_actions"]))
            seen.append((obs, info["state_key"]))
            if terminated:
                break
        results[name] = seen

    threads = [threading.Thread(target=play, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results[0] == results[2] != results[1] == results[3]


def test_the_menu_is_the_admissible_commands():
    env = make(actions="menu")
    _, info = env.reset(options={"task_index": 0})
    assert info["admissible_actions"] == sorted(info["admissible_actions"])
    *_, info = env.step("xyzzy")
    assert info["action_is_valid"] is False
