"""The household's demonstrator: what it searches, and what it heeds of its instruction."""

import gymnasium as gym
import numpy as np
import pytest

import turnwise_envs  # noqa: F401  registers
from turnwise_envs.household.explorer import HABITS
from turnwise_envs.household.scene import bits

SENTENCE = {habit: sentence for sentence, habit in HABITS.items()}


@pytest.fixture(scope="module")
def env():
    made = gym.make("turnwise/HouseholdSmall-v0").unwrapped
    yield made
    made.close()


def first_places(env, told, tasks=30, tries=4):
    """The receptacles that the first command goes to, with task's engine and layout."""
    for index in range(tasks):
        env.reset(seed=index, options={"task_index": index})
        rng = np.random.default_rng(index)
        for _ in range(tries):
            command = env.demonstration_action(rng, told)
            yield env._engine, env._engine.scene.layout.names.index(command.removeprefix("go to "))


def share(env, told, test):
    return np.mean([bool(test(engine, r)) for engine, r in first_places(env, told)])


def is_open(engine, r):
    return not engine.scene.layout.openable >> r & 1


def is_goal(engine, r):
    return engine.goal.places >> r & 1


def is_likely(engine, r):
    (target, *_) = bits(engine.goal.targets)
    return engine.scene.holders[target] >> r & 1 and not is_goal(engine, r)


@pytest.mark.parametrize(
    ("habit", "test", "least"),
    [
        ("likely", is_likely, 1.0),
        ("open", is_open, 1.0),
        ("closed", lambda e, r: not is_open(e, r), 1.0),
        ("goal", is_goal, 0.8),  # looking under a lamp has no goal place
    ],
)
def test_the_search_begins_where_it_is_told(env, habit, test, least):
    assert share(env, SENTENCE[habit], test) >= least
    assert share(env, "", test) < least - 0.1


def test_habits_combine_and_other_sentences_change_nothing(env):
    both = f"{SENTENCE['open']} Be kind. {SENTENCE['likely']}"
    for engine, r in first_places(env, both):
        assert is_likely(engine, r)
        likely = [i for i in range(len(engine.state.contents)) if is_likely(engine, i)]
        assert is_open(engine, r) or not any(is_open(engine, i) for i in likely)
    assert [r for _, r in first_places(env, "Be kind.")] == [r for _, r in first_places(env, "")]


def play(env, index, told):
    env.reset(seed=index, options={"task_index": index})
    rng = np.random.default_rng(index)
    commands, over = [], False
    while not over:
        commands.append(env.demonstration_action(rng, told))
        _, _, terminated, truncated, info = env.step(commands[-1])
        over = terminated or truncated
    return commands, info["success"]


def test_a_survey_sees_everything_before_it_takes(env):
    for index in range(20):
        commands, _ = play(env, index, SENTENCE["survey"])
        layout = env._engine.scene.layout
        before = commands[: next((i for i, c in enumerate(commands) if c[:4] == "take"), 99)]
        assert {c for c in before if c.startswith("go to")} >= set(layout.goto)
        opened = {c for c in before if c.startswith("open")}
        # The last of them stays closed where the target was seen already.
        assert len(opened) >= layout.openable.bit_count() - 1


def test_it_heeds_the_worlds_own_instruction_unless_given_another():
    told = gym.make("turnwise/HouseholdSmall-v0", instruction=SENTENCE["survey"]).unwrapped
    lengths = {given: len(play(told, 0, given)[0]) for given in (None, "")}
    assert lengths[None] > lengths[""]


@pytest.mark.parametrize(("habits", "least"), [(("likely", "open"), 0.7), (("survey",), 0.0)])
def test_instructions_decide_about_success_where_turns_are_few(habits, least):
    env = gym.make("turnwise/HouseholdSmall-v0", max_turns=10).unwrapped
    told = " ".join(SENTENCE[habit] for habit in habits)
    rates = [np.mean([play(env, i, text)[1] for i in range(60)]) for text in (told, "")]
    assert rates[0] >= least
    assert (rates[0] > rates[1]) == (habits != ("survey",))
