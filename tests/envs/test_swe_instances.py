"""SWE-bench-style instances: rows, repositories of our own, grading, what is wrong with data."""

import json
import os
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from repositories import (
    BEFORE,
    FAIL_TO_PASS,
    NEW,
    OLD,
    PASS_TO_PASS,
    git,
    make_repository,
    write,
)
from sandboxes import CONTAINED, traces, why_not

from turnwise_envs import restore, snapshot, tasks
from turnwise_envs.data import check_data
from turnwise_envs.errors import DataError, EnvironmentFault, UnknownTaskError, UsageError
from turnwise_envs.swe import SWESandboxEnv
from turnwise_envs.swe.checkouts import Checkout
from turnwise_envs.swe.instances import Instance, parse_row, read_rows
from turnwise_envs.swe.own import make_task

REAL = Path(
    os.environ.get("TURNWISE_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")
) / "swe" / "swebench_verified_2.jsonl"  # fmt: skip
ENV = "turnwise/SWESandbox-v0"

contained = pytest.mark.skipif(
    all(why_not(name) for name in CONTAINED), reason="no isolation works here"
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("instances")
    row = make_repository(folder)
    (folder / "tasks.jsonl").write_text(json.dumps(row) + "\n")
    return folder


@pytest.fixture(scope="module")
def row(home: Path) -> dict[str, Any]:
    return json.loads((home / "tasks.jsonl").read_text())


@pytest.fixture(scope="module")
def checkout(home: Path, row: dict[str, Any]) -> Checkout:
    return Checkout(parse_row(row, "row"), home / "shelves" / "shelf")


def changed(checkout: Checkout, **files: str | bytes) -> dict[str, bytes]:
    new = {path: c.encode() if isinstance(c, str) else c for path, c in files.items()}
    return {**checkout.tree, **new}


def repaired() -> str:
    text = BEFORE["shelf/store.py"]
    assert isinstance(text, str)
    return text.replace(OLD, NEW)


def make(home: Path, **arguments: object) -> SWESandboxEnv:
    arguments = {"split": "valid", "data_dir": str(home / "tasks.jsonl"), **arguments}
    env = gym.make(ENV, **arguments).unwrapped
    assert isinstance(env, SWESandboxEnv)
    return env


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not there: no real rows to parse")
def test_real_rows_are_read() -> None:
    first, second = (parse_row(row, place) for place, row in read_rows(REAL))
    assert (first.name, second.name) == ("astropy__astropy-12907", "astropy__astropy-13033")
    assert first.repo == "astropy/astropy"
    assert first.base_commit == "d16bfe05a744909de4b27f5875fe0d4ed41ce607"
    assert len(first.fail_to_pass) == 2
    assert second.fail_to_pass == (
        "astropy/timeseries/tests/test_sampled.py::test_required_columns",
    )
    assert first.split == "test"
    assert first.pass_to_pass[0].startswith("astropy/modeling/tests/test_separable.py::")
    (report,) = check_data(REAL)
    assert (report.kind, report.count, report.problems) == ("SWE-bench-style instances", 2, ())
    assert "astropy/astropy" in report.facts.values()
    env = gym.make(ENV, split="test", data_dir=str(REAL))
    with pytest.raises(DataError, match=r"astropy/astropy must be in .* Clone it there"):
        env.reset(seed=0)


@contained
def test_an_episode_over_a_repository(home: Path) -> None:
    env, other = make(home), make(home)
    observation, info = env.reset(seed=0)
    assert "len() of a store counts values" in observation
    assert "can_be_got" not in "".join(c.decode(errors="replace") for c in env._tree.values())
    assert not any(path.startswith(".git") or path == "link" for path in env._tree)
    assert env.step("shell git log")[0].startswith("exit code 128")
    assert env.step("test")[0].startswith("exit code 0")
    assert env.step("view data/logo.bin")[0] == "data/logo.bin is no text, it has 3 bytes."
    edit = env.expert_action()
    assert edit is not None
    assert edit.startswith("replace shelf/store.py")
    env.step(edit)
    assert env.expert_action() == "submit"
    restore(other, snapshot(env))
    for at in (env, other):
        _, reward, terminated, _, info = at.step("submit")
        assert (reward, terminated, info["verdict"]) == (1.0, True, "resolved")
        assert info["metrics"] == {"fixed": 1.0, "broken": 0.0}
    env.close()
    other.close()


def left_behind() -> dict[str, set[str]]:
    # Mounts of others come and go; sandboxes have theirs in namespaces of their own.
    return {kind: found for kind, found in traces().items() if kind != "mounts"}


@contained
def test_levels(checkout: Checkout) -> None:
    before = left_behind()
    assert checkout.grade(checkout.tree).verdict == "empty_patch"
    notes = checkout.grade(changed(checkout, **{"notes.md": "looked"}))
    assert (notes.verdict, notes.modified, notes.fixed, notes.broken) == (
        "tests_failed",
        True,
        0,
        0,
    )
    worse = repaired().replace("raise KeyError(key)", "pass")
    grade = checkout.grade(changed(checkout, **{"shelf/store.py": worse}))
    assert (grade.verdict, grade.fixed, grade.broken) == ("tests_failed", 1.0, 0.5)
    right = changed(checkout, **{"shelf/store.py": repaired(), "a.bin": b"\x00\xff", "tests": ""})
    del right["tests"], right["tests/test_store.py"], right["tests/conftest.py"]
    assert checkout.grade(right).verdict == "resolved"
    huge = changed(checkout, **{"shelf/table.py": b"#" * (2 << 20)})
    assert checkout.grade(huge).verdict == "patch_too_large"
    assert left_behind() == before


@contained
@pytest.mark.slow
def test_hanging_tests_and_endless_output(home: Path, row: dict[str, Any]) -> None:
    slow = Checkout(parse_row({**row, "timeout_s": 4}, "row"), home / "shelves" / "shelf")
    hang = repaired().replace("return sum", "while True: pass\n        return sum")
    assert slow.grade(changed(slow, **{"shelf/store.py": hang})).verdict == "timeout"
    loud = repaired().replace("return sum", "while True: print('x' * 100_000)\n        return sum")
    verdict = slow.grade(changed(slow, **{"shelf/store.py": loud})).verdict
    assert verdict in ("tests_failed", "timeout")


@contained
@pytest.mark.slow
def test_what_cannot_be_graded_is_a_fault(home: Path, row: dict[str, Any]) -> None:
    repository = home / "shelves" / "shelf"
    absent = {**row, "PASS_TO_PASS": ["tests/test_store.py::test_nowhere"]}
    for wrong in (absent, {**absent, "patch": ""}):
        checkout = Checkout(parse_row(wrong, "row"), repository)
        with pytest.raises(EnvironmentFault, match="test_nowhere: there is no such test"):
            checkout.grade(changed(checkout, **{"shelf/store.py": repaired()}))


WRONG_ROWS = [
    ({"FAIL_TO_PASS": "[]"}, "FAIL_TO_PASS must be a list with at least one test"),
    ({"FAIL_TO_PASS": []}, "FAIL_TO_PASS must not be missing or empty"),
    ({"FAIL_TO_PASS": "tests/a.py::b"}, "must be a list, or the JSON text of one"),
    ({"PASS_TO_PASS": ["test_x (a.B)"]}, "PASS_TO_PASS must have ids of pytest's"),
    ({"PASS_TO_PASS": ["../a.py::test_x"]}, "PASS_TO_PASS must have ids of pytest's"),
    ({"PASS_TO_PASS": [3]}, "PASS_TO_PASS must have ids of pytest's"),
    ({"PASS_TO_PASS": {"a": 1}}, "PASS_TO_PASS must be a list of tests"),
    ({"problem_statement": ""}, "problem_statement must not be missing"),
    ({"base_commit": 7}, "base_commit must be text"),
    ({"timeout_s": -1}, "timeout_s must be positive seconds"),
]


@pytest.mark.parametrize(("change", "message"), WRONG_ROWS)
def test_wrong_rows_are_named(row: dict[str, Any], change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        parse_row({**row, **change}, "tasks.jsonl:3")
    assert str(caught.value).startswith("tasks.jsonl:3")


MISFITS = [
    ({"base_commit": "0" * 40}, "base_commit must be a commit of"),
    ({"base_commit": "--all"}, "base_commit must be a commit of"),
    ({"test_patch": "no patch"}, "test_patch does not fit"),
    ({"test_patch": ""}, ""),
    (
        {"FAIL_TO_PASS": ["tests/test_new.py::test_x"]},
        "test_new.py of .* must be in the repository",
    ),
]


@pytest.mark.parametrize(("change", "message"), MISFITS)
def test_instances_that_do_not_fit_are_named(
    home: Path, row: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    instance = parse_row({**row, **change}, "row")
    if message:
        with pytest.raises(DataError, match=message):
            Checkout(instance, home / "shelves" / "shelf")
    else:
        assert Checkout(instance, home / "shelves" / "shelf").tree


def test_a_check_names_every_problem(home: Path, row: dict[str, Any], tmp_path: Path) -> None:
    (report,) = check_data(home / "tasks.jsonl")
    assert (report.count, report.problems) == (1, ())
    assert report.facts == {
        "valid": "1 instances",
        "with the repair": "1",
        "with an image": "1",
    }
    assert 'split="valid", data_dir=' in report.usage
    rows = [{**row, **change} for change in ({"FAIL_TO_PASS": []}, {"base_commit": "f" * 40}, {})]
    lines = [*map(json.dumps, [*rows, 5, {**row, "repo": "else/where"}]), "{"]
    (home / "bad.jsonl").write_text("\n".join(lines))
    (report,) = check_data(home / "bad.jsonl")
    (home / "bad.jsonl").unlink()
    assert (report.count, report.usage) == (2, "")
    for said in (
        "bad.jsonl:1: FAIL",
        "shelves__shelf-1: base_commit must be",
        ":4 must be a JSON object",
        ":6 must",
    ):
        assert any(said in problem for problem in report.problems), said
    (tmp_path / "other.json").write_text("[1, 2]")
    with pytest.raises(DataError, match="Repair tasks"):
        check_data(tmp_path / "other.json")


def test_rows_go_to_their_split(home: Path, row: dict[str, Any], tmp_path: Path) -> None:
    data = str(home / "tasks.jsonl")
    (task,) = tasks(ENV, "valid", data_dir=data)
    assert (task.name, task.kind) == ("shelves__shelf-1", "repository")
    with pytest.raises(DataError, match="tasks of the split 'train'"):
        tasks(ENV, "train", data_dir=data)
    with pytest.raises(UsageError, match="must be a finite one"):
        tasks(ENV, "stream", data_dir=data)
    with pytest.raises(UnknownTaskError):
        tasks(ENV, "valid", data_dir=data).lookup("0")
    (tmp_path / "task.json").write_text(json.dumps({**row, "split": None}))
    env = make(home, split="train", data_dir=str(tmp_path), checkouts=str(home))
    assert "shelf/" in env.reset()[0]


@contained
def test_one_s_own_repository_is_a_task(home: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    files = {**BEFORE, "tests/test_store.py": f"{BEFORE['tests/test_store.py']}\n\n"}
    assert isinstance(files["tests/test_store.py"], str)
    files["tests/test_store.py"] += "def test_name():\n    assert Store(1).name == 'store'\n"
    write(own, files)
    task = make_task(own, "A store has no name.")
    assert task["FAIL_TO_PASS"] == ["tests/test_store.py::test_name"]
    assert sorted(task["PASS_TO_PASS"]) == sorted(PASS_TO_PASS)
    git(own, "init", "-q")
    git(own, "add", "-A")
    git(own, "commit", "-qm", "All")
    assert make_task(own, "A store has no name.")["base_commit"]
    (tmp_path / "task.json").write_text(json.dumps(task))
    env = make(home, split="train", data_dir=str(tmp_path / "task.json"))
    env.reset(seed=0)
    assert env.expert_action() is None
    assert env.step("test")[0].startswith("exit code 1")
    text = str(BEFORE["shelf/store.py"]).replace("class Store:", "class Store:\n    name = 'store'")
    env.step(f"create shelf/store.py\n{text}")
    assert env.step("test")[0].startswith("exit code 0")
    assert env.step("submit")[4]["verdict"] == "resolved"
    env.close()
    with pytest.raises(DataError, match="at least one test that fails"):
        make_task(own, "Nothing.", tests=["tests/test_store.py::test_kept"])


def test_names_of_instances() -> None:
    row = {"repo": "a/b", "problem_statement": "x", "FAIL_TO_PASS": FAIL_TO_PASS}
    instance = parse_row(row, "row")
    assert isinstance(instance, Instance)
    assert (instance.name, instance.pass_to_pass) == ("a/b@HEAD", ())
    assert instance.id != parse_row({**row, "problem_statement": "y"}, "row").id
