"""Folders of QuixBugs' layout: broken and right versions of programs of our own."""

import shutil
from pathlib import Path

import gymnasium as gym
import pytest
from quixbugs_folder import PROGRAMS, write_folder
from sandboxes import CONTAINED, why_not

from turnwise_envs.data import check_data
from turnwise_envs.errors import DataError, EnvironmentFault
from turnwise_envs.swe import SWESandboxEnv
from turnwise_envs.swe.quixbugs import Program

pytestmark = pytest.mark.skipif(
    all(why_not(name) for name in CONTAINED), reason="no isolation works here"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("quixbugs"))


def make(folder: Path, **arguments: object) -> SWESandboxEnv:
    env = gym.make("turnwise/SWESandbox-v0", data_dir=str(folder), **arguments).unwrapped
    assert isinstance(env, SWESandboxEnv)
    return env


@pytest.mark.parametrize(
    "name",
    # The broken one of these does not come to an end.
    [pytest.param(name, marks=[pytest.mark.slow] * (name == "steps_to_one")) for name in PROGRAMS],
)
def test_the_right_version_is_resolved_and_no_other(folder: Path, name: str) -> None:
    program = Program(folder, name)
    right, _ = PROGRAMS[name]
    broken = program.tree[program.path]
    assert program.grade(program.tree).verdict == "empty_patch"
    grade = program.grade({**program.tree, program.path: right.encode()})
    assert (grade.verdict, grade.fixed, grade.broken) == ("resolved", 1.0, 0.0)
    same = program.grade({**program.tree, program.path: broken + b"\n# looked at\n"})
    assert (same.verdict, same.modified, same.fixed, same.broken) == ("tests_failed", True, 0, 0)
    gone = {path: content for path, content in program.tree.items() if path != program.path}
    assert program.grade(gone).verdict == "tests_failed"


def test_the_expert_repairs_each(folder: Path) -> None:
    env = make(folder)
    assert len(env.tasks) == len(PROGRAMS)
    for index in range(len(PROGRAMS)):
        env.reset(options={"task_index": index})
        while (action := env.expert_action()) != "submit":
            assert action is not None
            assert env.step(action)[4]["action_is_valid"]
        _, reward, terminated, _, info = env.step("submit")
        assert (reward, terminated, info["verdict"]) == (1.0, True, "resolved")
    env.close()


def test_some_tests_are_shown_and_run(folder: Path) -> None:
    env = make(folder)
    index = [task.name for task in env.tasks].index("digit_sum")
    observation, _ = env.reset(options={"task_index": index})
    assert "json_testcases/digit_sum.json" in observation
    assert "correct" not in env.step("view .")[0]
    assert env.step("view json_testcases/digit_sum.json")[0].count("\n") == 1
    said = env.step("test")[0]
    assert said.startswith("exit code 1")
    assert "1 failed, 1 passed" in said
    env.step(env.expert_action() or "")
    assert env.step("test")[0].startswith("exit code 0")
    env.close()


def test_tests_and_shared_modules_of_the_agent_do_not_count(folder: Path) -> None:
    program = Program(folder, "chain_length")
    spoiled = {
        **program.tree,
        program.path: program.tree[program.path] + b"\n",
        "python_testcases/test_chain_length.py": b"def test1(): pass",
        "python_programs/node.py": b"class Node: successor = None",
        "conftest.py": b"import os; os._exit(0)",
    }
    assert program.grade(spoiled).verdict == "tests_failed"


def test_a_check_says_what_is_there_and_what_is_wrong(folder: Path, tmp_path: Path) -> None:
    (report,) = check_data(folder)
    assert (report.kind, report.count, report.problems) == ("QuixBugs programs", 9, ())
    assert 'turnwise/SWESandbox-v0", data_dir=' in report.usage
    damaged = tmp_path / "damaged"
    shutil.copytree(folder, damaged)
    (damaged / "correct_python_programs/root.py").unlink()
    (damaged / "python_testcases/test_chunks.py").unlink()
    (damaged / "python_programs/rotate.py").write_bytes(b"\xff\xfe")
    shutil.copy(damaged / "correct_python_programs/reaches.py", damaged / "python_programs")
    (report,) = check_data(damaged)
    assert report.count == 5
    for said in ("root.py must be there", "test_chunks.py or", "Python in UTF-8", "must differ"):
        assert any(said in problem for problem in report.problems), said


def test_a_folder_without_a_program_is_none(tmp_path: Path) -> None:
    for name in ("python_programs", "python_testcases"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="it has none"):
        make(tmp_path).reset()


def test_a_right_program_that_passes_nothing_is_a_fault(folder: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(folder, tmp_path / "damaged")
    (damaged / "correct_python_programs/rotate.py").write_text("def rotate(): pass\n")
    program = Program(damaged, "rotate")
    with pytest.raises(EnvironmentFault, match="passes no test"):
        program.grade({**program.tree, program.path: b"x = 1\n"})
