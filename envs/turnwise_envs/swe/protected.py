"""What of a submitted work tree is graded: everything but tests and what configures them."""

import sys
import tomllib
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase

from turnwise_envs.swe.workspace import Tree

_FOLDERS = frozenset({"test", "tests", "testing", "e2e", ".git", "__pycache__"})
_TEST_FILES = ("test_*.py", "*_test.py")
_NAMES = (
    *(*_TEST_FILES, "tests.py", "conftest.py"),
    *("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "setup.cfg"),
    *("sitecustomize.py", "usercustomize.py", "*.pth", "*.pyc", "*.egg-info", "*.dist-info"),
)
_RUNNER = frozenset({"pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments"})
_PYPROJECT = "pyproject.toml"


def is_protected(path: str, names: Collection[str] = ()) -> bool:
    """Says whether a path is, or lies in, a test, or what configures tests or the interpreter.

    Args:
        path: relative to the work tree.
        names: further paths that are.
    """
    if path in names:
        return True
    *folders, name = path.split("/")
    if not _FOLDERS.isdisjoint(folders):
        return True
    return any(fnmatchcase(part, kind) for part in (*folders, name) for kind in _NAMES)


def is_test_file(path: str) -> bool:
    """Says whether pytest looks for tests in a file."""
    name = path.rpartition("/")[2]
    return any(fnmatchcase(name, kind) for kind in _TEST_FILES)


def graded_tree(
    base: Tree, submitted: Tree, tests: Mapping[str, bytes | None]
) -> tuple[Tree, dict[str, bytes | None]]:
    """Returns the tree that tests are run in, and what of the submission's changes is in it.

    Args:
        base: the work tree as the task gave it.
        submitted: as it was handed in.
        tests: the files that the tests bring: path and content, None for one that goes.
    """
    changes = {
        path: submitted.get(path)
        for path in base.keys() | submitted.keys()
        if base.get(path) != submitted.get(path)
        and not is_protected(path, tests)
        and not (path not in base and _shadows(path, base))
        and not _configures(path, base.get(path), submitted.get(path))
    }
    fixed = {path for path in base if is_protected(path, tests) and path not in tests}
    fixed |= {path for path, content in tests.items() if content is not None}
    folders = {above for path in fixed for above in _above(path)}
    changes = {
        path: content
        for path, content in changes.items()
        # A file where a folder with tests is, or below a file that is a test, cannot be laid out.
        if content is None or (path not in folders and fixed.isdisjoint(_above(path)))
    }
    tree = {**base, **changes, **tests}
    return {path: content for path, content in tree.items() if content is not None}, changes


def _shadows(path: str, base: Tree) -> bool:
    """Says whether a new file takes the name of a module of Python's, or of the test runner."""
    top = path.split("/")[1 if path.startswith("src/") else 0]
    name = top.partition(".")[0]
    known = any(p == top or p.startswith(f"{top}/") for p in base)
    return not known and (name in sys.stdlib_module_names or name in _RUNNER)


def _configures(path: str, before: bytes | None, after: bytes | None) -> bool:
    """Says whether a change of a pyproject.toml concerns pytest."""
    if path.rpartition("/")[2] != _PYPROJECT:
        return False
    if before is None or after is None:
        return True
    try:
        old, new = (tomllib.loads(text.decode()).get("tool", {}) for text in (before, after))
        return bool(old.get("pytest") != new.get("pytest"))
    except (AttributeError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return True


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:i]) for i in range(1, len(parts))]
