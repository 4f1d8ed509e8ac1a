"""`Engine`: starts hardened containers, keeps some warm, and removes them whatever happens."""

import atexit
import contextlib
import importlib.util
import io
import json
import os
import queue
import socket
import tarfile
import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from turnwise_envs.errors import DependencyNotInstalled
from turnwise_envs.sandbox.channel import Channel
from turnwise_envs.sandbox.inside import wire
from turnwise_envs.sandbox.limits import SandboxFault

BASE_IMAGE = "turnwise/base:1"
"""The image of containers where no other is named; `turnwise_envs.sandbox.image` builds it."""
OWNER_LABEL = "turnwise.owner"
"""Every container has it: host, process id and start time of the process that it belongs to."""
TEMPORARY_FOLDERS = ("/tmp", "/dev/shm")
_USER = 1000
_SHARED_MB, _OWN_MB, _OWN_PROCESSES = 16, 64, 8
_PATIENCE_S = 60.0
_MOST_SPARE = 4
"""Warm containers of one kind: as many as are in use at once, up to this."""
_MOST_SPARE_OF_ALL = 8
_STARTERS = 2
_SANDBOX = Path(__file__).parent
_PROGRAMS = (
    ("kernel", _SANDBOX / "inside" / "kernel.py"),
    ("wire", _SANDBOX / "inside" / "wire.py"),
    ("serve", _SANDBOX / "inside" / "serve.py"),
    ("turnwise_envs.errors", _SANDBOX.parent / "errors.py"),
    ("turnwise_envs.sandbox.limits", _SANDBOX / "limits.py"),
    ("turnwise_envs.sandbox.files", _SANDBOX / "files.py"),
    ("contained", _SANDBOX / "inside" / "contained.py"),
)


@dataclass(frozen=True)
class Kind:
    """What a container is made of and may use; one is as good as another of the same kind."""

    image: str
    work: str
    """Path of the work folder."""
    python: str
    """Program to start Python 3.11 or later with."""
    cpus: float
    memory_mb: int
    """For the commands; the container's own limit also has room for its folders, which are memory,
    and its first process."""
    disk_mb: int
    processes: int


@dataclass(frozen=True)
class Started:
    """A container that is ready for commands."""

    kind: Kind
    id: str
    channel: Channel


