"""The repair world with containers: the contract, leftovers after kills, several at once."""

import time
from concurrent.futures import ThreadPoolExecutor

import gymnasium as gym
import pytest

from turnwise_envs import restore, snapshot
from turnwise_envs.errors import EnvironmentFault
from turnwise_envs.sandbox import ContainerImage, SandboxFault
from turnwise_envs.sandbox.containers import Container
from turnwise_envs.sandbox.engine import OWNER_LABEL, close_engine, engine
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


def containers() -> list[str]:
    rows = engine().client.containers(all=True, filters={"label": OWNER_LABEL})
    return [row["Id"] for row in rows]


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


def test_eight_at_once_do_not_meet() -> None:
    def play(number: int) -> bool:
        env = make()
        env.reset(options={"task_index": number})
        env.step(f"shell echo {number} > mine; echo {number} > /tmp/mine; sleep 1")
        for _ in range(3):
            seen = env.step("shell cat mine; ls /tmp /dev/shm; ls -d /proc/[0-9]* | wc -l")[0]
            if seen.split()[:4] != ["exit", "code", "0", str(number)] or "mine" in seen:
                return False
        env.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(play, range(8)))


def test_fifty_episodes_leave_nothing_behind() -> None:
    close_engine()
    before = set(containers())
    env = make()
    faults = 0
    for number in range(50):
        env.reset(options={"task_index": number % 8})
        env.step("shell setsid sleep 600 & mkfifo pipe; ln -s / root; echo x > /tmp/x")
        if number % 5 == 0:
            engine().client.kill(container_of(env).id)
            with pytest.raises(EnvironmentFault):
                env.step("shell true")
            faults += 1
        elif number % 10 == 1:
            env = make()  # the one before is dropped without being closed
    env.close()
    del env
    close_engine()
    until = time.monotonic() + 60
    while set(containers()) - before and time.monotonic() < until:
        time.sleep(0.2)
    assert faults == 10
    assert set(containers()) == before
