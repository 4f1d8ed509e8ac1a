"""ALFWorld games: parsing, goals, folders, errors, and the real kitchen."""

import os
from pathlib import Path

import gymnasium as gym
import pytest
import tiny_game

import turnwise_envs
from turnwise_envs import DataError
from turnwise_envs.household.games import display_names, load_game
from turnwise_envs.household.pddl import parse, typed_names

DATA = Path(os.environ.get("TURNWISE_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
KITCHEN = DATA / "alfworld" / "real_kitchen"
needs_kitchen = pytest.mark.skipif(
    not KITCHEN.exists(), reason=f"the real kitchen is not at {KITCHEN}: set TURNWISE_TEST_DATA"
)


def solve(env, **options):
    env.reset(options=options or None)
    over, commands = False, []
    while not over:
        commands.append(env.unwrapped.expert_action())
        _, reward, terminated, truncated, info = env.step(commands[-1])
        assert info["action_is_valid"], commands
        over = terminated or truncated
    assert (reward, info["verdict"]) == (1.0, "solved")
    return commands


# ------------------------------------------------------------------ reading


def test_expressions():
    assert parse("; c\n(A (b ?X) c);)", "f") == ["a", ["b", "?x"], "c"]
    assert typed_names(["a", "b", "-", "t", "c"]) == {"a": "t", "b": "t", "c": ""}


def test_display_names_number_downwards_and_name_basins():
    names = display_names(["apple_bar_2", "apple_bar_1", "sink_bar_1_bar_sinkbasin", "sink_bar_1"])
    assert names == {
        "apple_bar_1": "apple 2",
        "apple_bar_2": "apple 1",
        "sink_bar_1": "sink 1",
        "sink_bar_1_bar_sinkbasin": "sinkbasin 1",
    }


@pytest.mark.parametrize("kind", ["pick_two", "look_at_obj_in_light", "clean"])
def test_goal_types_are_recognised_and_solved(tmp_path, kind):
    path = tiny_game.write(tmp_path / "game.tw-pddl", tiny_game.game(kind))
    game = load_game(path)
    assert game.goal.kind == kind
    env = gym.make("turnwise/Household-v0", data_dir=str(path))
    commands = solve(env)
    expected = {
        "pick_two": [
            "go to desk 1",
            "take book 1 from desk 1",
            "go to drawer 1",
            "open drawer 1",
            "move book 1 to drawer 1",
        ],
        "look_at_obj_in_light": ["go to desk 1", "take mug 1 from desk 1", "use desklamp 1"],
        "clean": [
            "go to desk 1",
            "take mug 1 from desk 1",
            "go to sinkbasin 1",
            "clean mug 1 with sinkbasin 1",
            "go to desk 1",
            "move mug 1 to desk 1",
        ],
    }
    assert sorted(commands) == sorted(expected[kind])


@pytest.mark.parametrize("kind", ["heat", "cool"])
def test_a_goal_without_a_plan_is_an_error(tmp_path, kind):
    path = tiny_game.write(tmp_path / "game.tw-pddl", tiny_game.game(kind))
    with pytest.raises(DataError, match="no plan reaches the goal"):
        load_game(path)


def test_a_goal_that_holds_at_the_start_is_an_error(tmp_path):
    path = tiny_game.write(tmp_path / "game.tw-pddl", tiny_game.game("pick_and_place"))
    with pytest.raises(DataError, match="holds at the start"):
        load_game(path)
    data = tiny_game.game(pddl_problem=tiny_game.problem("(not (opened drawer_bar_1))"))
    path = tiny_game.write(tmp_path / "game.tw-pddl", data)
    with pytest.raises(DataError, match="holds at the start"):
        load_game(path)


@pytest.mark.parametrize(
    ("goal", "commands"),
    [
        ("(opened drawer_bar_1)", ["go to drawer 1", "open drawer 1"]),
        ("(exists (?a - agent) (holdsAny ?a))", ["go to desk 1", "take mug 1 from desk 1"]),
        (
            "(forall (?o - object) (imply (cleanable ?o) (not (inReceptacle ?o desk_bar_1))))",
            ["go to desk 1", "take mug 1 from desk 1"],
        ),
        ("(or (atLocation agent1 loc_bar_2) (isOn mug_bar_1))", ["go to drawer 1"]),
        ("(isOn desklamp_bar_1)", ["go to desk 1", "use desklamp 1"]),
        (
            "(and (not (= desk_bar_1 drawer_bar_1)) (objectAtLocation mug_bar_1 loc_bar_3))",
            [
                "go to desk 1",
                "take mug 1 from desk 1",
                "go to sinkbasin 1",
                "move mug 1 to sinkbasin 1",
            ],
        ),
    ],
)
def test_other_goal_formulas_are_evaluated(tmp_path, goal, commands):
    data = tiny_game.game(pddl_problem=tiny_game.problem(goal))
    path = tiny_game.write(tmp_path / "game.tw-pddl", data)
    env = gym.make("turnwise/Household-v0", data_dir=str(path))
    env.reset()
    assert env.unwrapped.task.kind == "other"
    assert env.unwrapped.expert_action() is None
    outcomes = [env.step(command)[2] for command in commands]
    assert outcomes == [False] * (len(commands) - 1) + [True]


def test_the_games_own_grammar_is_used(tmp_path):
    grammar = tiny_game.grammar("Your task is to: test.", put="put {o} in/on {r}")
    grammar = grammar.replace("You pick up the", "You grab the")
    path = tiny_game.write(tmp_path / "game.tw-pddl", tiny_game.game(grammar=grammar))
    env = gym.make("turnwise/Household-v0", data_dir=str(path))
    env.reset()
    env.step("go to desk 1")
    obs, *_, info = env.step("take mug 1 from desk 1")
    assert obs == "You grab the mug 1 from the desk 1."
    assert "put mug 1 in/on desk 1" in info["admissible_actions"]


def test_a_mended_domain_examines_objects_where_they_lie(tmp_path):
    for mended in (False, True):
        data = tiny_game.game(pddl_domain=tiny_game.domain(mended=mended))
        path = tiny_game.write(tmp_path / f"{mended}.tw-pddl", data)
        env = gym.make("turnwise/Household-v0", data_dir=str(path))
        env.reset()
        *_, info = env.step("go to desk 1")
        assert ("examine mug 1" in info["admissible_actions"]) == mended


# ------------------------------------------------------------------ errors

INIT = tiny_game.INIT


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "missing: pddl_domain, grammar, pddl_problem"),
        (tiny_game.game(grammar=None), "missing: grammar"),
        (tiny_game.game(solvable=False), "marked as unsolvable"),
        (tiny_game.game(pddl_domain="(define (domain x) (:predicates (p)))"), "the ALFRED domain"),
        (tiny_game.game(pddl_domain="(define"), "balanced"),
        (tiny_game.game(pddl_problem="(define (x)))"), "line 1: a '\\)' closes nothing"),
        (tiny_game.game(pddl_problem="(define (:objects))"), "no \\(:init"),
        (
            tiny_game.game(pddl_problem=tiny_game.problem("(x)", init=INIT + "(flies Mug_bar_1)")),
            ":init: unknown predicate 'flies'",
        ),
        (
            tiny_game.game(pddl_problem=tiny_game.problem("(x)", init=INIT + "(isHot Cat_bar_1)")),
            "names 'cat_bar_1'",
        ),
        (tiny_game.game(pddl_problem=tiny_game.problem("(flies ?o)")), "'flies' cannot be a goal"),
        (tiny_game.game(pddl_problem=tiny_game.problem("()")), "is no formula"),
        (
            tiny_game.game(pddl_problem=tiny_game.problem("(exists (?x - cat) (isHot ?x))")),
            "no object has the type 'cat'",
        ),
        (
            tiny_game.game(
                pddl_problem=tiny_game.problem(
                    "(x)", init=INIT.replace("(receptacleAtLocation Drawer_bar_1 loc_bar_2)", "")
                )
            ),
            "must have a location",
        ),
        (
            tiny_game.game(
                pddl_problem=tiny_game.problem(
                    "(x)", init=INIT.replace("(atLocation agent1 loc_bar_0)", "")
                )
            ),
            "must be at 1 location",
        ),
        (tiny_game.game(grammar='grammar :: """{"""'), "is not JSON"),
        (tiny_game.game(grammar='grammar :: """{}"""'), "has no rule 'intro'"),
    ],
)
def test_what_is_wrong_with_a_game_is_said(tmp_path, data, message):
    path = tiny_game.write(tmp_path / "broken.tw-pddl", data)
    with pytest.raises(DataError, match=message) as caught:
        load_game(path)
    assert "broken.tw-pddl" in str(caught.value)