class Engine:
    """The Docker engine that the environment names, for this process.

    Raises:
        DependencyNotInstalled: If the Docker SDK is missing.
        SandboxFault: If no engine answers.
    """

    def __init__(self) -> None:
        if importlib.util.find_spec("docker") is None:
            raise DependencyNotInstalled(
                'Containers need the Docker SDK. Install it with pip install "turnwise[docker]".'
            )
        import docker

        with _faults("A Docker engine must be running and reachable, got"):
            self.client = docker.from_env(timeout=_PATIENCE_S).api
            self.sweep()
        self._lock = threading.Lock()
        self._spare: OrderedDict[Kind, deque[Future[Started]]] = OrderedDict()
        self._in_use: dict[Kind, set[str]] = {}
        self._owner = os.getpid()
        self._starters = ThreadPoolExecutor(_STARTERS, thread_name_prefix="turnwise-containers")
        # What finalizers put here at any moment, one thread takes: a lock could deadlock them.
        self._over: queue.SimpleQueue[Started | None] = queue.SimpleQueue()
        self._janitor = threading.Thread(target=self._clean, daemon=True)
        self._janitor.start()

    def take(self, kind: Kind) -> Started:
        """Returns a fresh container, warm where one is ready, and has others started in its place.

        Raises:
            SandboxFault: If none can be started; the message says why.
        """
        while True:
            with self._lock:
                spare = self._spare.setdefault(kind, deque())
                is_warm = bool(spare)
                future = spare.popleft() if is_warm else self._starters.submit(self._start, kind)
            try:
                started = future.result()
            except SandboxFault:
                if is_warm:
                    continue  # what was wrong then may be right now
                raise
            if self._is_alive(started):
                self._top_up(started)
                return started
            self.remove(started)

    def remove(self, started: Started) -> None:
        """Has a container removed, soon; at once where this engine is closed."""
        if os.getpid() != self._owner:
            return  # in a forked copy of the owner this is not ours to do
        if self._janitor.is_alive():
            self._over.put(started)
        else:
            self._end(started)

    def warm(self) -> list[Started]:
        """Waits for the warm containers that are being started, and returns all there are."""
        with self._lock:
            waiting = [future for spare in self._spare.values() for future in spare]
        return [future.result() for future in waiting]

    def sweep(self) -> None:
        """Removes containers whose owner, a process of this host, has ended."""
        for row in self.client.containers(all=True, filters={"label": OWNER_LABEL}):
            host, pid, began = row["Labels"][OWNER_LABEL].split("/")
            if host == socket.gethostname() and _start_time(int(pid)) != began:
                self._remove(row["Id"])

    def image_id(self, image: str) -> str:
        """Returns the digest of an image.

        Raises:
            SandboxFault: If there is no such image.
        """
        with _faults("An image must be looked at, got"), _named(image):
            return str(self.client.inspect_image(image)["Id"])

    def read_folder(self, image: str, folder: str) -> dict[str, bytes]:
        """Returns path and content of the regular files in a folder of an image.

        Raises:
            SandboxFault: If there is no such image or folder.
        """
        import docker

        with _faults(f"The folder {folder} of {image} must be readable, got"):
            with _named(image):
                made = self.client.create_container(image, ["true"], labels=_labels())["Id"]
            try:
                archive = b"".join(self.client.get_archive(made, folder)[0])
            except docker.errors.NotFound as error:
                raise SandboxFault(
                    f"The image {image} must have the folder {folder}, it has not. Name the right "
                    "one: ContainerImage(work=...)."
                ) from error
            finally:
                self._remove(made)
        found = {}
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for member in tar:
                if file := tar.extractfile(member) if member.isreg() else None:
                    found[member.name.partition("/")[2]] = file.read()
        return found

    def close(self) -> None:
        """Removes the warm containers and those that wait for it; one in use is left."""
        with self._lock:
            waiting = [future for spare in self._spare.values() for future in spare]
            self._spare.clear()
        for future in waiting:
            self._discard(future)
        self._starters.shutdown()
        self._over.put(None)
        self._janitor.join(_PATIENCE_S)

    # ---------------------------------------------------------------- warm containers

    def _top_up(self, taken: Started) -> None:
        kind = taken.kind
        with self._lock:
            in_use = self._in_use.setdefault(kind, set())
            in_use.add(taken.id)
            spare = self._spare.setdefault(kind, deque())
            self._spare.move_to_end(kind)
            wanted = min(len(in_use), _MOST_SPARE)
            while len(spare) < wanted:
                spare.append(self._starters.submit(self._start, kind))
            surplus = []
            while sum(map(len, self._spare.values())) > _MOST_SPARE_OF_ALL:
                oldest = next(others for others in self._spare.values() if others)
                surplus.append(oldest.popleft())
        for future in surplus:
            self._discard(future)

    def _discard(self, future: "Future[Started]") -> None:
        def over(done: "Future[Started]") -> None:
            if not done.cancelled() and done.exception() is None:
                self._over.put(done.result())

        if not future.cancel():
            future.add_done_callback(over)

    def _is_alive(self, started: Started) -> bool:
        try:
            return not started.channel.receive()
        except SandboxFault:
            return False

    def _clean(self) -> None:
        while (started := self._over.get()) is not None:
            self._end(started)

    def _end(self, started: Started) -> None:
        started.channel.close()  # its first process ends with its input
        self._remove(started.id)
        with self._lock:
            self._in_use.get(started.kind, set()).discard(started.id)

    def _remove(self, container: str) -> None:
        import docker
        import requests

        with contextlib.suppress(docker.errors.DockerException, requests.RequestException):
            self.client.remove_container(container, force=True, v=True)

    # ---------------------------------------------------------------- starting

    def _start(self, kind: Kind) -> Started:
        with _faults(f"A container of {kind.image} must start, got"), _named(kind.image):
            container = self.client.create_container(
                image=kind.image,
                entrypoint=[kind.python, "-I", "-S", "-X", "utf8", "-c", _seed()],
                command=[],
                user=f"{_USER}:{_USER}",
                hostname="sandbox",
                stdin_open=True,
                network_disabled=True,
                labels=_labels(),
                host_config=self._host_config(kind),
            )["Id"]
            try:
                started = Started(kind, container, Channel(self._attach(container)))
                self.client.start(container)
                self._prepare(started)
            except BaseException:
                self._remove(container)
                raise
        return started

    def _host_config(self, kind: Kind) -> dict[str, Any]:
        memory_mb = kind.memory_mb + 2 * kind.disk_mb + _SHARED_MB + _OWN_MB
        sizes = dict.fromkeys((kind.work, *TEMPORARY_FOLDERS), kind.disk_mb)
        sizes["/dev/shm"] = _SHARED_MB
        # One inode for every 4 KiB: empty files use kernel memory, too. The owner matters where the
        # image has the folder: some engines give the mount that folder's mode.
        options = f"rw,exec,nosuid,nodev,mode=1777,uid={_USER},gid={_USER}"
        options += ",size={0}m,nr_inodes={1}"
        config: dict[str, Any] = self.client.create_host_config(
            network_mode="none",
            read_only=True,
            tmpfs={path: options.format(size, 256 * size) for path, size in sizes.items()},
            mem_limit=memory_mb << 20,
            memswap_limit=memory_mb << 20,
            nano_cpus=int(kind.cpus * 1e9),
            pids_limit=kind.processes + _OWN_PROCESSES,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            log_config={"Type": "none"},
            auto_remove=True,
        )
        return config

    def _attach(self, container: str) -> socket.socket:
        streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        attached = self.client.attach_socket(container, params=streams)
        connection: socket.socket = getattr(attached, "_sock", attached)
        return connection

    def _prepare(self, started: Started) -> None:
        programs = json.dumps([[name, path.read_text()] for name, path in _PROGRAMS]).encode()
        started.channel.send_raw(b"%016x" % len(programs) + programs)
        plan = {"work": started.kind.work, "temporary": TEMPORARY_FOLDERS}
        started.channel.send(wire.RUN, json.dumps(plan).encode())
        started.channel.wait(_PATIENCE_S)


