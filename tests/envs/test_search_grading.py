"""Grading: the official scorer's values, hand-computed ones, aliases, answers without words."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise_envs.errors import UsageError
from turnwise_envs.search.grading import Grade, grade, grade_one, normalize_answer

DATA = Path(os.environ.get("TURNWISE_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
CASES = DATA / "multihop" / "em_f1_cases_150.jsonl"


@pytest.mark.skipif(not CASES.exists(), reason=f"no {CASES}; set TURNWISE_TEST_DATA")
def test_official_values():
    cases = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
    assert len(cases) == 150
    for case in cases:
        found = asdict(grade_one(case["pred"], case["gold"]))
        assert found == pytest.approx({name: case.get(name, found[name]) for name in found}), case


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The  Winter's Clock!", "winters clock"),
        ("a-b", "ab"),
        ("An apple, a day", "apple day"),
        ("theory", "theory"),
        ("ÉMILE “X”", "émile “x”"),
        ("the", ""),
    ],
)
def test_normalisation(text, normal):
    assert normalize_answer(text) == normal


def test_values_by_hand():
    # words {bad, hemingway, contest} and {hemingway, contest, x, y}: 2 in common
    found = grade_one("Hemingway contest x y", "The Bad Hemingway Contest")
    assert found == Grade(0.0, 2 * 0.5 * (2 / 3) / (0.5 + 2 / 3), 0.5, 2 / 3)
    # "new new" has two, "new york" one "new" in common
    assert grade_one("new new", "New York") == Grade(0.0, 0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("said", "gold"),
    [("yes and no", "yes"), ("yes", "yes it is"), ("no", "yes"), ("noanswer", "no"), ("y", "yes")],
)
def test_closed_answers_have_no_partial_credit(said, gold):
    assert grade_one(said, gold) == Grade(0.0, 0.0, 0.0, 0.0)


def test_the_best_alias_counts():
    references = ["Zubukirmouth", "Upper Town of Dizouth"]
    assert grade("the upper town of dizouth.", references).em == 1.0
    assert grade("Dizouth", references).f1 == pytest.approx(0.4)
    assert grade("Yes", ["no", "yes"]).em == 1.0


@pytest.mark.parametrize(
    ("said", "gold", "em"),
    [("the", "The The", 0.0), ("The The", "the the", 1.0), ("!!!", "???", 0.0), ("", "!", 0.0)],
)
def test_answers_without_words(said, gold, em):
    assert grade(said, [gold]) == Grade(em, em, em, em)


@given(st.text(max_size=40), st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_values_are_shares(said, references):
    found = grade(said, references)
    assert all(0.0 <= getattr(found, name) <= 1.0 for name in ("em", "f1", "precision", "recall"))
    if found.em:
        assert found.f1 == 1.0


@given(st.text(min_size=1, max_size=40))
def test_the_gold_answer_is_right(gold):
    assert not gold.strip() or grade(gold, [gold]).em == 1.0


def test_no_reference_is_an_error():
    with pytest.raises(UsageError, match="at least one answer"):
        grade("x", [])
