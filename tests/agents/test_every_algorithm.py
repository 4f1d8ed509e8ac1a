"""Every algorithm by its name: it trains by the script, resumes, explains its numbers."""

import importlib
import json
import math
import re
import runpy
import shutil
import sys
from pathlib import Path

import pytest
import quiz
from short_runs import assert_same, final_state

from turnwise_agents import metrics
from turnwise_agents.algorithms import ALGORITHMS, load_algorithm
from turnwise_agents.checkpoint import latest_checkpoint
from turnwise_agents.presets.tiny import prepare_tiny

ROOT = Path(__file__).resolve().parents[2]
VARIANTS = [f"inspo+{name}" for name in ALGORITHMS if name != "inspo"]
ON_TINY = ("oprl", "ppo")
"""A second model and a value head; on the language model the others are slow tests."""

INSPO = {"evolve-every": 1, "verify-questions": 2, "held-out-share": 0.0, "min-draws": 1}


def slow(names):
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


NAMES = [*ALGORITHMS, "inspo+oprl", *slow(n for n in VARIANTS if n != "inspo+oprl")]
NAMES_ON_TINY = [*ON_TINY, *slow(n for n in [*ALGORITHMS, *VARIANTS] if n not in ON_TINY)]


def script(*words):
    """Runs scripts/train.py in this process, where the test's world is registered."""
    before = sys.argv
    sys.argv = ["train.py", *map(str, words)]
    try:
        with pytest.raises(SystemExit) as left:
            runpy.run_path(str(ROOT / "scripts" / "train.py"), run_name="__main__")
    finally:
        sys.argv = before
    assert left.value.code == 0


def options(name, model, run_dir):
    size = {"group-size": 4, "groups-per-iteration": 4}
    algo = {**size, **(INSPO if name.startswith("inspo") else {})}
    trainer = {"iterations": 4, "num-minibatches": 2, "checkpoint-every": 2, "eval-every": 2}
    if model != "tabular":
        algo.update({"group-size": 2, "groups-per-iteration": 2})
        trainer.update({"iterations": 2, "checkpoint-every": 1})
    chosen = {
        "algorithm": name,
        "model": model,
        "env": quiz.ENV_ID,
        "run-dir": run_dir,
        "max-new-tokens": 6,
        "eval-splits": "valid",
        "eval-tasks": 2,
        **{f"algo.{key}": value for key, value in algo.items()},
        **{f"trainer.{key}": value for key, value in trainer.items()},
    }
    return [word for key, value in chosen.items() for word in (f"--{key}", value)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny") / "model"
    prepare_tiny([quiz.ENV_ID], {}, folder, seed=0, warm_start=False)
    return folder


def trains_and_resumes(name, model, run_dir):
    script(*options(name, model, run_dir))
    rows = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    values = [value for row in rows for value in row.values()]
    assert all(math.isfinite(value) for value in values)
    unexplained = {key for row in rows for key in row if not explained(key, name)}
    assert unexplained == {"iteration"}
    final = final_state(run_dir)
    shutil.rmtree(latest_checkpoint(run_dir))
    script("--resume", run_dir)
    assert_same(final_state(run_dir), final)
    return rows, final


@pytest.mark.parametrize("name", NAMES)
def test_it_trains_and_resumes_on_a_table(name, tmp_path):
    rows, final = trains_and_resumes(name, "tabular", tmp_path / "run")
    assert rows[-1]["iteration"] == 4
    assert final["learner"]["models"]["policy"]["values"].any()


@pytest.mark.parametrize("name", NAMES_ON_TINY)
def test_it_trains_and_resumes_on_a_tiny_model(name, tiny, tmp_path):
    rows, _ = trains_and_resumes(name, str(tiny), tmp_path / "run")
    if "dapo" not in name:  # which trains on nothing where all episodes fail
        assert rows[-1]["loss/trained_tokens"] > 0


# ------------------------------------------------------------------ pages


def pages(name):
    """The docstrings that explain an algorithm's numbers: its own, its bases', that of all runs."""
    modules = {kind.__module__ for kind in load_algorithm(name).__mro__}
    own = sorted(m for m in modules if m.startswith("turnwise_agents.algorithms."))
    return [importlib.import_module(module).__doc__ for module in own] + [metrics.__doc__]


def patterns(page):
    """The names in backticks of a page's lists; `<...>` stands for a name.

    A name without a group belongs to that of the first one of its item.
    """
    found = set()
    for item in re.findall(r"^- (`.*?)(?=^- |\n\n|\Z)", page, re.M | re.S):
        names = re.findall(r"`([a-z_<>/]+)`", item)
        if not names or "/" not in names[0]:
            continue
        prefix = names[0].rpartition("/")[0]
        for each in names:
            full = each if "/" in each else f"{prefix}/{each}"
            found.add("".join(r".+" if p[:1] == "<" else re.escape(p) for p in parts(full)))
    return found


def parts(name):
    return re.split(r"(<[a-z_]+>)", name)


def explained(key, name):
    return any(re.fullmatch(pattern, key) for page in pages(name) for pattern in patterns(page))


def test_the_check_of_explanations_finds_what_is_missing():
    page = (
        "- `credit/waves`: of `groups`.\n- `x`: no\n- `gate/<level>`, `open`: a\n  `b`.\n\n`no/no`"
    )
    assert patterns(page) == {"credit/waves", "credit/groups", "gate/.+", "gate/open", "gate/b"}
    assert explained("credit/merge_rate", "gigpo")
    assert explained("credit/merge_rate", "inspo+gigpo")
    assert not explained("credit/merge_rate", "grpo")
    assert not explained("loss/surprise", "grpo")


def table_rows():
    text = (ROOT / "agents" / "README.md").read_text()
    section = text.partition("## Algorithms")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:-1] for line in section.splitlines() if line.startswith("| `")]
    return {cells[0].strip().strip("`"): [cell.strip() for cell in cells] for cells in rows}


def test_every_algorithm_has_a_row_with_its_file_and_its_tests():
    rows = table_rows()
    assert sorted(rows) == sorted(ALGORITHMS)
    for name, (_, credit, paper, files, needs, tests) in rows.items():
        module = ALGORITHMS[name].__module__.replace("turnwise_agents.", "").replace(".", "/")
        assert f"`{module}.py`" in files, name
        assert credit
        assert needs
        arxiv = set(re.findall(r"\d{4}\.\d{5}", importlib.import_module(
            ALGORITHMS[name].__module__).__doc__))  # fmt: skip
        assert set(re.findall(r"\d{4}\.\d{5}", paper)) <= arxiv, name
        texts = [
            (ROOT / "tests" / "agents" / file).read_text()
            for file in re.findall(r"`(test_\w+\.py)`", tests)
        ]
        spelled = rf"(?i)(\b|_)({name}|{ALGORITHMS[name].__name__})(\b|_)"
        assert any(re.search(spelled, text) for text in texts), name