@contextlib.contextmanager
def _named(image: str) -> Iterator[None]:
    """Says what to do where the engine lacks an image."""
    import docker

    try:
        yield
    except docker.errors.ImageNotFound as error:
        raise SandboxFault(
            f"The image must be in the engine, got {image}, which is not. Fetch it with docker "
            "pull, or build the small default image from this machine's Python with "
            "python -m turnwise_envs.sandbox.image."
        ) from error


@contextlib.contextmanager
def _faults(what: str) -> Iterator[None]:
    """Turns errors of the engine into faults."""
    import docker
    import requests

    try:
        yield
    except (docker.errors.DockerException, requests.RequestException) as error:
        reason = str(getattr(error, "explanation", None) or error)
        advice = "See docker info, the variable DOCKER_HOST, and scripts/docker_engine.py."
        raise SandboxFault(f"{what}: {reason}. {advice}") from error


@cache
def _seed() -> str:
    return (_SANDBOX / "inside" / "seed.py").read_text()


def _labels() -> dict[str, str]:
    pid = os.getpid()
    return {OWNER_LABEL: f"{socket.gethostname()}/{pid}/{_start_time(pid)}"}


def _start_time(pid: int) -> str:
    """Returns when a process began, in ticks since boot; nothing if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


_engine: Engine | None = None
_engine_lock = threading.Lock()


def engine() -> Engine:
    """Returns this process's engine, connected when first asked for."""
    global _engine
    with _engine_lock:
        if _engine is None:
            _engine = Engine()
        return _engine


def close_engine() -> None:
    """Removes the warm containers; the next container connects anew. Done at exit, too."""
    global _engine
    with _engine_lock:
        if _engine is not None:
            _engine.close()
        _engine = None


def _forget() -> None:
    """In a forked copy of this process: its containers are not ours, nor its threads."""
    global _engine, _engine_lock
    _engine, _engine_lock = None, threading.Lock()
    for channel in Channel.all:
        channel.close()


atexit.register(close_engine)
os.register_at_fork(after_in_child=_forget)
