"""ALFWorld's data as it is used: splits, task types, identifiers, versions."""

import json
from pathlib import Path

import alfworld_folder
import gymnasium as gym
import pytest
import tiny_game
from alfworld_folder import add, fill, game

import turnwise_envs
from turnwise_envs import DataError, UnknownTaskError, UsageError
from turnwise_envs.household.goals import KINDS
from turnwise_envs.household.loader import LoadedTasks, task_kinds
from turnwise_envs.household.survey import TASK_TYPES, survey

ID = "turnwise/Household-v0"
TASK_TYPES_OF = alfworld_folder.TYPES


# ------------------------------------------------------------------ which games count


def test_the_originals_filters(tmp_path):
    names = fill(tmp_path)
    alfworld_folder.add_left_out(tmp_path)
    add(tmp_path, names[0], game("clean", 50), TASK_TYPES_OF["clean"], "valid_train")
    tasks = LoadedTasks("train", tmp_path)
    assert [task.name for task in tasks] == names
    assert tasks.bad == {}
    assert dict(tasks.survey.left_out) == {
        '"movable" or "Sliced" in the path': 2,
        "marked unsolvable": 1,
        "traj_data.json without a game": 1,
        "of other task types": 1,
    }
    assert {TASK_TYPES[task.name.partition("-")[0]] for task in tasks} == set(TASK_TYPES_OF)
    assert all(TASK_TYPES[task.name.partition("-")[0]] == task.kind for task in tasks)


def test_the_original_counts_the_same_games(tmp_path):
    original = pytest.importorskip(
        "alfworld.agents.environment.alfred_tw_env", reason="needs the alfworld package"
    )
    fill(tmp_path)
    alfworld_folder.add_left_out(tmp_path)
    train = tmp_path / "json_2.1.1" / "train"
    for chosen in (range(1, 7), (1, 3), (6,)):
        config = {
            "env": {"goal_desc_human_anns_prob": 0, "task_types": list(chosen)},
            "dataset": {"data_path": str(train), "num_train_games": 0},
        }
        theirs = original.AlfredTWEnv(config, train_eval="train")
        kinds = task_kinds(list(chosen))
        ours = LoadedTasks("train", tmp_path, kinds)
        assert sorted(theirs.game_files) == [task.payload for task in ours]
        assert all(ours.lookup(file).payload == file for file in theirs.game_files)


def test_the_label_decides_the_type_and_a_doubt_is_kept(tmp_path):
    path = add(tmp_path, "t/trial_1", game("clean", 0), "pick_heat_then_place_in_recep")
    tasks = LoadedTasks("train", tmp_path)
    assert [task.kind for task in tasks] == ["heat"]
    assert "its goal is of the type 'clean'" in tasks.survey.doubts[str(path)]


def test_copies_are_tasks_of_their_own(tmp_path):
    same = game("clean", 0)
    for number in range(3):
        add(tmp_path, f"t/trial_{number}", same, TASK_TYPES_OF["clean"])
    tasks = LoadedTasks("train", tmp_path)
    assert len(tasks) == len(set(tasks.ids)) == 3
    assert tasks.game(tasks[2]).id == tasks[0].id != tasks[2].id


def test_splits(tmp_path):
    fill(tmp_path, 2, "train")
    fill(tmp_path, 1, "valid_unseen")
    assert len(turnwise_envs.tasks(ID, "train", data_dir=str(tmp_path))) == 8
    inner = tmp_path / "json_2.1.1"
    assert len(turnwise_envs.tasks(ID, "valid_unseen", data_dir=str(inner))) == 4
    with pytest.raises(DataError, match=r"splits train, valid_unseen; .*alfworld-download"):
        turnwise_envs.tasks(ID, "valid_seen", data_dir=str(tmp_path))
    # The folder of a split by itself has no splits.
    assert len(turnwise_envs.tasks(ID, "valid_seen", data_dir=str(inner / "valid_unseen"))) == 4


def test_every_game_states_its_own_task(tmp_path):
    names = fill(tmp_path)
    env = gym.make(ID, data_dir=str(tmp_path))
    for name in (*names, names[0]):
        kind, number = name.rpartition("_")[0].rpartition("T2019_")[2], name[-1]
        obs, _ = env.reset(options={"task_id": name})
        assert obs.endswith(f"Your task is to: {kind} {number}.")


