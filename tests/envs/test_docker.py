"""Containers as sandboxes: limits, separation, files, faults, and what is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sandboxes import wait_until

from turnwise_envs.errors import DependencyNotInstalled, EnvironmentFault, UsageError
from turnwise_envs.sandbox import (
    Container,
    ContainerImage,
    Limits,
    SandboxFault,
    SandboxFileError,
    best_isolation,
    open_sandbox,
)
from turnwise_envs.sandbox.containers import open_isolated
from turnwise_envs.sandbox.engine import OWNER_LABEL, close_engine, engine

pytestmark = pytest.mark.docker

LIMITS = Limits(wall_s=20, cpu_s=5, memory_mb=128, processes=32, disk_mb=32, file_mb=16)


@pytest.fixture(scope="module")
def container() -> Iterator[Container]:
    with ContainerImage().open(LIMITS) as opened:
        yield opened


def said(container: Container, script: str, **arguments: Any) -> str:
    done = container.run(["sh", "-c", script], **arguments)
    return (done.stdout + done.stderr).strip()


def containers() -> set[str]:
    rows = engine().client.containers(all=True, filters={"label": OWNER_LABEL})
    return {row["Id"] for row in rows}


def owners() -> list[str]:
    rows = engine().client.containers(all=True, filters={"label": OWNER_LABEL})
    return [row["Labels"][OWNER_LABEL] for row in rows]


def are_gone(ids: set[str]) -> bool:
    return wait_until(lambda: not ids & containers())


# ---------------------------------------------------------------- commands


def test_commands_run_as_in_a_local_sandbox(container: Container) -> None:
    with open_sandbox(best_isolation(), LIMITS) as local:
        for argv, arguments in (
            (["sh", "-c", "echo out; echo err >&2; exit 3"], {}),
            (["cat"], {"stdin": b"x" * 300_000}),
            (["sh", "-c", "echo $A $HOME $TMPDIR; pwd; id -u"], {"env": {"A": "\N{SNOWMAN}"}}),
            (["sh", "-c", "kill -9 $$"], {}),
            (["nothing-such"], {}),
            (["sh", "-c", "mkdir -p sub; echo made > sub/file"], {}),
            (["cat", "file"], {"cwd": "sub"}),
            (["true"], {"cwd": "nowhere"}),
            (["sleep", "60"], {"limits": Limits(wall_s=0.5)}),
            (["yes"], {}),
        ):
            here, there = local.run(argv, **arguments), container.run(argv, **arguments)
            assert (there.returncode, there.killed_by) == (here.returncode, here.killed_by), argv
            if here.killed_by is None:
                assert (there.stdout, there.stderr) == (here.stdout, here.stderr)


def test_wrong_arguments_are_refused(container: Container) -> None:
    for argv in ("true", [], ["a\0b"], [3]):
        with pytest.raises(UsageError):
            container.run(argv)  # type: ignore[arg-type]


def test_nothing_goes_on_after_a_command(container: Container) -> None:
    said(container, "setsid sh -c 'sleep 0.3; touch late' & sleep 100 & echo x > /tmp/kept; true")
    time.sleep(0.6)
    assert said(container, "ls; ls -A /tmp /dev/shm; ps -e | wc -l").split()[-1] < "6"
    assert "late" not in container.list()
    assert said(container, "mkdir -p /tmp/a/b; touch /tmp/a/b/c; chmod 0 /tmp/a/b /tmp/a") == ""
    assert said(container, "ls -A /tmp") == ""


def test_limits_hold(container: Container) -> None:
    patient = replace(LIMITS, cpu_s=1.0, wall_s=120.0)
    endless = container.run(["sh", "-c", "while :; do :; done"], limits=patient)
    assert endless.killed_by == "cpu"
    assert endless.wall_s < 60
    grown = "import os\nfor _ in range(4): os.fork()\nx = bytearray(100 << 20)\nwhile True: pass"
    assert container.run(["python", "-c", grown]).killed_by == "memory"
    assert "MemoryError" in said(container, "python -c 'bytearray(1 << 30)'")
    bomb = container.run(["sh", "-c", "f() { f | f & }; f; sleep 2"])
    assert "Cannot fork" in bomb.stderr or bomb.killed_by == "processes"
    filled = said(container, "for i in 1 2 3; do head -c 15M /dev/zero > big$i; done; rm big*")
    assert "No space left" in filled
    assert "File size limit" in said(container, "head -c 20M /dev/zero > big; rm big")
    assert "No space left" in said(container, "i=0; while [ $i -lt 9000 ]; do true > f$i || break; "
                                              "i=$((i+1)); done; rm f*")  # fmt: skip
    assert said(container, "echo still works") == "still works"


def test_the_container_is_hardened(container: Container) -> None:
    found = engine().client.inspect_container(container.id)
    config, host = found["Config"], found["HostConfig"]
    assert config["User"] == "1000:1000"
    assert host["NetworkMode"] == "none"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["AutoRemove"]
    assert host["PidsLimit"] == LIMITS.processes + 8
    assert host["Memory"] == host["MemorySwap"] == (128 + 2 * 32 + 16 + 64) << 20
    assert host["NanoCpus"] == 10**9
    assert not host["Binds"]
    assert not found["Mounts"]
    status = said(container, "cat /proc/self/status")
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert f"{name}:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


@pytest.mark.parametrize(
    "attempt",
    [
        "touch /here",
        "touch /usr/bin/here",
        "touch /etc/here",
        "kill -9 1; kill -15 1; kill -2 1; sleep 0.2; false",
        "kill -9 -1; false",
        "cat /proc/1/environ",
        "ls /proc/1/fd/",
        "echo x > /proc/1/fd/1",
        "echo x > /proc/1/mem",
        "mount -t tmpfs none /tmp || python -c 'import os; os.unshare(1 << 17)'",
        "python -c 'import socket; socket.create_connection((\"1.1.1.1\", 80), 1)'",
        "python -c 'import socket; socket.getaddrinfo(\"example.com\", 80)'",
        "cat /var/run/docker.sock",
        "python -c 'import turnwise_envs'",
        "echo 1 > /proc/sys/kernel/panic",
        "echo c > /proc/sysrq-trigger",
        "python -c 'import os; os.setuid(0)'",
    ],
)
def test_nothing_gets_out(container: Container, attempt: str) -> None:
    done = container.run(["sh", "-c", attempt])
    assert done.returncode != 0, done.stdout
    assert said(container, "echo as before") == "as before"


def test_output_cannot_forge_messages(container: Container) -> None:
    forged = r"printf '\000\000\000\000E\001\000\000\000\000\000\000\010' | tee /dev/stderr; exit 4"
    assert container.run(["sh", "-c", forged]).returncode == 4


# ---------------------------------------------------------------- files


def test_files_are_as_in_a_local_sandbox(container: Container) -> None:
    large = os.urandom(5 << 20)
    container.change({"a/b.py": b"x", "large": large, "\N{SNOWMAN} name": b"", "gone": b"1"})
    assert container.read("large") == large
    assert container.read("\N{SNOWMAN} name") == b""
    container.delete("gone")
    said(container, "ln -s /etc/passwd link; ln -s / root; mkfifo pipe")
    assert {"a/b.py", "large"} <= set(container.list())
    assert not {"gone", "link", "pipe"} & set(container.list())
    for path in ("/etc/passwd", "../etc/passwd", "link", "root/etc/passwd", "pipe", "gone", ""):
        with pytest.raises(SandboxFileError):
            container.read(path)
        with pytest.raises(SandboxFileError):
            container.delete(f"{path}/x")
    with pytest.raises(SandboxFileError, match="at most max_bytes"):
        container.read("large", max_bytes=100)
    with pytest.raises(SandboxFileError, match="No space left"):
        container.change({f"big{i}": bytes(15 << 20) for i in range(3)})
    assert container.read_all(["a/b.py", "gone", "link"]) == {"a/b.py": b"x"}
    stamps = container.stamps()
    said(container, "echo more >> a/b.py; rm -f big* large link root pipe")
    assert container.stamps()["a/b.py"] != stamps["a/b.py"]
    assert said(container, "cat a/b.py") == "xmore"


def test_two_commands_are_joined(container: Container) -> None:
    (requests, to_first), (replies, to_second) = os.pipe(), os.pipe()
    ask = "import sys\nfor i in range(50): print(i, flush=True); assert input() == str(2 * i)"
    double = "import sys\nfor line in sys.stdin: print(2 * int(line), flush=True)"
    with open_isolated(ContainerImage(), LIMITS) as other, ThreadPoolExecutor(1) as pool:
        done = pool.submit(other.run, ["python", "-c", double], connect=(requests, to_second))
        asked = container.run(["python", "-c", ask], connect=(replies, to_first))
        assert asked.returncode == 0, asked.stderr
        assert done.result().returncode == 0


# ---------------------------------------------------------------- faults, and what is left


def test_a_container_killed_from_outside_is_a_fault() -> None:
    opened = ContainerImage().open(LIMITS)
    engine().client.kill(opened.id)
    with pytest.raises(SandboxFault, match="A container ended"):
        opened.run(["sleep", "5"])
    with pytest.raises(EnvironmentFault):
        opened.read("x")
    opened.close()
    with pytest.raises(SandboxFault, match="is closed"):
        opened.run(["true"])


def test_a_warm_container_killed_from_outside_is_passed_over() -> None:
    with ContainerImage().open(LIMITS):
        mine = containers()
        for waiting in engine().warm():
            engine().client.kill(waiting.id)
        with ContainerImage().open(LIMITS) as other:
            assert said(other, "echo well") == "well"
            assert other.id not in mine


def test_a_missing_image_is_named() -> None:
    with pytest.raises(SandboxFault, match=r"got nothing/such:1.*docker pull"):
        ContainerImage("nothing/such:1").open()


def test_an_image_without_python_is_named() -> None:
    with pytest.raises(SandboxFault, match="python2"):
        ContainerImage(python="python2").open()


def test_a_missing_engine_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    close_engine()
    with monkeypatch.context() as patch:
        patch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
        with pytest.raises(SandboxFault, match=r"engine must be running.*docker_engine.py"):
            ContainerImage().open()


def test_a_missing_sdk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    close_engine()
    with monkeypatch.context() as patch:
        patch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(DependencyNotInstalled, match=r"turnwise\[docker\]"):
            ContainerImage().open()


def test_a_folder_of_an_image_can_be_read() -> None:
    found = ContainerImage().read_folder("/etc")
    assert b"agent:" in found["passwd"]
    with pytest.raises(SandboxFault, match="must have the folder /nowhere"):
        ContainerImage().read_folder("/nowhere")


def test_closing_leaves_nothing() -> None:
    opened = [ContainerImage().open(LIMITS) for _ in range(3)]
    ids = {one.id for one in opened}
    for one in opened:
        one.close()
        one.close()
    assert are_gone(ids)
    used_on = ContainerImage().open(LIMITS)
    kept = {waiting.id for waiting in engine().warm()}
    assert kept
    close_engine()
    assert are_gone(kept)
    assert said(used_on, "echo well") == "well"
    used_on.close()
    assert are_gone({used_on.id})


OWNER = """
import sys, time
from turnwise_envs.sandbox import ContainerImage, Limits
opened = [ContainerImage().open(Limits(disk_mb=8)) for _ in range(2)]
print(*[one.id for one in opened], flush=True)
{then}
"""


@pytest.mark.parametrize("then", ["time.sleep(600)", "sys.exit(1)", "import os; os.fork(); 1 / 0"])
def test_containers_end_with_their_owner(then: str) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER.format(then=then)], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    ids = set(owner.stdout.readline().split())
    assert len(ids) == 2
    if "sleep" in then:
        time.sleep(1)
        owner.send_signal(signal.SIGKILL)
    owner.communicate()
    assert are_gone(ids)

    def are_swept() -> bool:  # one that was just being started is left to the next trainer
        engine().sweep()
        return not any(f"/{owner.pid}/" in label for label in owners())

    assert wait_until(are_swept)


def test_a_sweep_removes_what_ended_owners_left() -> None:
    with ContainerImage().open(LIMITS):
        mine = next(label for label in owners() if f"/{os.getpid()}/" in label)
    label = mine.rpartition("/")[0] + "/1"  # another process had this number before
    left = engine().client.create_container(
        ContainerImage().name, ["sleep", "60"], labels={OWNER_LABEL: label}
    )["Id"]
    strange = engine().client.create_container(
        ContainerImage().name, ["sleep", "60"], labels={OWNER_LABEL: "another-host/1/1"}
    )["Id"]
    engine().sweep()
    assert containers() & {left, strange} == {strange}
    engine().client.remove_container(strange)
