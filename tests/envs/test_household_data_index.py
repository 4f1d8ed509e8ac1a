"""The index of a user's games: what it notices, what it survives."""

import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import tiny_game
from alfworld_folder import TYPES, add, fill, game

from turnwise_envs import DataError
from turnwise_envs.cache import CACHE_VARIABLE, cache_folder, write_whole
from turnwise_envs.household.loader import LoadedTasks
from turnwise_envs.household.survey import survey

LONG_AGO = 1_600_000_000 * 10**9


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path, cache) -> Path:
    """Eight games that have not changed for long."""
    fill(tmp_path / "data")
    settle(tmp_path / "data")
    return tmp_path / "data"


def settle(folder: Path) -> None:
    for file in folder.rglob("*.*"):
        os.utime(file, ns=(LONG_AGO, LONG_AGO))


def names(folder: Path) -> list[str]:
    return [task.name for task in LoadedTasks("train", folder)]


def index_file(cache: Path) -> Path:
    (file,) = (cache / "household").iterdir()
    return file


def test_an_indexed_file_is_not_read_again_before_it_is_played(folder):
    first = LoadedTasks("train", folder)
    path = Path(first[0].payload)
    data = path.read_bytes()
    other = data.replace(b"Your task is to: ", b"Your task to is: ")
    assert other != data
    assert len(other) == len(data)
    path.write_bytes(other)
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    second = LoadedTasks("train", folder)
    assert second.ids == first.ids
    with pytest.raises(DataError, match=r"game\.tw-pddl: has changed since its folder was opened"):
        second.game(second[0])
    # Comparing every byte mends it, for everybody.
    assert survey(folder, "train", every_byte=True).playable[0].id != first[0].id
    third = LoadedTasks("train", folder)
    assert third.ids != first.ids
    assert third.game(third[0]).id == third.ids[0]


def test_added_removed_and_changed_files_are_noticed(folder):
    before = LoadedTasks("train", folder)
    add(folder, "a/trial_1", game("clean", 77), TYPES["clean"])
    assert names(folder) == sorted([*[task.name for task in before], "a/trial_1"])
    Path(before[0].payload).unlink()
    (Path(before[1].payload).parent / "traj_data.json").unlink()
    with pytest.warns(UserWarning, match=r"traj_data\.json: must lie beside the game, is missing"):
        assert names(folder) == sorted([*[task.name for task in before][2:], "a/trial_1"])
    (Path(before[1].payload).parent / "traj_data.json").write_text('{"task_type": "other"}')
    changed = Path(before[2].payload)
    tiny_game.write(changed, game("clean", 78))
    after = LoadedTasks("train", folder)
    assert after.lookup(before[2].name).id not in before.ids
    tiny_game.write(changed, "{")
    with pytest.warns(UserWarning, match="cannot be read as JSON"):
        assert before[2].name not in names(folder)


def test_a_file_that_changed_just_now_is_read_again(folder):
    path = Path(LoadedTasks("train", folder)[0].payload)
    now = time.time_ns()
    ids = []
    for number in (1, 2):
        tiny_game.write(path, game("clean", number))
        os.utime(path, ns=(now, now))  # as if both changes fell into one tick of the clock
        ids.append(LoadedTasks("train", folder)[0].id)
    assert ids[0] != ids[1]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"clean"', '"heat"'),
        lambda text: text.replace("index 1", "index 0"),
        lambda text: "\0" + text,
    ],
)
def test_a_damaged_index_is_made_anew(folder, cache, damage):
    before = [(task.id, task.kind) for task in LoadedTasks("train", folder)]
    text = index_file(cache).read_text()
    index_file(cache).write_text(damage(text))
    assert [(task.id, task.kind) for task in LoadedTasks("train", folder)] == before
    assert index_file(cache).read_text() == text


def test_a_folder_that_moves_is_indexed_again(folder, tmp_path):
    before = LoadedTasks("train", folder)
    folder.rename(tmp_path / "moved")
    after = LoadedTasks("train", tmp_path / "moved")
    assert after.ids == before.ids
    assert after.data_version == before.data_version


def test_without_a_cache_it_is_slower_and_says_so(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file" / "cache"))
    with pytest.warns(UserWarning, match=f"cannot be kept .* Set {CACHE_VARIABLE} to a folder"):
        tasks = LoadedTasks("train", folder)
    assert len(tasks) == 8
    assert tasks.game(tasks[3]).id == tasks.ids[3]


def test_processes_that_open_at_once_leave_a_whole_index(folder, cache):
    program = (
        "import sys, pathlib\n"
        "from turnwise_envs.household.loader import LoadedTasks\n"
        "print(LoadedTasks('train', pathlib.Path(sys.argv[1])).manifest_hash)"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    assert len({process.communicate(timeout=60)[0] for process in running}) == 1
    text = index_file(cache).read_text()  # and no partial file beside it
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LoadedTasks("train", folder)
    assert index_file(cache).read_text() == text


def test_where_the_cache_is(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder().is_relative_to(tmp_path)
    assert "turnwise" in cache_folder().parts
    monkeypatch.setenv(CACHE_VARIABLE, "~/other")
    assert cache_folder() == tmp_path / "other"
    write_whole(tmp_path / "a" / "b", "text")
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["b"]