# ------------------------------------------------------------------ identifiers


def test_the_originals_identifiers_name_tasks(tmp_path):
    names = fill(tmp_path)
    path = tmp_path / "json_2.1.1" / "train" / names[3] / "game.tw-pddl"
    env = gym.make(ID, data_dir=str(tmp_path))
    tasks = env.unwrapped.tasks
    for task_id in (
        names[3],
        names[3] + "/",
        str(path),
        f"/elsewhere/json_2.1.1/train/{names[3]}/game.tw-pddl",
        f"train/{names[3]}/traj_data.json",
        tasks.ids[3],
    ):
        _, info = env.reset(options={"task_id": task_id})
        assert info["task_id"] == tasks.ids[3]
        assert env.unwrapped.task.name == names[3]
        assert env.unwrapped.task.payload == str(path)
    for unknown in ("trial_1", names[3].partition("/")[0], "", "game.tw-pddl", "/", 7):
        with pytest.raises(UnknownTaskError, match="a game's name such as 'look_at_obj"):
            tasks.lookup(unknown)


def test_names_of_single_files_and_plain_folders(tmp_path):
    path = add(tmp_path, "pick-Mug/trial_1", game("clean", 0), TASK_TYPES_OF["clean"])
    assert LoadedTasks("train", path)[0].name == "pick-Mug/trial_1"
    plain = tmp_path / "plain"
    tiny_game.write(plain / "one.tw-pddl", game("clean", 1))
    tiny_game.write(plain / "game.tw-pddl", game("clean", 2))
    assert [task.name for task in LoadedTasks("train", plain)] == ["plain", "one.tw-pddl"]


# ------------------------------------------------------------------ task types


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        (None, None),
        ("heat", ("heat",)),
        (5, ("cool",)),
        ([6, "pick_and_place_simple", "heat", 6], ("pick_and_place", "heat", "pick_two")),
        (("cool", "pick_heat_then_place_in_recep"), ("heat", "cool")),
        (range(1, 7), KINDS),
    ],
)
def test_task_types_by_any_name(given, kinds):
    assert task_kinds(list(given) if isinstance(given, range) else given) == kinds


@pytest.mark.parametrize("given", [[], "warm", 0, 7, True, ["heat", None], {"heat"}, [["heat"]]])
def test_unknown_task_types(given):
    with pytest.raises(UsageError, match=r"task_types must be .* Choose from pick_and_place,"):
        gym.make(ID, task_types=given)


@pytest.mark.parametrize("chosen", [("heat",), ("cool", "pick_two"), KINDS])
def test_generated_tasks_of_some_types_keep_their_ids(chosen):
    everything = turnwise_envs.tasks(ID, "ood")
    some = turnwise_envs.tasks(ID, "ood", task_types=list(chosen))
    assert list(some.ids) == [task.id for task in everything if task.kind in chosen]
    assert [some[i].index for i in (0, 7, len(some) - 1)] == [0, 7, len(some) - 1]
    assert (some.manifest_hash == everything.manifest_hash) == (chosen == KINDS)
    task = some[11]
    theirs = everything.lookup(task.id)
    assert some.game(task).scene.key == everything.game(theirs).scene.key
    assert some.data_version is None


def test_a_stream_of_some_types():
    stream = turnwise_envs.tasks(ID, "stream", task_types=["look_at_obj_in_light", "pick_two"])
    assert [(stream[i].id, stream[i].kind) for i in range(3)] == [
        ("stream-1", "look_at_obj_in_light"),
        ("stream-5", "pick_two"),
        ("stream-7", "look_at_obj_in_light"),
    ]
    assert stream.lookup("stream-11") == stream[3]
    with pytest.raises(UnknownTaskError, match="of the type heat, which task_types leaves out"):
        stream.lookup("stream-3")
    env = gym.make(ID, split="stream", task_types=[2, 6])
    assert {env.unwrapped.task.kind for _ in range(9) if env.reset()} == {
        stream[0].kind,
        "pick_two",
    }


