"""Exported games: read back, they are the generated games; files are as ALFWorld wants them."""

import json
import sys

import gymnasium as gym
import pytest
import real_kitchen
from real_kitchen import GAME, needs_kitchen

from turnwise_envs.errors import DataError, DependencyNotInstalled, UnknownTaskError, UsageError
from turnwise_envs.household.export import (
    TASK_TYPES,
    export_games,
    game_data,
    older,
    read_logic,
    scene_number,
    with_task,
)
from turnwise_envs.household.generator import LAYOUTS_PER_ROOM, rooms_of
from turnwise_envs.household.goals import KINDS
from turnwise_envs.household.pddl import parse
from turnwise_envs.household.tasks import household_tasks, scene_options

ID = "turnwise/Household-v0"


def build(index: int, split: str = "train", **options):
    tasks = household_tasks(split, **options)
    return tasks.build(tasks[index])


@needs_kitchen
@pytest.mark.parametrize("split", ["train", "valid_seen", "valid_unseen", "ood"])
def test_an_exported_game_is_the_generated_game(tmp_path, split):
    indices = range(12)
    paths = export_games(tmp_path, split, indices, source=GAME)
    generated = gym.make(ID, split=split)
    for index, path in zip(indices, paths, strict=True):
        loaded = gym.make(ID, data_dir=str(path))
        mine, my_info = generated.reset(options={"task_index": index})
        theirs, their_info = loaded.reset()
        over = False
        while not over:
            assert mine == theirs
            assert my_info["admissible_actions"] == their_info["admissible_actions"]
            command = generated.unwrapped.expert_action()
            mine, _, over, _, my_info = generated.step(command)
            theirs, _, their_over, _, their_info = loaded.step(command)
            assert over == their_over
        assert loaded.unwrapped.task.kind == KINDS[index % 6]


@needs_kitchen
@pytest.mark.parametrize("data_version", ["2.1.1", "2.1.2"])
def test_the_walkthrough_solves_the_game(tmp_path, data_version):
    for path in export_games(tmp_path, "train", range(6), source=GAME, data_version=data_version):
        game = json.loads(path.read_text())
        assert game["solvable"] is True
        env = gym.make(ID, data_dir=str(path))
        env.reset()
        ended = [env.step(command)[2] for command in game["walkthrough"]]
        assert ended == [False] * (len(ended) - 1) + [True]
        word = "put " if data_version == "2.1.1" else "move "
        if env.unwrapped.task.kind != "look_at_obj_in_light":
            assert game["walkthrough"][-1].startswith(word)


@needs_kitchen
def test_files_and_folders(tmp_path):
    paths = export_games(tmp_path, "valid_unseen", range(6), source=GAME, size="small")
    for path, kind in zip(paths, KINDS, strict=True):
        trajectory = json.loads((path.parent / "traj_data.json").read_text())
        assert trajectory["task_type"] == TASK_TYPES[kind]
        assert path.parent.parent.name.startswith(TASK_TYPES[kind] + "-")
        assert path.parent.parent.parent == tmp_path / "json_2.1.1" / "valid_unseen"
        parameters = trajectory["pddl_params"]
        task = json.loads(path.read_text())["grammar"]
        named = parameters["parent_target"] or parameters["toggle_target"]
        assert parameters["object_target"].lower() in task
        assert f"-{parameters['object_target']}-None-{named}-" in str(path)
        problem = (path.parent / "initial_state.pddl").read_text()
        assert problem == json.loads(path.read_text())["pddl_problem"]
    again = export_games(tmp_path, "valid_unseen", range(6), source=GAME, size="small")
    assert again == paths


@needs_kitchen
def test_an_exported_folder_is_a_data_set(tmp_path):
    for split in ("train", "valid_seen"):
        export_games(tmp_path, split, range(6), source=GAME)
    env = gym.make(ID, data_dir=str(tmp_path), split="valid_seen")
    assert len(env.unwrapped.tasks) == 6
    assert env.unwrapped.tasks.bad == {}
    assert {task.kind for task in env.unwrapped.tasks} == set(KINDS)


@needs_kitchen
def test_both_wordings_of_the_logic():
    newer, old = read_logic(GAME), read_logic(GAME, "2.1.1")
    assert old == older(newer)
    assert "action help" in newer["grammar"]
    assert "help" not in old["grammar"]
    assert "help" not in old["pddl_domain"]
    assert "put {o} in/on {r}" in old["grammar"]
    domains = [parse(logic["pddl_domain"], "domain") for logic in (newer, old)]
    assert [part for part in domains[0] if part[:2] != [":action", "help"]] == domains[1]


@needs_kitchen
def test_a_sentence_with_quotes_survives(tmp_path):
    sentence = 'Your task is to: say "hello \\ world".'
    game = real_kitchen.variant("heat")
    game["grammar"] = with_task(game["grammar"], sentence)
    path = tmp_path / "game.tw-pddl"
    path.write_text(json.dumps(game))
    assert gym.make(ID, data_dir=str(path)).reset()[0].endswith(sentence)


def test_every_layout_has_a_scene_number_of_its_own():
    numbers = {}
    for split in ("train", "valid_unseen", "ood"):
        for index in range(300):
            task = build(index, split)
            numbers.setdefault(scene_number(task), set()).add(task.layout_id)
    assert all(len(layouts) == 1 for layouts in numbers.values())
    assert min(numbers) > 10_000
    rooms = len(rooms_of(scene_options(), "pick_and_place"))
    assert max(numbers) <= 10_000 + rooms * sum(LAYOUTS_PER_ROOM.values())


def test_what_cannot_be_exported(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"data_version must be one of 2\.1\.2, 2\.1\.1"):
        read_logic(tmp_path, "2.1.3")
    with pytest.raises(DataError, match=r"alfred\.pddl: cannot be read"):
        read_logic(tmp_path)
    (tmp_path / "alfred.pddl").write_text("(define (domain alfred))")
    (tmp_path / "alfred.twl2").write_text("")
    with pytest.raises(DataError, match='one rule "task", it has 0'):
        game_data(build(0), "trial", read_logic(tmp_path))
    with pytest.raises(UnknownTaskError, match="task_index must be in"):
        export_games(tmp_path, "train", [10_000], source=tmp_path)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "meta_path", [])
    monkeypatch.delitem(sys.modules, "alfworld", raising=False)
    with pytest.raises(DependencyNotInstalled, match=r"turnwise\[parity\]"):
        read_logic()
