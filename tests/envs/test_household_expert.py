"""The expert's plans are shortest: compared with breadth-first search over the real rules."""

import random
from collections import deque

import gymnasium as gym
import pytest

import turnwise_envs  # noqa: F401  registers the ids
from turnwise_envs.household import vocabulary as words
from turnwise_envs.household.engine import ACTING_VERBS, Engine
from turnwise_envs.household.expert import Expert
from turnwise_envs.household.generator import compile_scene, numbered
from turnwise_envs.household.goals import KINDS, Goal
from turnwise_envs.household.scene import Layout, mask_of

KITCHEN = ("cabinet", "countertop", "fridge", "microwave", "sinkbasin")
STUDY = ("desk", "drawer", "shelf", "sidetable")


def tiny_scene(kind: str, rng: random.Random):
    """A scene of 4 or 5 receptacles and 3 or 4 objects, some receptacles at one place."""
    kitchen = kind in ("clean", "heat", "cool") or (rng.random() < 0.5 and kind[0] == "p")
    types = sorted(KITCHEN if kitchen else STUDY, key=words.order_key)
    if not kitchen and rng.random() < 0.5:
        types = sorted([*types, "drawer"], key=words.order_key)
    locations = list(range(1, len(types) + 1))
    for r in range(1, len(types)):
        if rng.random() < 0.25:
            locations[r] = locations[rng.randrange(r)]
    openable = mask_of(r for r, kind_ in enumerate(types) if kind_ in words.OPENABLE)
    layout = Layout(tuple(numbered(types)), tuple(types), tuple(locations), openable, 0)
    things = ("mug", "plate", "cup") if kitchen else ("book", "pen", "cd")
    objects = []
    target = things[0]
    wanted = [target] * (2 if kind == "pick_two" else rng.randint(1, 2)) + [things[1]]
    for thing in wanted:
        fits = [r for r, kind_ in enumerate(types) if thing in words.HOLDS[kind_]]
        objects.append((thing, rng.choice(fits)))
    if kind == "look_at_obj_in_light":
        objects.append(("desklamp", rng.choice([types.index("desk"), types.index("sidetable")])))
    scene = compile_scene(layout, objects, "Your task is to: test.")
    targets = mask_of(o for o, t in enumerate(scene.types) if t == target)
    if kind == "look_at_obj_in_light":
        lamps = mask_of(o for o, t in enumerate(scene.types) if t == "desklamp")
        return scene, Goal(kind, targets, 0, lamps)
    place = rng.choice([t for t in types if target in words.HOLDS[t]])
    return scene, Goal(kind, targets, mask_of(r for r, t in enumerate(types) if t == place))


def facts(state) -> tuple:
    return (
        *(state.location, state.held, state.opened, tuple(state.contents)),
        *(state.clean, state.hot, state.cool, state.toggled),
    )


def shortest(engine: Engine) -> int | None:
    """Number of commands to the goal, by breadth-first search."""
    first = engine.state
    queue = deque([(first.copy(), 0)])
    seen = {facts(first)}
    while queue:
        state, depth = queue.popleft()
        if engine.goal.holds(engine.scene, state):
            return depth
        engine.put_into(state)
        for command in engine.commands().menu:
            engine.put_into(state.copy())
            action = engine.parse(command)
            if action[0] == "slice":
                continue
            engine.perform(action)
            key = facts(engine.state)
            if key not in seen:
                seen.add(key)
                queue.append((engine.state, depth + 1))
    return None


@pytest.mark.parametrize("kind", KINDS)
def test_plans_are_shortest_from_any_state(kind):
    rng = random.Random(KINDS.index(kind))
    lengths = set()
    for _ in range(8):
        scene, goal = tiny_scene(kind, rng)
        engine = Engine(scene, goal)
        for _ in range(rng.randrange(12)):
            engine.step(rng.choice(engine.commands().menu))
        start = engine.state.copy()
        expert = Expert(scene, goal)
        promised = expert.plan_length(start)
        engine.put_into(start.copy())
        assert promised == shortest(engine)
        # Following the plan takes as many commands as it promises.
        engine.put_into(start.copy())
        played = 0
        while not goal.holds(scene, engine.state):
            _, done = engine.step(expert.next_command(engine.state))
            assert done is not None
            assert done[0] in ACTING_VERBS | {"go to"}
            played += 1
        assert played == promised
        lengths.add(played)
    assert len(lengths) > 2


def test_no_plan_is_none():
    rng = random.Random(0)
    scene, goal = tiny_scene("heat", rng)
    impossible = Goal("heat", 0, goal.places)
    assert Expert(scene, impossible).next_command(scene.initial) is None
    assert Expert(scene, impossible).plan_length(scene.initial) is None


@pytest.mark.parametrize("env_id", ["turnwise/Household-v0", "turnwise/HouseholdSmall-v0"])
@pytest.mark.parametrize("split", ["train", "valid_seen", "valid_unseen", "ood", "stream"])
def test_expert_solves_sampled_tasks_with_turns_to_spare(env_id, split):
    env = gym.make(env_id, split=split)
    for index in range(36):
        env.reset(options={"task_index": 7 * index})
        assert env.unwrapped.task.kind == KINDS[7 * index % 6]
        over = False
        while not over:
            _, reward, terminated, truncated, info = env.step(env.unwrapped.expert_action())
            assert info["action_is_valid"]
            over = terminated or truncated
        assert (reward, info["verdict"], info["success"]) == (1.0, "solved", True)
        assert env.unwrapped.turn <= 12
        assert env.unwrapped.expert_action() is None


def test_expert_recovers_from_mistakes():
    env = gym.make("turnwise/Household-v0", max_turns=200)
    rng = random.Random(3)
    for index in range(24):
        _, info = env.reset(options={"task_index": index})
        for _ in range(20):
            _, _, terminated, _, info = env.step(rng.choice(info["admissible_actions"]))
            if terminated:
                break
        while not terminated:
            _, _, terminated, truncated, _ = env.step(env.unwrapped.expert_action())
            assert not truncated
