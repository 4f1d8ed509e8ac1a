"""Generated games: options, splits, the same game everywhere, and the cache."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import gymnasium as gym
import pytest
from adventures import CUSTOM, ID, game_file

import turnwise_envs
from turnwise_envs.errors import EnvironmentFault, UsageError
from turnwise_envs.textworld import build, checksums
from turnwise_envs.textworld.builder import Builder, find, games_folder
from turnwise_envs.textworld.recipes import game_options, harder
from turnwise_envs.textworld.tasks import SPLITS, GeneratedGames

pytest.importorskip("textworld", reason="textworld is not installed")


@pytest.mark.parametrize(
    ("game", "options", "message"),
    [
        ("chess", {}, "game must be one of cooking, coin_collector, treasure_hunter, custom"),
        ("cooking", {"rooms": 2}, "game_options of 'cooking' must be among recipe, .*, got rooms"),
        ("cooking", {"go": 3}, r"must be one of \(1, 6, 9, 12\), got 3"),
        ("cooking", {"recipe": 2, "take": 3}, "must be at most recipe=2, got 3"),
        ("cooking", {"recipe": 9}, r"must be in \[1, 5\] \(ingredients of the recipe\), got 9"),
        ("coin_collector", {"level": 0}, r"must be in \[1, 300\]"),
        ("treasure_hunter", {"level": "5"}, r"must be in \[1, 30\] .*, got '5'"),
        ("custom", {"quest_length": None}, "got None"),
    ],
)
def test_a_bad_option_is_an_error_at_once(game, options, message):
    with pytest.raises(UsageError, match=message):
        gym.make(ID, game=game, game_options=options)


def test_ood_is_larger():
    cooking = game_options("cooking", None)
    assert harder("cooking", cooking) == {**cooking, "go": 6, "recipe": 2, "take": 2}
    assert harder("cooking", {**cooking, "go": 12, "recipe": 5})["go"] == 12
    assert harder("coin_collector", {"level": 5}) == {"level": 7}
    assert harder("coin_collector", {"level": 100}) == {"level": 100}
    assert harder("treasure_hunter", {"level": 5}) == {"level": 15}
    custom = game_options("custom", {"nb_rooms": 4})
    assert harder("custom", custom) == {**custom, "nb_rooms": 8, "nb_objects": 12}


def test_splits_share_no_recipe():
    keys = {
        split: {tasks.recipe(index).key for index in range(len(tasks))}
        for split in SPLITS
        for tasks in [GeneratedGames(split, "cooking", None)]
    }
    assert all(len(found) == 100 for found in keys.values())
    assert len(set().union(*keys.values())) == 400


def test_options_and_stream():
    tasks = turnwise_envs.tasks(ID, "train", game="coin_collector")
    assert len(tasks) == 100
    assert tasks[0].kind == "coin_collector"
    assert tasks.data_version is None
    stream = turnwise_envs.tasks(ID, "stream", game="coin_collector")
    assert not stream.finite
    assert stream[10**6].id != stream[0].id


def test_the_same_game_under_another_hash_seed(tmp_path):
    here = game_file(**CUSTOM)
    program = (
        "import turnwise_envs\n"
        f"tasks = turnwise_envs.tasks({ID!r}, 'train', **{CUSTOM!r})\n"
        "print(tasks.open(tasks[0]))\n"
    )
    variables = {"PYTHONHASHSEED": "77", "TURNWISE_CACHE": str(tmp_path)}
    path = subprocess.check_output(
        [sys.executable, "-c", program], env={**os.environ, **variables}, text=True
    ).strip()
    assert path.startswith(str(tmp_path))
    with open(path, "rb") as theirs:
        assert theirs.read() == here.read_bytes()
    with open(path.replace(".z8", ".json"), "rb") as theirs:
        assert theirs.read() == here.with_suffix(".json").read_bytes()


def test_a_damaged_game_is_built_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("TURNWISE_CACHE", str(tmp_path))
    path = game_file(**CUSTOM)
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    assert find(path.parent.name) is None
    assert game_file(**CUSTOM) == path
    assert path.read_bytes() == whole
    assert sorted(entry.name for entry in path.parent.iterdir()) == [
        "digests.json",
        "game.json",
        "game.z8",
    ]
    assert [entry.name for entry in games_folder().iterdir()] == [path.parent.name]


@pytest.mark.slow
def test_two_builders_at_once_make_one_game(tmp_path, monkeypatch):
    monkeypatch.setenv("TURNWISE_CACHE", str(tmp_path))
    recipe = GeneratedGames("train", "custom", CUSTOM["game_options"]).recipe(0)
    builders = [Builder(), Builder()]
    try:
        with ThreadPoolExecutor(2) as pool:
            order = {"recipe": recipe.to_json()}
            list(pool.map(lambda builder: builder.build(recipe.key, order), builders))
    finally:
        for builder in builders:
            builder.close()
    assert find(recipe.key) is not None
    assert [entry.name for entry in games_folder().iterdir()] == [recipe.key]


def test_a_dead_builder_is_a_fault_and_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr("turnwise_envs.textworld.builder.BUILD_SECONDS", 0.05)
    builder = Builder()
    order = {"recipe": GeneratedGames("train", "custom", {"nb_rooms": 20}).recipe(0).to_json()}
    with pytest.raises(EnvironmentFault, match=r"has died, or was ended after 0 s"):
        builder.build("never", order)
    assert builder._process is None


def test_another_game_than_the_committed_one_is_a_fault(monkeypatch):
    game_file(game="cooking")
    monkeypatch.setattr(checksums, "committed", lambda *_: "0" * 16)
    with pytest.raises(EnvironmentFault, match="must have 0000000000000000: the generator gives"):
        game_file(game="cooking")


def test_checksums_cover_the_registered_games():
    for split in SPLITS:
        tasks = GeneratedGames(split, "cooking", None)
        hashes = {checksums.committed(tasks.options, split, index) for index in range(100)}
        assert len(hashes) == 100
        assert None not in hashes
    assert checksums.committed({"game": "custom"}, "train", 0) is None


def test_games_are_built_ahead(capsys):
    options = '{"nb_rooms": 2, "nb_objects": 4}'
    arguments = ["--game", "custom", "--options", options, "--splits", "train", "--count", "1"]
    build.main(arguments)
    build.main(arguments)
    assert capsys.readouterr().out.splitlines()[-1].startswith("1 games, 0 built in ")
