"""A user's own games: each kind of file, and what is said about those that cannot be played."""

import json
import shutil
import warnings
from pathlib import Path

import gymnasium as gym
import pytest
import tiny_game
from adventures import CUSTOM, ID, game_file

import turnwise_envs
from turnwise_envs.data import check_data
from turnwise_envs.errors import DataError, EnvironmentFault, UnknownTaskError, UsageError

pytest.importorskip("textworld", reason="textworld is not installed")


@pytest.fixture(scope="module")
def made() -> Path:
    """A game that TextWorld made: its .z8, with the .json beside it."""
    return game_file(**CUSTOM)


def copy(made: Path, folder: Path, *suffixes: str, name: str = "game") -> Path:
    """Copies a game's files; returns the last."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in suffixes:
        target = folder / f"{name}{suffix}"
        if suffix == ".ulx":
            target.write_bytes(b"Glul")
        else:
            shutil.copy(made.with_suffix(suffix), target)
    return target


def play(path: Path, **arguments):
    env = gym.make(ID, data_dir=str(path), **arguments)
    return env, *env.reset(options={"task_index": 0})


def wins(env) -> bool:
    over, info = False, {}
    while not over:
        *_, terminated, truncated, info = env.step(env.unwrapped.expert_action())
        over = terminated or truncated
    return info["success"]


@pytest.mark.parametrize(
    "suffixes", [(".json", ".z8"), (".json",), (".json", ".ulx")], ids=["z8", "json", "ulx"]
)
def test_a_game_of_textworld_is_played_whole(made, tmp_path, suffixes):
    path = copy(made, tmp_path, *suffixes)
    env, text, info = play(path)
    theirs, whole = gym.make(ID, **CUSTOM), path.with_suffix(".json").read_text()
    assert text == theirs.reset(options={"task_index": 0})[0]
    assert json.loads(whole)["metadata"]
    assert info["admissible_actions"]
    assert env.unwrapped.tasks[0].kind == "textworld"
    assert wins(env)


def test_a_story_has_no_commands_and_no_oracle(made, tmp_path):
    env, text, info = play(copy(made, tmp_path, ".z8"))
    assert "-= " in text
    assert info["admissible_actions"] is None
    assert env.unwrapped.expert_action() is None
    assert not env.unwrapped.state_key_exact
    assert env.unwrapped.tasks[0].kind == "story"
    *_, one = env.step("look")
    *_, two = env.step("look")
    assert len({info["state_key"], one["state_key"], two["state_key"]}) == 3
    blob = turnwise_envs.snapshot(env)
    after = env.step("inventory")
    turnwise_envs.restore(env, blob)
    assert env.step("inventory") == after


def test_a_story_has_no_menu(made, tmp_path):
    with pytest.raises(UsageError, match=r'actions="menu" needs a game whose commands are known'):
        play(copy(made, tmp_path, ".z8"), actions="menu")


def test_a_folder_is_a_task_set(made, tmp_path):
    copy(made, tmp_path, ".json", ".z8", name="a")
    copy(made, tmp_path / "below", ".z8", name="b")
    copy(made, tmp_path, ".json", name="c")  # the content of a
    (tmp_path / "notes.json").write_text('{"not": "a game"}')
    tasks = turnwise_envs.tasks(ID, "train", data_dir=str(tmp_path))
    assert [task.name for task in tasks][:2] == ["a.z8", "below/b.z8"]
    assert tasks.lookup("below/b.z8") == tasks[1] == tasks.lookup(tasks[1].id)
    assert len(tasks.data_version) == 16
    with pytest.raises(UnknownTaskError, match="'nothing' is not in split 'train'"):
        tasks.lookup("nothing")
    (report,) = check_data(tmp_path)
    assert (report.count, report.problems) == (len(tasks), ())
    assert report.facts == {"games": "1 other stories, 2 made by TextWorld"}


def test_folders_are_splits(made, tmp_path):
    copy(made, tmp_path / "train", ".z8")
    copy(made, tmp_path / "test", ".json")
    assert turnwise_envs.tasks(ID, "train", data_dir=str(tmp_path))[0].kind == "story"
    assert turnwise_envs.tasks(ID, "test", data_dir=str(tmp_path))[0].kind == "textworld"
    with pytest.raises(DataError, match=r"must have a folder for split 'valid', .*valid is not"):
        turnwise_envs.tasks(ID, "valid", data_dir=str(tmp_path))
    (report,) = check_data(tmp_path)
    assert report.facts == {"train": "1 other stories", "test": "1 made by TextWorld"}
    assert report.usage.startswith(f'"{ID}", split="train", data_dir=')


def cut_json(made, folder):
    path = copy(made, folder, ".json", name="bad")
    path.write_text(path.read_text()[:500])
    return path


def no_world(made, folder):
    path = copy(made, folder, ".json", name="bad")
    game = json.loads(path.read_text())
    del game["world"]
    path.write_text(json.dumps(game))
    return path


def other_file(made, folder):
    path = folder / "bad.z8"
    path.write_bytes(b"PK\x03\x04" + bytes(200))
    return path


def empty(made, folder):
    path = folder / "bad.z5"
    path.touch()
    return path


def cut_story(made, folder):
    path = copy(made, folder, ".z8", name="bad")
    path.write_bytes(path.read_bytes()[:20_000])
    return path


def lonely_ulx(made, folder):
    return copy(made, folder, ".ulx", name="bad")


def damaged_neighbour(made, folder):
    path = copy(made, folder, ".json", ".z8", name="bad")
    path.with_suffix(".json").write_text("{")
    return path


def no_parts(made, folder):
    path = folder / "bad.tw-pddl"
    path.write_text('{"grammar": ""}')
    return path


BAD = [
    (cut_json, r"bad\.json: cannot be read as JSON \(.*\)\. Restore the file\."),
    (no_world, r"bad\.json: must be a game of TextWorld; it lacks world\."),
    (other_file, r"bad\.z8: must be a z-machine story of version 8, its header says version 80"),
    (empty, r"bad\.z5: must be a z-machine story of version 5, its header is empty"),
    (cut_story, r"bad\.z8: is cut off, it has 20000 of \d+ bytes"),
    (lonely_ulx, r"bad\.ulx: TextWorld has no interpreter for \.ulx .* Put the game's \.json"),
    (damaged_neighbour, r"bad\.json: cannot be read as JSON"),
    (no_parts, r"bad\.tw-pddl: must be a PDDL game of TextWorld; it lacks pddl_domain, pddl_prob"),
]


@pytest.mark.parametrize(("make", "message"), BAD, ids=[make.__name__ for make, _ in BAD])
def test_a_bad_file_says_what_is_wrong(made, tmp_path, make, message):
    path = make(made, tmp_path)
    with pytest.raises(DataError, match=message):
        play(path)
    copy(made, tmp_path, ".json", ".z8", name="good")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tasks = turnwise_envs.tasks(ID, "train", data_dir=str(tmp_path))
    assert [task.name for task in tasks] == ["good.z8"]
    if make is not cut_json:  # among other files of a folder, what is no JSON is no game
        assert len(tasks.bad) == 1
        assert "1 of the games below" in str(caught[-1].message)
        (report,) = check_data(tmp_path)
        assert (report.count, len(report.problems)) == (1, 1)


def test_a_game_for_another_version_says_so(made, tmp_path):
    path = copy(made, tmp_path, ".json")
    game = json.loads(path.read_text())
    game["KB"] = {"logic": "type x : y", "text_grammars_path": ""}
    path.write_text(json.dumps(game))
    with pytest.raises((DataError, EnvironmentFault), match="installed version of TextWorld"):
        play(path)


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match=r"must be a game file or a folder of games, .* not there"):
        play(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"must hold games \(\.z1 to \.z8, \.ulx, .*found none"):
        play(tmp_path)
    with pytest.raises(UsageError, match="stream"):
        gym.make(ID, data_dir=str(tmp_path), split="stream").reset()


def test_a_game_of_alfred_is_the_households(tmp_path):
    path = tiny_game.write(tmp_path / "game.tw-pddl", tiny_game.game("clean"))
    assert [report.kind for report in check_data(path)] == ["ALFWorld games"]
    assert [report.kind for report in check_data(tmp_path)] == ["ALFWorld games"]
