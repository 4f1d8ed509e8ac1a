"""Runs a command with a Docker engine: the one that is there, or one started for this alone.

    python scripts/docker_engine.py [--storage-driver DRIVER] [--optional] [COMMAND...]

The engine of the environment (DOCKER_HOST) is used if it answers. Otherwise one is started, as
root, in a temporary folder that is removed afterwards, without bridge, iptables or registry; where
dockerd is missing, Debian's docker.io is installed. The first storage driver is taken with which a
container runs. The image for repair tasks is built from this machine's Python where the engine
lacks it. Without a COMMAND the engine stays until this script is interrupted. The exit code is the
command's, or 3 (0 with --optional) where no engine can be had.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

NO_ENGINE = 3
PATIENCE_S = 60.0
DRIVERS = ("overlay2", "vfs")


class NoEngine(Exception):
    pass


def answers(host: str | None = None) -> bool:
    import docker

    try:
        docker.DockerClient(host, timeout=10).ping() if host else docker.from_env().ping()
    except docker.errors.DockerException:
        return False
    return True


def install() -> None:
    if shutil.which("dockerd"):
        return
    if os.getuid() or not shutil.which("apt-get"):
        raise NoEngine("dockerd is not installed, and cannot be without root and apt-get")
    say("installing docker.io")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", "docker.io"]):
        done = subprocess.run(["apt-get", "-qq", *command], env=env, stdout=subprocess.DEVNULL)
    if done.returncode or not shutil.which("dockerd"):
        raise NoEngine("docker.io could not be installed")


def start(folder: Path, driver: str) -> tuple[subprocess.Popen[bytes], str]:
    host = f"unix://{folder}/docker.sock"
    command = ["dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none"]
    command += [f"--storage-driver={driver}", f"--host={host}", f"--pidfile={folder}/pid"]
    command += [f"--data-root={folder}/data", f"--exec-root={folder}/exec"]
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        if (folder / "docker.sock").exists() and answers(host):
            return process, host
        time.sleep(0.1)
    end(process)
    raise NoEngine(f"dockerd with {driver} did not start: {log.read_text()[-1500:]}")


def end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def prepare(host: str | None) -> None:
    """Builds the image where the engine lacks it, and sees whether a container runs."""
    import docker

    from turnwise_envs.sandbox.image import BASE_IMAGE, build_base_image

    client = (docker.DockerClient(host) if host else docker.from_env()).api
    try:
        if not client.images(BASE_IMAGE):
            say(f"building the image {BASE_IMAGE}")
            build_base_image(client)
        made = client.create_container(BASE_IMAGE, ["true"], network_disabled=True)["Id"]
        try:
            client.start(made)
            code = client.wait(made)["StatusCode"]
        finally:
            client.remove_container(made, force=True)
    except (docker.errors.DockerException, OSError) as error:
        raise NoEngine(f"no container can be run: {error}") from error
    if code:
        raise NoEngine(f"no container can be run: `true` ended with {code}")


@contextmanager
def engine(drivers: tuple[str, ...]) -> Iterator[str | None]:
    """Yields the address of an engine, None for the one that the environment names."""
    if answers():
        prepare(None)
        yield None
        return
    if os.getuid():
        raise NoEngine("no engine answers, and only root can start one")
    install()
    reasons = []
    for driver in drivers:
        with ExitStack() as stack:
            folder = Path(tempfile.mkdtemp(prefix="turnwise-engine-"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            try:
                process, host = start(folder, driver)
                stack.callback(end, process)
                prepare(host)
            except NoEngine as reason:
                say(f"not with {driver}: {reason}")
                reasons.append(str(reason))
                continue
            say(f"a Docker engine with {driver}: export DOCKER_HOST={host}")
            yield host
            return
    raise NoEngine("\n".join(reasons))


def say(text: str) -> None:
    print(f"== {text}", file=sys.stderr, flush=True)


def run(command: list[str], host: str | None) -> int:
    if host:
        os.environ["DOCKER_HOST"] = host
    if command:
        return subprocess.run(command).returncode
    say("until interrupted")
    signal.pause()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--storage-driver", choices=DRIVERS, help="else the first that works")
    parser.add_argument("--optional", action="store_true", help="to have no engine is no failure")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    drivers = (arguments.storage_driver,) if arguments.storage_driver else DRIVERS
    try:
        with engine(drivers) as host:
            return run(arguments.command, host)
    except NoEngine as reason:
        say(f"NOT RUN: {' '.join(arguments.command) or 'a Docker engine'}")
        say(f"No Docker engine can be had here: {reason}")
        return 0 if arguments.optional else NO_ENGINE
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
