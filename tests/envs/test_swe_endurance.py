"""The repair world under stress, on both backends: without end, at once, by force, many times."""

import gc
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import pytest
from sandboxes import (
    CONTAINED,
    break_from_outside,
    folders_of,
    processes_with,
    traces,
    wait_until,
    why_not,
)

from turnwise_envs.errors import EnvironmentFault
from turnwise_envs.sandbox import ContainerImage
from turnwise_envs.sandbox.engine import OWNER_LABEL, close_engine, engine
from turnwise_envs.swe import SWESandboxEnv
from turnwise_envs.swe.workspace import COMMAND_LIMITS, SandboxWorkspace

ID = "turnwise/SWESandbox-v0"
MARK = f"60.{os.getpid()}"
"""Seconds of sleep by which this test's processes are known."""

local = pytest.mark.skipif(
    all(why_not(name) for name in CONTAINED), reason="no isolation works here"
)
on_both = pytest.mark.parametrize(
    "backend",
    [pytest.param("local", marks=local), pytest.param("docker", marks=pytest.mark.docker)],
)


def make(backend: object) -> SWESandboxEnv:
    env = gym.make(ID, split="valid", backend=backend).unwrapped
    assert isinstance(env, SWESandboxEnv)
    return env


def containers(pid: int) -> set[str]:
    rows = engine().client.containers(all=True, filters={"label": OWNER_LABEL})
    return {row["Id"] for row in rows if row["Labels"][OWNER_LABEL].split("/")[1] == str(pid)}


def sandboxes(backend: str) -> set[str]:
    """Returns the sandboxes of this process: first processes, or containers."""
    return traces()["children"] if backend == "local" else containers(os.getpid())


def kill(backend: str, sandbox: str) -> None:
    if backend == "local":
        os.kill(int(sandbox), signal.SIGKILL)
    else:
        engine().client.kill(sandbox)


def mounts_of_engine() -> set[str]:
    root = engine().client.info()["DockerRootDir"]
    return {line for line in Path("/proc/self/mountinfo").open() if f" {root}/" in line}


def left_behind() -> dict[str, set[str]]:
    close_engine()
    gc.collect()
    found = traces()
    return found | {"mounts": {line for line in found["mounts"] if "turnwise-engine" not in line}}


@pytest.mark.slow
@on_both
def test_what_has_no_end_is_ended(backend: str) -> None:
    limits = replace(COMMAND_LIMITS, cpu_s=1.0, wall_s=15.0)
    env = make(SandboxWorkspace("auto" if backend == "local" else ContainerImage(), limits))
    env.reset(options={"task_index": 0})
    for command, reason in (
        ("shell yes", "output"),
        ("shell head -c 1G /dev/zero", "output"),
        ("shell while :; do :; done", "cpu"),
        ("shell tail -f /dev/null", "wall"),
    ):
        observation, _, terminated, _, info = env.step(command)
        assert observation.startswith("killed, it used too much: "), command
        assert reason in observation.split("\n")[0] or reason == "output", command
        assert len(observation) < 10_000
        assert (terminated, info["metrics"]) == (False, {"limit_struck": 1.0})
    env.step("create tests/test_more.py\nimport itertools\nprint(sum(itertools.count()))")
    assert not env.step("test")[0].startswith("exit code 0")
    assert "No space left" in env.step("shell head -c 15M /dev/zero | tee a b c d e > f")[0]
    assert (
        env.step("shell rm ?; printf '\\000\\377' | tee binary")[0]
        == "exit code 0\n\0\N{REPLACEMENT CHARACTER}"
    )
    assert env.step("view binary")[0] == "binary is no text, it has 2 bytes."
    env.close()


@on_both
def test_eight_at_once_do_not_meet(backend: str) -> None:
    def play(number: int) -> bool:
        env = make(backend)
        env.reset(options={"task_index": number})
        env.step(f"shell echo {number} > mine; echo {number} > /tmp/mine; sleep 1")
        for _ in range(3):
            seen = env.step("shell cat mine; ls /tmp /dev/shm")[0]
            if seen.split()[:4] != ["exit", "code", "0", str(number)] or "mine" in seen:
                return False
        while number < 2 and not (result := env.step(env.expert_action() or ""))[2]:
            continue
        env.close()
        return number >= 2 or result[4]["verdict"] == "resolved"

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(play, range(8)))


