"""Builds a small Docker image from this machine's Python, without any registry.

    python -m turnwise_envs.sandbox.image [TAG]

The image has this interpreter with its standard library, pytest, a shell, the usual commands, and
the shared libraries that these need. Any other image will do, too, that has Python 3.11 or later
and, to grade repairs in it, pytest.
"""

import importlib.util
import io
import json
import os
import py_compile
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from turnwise_envs.sandbox.engine import BASE_IMAGE

_COMMANDS = (
    *("sh", "bash", "cat", "chmod", "cp", "cut", "date", "dirname", "basename", "echo", "env"),
    *("expr", "false", "head", "id", "ln", "ls", "mkdir", "mkfifo", "mktemp", "mv", "nl", "od"),
    *("printf", "pwd", "readlink", "realpath", "rm", "rmdir", "seq", "setsid", "sha256sum"),
    *("sleep", "sort", "stat", "tail", "tee", "test", "timeout", "touch", "tr", "true", "uname"),
    *("uniq", "wc", "yes", "awk", "cmp", "diff", "find", "git", "grep", "patch", "sed", "tar"),
    *("xargs", "gzip", "df", "du", "kill", "nproc", "ps", "which", "dd", "split", "paste", "comm"),
)
_MODULES = ("pytest", "_pytest", "py", "pluggy", "iniconfig", "packaging", "pygments")
_LEFT_OUT = {"__pycache__", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip"}
_LEFT_OUT |= {"site-packages", "lib2to3", "pydoc_data"}
_PASSWORDS = "root:x:0:0:root:/tmp:/bin/sh\nagent:x:1000:1000:agent:/tmp:/bin/sh\n"
_GROUPS = "root:x:0:\nagent:x:1000:\n"


def build_base_image(client: Any, tag: str = BASE_IMAGE) -> str:
    """Imports the image into an engine.

    Args:
        client: a `docker.APIClient`.
        tag: name and version of the image.

    Returns:
        The tag.
    """
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        files = {target: source for source, target in _contents()}
        folders = {above for target in files for above in Path(target).parents}
        folders |= {Path(target).parent / "__pycache__" for target in files if target[-3:] == ".py"}
        for folder in sorted(map(str, folders)):
            _add_folder(tar, folder, 0o755)
        for target, source in files.items():
            _add(tar, source, target)
            if source.suffix == ".py":
                _add_compiled(tar, source, target)
        for folder in ("work", "tmp", "proc", "sys", "dev", "etc"):
            _add_folder(tar, folder, 0o1777 if folder in ("work", "tmp") else 0o755)
        for path, text in (("etc/passwd", _PASSWORDS), ("etc/group", _GROUPS)):
            _add_text(tar, path, text)
        for name in ("python", "python3"):
            _add_link(tar, f"usr/local/bin/{name}", os.path.basename(_interpreter()))
        for name in ("bin", "lib", "lib64"):
            _add_link(tar, name, f"usr/{name}")
    changes = [
        "ENV PATH=/usr/local/bin:/usr/bin",
        "ENV LANG=C.UTF-8",
        "ENV PYTHONDONTWRITEBYTECODE=1",
    ]
    answer = client.import_image_from_data(
        archive.getvalue(), repository=tag.partition(":")[0], tag=tag.partition(":")[2] or "latest",
        changes=changes,
    )  # fmt: skip
    last = json.loads(answer.splitlines()[-1])
    if "error" in last:
        raise OSError(f"The engine refused the image: {last['error']}")
    return tag


def _interpreter() -> str:
    return os.path.realpath(sys.executable)


def _contents() -> Iterator[tuple[Path, str]]:
    """Yields the files of this machine and where they go, relative to the root."""
    binaries = [Path(_interpreter())]
    yield binaries[0], f"usr/local/bin/{binaries[0].name}"
    for command in _COMMANDS:
        found = shutil.which(command, path="/usr/bin:/bin")
        if found:
            binaries.append(Path(os.path.realpath(found)))
            yield binaries[-1], f"usr/bin/{command}"
    library = Path(sysconfig.get_path("stdlib"))
    home = f"usr/local/lib/{library.name}"
    for path in _files_below(library):
        if path.name.startswith(("_tkinter", "_test", "_ctypes_test", "_xx")):
            continue
        if path.suffix == ".so":
            binaries.append(path)
        yield path, f"{home}/{path.relative_to(library)}"
    for name in _MODULES:
        spec = importlib.util.find_spec(name)
        for place in (spec.submodule_search_locations or [spec.origin or ""]) if spec else []:
            top = Path(str(place))
            for path in _files_below(top):
                yield path, f"{home}/site-packages/{path.relative_to(top.parent)}"
    for library_path, target in _libraries(binaries).items():
        yield Path(library_path), target


def _files_below(top: Path) -> Iterator[Path]:
    if top.is_file():
        yield top
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(set(folders) - _LEFT_OUT)
        for name in sorted(names):
            path = Path(folder, name)
            # The static library of an interpreter's own build is of no use to run it.
            if path.suffix not in (".a", ".o", ".pyc") and not name.startswith("libpython"):
                yield path


def _libraries(binaries: list[Path]) -> dict[str, str]:
    """Returns the shared libraries that programs load, and where the loader will look for them."""
    said = subprocess.run(
        ["ldd", *map(str, binaries)], capture_output=True, text=True, check=False
    ).stdout
    found: set[str] = set()
    for line in said.splitlines():
        parts = line.split()
        found |= {part for part in parts if part.startswith("/") and not part.endswith(":")}
    standard = next(os.path.dirname(path) for path in found if "/libc.so" in path)
    targets = {}
    for path in sorted(found):
        # The loader's own path is written into every program.
        folder = os.path.dirname(path) if "/ld-" in path else standard
        folder = folder if folder.startswith("/usr/") else f"/usr{folder}"
        targets[path] = f"{folder}/{os.path.basename(path)}".lstrip("/")
    return targets


def _owned_by_root(info: tarfile.TarInfo, mode: int) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    info.mode, info.mtime = mode, 0
    return info


def _add(tar: tarfile.TarFile, source: Path, target: str) -> None:
    content = source.read_bytes()
    info = tarfile.TarInfo(target)
    info.size = len(content)
    # Binaries may be closed to others where the interpreter lies in somebody's home.
    mode = 0o755 if os.access(source, os.X_OK) else 0o644
    tar.addfile(_owned_by_root(info, mode), io.BytesIO(content))


def _add_compiled(tar: tarfile.TarFile, source: Path, target: str) -> None:
    """Adds what Python would write beside a module, which it cannot in a container."""
    with tempfile.NamedTemporaryFile(suffix=".pyc") as compiled:
        # There is nobody to change the module: neither time nor content need be compared.
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        if not py_compile.compile(
            str(source), compiled.name, f"/{target}", quiet=2, invalidation_mode=mode
        ):
            return  # no Python of this version
        name = os.path.basename(importlib.util.cache_from_source(target))
        _add(tar, Path(compiled.name), f"{os.path.dirname(target)}/__pycache__/{name}")


def _add_text(tar: tarfile.TarFile, target: str, text: str) -> None:
    info = tarfile.TarInfo(target)
    info.size = len(text)
    tar.addfile(_owned_by_root(info, 0o644), io.BytesIO(text.encode()))


def _add_folder(tar: tarfile.TarFile, target: str, mode: int) -> None:
    info = tarfile.TarInfo(target)
    info.type = tarfile.DIRTYPE
    tar.addfile(_owned_by_root(info, mode))


def _add_link(tar: tarfile.TarFile, target: str, leads_to: str) -> None:
    info = tarfile.TarInfo(target)
    info.type, info.linkname = tarfile.SYMTYPE, leads_to
    tar.addfile(_owned_by_root(info, 0o777))


def main() -> None:
    """Builds the image in the engine that the environment names."""
    import docker

    tag = build_base_image(docker.from_env().api, *sys.argv[1:2])
    print(tag)


if __name__ == "__main__":
    main()
