"""A git repository of our own with a history, a bug, and the commit that mends it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

BEFORE = {
    "README.md": "# shelf\n",
    "pyproject.toml": '[project]\nname = "shelf"\nversion = "1"\n\n[tool.pytest.ini_options]\n'
    'addopts = "-ra"\nmarkers = ["quick: runs fast"]\n',
    "shelf/__init__.py": "from shelf.store import Store\n",
    "shelf/clock.py": "import time\n\n\ndef now():\n    return time.time()\n",
    "shelf/store.py": '''"""Keeps values for a while."""

from shelf import clock


class Store:
    def __init__(self, seconds):
        self.seconds = seconds
        self._kept = {}

    def put(self, key, value):
        self._kept[key] = (clock.now(), value)

    def get(self, key):
        when, value = self._kept[key]
        if clock.now() - when > self.seconds:
            raise KeyError(key)
        return value

    def __len__(self):
        return len(self._kept)
''',
    "tests/conftest.py": '''import pytest

from shelf import clock


@pytest.fixture
def hands(monkeypatch):
    """A clock that stands."""
    found = [0.0]
    monkeypatch.setattr(clock, "now", lambda: found[0])
    return found
''',
    "tests/test_store.py": """import pytest

from shelf import Store


@pytest.mark.quick
def test_kept(hands):
    store = Store(5)
    store.put("a", 1)
    hands[0] = 5.0
    assert store.get("a") == 1


@pytest.mark.parametrize("late", [5.5, 100.0])
def test_forgotten(hands, late):
    store = Store(5)
    store.put("a", 1)
    hands[0] = late
    with pytest.raises(KeyError):
        store.get("a")


class TestLength:
    def test_empty(self):
        assert len(Store(1)) == 0
""",
    "data/logo.bin": b"\x00\xff\x10",
}
"""Path -> content, at the commit that a task starts from."""

NEW_TEST = """

def test_length_is_of_what_can_be_got(hands):
    store = Store(5)
    store.put("a", 1)
    hands[0] = 3.0
    store.put("b", 2)
    assert len(store) == 2
    hands[0] = 6.0
    assert len(store) == 1
"""

OLD, NEW = (
    "        return len(self._kept)\n",
    "        return sum(clock.now() - when <= self.seconds for when, _ in self._kept.values())\n",
)

FAIL_TO_PASS = ["tests/test_store.py::test_length_is_of_what_can_be_got"]
PASS_TO_PASS = [
    "tests/test_store.py::test_kept",
    "tests/test_store.py::test_forgotten[5.5]",
    "tests/test_store.py::test_forgotten[100.0]",
    "tests/test_store.py::TestLength::test_empty",
]


def git(folder: Path, *argv: str) -> str:
    """Runs git without the settings of who runs the tests."""
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    command = ["git", *who, "-c", "init.defaultBranch=main", *argv]
    return subprocess.run(
        command, cwd=folder, env=env, check=True, capture_output=True, text=True
    ).stdout


def write(folder: Path, files: dict[str, Any]) -> None:
    """Writes files, text or bytes."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content if isinstance(content, bytes) else content.encode())


def make_repository(folder: Path) -> dict[str, Any]:
    """Makes the repository `shelves/shelf` in a folder and returns the instance's row."""
    repository = folder / "shelves" / "shelf"
    repository.mkdir(parents=True)
    git(repository, "init", "-q")
    write(repository, BEFORE)
    (repository / "link").symlink_to("README.md")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "Keep values")
    base = git(repository, "rev-parse", "HEAD").strip()
    after = BEFORE["shelf/store.py"].replace(OLD, NEW)  # type: ignore[attr-defined]
    write(repository, {"shelf/store.py": after})
    patch = git(repository, "diff")
    git(repository, "commit", "-qam", "Count what is kept")
    tests = BEFORE["tests/test_store.py"] + NEW_TEST  # type: ignore[operator]
    write(repository, {"tests/test_store.py": tests})
    test_patch = git(repository, "diff")
    git(repository, "commit", "-qam", "Test the count")
    return {
        "instance_id": "shelves__shelf-1",
        "repo": "shelves/shelf",
        "base_commit": base,
        "problem_statement": "len() of a store counts values that it gives to nobody any more.",
        "patch": patch,
        "test_patch": test_patch,
        "FAIL_TO_PASS": json.dumps(FAIL_TO_PASS),
        "PASS_TO_PASS": PASS_TO_PASS,
        "image": "shelves/shelf:1",
        "split": "dev",
    }
