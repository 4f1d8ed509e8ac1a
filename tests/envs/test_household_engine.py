"""The rules and replies of the household engine, on a scene small enough to know by heart."""

from dataclasses import replace

import pytest

from turnwise_envs.household.engine import Engine
from turnwise_envs.household.generator import compile_scene
from turnwise_envs.household.goals import Goal
from turnwise_envs.household.scene import Layout
from turnwise_envs.household.texts import NOTHING_HAPPENS, TEXTS, enumeration, in_version

# A coffee machine and a counter top share place 2; fridge and microwave open.
LAYOUT = Layout(
    names=("coffeemachine 1", "countertop 1", "fridge 1", "microwave 1", "sinkbasin 1"),
    types=("coffeemachine", "countertop", "fridge", "microwave", "sinkbasin"),
    locations=(2, 2, 3, 4, 5),
    openable=0b01100,
    start=0,
)
OBJECTS = [("mug", 0), ("apple", 1), ("knife", 1), ("apple", 2), ("mug", 2)]


@pytest.fixture
def game() -> Engine:
    scene = compile_scene(LAYOUT, OBJECTS, "Your task is to: put a hot apple in sinkbasin.")
    return Engine(scene, Goal("heat", targets=0b00011, places=0b10000))


def play(engine: Engine, *commands: str) -> str:
    reply = ""
    for command in commands:
        reply, done = engine.step(command)
        assert done is not None, command
    return reply


def test_enumeration_has_a_comma_before_and_even_for_two():
    assert enumeration([]) == "nothing"
    assert enumeration(["a x"]) == "a x"
    assert enumeration(["a x", "a y"]) == "a x, and a y"
    assert enumeration(["a x", "a y", "a z"]) == "a x, a y, and a z"


def test_numbers_fall_in_identifier_order(game):
    assert game.scene.names == ("apple 2", "apple 1", "knife 1", "mug 2", "mug 1")


def test_intro(game):
    assert game.intro() == (
        "-= Welcome to TextWorld, ALFRED! =-\n\n"
        "You are in the middle of a room. Looking quickly around you, you see a coffeemachine 1, "
        "a countertop 1, a fridge 1, a microwave 1, and a sinkbasin 1.\n\n"
        "Your task is to: put a hot apple in sinkbasin."
    )
    assert play(game, "look") == (
        "You are in the middle of a room. Looking quickly around you, you see nothing."
    )


def test_closed_receptacles_hide_their_contents(game):
    assert play(game, "go to fridge 1") == "You arrive at fridge 1. The fridge 1 is closed."
    assert "take apple 1 from fridge 1" not in game.commands().admissible
    assert game.step("take apple 1 from fridge 1") == (NOTHING_HAPPENS, None)
    assert play(game, "open fridge 1") == (
        "You open the fridge 1. The fridge 1 is open. In it, you see a apple 1, and a mug 1."
    )
    assert play(game, "take apple 1 from fridge 1") == "You pick up the apple 1 from the fridge 1."
    assert play(game, "inventory") == "You are carrying: a apple 1."
    assert play(game, "close fridge 1") == "You close the fridge 1."
    assert game.step("move apple 1 to fridge 1") == (NOTHING_HAPPENS, None)
    assert play(game, "examine fridge 1") == "The fridge 1 is closed."


def test_admissible_commands_are_sorted_and_leave_the_present_place_out(game):
    play(game, "go to countertop 1", "take apple 2 from countertop 1")
    assert game.commands().admissible == [
        "examine apple 2",
        "examine coffeemachine 1",
        "examine countertop 1",
        "go to fridge 1",
        "go to microwave 1",
        "go to sinkbasin 1",
        "help",
        "inventory",
        "look",
        "move apple 2 to countertop 1",
    ]
    assert game.commands().menu == [
        "go to fridge 1",
        "go to microwave 1",
        "go to sinkbasin 1",
        "move apple 2 to countertop 1",
    ]
    assert game.step("go to coffeemachine 1") == (NOTHING_HAPPENS, None)


def test_treatments_need_the_hand_but_no_opening(game):
    play(game, "go to countertop 1", "take apple 2 from countertop 1", "go to microwave 1")
    assert play(game, "heat apple 2 with microwave 1") == (
        "You heat the apple 2 using the microwave 1."
    )
    assert play(game, "examine apple 2") == "This is a hot apple 2."
    play(game, "go to fridge 1", "cool apple 2 with fridge 1")
    assert play(game, "examine apple 2") == "This is a cold apple 2."
    play(game, "go to sinkbasin 1", "clean apple 2 with sinkbasin 1")
    assert play(game, "examine apple 2") == "This is a cool and clean apple 2."
    play(game, "go to microwave 1", "heat apple 2 with microwave 1", "go to sinkbasin 1")
    assert play(game, "examine apple 2") == "This is a hot and clean apple 2."
    assert not game.goal.holds(game.scene, game.state)
    assert play(game, "move apple 2 to sinkbasin 1") == "You move the apple 2 to the sinkbasin 1."
    assert game.goal.holds(game.scene, game.state)


