"""What is wrong with a user's games is said: file, place, remedy."""

import json
import re

import pytest
import tiny_game
from alfworld_folder import add, game
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_game import ACTIONS, INIT, OBJECTS, TREAT

from turnwise_envs import DataError
from turnwise_envs.household.domain import check_domain
from turnwise_envs.household.engine import Engine
from turnwise_envs.household.games import load_game, parse_parts, read_game
from turnwise_envs.household.grammar import COMMANDS
from turnwise_envs.household.loader import LoadedTasks


def error_of(tmp_path, **changes) -> str:
    path = tiny_game.write(tmp_path / "game.tw-pddl", tiny_game.game(**changes))
    with pytest.raises(DataError) as caught:
        load_game(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.endswith((".", "?"))
    return message.removeprefix(f"{path}: ")


# ------------------------------------------------------------------ the domain


@pytest.mark.parametrize("name", ACTIONS)
def test_every_rule_is_compared(tmp_path, name):
    given, asked, done = ACTIONS[name]
    for part, rule in (
        ("precondition", (given, f"{asked} (full ?r)", done)),
        ("precondition", (given + " ?x - object", asked, done)),
        ("effect", (given, asked, f"{done} (full ?r)")),
        ("effect", (given, asked, "")),
    ):
        error = error_of(tmp_path, pddl_domain=tiny_game.domain(**{name: rule}))
        assert error.startswith(f"pddl_domain, action {name.lower()}: its {part} must be that of")
        assert "turnwise/TextWorld-v0" in error


def test_what_does_not_change_a_rule_is_overlooked():
    rule = (
        "?o - object ?a - agent ?r - receptacle ?l - location",
        f"(and (and) {TREAT.format('HEAT', 'Microwave')})",
        "(and (not (isCool ?o)) (isHot ?o)) (increase (total-cost) 7) ; a comment )\n",
    )
    rules = check_domain(tiny_game.domain(heatObject=rule), "here")
    assert (rules.examine_in_place, rules.has_help) == (False, True)
    assert not check_domain(tiny_game.domain(with_help=False), "here").has_help


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("(:action sliceObject", "(:action chopObject", r"lacks the actions \['sliceobject'\]"),
        ("(:action look ", "(:action fly :parameters ()) (:action look ", r"also has \['fly'\]"),
        ("(:action look ", "(:derived (p)) (:action look ", r"also has \[':derived'\]"),
        ("rtype)", ")", r"lacks the types \['rtype'\]"),
        ("(ishot ?x)", "", r"lacks the predicates \['ishot'\]"),
        (":effect (and (checked ?l))", ":effect", "action look: is damaged"),
        (":effect (and (checked ?l))", ":cost 3", r"has a part that is not ALFRED's, \[':cost'\]"),
        ("(exists (?l - location)", "(exists", "action examinereceptacle: "),
    ],
)
def test_other_domains(old, new, message):
    text = tiny_game.domain()
    assert old in text
    with pytest.raises(DataError, match=message):
        check_domain(text.replace(old, new), "pddl_domain")


# ------------------------------------------------------------------ the problem


@pytest.mark.parametrize(
    ("objects", "init", "message"),
    [
        (
            OBJECTS + " Fork_bar_1",
            INIT,
            ":objects: 'fork_bar_1' must have one of the types agent, ",
        ),
        (OBJECTS.replace("- rtype", "- kind"), INIT, "'desktype' must have .* has the type 'kind'"),
        (
            OBJECTS.replace("- location", ""),
            INIT,
            "arguments of .* must be receptacle, location, got receptacle, rtype",
        ),
        (OBJECTS, INIT + "(inReceptacle Desk_bar_1 Mug_bar_1)", "must be object, receptacle, got"),
        (OBJECTS, INIT + "(openable)", r"arguments of \(openable\) must be receptacle, got none"),
        (OBJECTS, INIT + "(isClean)", r"arguments of \(isclean\) must be one, got none"),
        (OBJECTS, INIT + "(holds agent1)", "must be agent, object, got agent"),
        (OBJECTS, INIT + "isClean", "'isclean' is no fact"),
        (OBJECTS, INIT + "((isClean Mug_bar_1))", "unknown predicate"),
        (OBJECTS, INIT + "(isClean (Mug_bar_1))", "does not declare with a type"),
        (OBJECTS, INIT + "(holds agent1 Mug_bar_1) (holds agent1 Book_bar_1)", "at most 1 object"),
        (OBJECTS, INIT + "(receptacleAtLocation Desk_bar_1 loc_bar_3)", "one location, has two"),
    ],
)
def test_facts_and_types(tmp_path, objects, init, message):
    problem = tiny_game.problem(tiny_game.GOALS["clean"], init=init).replace(OBJECTS, objects)
    with pytest.raises(DataError, match=message):
        load_game(tiny_game.write(tmp_path / "g", tiny_game.game(pddl_problem=problem)))
    assert "pddl_problem, :" in error_of(tmp_path, pddl_problem=problem)