def test_loaded_tasks_of_some_types(tmp_path):
    fill(tmp_path)
    everything = turnwise_envs.tasks(ID, "train", data_dir=str(tmp_path))
    env = gym.make(ID, data_dir=str(tmp_path), task_types=[3, "pick_two"])
    tasks = env.unwrapped.tasks
    assert list(tasks.ids) == [t.id for t in everything if t.kind in ("clean", "pick_two")]
    assert tasks.data_version == everything.data_version
    assert tasks.manifest_hash != everything.manifest_hash
    with pytest.raises(UnknownTaskError):
        tasks.lookup(everything[0].id)
    with pytest.raises(DataError, match="of the types heat; it has clean 2, look_at"):
        turnwise_envs.tasks(ID, "train", data_dir=str(tmp_path), task_types="heat")
    env.reset(seed=1)
    copy = gym.make(ID, data_dir=str(tmp_path), task_types=["clean", 6])
    turnwise_envs.restore(copy, turnwise_envs.snapshot(env))
    other = gym.make(ID, data_dir=str(tmp_path))
    with pytest.raises(turnwise_envs.SnapshotError, match="task_types"):
        turnwise_envs.restore(other, turnwise_envs.snapshot(env))


# ------------------------------------------------------------------ versions


def put_game(number: int) -> dict:
    """A game as ALFWorld's data was before December 2024."""
    grammar = tiny_game.grammar(f"Task {number}.", put="put {o} in/on {r}", with_help=False)
    grammar = grammar.replace("You arrive at {r.name}", "You arrive at {lend.name}")
    return tiny_game.game("clean", grammar=grammar, pddl_domain=tiny_game.domain(with_help=False))


def test_the_data_version_says_grammar_and_content(tmp_path):
    def version(folder: str) -> str:
        return LoadedTasks("train", tmp_path / folder).data_version

    clean = TASK_TYPES_OF["clean"]
    for number in range(2):
        add(tmp_path / "new", f"t/trial_{number}", game("clean", number), clean)
        add(tmp_path / "same", f"u/trial_{1 - number}", game("clean", number), clean)
        add(tmp_path / "old", f"t/trial_{number}", put_game(number), clean)
        add(tmp_path / "mixed", f"t/trial_{number}", [game("clean", 0), put_game(0)][number], clean)
    add(tmp_path / "fewer", "t/trial_0", game("clean", 0), clean)
    assert version("new") == version("same") != version("fewer")
    heads = {folder: version(folder).rpartition("-")[0] for folder in ("new", "old", "mixed")}
    assert heads == {"new": "2.1.2", "old": "2.1.1", "mixed": "2.1.1+2.1.2"}


def test_a_game_of_the_older_version_is_played_as_it_is(tmp_path):
    env = gym.make(ID, data_dir=str(tiny_game.write(tmp_path / "game.tw-pddl", put_game(0))))
    _, info = env.reset()
    assert "help" not in info["admissible_actions"]
    assert env.step("help")[0] == "Nothing happens."
    obs, *_ = env.step("go to desk 1")  # the locations are numbered downwards from 4, it is second
    assert obs.startswith("You arrive at loc 3. On the desk 1")
    env.step("take mug 1 from desk 1")
    obs, *_ = env.step("put mug 1 in/on desk 1")
    assert obs == "You move the mug 1 to the desk 1."  # this grammar's reply is the newer one


def test_help_as_the_data_of_december_2024_has_it(tmp_path):
    grammar = tiny_game.grammar("Your task.").replace('"#help.feedback#"', r'"\nCommands:\n look"')
    path = tiny_game.write(tmp_path / "game.tw-pddl", tiny_game.game(grammar=grammar))
    env = gym.make(ID, data_dir=str(path))
    env.reset()
    assert env.step("help")[0] == r"\nCommands:\n look"


def test_survey_reads_json_files_once(tmp_path):
    # The labels of the real data are some 50 kB; only the type of each is kept.
    fill(tmp_path, 1)
    found = survey(tmp_path, "train")
    assert len(found.playable) == 4
    index = next(Path(turnwise_envs.cache.cache_folder()).rglob("*.jsonl"))
    assert '"plan"' not in index.read_text()
    assert json.loads(index.read_text().splitlines()[0])["format"].startswith("turnwise file index")
