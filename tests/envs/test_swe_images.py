"""SWE-bench-style instances in containers: images of their own, repositories in images."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from images import image_with
from repositories import FAIL_TO_PASS, NEW, git, make_repository

from turnwise_envs import restore, snapshot, tasks
from turnwise_envs.cache import cache_folder
from turnwise_envs.errors import DataError, EnvironmentFault
from turnwise_envs.sandbox import ContainerImage, SandboxFault
from turnwise_envs.swe import SWESandboxEnv
from turnwise_envs.swe.images import repository_in

pytestmark = pytest.mark.docker

ENV = "turnwise/SWESandbox-v0"
NAME = "turnwise-test/shelf:1"
WORK = "/testbed"
PYTHON = "/opt/old/bin/python"
# It stands for the interpreter that a repository needs: only with it are the racks to be had.
OLD_PYTHON = '#!/bin/sh\nPYTHONPATH=/opt/old/lib:$PYTHONPATH exec /usr/local/bin/python "$@"\n'
NEEDED = "import racks\n"
IMAGE = ContainerImage(work=WORK, tests_python=PYTHON)


@pytest.fixture(scope="module")
def row(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """An instance whose repository is in the image alone, with what its maker added."""
    folder = tmp_path_factory.mktemp("built")
    row = make_repository(folder) | {"image": NAME}
    repository = folder / "shelves" / "shelf"
    git(repository, "checkout", "-q", row["base_commit"])
    conftest = repository / "tests" / "conftest.py"
    conftest.write_text(NEEDED + conftest.read_text())
    (repository / "shelf" / "built.py").write_text("VERSION = 1\n")
    inside = {WORK: repository, PYTHON: OLD_PYTHON, "/opt/old/lib/racks.py": ""}
    with image_with(NAME, inside):
        yield row


def make(folder: Path, row: dict[str, Any], **arguments: object) -> SWESandboxEnv:
    (folder / "task.json").write_text(json.dumps(row))
    chosen = {"split": "valid", "backend": "docker", "image": IMAGE, "data_dir": str(folder)}
    env = gym.make(ENV, **{**chosen, **arguments}).unwrapped
    assert isinstance(env, SWESandboxEnv)
    return env


def played(env: SWESandboxEnv, *actions: str) -> tuple[float, str]:
    """Plays an episode; "expert" stands for the expert's next action."""
    env.reset(seed=0)
    for action in (*actions, "submit"):
        _, reward, _, _, info = env.step(
            (env.expert_action() or "") if action == "expert" else action
        )
        assert info["action_is_valid"], action
    return reward, info["verdict"]


def test_an_episode_in_an_image_that_has_the_repository(
    row: dict[str, Any], tmp_path: Path
) -> None:
    env, other = make(tmp_path, row), make(tmp_path, row)
    observation, _ = env.reset(seed=0)
    assert "len() of a store counts values" in observation
    assert env._tree["shelf/built.py"] == b"VERSION = 1\n"
    assert not any(path.startswith(".git") or path == "link" for path in env._tree)
    for hidden in ("shell git log", "shell grep -r can_be_got . /testbed /opt"):
        assert not env.step(hidden)[0].startswith("exit code 0")
    assert env.step("shell pwd; which python")[0] == f"exit code 0\n{WORK}\n{PYTHON}"
    assert env.step("test")[0].startswith("exit code 0")
    env.step(env.expert_action() or "")
    assert env.expert_action() == "submit"
    restore(other, snapshot(env))
    for at in (env, other):
        _, reward, terminated, _, info = at.step("submit")
        assert (reward, terminated, info["verdict"]) == (1.0, True, "resolved")
        assert info["metrics"] == {"fixed": 1.0, "broken": 0.0}
        at.close()


def test_what_is_no_repair_gets_its_verdict(row: dict[str, Any], tmp_path: Path) -> None:
    env = make(tmp_path, row, level_rewards=(0.1, 0.2, 1.0))
    assert played(env) == (0.1, "empty_patch")
    assert played(env, "create tests/conftest.py\n") == (0.1, "empty_patch")
    assert played(env, "create shelf/more.py\nx = 1") == (pytest.approx(0.3), "tests_failed")
    assert played(env, "expert", "shell head -c 2M /dev/zero > logo.bin")[1] == "patch_too_large"
    binary = "shell printf '\\000\\377' > data/logo.bin; ln -s / root; mkfifo pipe"
    assert played(env, binary, "expert") == (pytest.approx(1.3), "resolved")
    env.close()


def test_an_episode_over_a_folder_in_an_image(row: dict[str, Any], tmp_path: Path) -> None:
    over_folder = make_repository(tmp_path)
    env = make(tmp_path, {**over_folder, "image": ""}, image=ContainerImage(work=WORK))
    assert played(env, "test", "expert") == (1.0, "resolved")
    env.close()
    env = make(tmp_path, {**over_folder, "image": NAME})
    env.reset(seed=0)
    assert "shelf/built.py" not in env._tree  # the folder goes before the image
    assert played(env, "expert") == (1.0, "resolved")
    wrong = env._tree["shelf/store.py"].decode().replace(NEW, "        return 2\n")
    assert played(env, f"create shelf/store.py\n{wrong}")[1] == "tests_failed"
    env.close()


def test_an_image_is_read_once_until_it_changes() -> None:
    image = ContainerImage("turnwise-test/changing:1", WORK)
    with image_with(image.name, {f"{WORK}/a/b.py": "x = 1\n"}):
        kept = repository_in(image)
        assert kept.parent == cache_folder() / "swe"
        assert git(kept, "log", "--format=%s") == f"{image.name}\n"
        assert (kept / "a" / "b.py").read_text() == "x = 1\n"
        (kept / "mark").touch()
        assert (repository_in(image) / "mark").exists()
    with image_with(image.name, {f"{WORK}/a/b.py": "x = 2\n"}):
        assert repository_in(image) != kept
    with pytest.raises(SandboxFault, match=f"in the engine, got {image.name}"):
        repository_in(image)


@pytest.mark.parametrize(
    ("change", "image", "error", "message"),
    [
        ({"image": "no/such:1"}, IMAGE, SandboxFault, "in the engine, got no/such:1.*docker pull"),
        ({}, ContainerImage(work="/nowhere"), SandboxFault, r"have the folder /nowhere.*work="),
        ({}, ContainerImage(), DataError, r"/work of the image .* must have a repository.*work="),
        ({"image": ""}, IMAGE, DataError, r"shelves/shelf must be in .*in the image"),
        ({"test_patch": ""}, IMAGE, EnvironmentFault, "there is no such test"),
        ({}, ContainerImage(work=WORK), EnvironmentFault, "racks"),
    ],
    ids=["image", "folder", "empty folder", "repository", "test", "interpreter"],
)
def test_what_is_missing_is_named(
    row: dict[str, Any],
    tmp_path: Path,
    change: dict[str, str],
    image: ContainerImage,
    error: type[Exception],
    message: str,
) -> None:
    env = make(tmp_path, {**row, **change}, image=image)
    with pytest.raises(error, match=message):
        played(env, "create shelf/more.py\nx = 1")
    env.close()


def test_tasks_are_found_without_an_environment(row: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "task.json").write_text(json.dumps(row))
    found = tasks(ENV, "valid", data_dir=str(tmp_path), backend="docker", image=IMAGE)
    repair = found.repair(found[0])  # type: ignore[attr-defined]
    assert (repair.image, sorted(repair.failing)) == (NAME, FAIL_TO_PASS)