# ------------------------------------------------------------------ folders


def test_a_folder_with_bad_games_loads_the_rest_and_lists_the_bad(tmp_path):
    tiny_game.write(tmp_path / "a" / "game.tw-pddl", tiny_game.game("clean"))
    tiny_game.write(tmp_path / "b" / "game.tw-pddl", "{")
    tiny_game.write(tmp_path / "c" / "game.tw-pddl", tiny_game.game("pick_two"))
    tiny_game.write(tmp_path / "d" / "game.tw-pddl", tiny_game.game("clean"))  # the same again
    tiny_game.write(tmp_path / "movable-1" / "game.tw-pddl", tiny_game.game("clean", x=1))
    tiny_game.write(tmp_path / "e" / "game.tw-pddl", tiny_game.game("heat", solvable=False))
    with pytest.warns(UserWarning, match="1 of the games below"):
        tasks = turnwise_envs.tasks("turnwise/Household-v0", "train", data_dir=str(tmp_path))
    assert [task.kind for task in tasks] == ["clean", "pick_two", "clean"]
    assert len(set(tasks.ids)) == 3
    assert list(tasks.bad) == [str(tmp_path / "b" / "game.tw-pddl")]
    assert tasks.lookup(tasks.ids[1]).kind == "pick_two"


def test_split_folders_are_the_splits(tmp_path, monkeypatch):
    root = tmp_path / "json_2.1.1"
    tiny_game.write(root / "train" / "x" / "game.tw-pddl", tiny_game.game("clean"))
    tiny_game.write(root / "valid_seen" / "y" / "game.tw-pddl", tiny_game.game("pick_two"))
    monkeypatch.setenv("ALFWORLD_DATA", str(tmp_path))
    for split, kind in (("train", "clean"), ("valid_seen", "pick_two")):
        env = gym.make("turnwise/Household-v0", split=split, data_dir=True)
        solve(env)
        assert env.unwrapped.task.kind == kind
    with pytest.raises(DataError, match="found none below"):
        turnwise_envs.tasks("turnwise/Household-v0", "valid_unseen", data_dir=str(tmp_path))