@on_both
def test_a_grading_killed_from_outside_is_a_fault_and_no_reward(backend: str) -> None:
    env = make(backend)
    env.reset(options={"task_index": 1})
    while (action := env.expert_action() or "") != "submit":
        env.step(action)
    folder = env.step("view .")[0].split("/")[0]
    env.step(f"create {folder}/more.py\nkilled = True")  # nothing like it was graded before
    before = traces()["children"]
    with ThreadPoolExecutor(1) as pool:
        grading = pool.submit(env.step, "submit")
        while not grading.done():
            for sandbox in sandboxes(backend) - before:
                try:
                    kill(backend, sandbox)
                except Exception:  # it has ended already
                    continue
            time.sleep(0.05)
        with pytest.raises(EnvironmentFault):
            grading.result()
    assert env.step("submit")[1] == 1.0
    env.close()


OWNER = """
import sys
import gymnasium as gym
import turnwise_envs
from turnwise_envs.sandbox.engine import engine
envs = [gym.make(sys.argv[1], split="valid", backend=sys.argv[2]) for _ in range(3)]
for number, env in enumerate(envs):
    env.reset(options={"task_index": number})
    env.step("shell mkdir folder; echo x > folder/x")
print("ready", flush=True)
env.step("shell setsid sleep " + sys.argv[3] + "& sleep " + sys.argv[3])
"""


@on_both
def test_an_owner_that_is_killed_leaves_nothing_behind(backend: str) -> None:
    argv = [sys.executable, "-c", OWNER, ID, backend, MARK]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"ready\n"
        # The owner itself has the mark, too.
        assert wait_until(lambda: len(processes_with(MARK)) > 2)
        owner.kill()
    assert wait_until(lambda: not processes_with(MARK))
    assert wait_until(lambda: not folders_of(owner.pid))
    if backend == "docker":
        # One that was just being started has never run: whoever comes next sweeps it away.
        assert wait_until(lambda: bool(engine().sweep()) or not containers(owner.pid))


def use(env: SWESandboxEnv) -> None:
    """Runs commands to the last turn: a container's end may take a moment to be told."""
    while True:
        assert env.step("shell true")[0] == "exit code 0"


def play(backend: str, count: int) -> int:
    """Plays episodes, a fifth of them broken by force, and returns how many broke."""
    env, faults = make(backend), 0
    for number in range(count):
        env.reset(options={"task_index": number % 8})
        env.step(f"shell setsid sleep {MARK} & mkfifo pipe; ln -s / root; echo x > /tmp/x")
        if number % 5 == 0:
            assert isinstance(env._workspace, SandboxWorkspace)
            opened = env._workspace._sandbox
            assert opened is not None
            if backend == "local":
                break_from_outside(opened)
            else:
                kill(backend, opened.id)
            with pytest.raises(EnvironmentFault):
                use(env)
            faults += 1
        elif number % 10 == 1:
            env = make(backend)  # the one before is dropped without being closed
        elif number == count // 2:
            env.step("submit")
    env.close()
    return faults


@pytest.mark.parametrize(
    ("backend", "count"),
    [
        pytest.param("local", 20, marks=local),
        pytest.param("local", 1000, marks=[local, pytest.mark.slow]),
        pytest.param("docker", 50, marks=pytest.mark.docker),
    ],
)
def test_nothing_is_left_behind(backend: str, count: int) -> None:
    if backend == "docker":
        close_engine()
        assert wait_until(lambda: not containers(os.getpid()))
        mounts = mounts_of_engine()
    before = left_behind()
    assert play(backend, count) == count // 5
    assert wait_until(lambda: not processes_with(MARK))
    assert left_behind() == before
    if backend == "docker":
        assert wait_until(lambda: not containers(os.getpid()))
        assert wait_until(lambda: mounts_of_engine() <= mounts)
