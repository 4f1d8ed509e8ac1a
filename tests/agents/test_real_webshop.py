"""Agents are evaluated and trained on WebShop's own rows by the usual commands."""

import json
import os
from pathlib import Path

import pytest

from turnwise_agents.cli import main

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("TURNWISE_TEST_DATA", ROOT.parent / "shared" / "data")) / "webshop"
RULE = "turnwise_envs.webshop.rule:RulePolicy"

pytestmark = pytest.mark.skipif(
    not (DATA / "items_ins_50.json").is_file(),
    reason=f"WebShop's rows are not at {DATA}; set TURNWISE_TEST_DATA",
)

ENV = ["--env", "turnwise/WebShop-v0", "--split", "train"]


def kwargs(**arguments):
    return ["--env-kwargs", json.dumps({"data_dir": str(DATA), **arguments})]


def test_expert_rule_and_random_are_scored_on_real_goals(tmp_path):
    success = {}
    for policy in ("expert", RULE, "random"):
        out = tmp_path / f"{len(success)}.json"
        command = ["evaluate", "--policy", policy, *ENV, *kwargs(), "--tasks", "0"]
        assert main([*command, "--out", str(out)]) == 0
        result = json.loads(out.read_text())
        assert result["counts"]["errors"] == 0
        assert result["overall"]["episodes"] == 117
        success[policy] = result["overall"]["success_rate"]["mean"]
    assert success["expert"] == 1.0
    assert success["random"] < 0.1 < success[RULE] < 1.0


@pytest.mark.parametrize("model", ["tabular", pytest.param("tiny", marks=pytest.mark.slow)])
def test_agents_train_on_real_goals(tmp_path, model):
    run = tmp_path / "run"
    arguments = ["train", "--model", model, "--algorithm", "gigpo", *ENV]
    arguments += [*kwargs(actions="menu"), "--run-dir", str(run), "--trainer.iterations", "1"]
    arguments += ["--algo.groups-per-iteration", "1", "--algo.group-size", "4"]
    if model == "tiny":
        arguments += ["--no-warm-start", "--max-new-tokens", "6", "--max-context-tokens", "4000"]
    assert main(arguments) == 0
    row = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert row["rollout/episodes"] == 4
    assert row["rollout/stop_error"] == 0