def test_missing_data_is_an_error(tmp_path, monkeypatch):
    monkeypatch.delenv("ALFWORLD_DATA", raising=False)
    with pytest.raises(turnwise_envs.UsageError, match="variable ALFWORLD_DATA"):
        gym.make("turnwise/Household-v0", data_dir=True)
    with pytest.raises(DataError, match="is not there"):
        gym.make("turnwise/Household-v0", data_dir=str(tmp_path / "nothing"))


def test_snapshots_of_games_do_not_depend_on_where_they_lie(tmp_path):
    one = tiny_game.write(tmp_path / "one" / "game.tw-pddl", tiny_game.game("clean"))
    two = tiny_game.write(tmp_path / "two" / "game.tw-pddl", tiny_game.game("clean"))
    first = gym.make("turnwise/Household-v0", data_dir=str(one))
    first.reset()
    first.step("go to desk 1")
    second = gym.make("turnwise/Household-v0", data_dir=str(two))
    _, info = turnwise_envs.restore(second, turnwise_envs.snapshot(first))
    assert info["admissible_actions"] == first.unwrapped.admissible_actions()
    assert info["state_key"] == first.unwrapped.keys()[0]


# ------------------------------------------------------------------ the real kitchen


@needs_kitchen
def test_the_real_kitchen_is_played_and_solved():
    env = gym.make("turnwise/Household-v0", data_dir=str(KITCHEN))
    obs, info = env.reset()
    assert obs == (
        "-= Welcome to TextWorld, ALFRED! =-\n\n"
        "You are in the middle of a room. Looking quickly around you, you see a cabinet 8, "
        "a cabinet 7, a cabinet 6, a cabinet 5, a cabinet 4, a cabinet 3, a cabinet 2, "
        "a cabinet 1, a coffeemachine 1, a countertop 2, a countertop 1, a fridge 1, "
        "a garbagecan 1, a microwave 1, a sinkbasin 1, a stoveburner 4, a stoveburner 3, "
        "a stoveburner 2, a stoveburner 1, and a toaster 1.\n\n"
        "Your task is to: heat some potato and put it in sinkbasin."
    )
    assert len(info["admissible_actions"]) == 23
    assert env.unwrapped.task.kind == "heat"
    obs, *_ = env.step("go to countertop 1")
    assert obs == (
        "You arrive at countertop 1. On the countertop 1, you see a bread 1, a butterknife 1, "
        "a egg 3, a fork 3, a knife 2, a knife 1, a ladle 1, a pan 1, a plate 2, a spatula 3, "
        "a spatula 2, a spatula 1, and a tomato 1."
    )
    commands = solve(env)
    assert len(commands) == 6
    assert commands[-2:] == ["go to sinkbasin 1", commands[-1]]


@needs_kitchen
def test_the_real_kitchen_in_the_older_wording():
    env = gym.make("turnwise/Household-v0", data_dir=str(KITCHEN), data_version="2.1.1")
    commands = solve(env)
    assert commands[-1].startswith("put potato ")
    assert env.unwrapped._observation.startswith("You put the potato")
    newer = gym.make("turnwise/Household-v0", data_dir=str(KITCHEN))
    assert solve(newer)[-1].startswith("move potato ")  # the shared scene keeps its wording