def test_facts_that_the_original_overlooks_are_overlooked(tmp_path):
    init = INIT + "(isClean Desk_bar_1) (checked loc_bar_1) (wasInReceptacle Mug_bar_1 Desk_bar_1)"
    init += "(= (distance loc_bar_1 loc_bar_2) 3)"
    data = tiny_game.game(pddl_problem=tiny_game.problem(tiny_game.GOALS["clean"], init=init))
    assert load_game(tiny_game.write(tmp_path / "game.tw-pddl", data)).goal.kind == "clean"


@pytest.mark.parametrize(
    ("goal", "message"),
    [
        ("(isHot ?o)", "unbound variable '?o'"),
        ("(isHot Cup_bar_1)", "unknown object 'cup_bar_1'"),
        ("(isHot)", "(ishot ...) must have 1 arguments, got 0"),
        ("(inReceptacle Mug_bar_1)", "must have 2 arguments, got 1"),
        ("(not)", "(not ...) has 0 parts"),
        ("(imply (isHot Mug_bar_1))", "(imply ...) has 1 parts"),
        ("(exists (?o - object))", "(exists ...) must have variables and one formula"),
        ("(exists ?o (isHot ?o))", "(exists ...) must have variables and one formula"),
        ("(checked Desk_bar_1)", "predicate 'checked' cannot be a goal. Was"),
        ("(flies Mug_bar_1)", "'flies' cannot be a goal; the ALFRED domain has none of this name"),
        ("((isHot Mug_bar_1))", "is no formula"),
        ("(isHot Mug_bar_1) (isHot Mug_bar_1)", ":goal: must be one formula, got 2"),
        (tiny_game.GOALS["clean"].replace("MugType", "BookType"), "has no object that it asks for"),
        (tiny_game.GOALS["clean"].replace("DeskType", "OvenType"), "unknown object 'oventype'"),
        (
            tiny_game.GOALS["look_at_obj_in_light"].replace("?ot DeskLampType", "?ot MugType"),
            "has no lamp that it asks for",
        ),
        ("(not " * 20_000 + "(isHot Mug_bar_1)" + ")" * 20_000, "is nested too deeply"),
    ],
)
def test_goals(tmp_path, goal, message):
    error = error_of(tmp_path, pddl_problem=tiny_game.problem(goal))
    assert error.startswith("pddl_problem")
    assert message in error


@pytest.mark.parametrize("wanted", ["objecttype", "receptacletype"])
def test_a_goal_for_a_type_that_nothing_is_of(tmp_path, wanted):
    other = {"objecttype": ("MugType", "BookType"), "receptacletype": ("DeskType", "DrawerType")}
    old, new = other[wanted]
    goal = tiny_game.PLACE.format(o="MugType", r="DeskType", more=" (isClean ?o)")
    lines = INIT.replace(f"_bar_1 {old})", f"_bar_1 {new})")
    error = error_of(tmp_path, pddl_problem=tiny_game.problem(goal, init=lines))
    assert "cannot be reached, the scene has no " in error


# ------------------------------------------------------------------ the grammar


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'template :: "take {o} from {r}"',
            'template :: "get {o} from {r}"',
            "action pickupobject:",
        ),
        ('template :: "{put}"', "", "of {o} and {r}"),
        ('"#examineobject.feedback#"', '"Nice."', "action examineobject: must be 'examine {o}'"),
        ("action sliceobject", "action chop", "no command for the action 'sliceobject'"),
        ("openable(r:receptacle) & opened", "openable(r:receptacle) & closed", "must ask for"),
        ("isclean(o:object)", "isblue(o:object)", "examineObject.feedback asks for ['isblue']"),
        ('"You close the {r.name}."', '"You close #it#."', "'close' has a form that is not"),
        ('"You close the {r.name}."', '"You close {r}}."', "'close' has a form that is not"),
        ('"You close the {r.name}."', '"You close {o.name}."', "'close' has a form that is not"),
        ('"You close the {r.name}."', '"You close {r!r}."', "'close' has a form that is not"),
        ('"This is a hot {o.name}."', '"A {r.name}."', "'examineObject.feedback' has a form"),
        ('"CloseObject.feedback": [{"rhs"', '"CloseObject.feedback": [{"text"', "has no rule"),
        ('"CloseObject.feedback": [', '"CloseObject.feedback": ["x", ', "has no rule"),
    ],
)
def test_other_grammars(tmp_path, old, new, message):
    put = "{put}" if "{put}" in old else "move {o} to {r}"
    text = tiny_game.grammar("Your task is to: test.", put=put)
    assert old in text
    error = error_of(tmp_path, grammar=text.replace(old, new) if new else text)
    assert error.startswith("grammar")
    assert message in error
    assert error.endswith("Take the grammar of the alfworld package.")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_compared(tmp_path, name):
    text = tiny_game.grammar("Your task is to: test.")
    command = f'action {name} {{\n  template :: "'
    assert command in text
    error = error_of(tmp_path, grammar=text.replace(command, command + "please "))
    assert f"grammar, action {name}: must be {COMMANDS[name]!r}" in error


