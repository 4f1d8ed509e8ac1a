"""A user's problems: GSM8K, MATH and AIME-style files, good and bad; reasoning-gym."""

import json
import os
from pathlib import Path

import gymnasium as gym
import pytest

import turnwise_envs
from turnwise_envs.data import check_data
from turnwise_envs.math.files import read_rows
from turnwise_envs.play import expert_policy, null_policy, play_episode

ID = "turnwise/MathVerifier-v0"
DATA = Path(os.environ.get("TURNWISE_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
needs_data = pytest.mark.skipif(
    not (DATA / "math").is_dir(),
    reason=f"{DATA / 'math'} is not there; set TURNWISE_TEST_DATA to the folder with real rows",
)

GSM8K = {"question": "What is 3 + 4?", "answer": "3 + 4 = <<3+4=7>>7.\n#### 7"}
MATH = {
    "problem": r"Simplify $\sqrt{8}$.",
    "solution": r"$\sqrt{8} = \boxed{2\sqrt{2}}$.",
    "type": "Prealgebra",
    "level": "Level 2",
}
AIME = {"problem": "What is $10^2$?", "answer": 100, "year": 1983}


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "train.jsonl", [GSM8K, MATH])
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "0.json").write_text(json.dumps(AIME))
    return tmp_path


def test_the_three_forms(folder):
    tasks = turnwise_envs.tasks(ID, "train", data_dir=str(folder))
    assert [(t.kind, tasks.question(t).answer) for t in tasks] == [
        ("gsm8k", "7"),
        ("prealgebra", r"2\sqrt{2}"),
    ]
    assert [t.kind for t in turnwise_envs.tasks(ID, "test", data_dir=str(folder))] == ["math"]
    with pytest.raises(turnwise_envs.UnknownTaskError, match="one of test, train"):
        turnwise_envs.tasks(ID, "valid", data_dir=str(folder))


def test_a_single_file_is_in_every_split(tmp_path):
    path = write(tmp_path / "mine.jsonl", [GSM8K, AIME])
    for split in ("train", "test"):
        assert len(turnwise_envs.tasks(ID, split, data_dir=str(path))) == 2


@pytest.mark.parametrize("actions", ["text", "menu"])
def test_loaded_tasks_are_played(folder, actions):
    env = gym.make(ID, data_dir=str(folder), actions=actions)
    for index in (0, 1):
        assert play_episode(env, expert_policy(env), options={"task_index": index}).success
        assert not play_episode(env, null_policy(env), options={"task_index": index}).success
        assert len(set(env.unwrapped._menu())) == 16
    blob = turnwise_envs.snapshot(env)
    twin = gym.make(ID, data_dir=str(folder), actions=actions)
    assert turnwise_envs.restore(twin, blob)[1]["task_id"] == env.unwrapped.task.id


@needs_data
@pytest.mark.parametrize("name", ["gsm8k_train_200.jsonl", "aime_pre2024_40.json"])
def test_the_oracle_solves_real_rows(name):
    env = gym.make(ID, data_dir=str(DATA / "math" / name))
    assert len(env.unwrapped.tasks) in (200, 40)
    for index in range(40):
        assert play_episode(env, expert_policy(env), options={"task_index": index}).success


BAD = [
    ("1", "must be an object, got int"),
    ('{"question": "q"}', 'must have an "answer"'),
    ('{"answer": "3"}', 'must have a text "question"'),
    ('{"question": "q", "answer": ""}', "must have an answer that is not empty"),
    ('{"question": "q", "answer": "NaN"}', "must have an answer that is not empty"),
    ('{"question": "q", "answer": NaN}', "must have an answer that is not empty"),
    ('{"question": "q", "solution": "no box"}', "solution"),
    ('{"question": "q", "answer": "' + "1" * 3000 + '"}', "at most 2000 characters, got 3000"),
    ('{"question": "q", "answer": true}', 'must have an "answer"'),
    ("{", "must be JSON"),
    ("[" * 100_000, "must be JSON"),
]


@pytest.mark.parametrize(("line", "message"), BAD)
def test_a_bad_row_is_named_and_left_out(tmp_path, line, message):
    path = write(tmp_path / "rows.jsonl", [GSM8K])
    with open(path, "a") as file:
        file.write(line + "\n")
    (report,) = (r for r in check_data(path) if r.kind == "mathematics problems")
    assert report.count == 1
    assert len(report.problems) == 1
    assert f"{path}, line 2" in report.problems[0]
    assert message in report.problems[0]
    assert len(turnwise_envs.tasks(ID, "train", data_dir=str(path))) == 1


def test_repeated_rows_other_encodings_and_empty_files(tmp_path):
    path = write(tmp_path / "rows.jsonl", [GSM8K, GSM8K])
    assert "must not repeat a row" in read_rows(path).problems[0]
    path.write_bytes("\ufeff".encode() + json.dumps(GSM8K).encode())
    assert not read_rows(path).problems
    path.write_bytes(json.dumps({**GSM8K, "question": "é"}, ensure_ascii=False).encode("latin-1"))
    assert "must be UTF-8" in read_rows(path).problems[0]
    path.write_text("")
    with pytest.raises(turnwise_envs.DataError, match="must hold mathematics problems, got none"):
        turnwise_envs.tasks(ID, "train", data_dir=str(path))
    with pytest.raises(turnwise_envs.DataError, match="is not there"):
        turnwise_envs.tasks(ID, "train", data_dir=str(tmp_path / "no"))


def test_many_bad_rows_are_counted(tmp_path):
    path = write(tmp_path / "rows.jsonl", [GSM8K, *({"question": str(i)} for i in range(30))])
    problems = read_rows(path).problems
    assert len(problems) == 6
    assert problems[-1].endswith("25 more rows have problems.")


def test_check_names_the_arguments(folder):
    (report,) = (r for r in check_data(folder) if r.kind == "mathematics problems")
    assert (report.count, report.problems) == (3, ())
    assert report.facts["train"] == "2 problems"
    assert f"data_dir={str(folder)!r}" in report.usage
    other = write(folder.parent / "other" / "x.jsonl", [{"nothing": 1}])
    with pytest.raises(turnwise_envs.DataError):
        check_data(other)


# ------------------------------------------------------------------ reasoning-gym


@pytest.mark.parametrize("name", ["chain_sum", "leg_counting", "polynomial_equations"])
def test_reasoning_gym(name):
    pytest.importorskip("reasoning_gym")
    env = gym.make(ID, reasoning_gym=name, split="test", actions="menu", expose_reference=True)
    for index in (0, 7):
        assert play_episode(env, expert_policy(env), options={"task_index": index}).success
        env.reset(options={"task_index": index})
        *_, info = env.step(r"\boxed{123456789}")
        assert (info["verdict"], info["success"]) == ("wrong", False)
    env.reset(options={"task_index": 0})
    *_, info = env.step(r"\boxed{__import__('os').getcwd()}")
    assert (info["verdict"], info["success"]) == ("unreadable", False)


def test_reasoning_gym_options_are_checked():
    pytest.importorskip("reasoning_gym")
    with pytest.raises(turnwise_envs.UsageError, match="must name one of its data sets"):
        turnwise_envs.tasks(ID, "train", reasoning_gym="no_such_thing")
    with pytest.raises(turnwise_envs.UsageError, match="options that fit"):
        turnwise_envs.tasks(
            ID, "train", reasoning_gym="chain_sum", reasoning_gym_options={"min_terms": -3}
        )
