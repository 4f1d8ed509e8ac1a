"""The repair world with containers: the contract, snapshots, faults, QuixBugs' layout."""

from pathlib import Path

import gymnasium as gym
import pytest
from quixbugs_folder import write_folder

from turnwise_envs import restore, snapshot
from turnwise_envs.errors import EnvironmentFault
from turnwise_envs.sandbox import ContainerImage, SandboxFault
from turnwise_envs.sandbox.containers import Container
from turnwise_envs.sandbox.engine import close_engine, engine
from turnwise_envs.swe.env import SWESandboxEnv
from turnwise_envs.testing import check_text_env

pytestmark = pytest.mark.docker
ID = "turnwise/SWESandbox-v0"


def make(**arguments: object) -> SWESandboxEnv:
    chosen = {"split": "valid", "backend": "docker", **arguments}
    env = gym.make(ID, **chosen).unwrapped
    assert isinstance(env, SWESandboxEnv)
    return env


def container_of(env: SWESandboxEnv) -> Container:
    assert env._workspace is not None
    found = env._workspace._sandbox  # type: ignore[attr-defined]
    assert isinstance(found, Container)
    return found


def test_the_contract_holds() -> None:
    check_text_env(gym.make(ID, split="valid", backend="docker"))


def test_both_backends_say_the_same() -> None:
    docker, local = make(), make(backend="local")
    for env in (docker, local):
        env.reset(options={"task_index": 0})
    for action in ("test", "shell ls -R; echo x > new", "view .", "shell exit 7", "submit"):
        assert docker.step(action) == local.step(action), action
    for env in (docker, local):
        env.close()


def test_the_expert_repairs() -> None:
    env = make()
    for index in (0, 17):
        env.reset(options={"task_index": index})
        env.step("test")
        while not (result := env.step(env.expert_action()))[2]:
            continue
        assert (result[1], result[4]["verdict"]) == (1.0, "resolved")
    env.close()


def test_an_episode_goes_on_from_a_snapshot() -> None:
    env, other = make(), make()
    env.reset(options={"task_index": 2})
    env.step("shell mkdir a && printf '\\377' > a/b; rm spans/sets.py")
    restore(other, snapshot(env))
    for action in ("view .", "shell od -c a/b; ls spans", "submit"):
        assert env.step(action) == other.step(action)
    env.close()
    other.close()


def test_a_killed_container_is_a_fault_and_no_reward() -> None:
    env = make()
    env.reset(options={"task_index": 0})
    env.step("shell true")
    engine().client.kill(container_of(env).id)
    with pytest.raises(EnvironmentFault):
        env.step("shell true")
    env.reset(options={"task_index": 0})
    assert env.step("shell echo again")[0] == "exit code 0\nagain"
    env.close()


def test_an_engine_that_lacks_the_image_is_a_fault() -> None:
    env = make(image=ContainerImage("nothing/such:1"))
    env.reset(seed=0)
    with pytest.raises(SandboxFault, match="docker pull"):
        env.step("test")


def test_a_missing_engine_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    close_engine()
    env = make()
    env.reset(options={"task_index": 0})
    env.step("create spans/missing_engine.py\n")
    with monkeypatch.context() as patch:
        patch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
        for action in ("shell true", "submit"):
            with pytest.raises(SandboxFault, match=r"engine must be running.*docker_engine.py"):
                env.step(action)
    assert env.step("shell true")[0] == "exit code 0"
    env.close()


def test_programs_of_quixbugs_layout(tmp_path: Path) -> None:
    env = make(data_dir=str(write_folder(tmp_path)))
    names = [task.name for task in env.tasks]
    for name in ("chunks", "steps_to_one"):
        env.reset(options={"task_index": names.index(name)})
        assert env.step(f"shell cat python_programs/{name}.py")[0].startswith("exit code 0\n")
        while not (result := env.step(env.expert_action() or ""))[2]:
            continue
        assert (result[1], result[4]["verdict"]) == (1.0, "resolved")
    env.reset(options={"task_index": names.index("chunks")})
    env.step("create python_programs/chunks.py\ndef chunks(items, size):\n    yield items")
    assert env.step("submit")[4]["verdict"] == "tests_failed"
    env.close()