def test_slicing(game):
    play(game, "go to countertop 1", "take knife 1 from countertop 1")
    assert play(game, "slice apple 2 with knife 1") == "You sliced the apple 2 with the knife 1."
    assert "slice apple 1 with knife 1" not in game.commands().admissible
    play(game, "move knife 1 to countertop 1", "take apple 2 from countertop 1")
    assert play(game, "examine apple 2") == "This is a sliced apple 2."


def test_slices_appear_after_the_object_is_put_down_at_the_same_place(game):
    play(game, "go to fridge 1", "open fridge 1", "take apple 1 from fridge 1")
    play(game, "go to countertop 1", "move apple 1 to countertop 1")
    play(game, "take knife 1 from countertop 1")
    assert "slice apple 1 with knife 1" in game.commands().admissible


def test_vessels_and_plain_objects(game):
    play(game, "go to coffeemachine 1", "take mug 2 from coffeemachine 1")
    assert play(game, "examine mug 2") == "This is a normal mug 2. In it, you see nothing."
    play(game, "move mug 2 to countertop 1", "take knife 1 from countertop 1")
    assert play(game, "examine knife 1") == "There's nothing special about knife 1."
    assert game.step("examine mug 2") == (NOTHING_HAPPENS, None)


def test_an_object_moved_within_one_place_is_next_to_it(game):
    facing = "You are facing the coffeemachine 1, and countertop 1. Next to it, you see "
    play(game, "go to coffeemachine 1", "take mug 2 from coffeemachine 1")
    assert play(game, "look") == facing + "nothing."
    play(game, "move mug 2 to countertop 1")
    assert play(game, "look") == facing + "a mug 2."
    play(game, "take mug 2 from countertop 1", "move mug 2 to coffeemachine 1")
    assert play(game, "look") == facing + "a mug 2."


def test_can_contain(game):
    play(game, "go to countertop 1", "take apple 2 from countertop 1")
    assert "move apple 2 to coffeemachine 1" not in game.commands().admissible


def test_wording_of_the_older_data(game):
    older = Engine(replace(game.scene, texts=in_version(TEXTS, "2.1.1")), game.goal)
    assert "help" not in older.commands().admissible
    assert "help" in game.commands().admissible
    older.step("go to countertop 1")
    older.step("take apple 2 from countertop 1")
    assert older.step("go to sinkbasin 1")[0] == (
        "You arrive at loc 1. On the sinkbasin 1, you see nothing."
    )
    assert older.step("move apple 2 to sinkbasin 1") == (NOTHING_HAPPENS, None)
    reply, done = older.step("put apple 2 in/on sinkbasin 1")
    assert (reply, done) == ("You put the apple 2 in/on the sinkbasin 1.", ("move", 0, 4))
    assert game.step("put apple 2 in/on sinkbasin 1") == (NOTHING_HAPPENS, None)


@pytest.mark.parametrize(
    "command",
    ["", "put", "put apple 2", "dance", "Go to fridge 1", "go to fridge", "go to fridge 2", "\0"],
)
def test_unknown_commands_change_nothing(game, command):
    before = game.state.to_json()
    assert game.step(command) == (NOTHING_HAPPENS, None)
    assert game.state.to_json() == before


def test_surrounding_white_space_is_ignored(game):
    assert play(game, "  go to fridge 1 \n").startswith("You arrive at fridge 1.")


def test_lamps_stay_on():
    layout = Layout(("desk 1", "shelf 1"), ("desk", "shelf"), (1, 2), 0, 0)
    scene = compile_scene(layout, [("book", 1), ("desklamp", 0)], "Your task is to: read.")
    game = Engine(scene, Goal("look_at_obj_in_light", 0b01, 0, lamps=0b10))
    play(game, "go to desk 1")
    assert "take desklamp 1 from desk 1" not in game.commands().admissible
    for _ in range(2):
        assert play(game, "use desklamp 1") == "You turn on the desklamp 1."
    assert not game.goal.holds(scene, game.state)
    play(game, "go to shelf 1", "take book 1 from shelf 1")
    assert not game.goal.holds(scene, game.state)
    play(game, "go to desk 1")
    assert game.goal.holds(scene, game.state)


def test_two_objects_must_be_in_one_receptacle():
    layout = Layout(("shelf 2", "shelf 1"), ("shelf", "shelf"), (1, 2), 0, 0)
    scene = compile_scene(layout, [("cd", 0), ("cd", 1)], "Your task is to: put two cd in shelf.")
    goal = Goal("pick_two", 0b11, 0b11)
    game = Engine(scene, goal)
    assert not goal.holds(scene, game.state)
    play(game, "go to shelf 1", "take cd 1 from shelf 1", "go to shelf 2", "move cd 1 to shelf 2")
    assert goal.holds(scene, game.state)


def test_help_lists_every_verb(game):
    reply = play(game, "help")
    for verb in ("go to", "open", "close", "take", "move", "use", "heat", "clean", "cool", "slice"):
        assert f"  {verb} (" in reply
