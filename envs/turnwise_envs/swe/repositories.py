"""Reads work trees out of git repositories and folders, and applies patches, without a checkout.

Only objects are read: no hook, filter or setting of a repository takes effect, nothing is written
into it, and what a task gets is one commit's files, never the history.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from turnwise_envs.errors import DataError, DependencyNotInstalled
from turnwise_envs.swe.workspace import Tree

LARGEST_TREE = 1 << 28
"""Bytes of all files of a work tree."""

_REGULAR = ("100644", "100755")
_LEFT_OUT = {".git", "__pycache__", ".venv", "venv", "node_modules", ".tox", ".mypy_cache"}
_PATIENCE_S = 300.0


def is_repository(folder: Path) -> bool:
    """Says whether a folder is the top of a git repository, bare or not."""
    return (folder / ".git").exists() or (folder / "objects").is_dir()


def resolve_commit(repository: Path, name: str) -> str:
    """Returns the full hash of a commit.

    Raises:
        DataError: If the repository has no such commit.
    """
    argv = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
    done = _git(repository, *argv)
    if done.returncode:
        raise DataError(
            f"base_commit must be a commit of {repository}, got {name!r}. Fetch it there: a "
            "shallow clone lacks older ones."
        )
    return done.stdout.decode().strip()


def tree_at(repository: Path, commit: str) -> Tree:
    """Returns the regular files of a commit; links and submodules are left out.

    Raises:
        DataError: If the repository cannot be read, or the files are too large together.
    """
    return _contents(repository, _listing(repository, commit))


def patched(repository: Path, commit: str, patch: str) -> dict[str, bytes | None]:
    """Returns what a patch changes: path and new content, None for a file that goes.

    Raises:
        DataError: If it does not apply to the commit.
    """
    if not patch.strip():
        return {}
    before = _listing(repository, commit)
    where = _git(repository, "rev-parse", "--git-path", "objects").stdout.decode().strip()
    with tempfile.TemporaryDirectory(prefix="turnwise-patch-") as folder:
        os.mkdir(f"{folder}/objects")
        env = {
            "GIT_INDEX_FILE": f"{folder}/index",
            "GIT_OBJECT_DIRECTORY": f"{folder}/objects",
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str((repository / where).resolve()),
        }
        _expect(_git(repository, "read-tree", commit, env=env), repository)
        text = patch if patch.endswith("\n") else patch + "\n"
        argv = ["apply", "--cached", "--whitespace=nowarn", "-"]
        done = _git(repository, *argv, stdin=text.encode(errors="surrogateescape"), env=env)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise DataError(f"a patch must apply to {commit[:12]}, git says: {'; '.join(said[:3])}")
        listed = _expect(_git(repository, "ls-files", "-s", "-z", env=env), repository)
        after = _entries(listed, sha_at=1)
        changed = {path: sha for path, sha in after.items() if before.get(path) != sha}
        contents: dict[str, bytes | None] = {**_contents(repository, changed, env)}
    return contents | dict.fromkeys(before.keys() - after.keys())


def tree_of_folder(folder: Path) -> Tree:
    """Returns the regular files of a folder that is no repository, without caches.

    Raises:
        DataError: If they are too large together, or cannot be read.
    """
    tree, size = {}, 0
    for above, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT)
        for path in (Path(above, name) for name in sorted(names)):
            if path.is_symlink() or not path.is_file():
                continue
            size += path.stat().st_size
            _expect_size(folder, size)
            try:
                tree[path.relative_to(folder).as_posix()] = path.read_bytes()
            except OSError as error:
                raise DataError(f"{path} must be readable: {error.strerror}.") from error
    return tree


def commit_folder(folder: Path, message: str) -> None:
    """Makes a folder a git repository with one commit, of everything in it.

    Raises:
        DataError: If git cannot.
    """
    author = ("-c", "user.name=turnwise", "-c", "user.email=turnwise@localhost")
    for argv in (("init", "-q"), ("add", "-A", "-f"), ("commit", "-q", "--allow-empty")):
        said = ("-m", message) if argv[0] == "commit" else ()
        _expect(_git(folder, *author, *argv, *said), folder)


def _listing(repository: Path, commit: str) -> dict[str, str]:
    done = _git(repository, "ls-tree", "-r", "-z", "--full-tree", commit)
    return _entries(_expect(done, repository), sha_at=2)


def _entries(listed: bytes, sha_at: int) -> dict[str, str]:
    """Returns path -> object of lines of `git ls-tree` or `git ls-files -s`."""
    found = {}
    for line in listed.decode(errors="surrogateescape").split("\0")[:-1]:
        fields, _, path = line.partition("\t")
        if fields.split()[0] in _REGULAR:
            found[path] = fields.split()[sha_at]
    return found


def _contents(repository: Path, objects: dict[str, str], env: dict[str, str] | None = None) -> Tree:
    names = "".join(f"{sha}\n" for sha in objects.values()).encode()
    sizes = _expect(
        _git(repository, "cat-file", "--batch-check=%(objectsize)", stdin=names, env=env),
        repository,
    )
    lines = sizes.decode().splitlines()
    if not all(line.isdecimal() for line in lines):
        raise DataError(f"{repository} must have every file of the commit. Fetch it there.")
    _expect_size(repository, sum(map(int, lines)))
    data = _expect(_git(repository, "cat-file", "--batch", stdin=names, env=env), repository)
    tree, at = {}, 0
    for path in objects:
        end = data.index(b"\n", at)
        size = int(data[at:end].split()[2])
        tree[path] = data[end + 1 : end + 1 + size]
        at = end + size + 2
    return tree


def _expect_size(place: Path, size: int) -> None:
    if size > LARGEST_TREE:
        raise DataError(f"The files of {place} must have at most {LARGEST_TREE >> 20} MiB.")


def _expect(done: "subprocess.CompletedProcess[bytes]", repository: Path) -> bytes:
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise DataError(f"{repository} must be a sound git repository, git says: {said[:500]}")
    return done.stdout


def _git(
    repository: Path, *argv: str, stdin: bytes = b"", env: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[bytes]":
    if shutil.which("git") is None:
        raise DependencyNotInstalled("Tasks from repositories need git. Install it, e.g. by apt.")
    settings = ["-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.quotePath=off"]
    variables = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
        **(env or {}),
    }
    try:
        return subprocess.run(
            ["git", *settings, *argv],
            cwd=repository,
            input=stdin,
            env=variables,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(f"{repository} must be a readable git repository: {error}.") from error