# ------------------------------------------------------------------ anything


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from(["clean", "pick_two"]))
def test_a_damaged_game_is_an_error_or_a_game(rng, kind):
    data = tiny_game.game(kind)
    part = rng.choice(["pddl_domain", "grammar", "pddl_problem"])
    words = re.split(r'(\s+|[(){}\[\]",:])', data[part])
    for _ in range(rng.choice([1, 2, 4])):
        at = rng.randrange(len(words))
        words[at : at + rng.randrange(2)] = rng.choice([[], [rng.choice(words)]])
    data[part] = "".join(words)
    try:
        loaded = read_game(parse_parts(json.dumps(data).encode()))
    except DataError:
        return
    engine = Engine(loaded.scene, loaded.goal)
    engine.intro()
    for _ in range(15):
        engine.step(rng.choice(engine.commands().admissible))
        engine.goal.holds(engine.scene, engine.state)


# ------------------------------------------------------------------ files and folders


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("\udc80", "cannot be read as JSON"),
        ("[" * 50_000, "cannot be read as JSON"),
        ("", "cannot be read as JSON"),
        (json.dumps({"pddl_domain": 1}), "missing: pddl_domain, grammar, pddl_problem"),
        (json.dumps(tiny_game.game(solvable="yes")), "solvable: must be true or false, got 'yes'"),
    ],
)
def test_files_that_are_no_games(tmp_path, data, message):
    path = tmp_path / "game.tw-pddl"
    path.write_bytes(data.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=message) as caught:
        LoadedTasks("train", path)
    assert str(path) in str(caught.value)


def test_a_folder_lists_every_bad_game(tmp_path):
    clean = "pick_clean_then_place_in_recep"
    good = add(tmp_path, "a/trial_0", game("clean", 0), clean)
    unchecked = game("clean", 4)
    del unchecked["solvable"]
    paths = {
        "cannot be read as JSON": add(tmp_path, "a/trial_1", "{", clean),
        "no plan reaches the goal": add(tmp_path, "a/trial_2", tiny_game.game("heat"), clean),
        "precondition must be": add(
            tmp_path,
            "a/trial_3",
            game("clean", 3, pddl_domain=tiny_game.domain(look=("?a - agent", "", ""))),
            clean,
        ),
        "solvable: must be true or false, is missing": add(tmp_path, "a/trial_4", unchecked, clean),
        "traj_data.json: must lie beside the game": add(
            tmp_path, "a/trial_5", game("clean", 5), None
        ),
    }
    broken = add(tmp_path, "a/trial_6", game("clean", 6), clean).with_name("traj_data.json")
    broken.write_text('["pick"]')
    with pytest.warns(UserWarning, match=r"^6 of the games below .*turnwise data check"):
        tasks = LoadedTasks("train", tmp_path)
    assert [task.payload for task in tasks] == [str(good)]
    assert len(tasks.bad) == 6
    for message, path in paths.items():
        (text,) = [text for file, text in tasks.bad.items() if file.startswith(str(path.parent))]
        assert message in text
        assert text.startswith(str(path.parent))
    assert "must be a JSON object with a task_type" in tasks.bad[str(broken)]


@pytest.mark.parametrize(
    ("games", "message"),
    [
        ({}, r"none: found none below .*\. alfworld-download fetches ALFWorld's\.$"),
        ({"x": "{"}, r"has none: .*x/game\.tw-pddl: cannot be read as JSON"),
        ({"x": tiny_game.game(solvable=False)}, r"all are left out \(marked unsolvable 1\)\.$"),
    ],
)
def test_folders_without_a_game_to_play(tmp_path, games, message):
    for name, data in games.items():
        tiny_game.write(tmp_path / name / "game.tw-pddl", data)
    with pytest.raises(DataError, match=message):
        LoadedTasks("train", tmp_path)
