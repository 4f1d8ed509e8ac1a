"""Generated problems: answers found twice, splits, levels, menus."""

import contextlib
import io
import os
import random
import subprocess
import sys

import pytest

import turnwise_envs
from turnwise_envs.math import verify_batch
from turnwise_envs.math.menus import CHOICES, menu, written
from turnwise_envs.math.problems import TOPICS
from turnwise_envs.math.problems.bank import _TEMPLATES, build
from turnwise_envs.math.problems.problem import polynomial, radical, tex
from turnwise_envs.splits import content_id

ID = "turnwise/MathVerifier-v0"
SPLITS = ("train", "valid", "test", "ood_templates")


def printed(code: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(code, {})
    return output.getvalue().strip()


@pytest.mark.parametrize("topic", TOPICS)
def test_a_program_of_another_kind_finds_every_answer(topic):
    pairs = []
    for template in _TEMPLATES[topic]:
        for level in (1, 2, 3, 4, 5):
            problem = template(random.Random(level), level)
            pairs.append((problem.answer, printed(problem.code)))
    wrong = [pair for pair, v in zip(pairs, verify_batch(pairs), strict=True) if not v.correct]
    assert not wrong


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
def test_the_oracle_solves_a_thousand_tasks_of_every_split(split):
    tasks = turnwise_envs.tasks(ID, split)
    pairs, checks = [], []
    for index in range(0, 10_000, 10):
        question = tasks.question(tasks[index])
        pairs.append((question.answer, written(question.answer)))
        checks.append((question.answer, printed(question.code)))
    assert all(verify_batch(pairs))
    assert all(verify_batch(checks))


def test_menus_hold_one_right_answer_and_no_other():
    """So the random policy is right in one of sixteen, on every topic."""
    pairs, expected = [], []
    for split in SPLITS:
        tasks = turnwise_envs.tasks(ID, split)
        for index in range(0, 9_800, 280):
            question = tasks.question(tasks[index + index // 280 % 7])
            assert len(set(question.choices)) == CHOICES == 16
            pairs += [(question.answer, written(choice)) for choice in question.choices]
            expected += [choice == question.answer for choice in question.choices]
    assert [bool(v) for v in verify_batch(pairs)] == expected
    assert sum(expected) * CHOICES == len(expected)


def test_questions_of_splits_are_disjoint():
    questions = {}
    for split in (*SPLITS, "stream"):
        tasks = turnwise_envs.tasks(ID, split)
        questions[split] = {tasks.question(tasks[index]).text for index in range(400)}
    for one, other in (("train", "valid"), ("train", "test"), ("valid", "test")):
        assert not questions[one] & questions[other]
    for split in ("train", "valid", "test", "stream"):
        assert not questions[split] & questions["ood_templates"]
    assert not questions["stream"] & (questions["valid"] | questions["test"])


def test_tasks_cover_topics_and_levels_in_turn():
    tasks = turnwise_envs.tasks(ID, "train")
    assert len(tasks) == 10_000
    assert [tasks[i].kind for i in range(14)] == list(TOPICS) * 2
    assert [tasks.level(i) for i in range(0, 70, 7)] == [1, 2, 3, 4, 5] * 2
    hard = turnwise_envs.tasks(ID, "train", topics=["algebra"], levels=(4, 5))
    assert {task.kind for task in (hard[i] for i in range(10))} == {"algebra"}
    assert [hard.level(i) for i in range(4)] == [4, 5, 4, 5]
    assert hard.manifest_hash != tasks.manifest_hash


def test_what_the_generator_makes_is_what_this_version_committed_to():
    """A change here is a new generator version: ids must not name other tasks than before."""
    made = {}
    for split in SPLITS:
        tasks = turnwise_envs.tasks(ID, split)
        found = [tasks.question(tasks[index]) for index in range(0, 10_000, 100)]
        made[split] = content_id([[q.text, q.answer, list(q.choices), q.code] for q in found])
    assert made == COMMITTED


COMMITTED = {
    "train": "4ff9ec361f6e613d",
    "valid": "316c2725168d9ae9",
    "test": "cf82f04da2632f9b",
    "ood_templates": "b0b46b8a0ba31c97",
}


def test_another_process_makes_the_same_tasks():
    code = (
        "import turnwise_envs as t\n"
        f"s = t.tasks({ID!r}, 'test')\n"
        "print([s.question(s[i]).choices for i in range(40)])"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]


def test_menus_of_answers_that_are_no_numbers():
    for answer, slips in (("(B)", []), (r"2\sqrt{3}", []), ("x + 1", []), ("Paris", ["Rome"])):
        choices = menu(answer, slips, 5)
        assert len(set(choices)) == CHOICES
        assert answer in choices
        assert choices == menu(answer, slips, 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (tex(-3), "-3"),
        (polynomial([1, -1, 0, 2]), "2x^{3} - x + 1"),
        (polynomial([0]), "0"),
        (radical(72), r"6\sqrt{2}"),
        (radical(49), "7"),
        (radical(7), r"\sqrt{7}"),
        (written("}"), "<answer>}</answer>"),
        (written(r"\frac{1}{2}"), r"\boxed{\frac{1}{2}}"),
    ],
)
def test_how_parts_are_written(text, expected):
    assert text == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"topics": ["topology"]}, "topics must be different ones of arithmetic"),
        ({"levels": (0, 3)}, r"levels must be \(lowest, highest\) from 1 to 5"),
        ({"levels": (4, 3)}, "levels must be"),
        ({"data_dir": ".", "reasoning_gym": "chain_sum"}, "exclude each other"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(turnwise_envs.UsageError, match=message):
        turnwise_envs.tasks(ID, "train", **options)


def test_every_split_can_be_filled_at_every_level():
    for topic in TOPICS:
        for level in (1, 2, 3, 4, 5):
            for split in ("valid", "test"):
                assert build(topic, level, split, 3).question
