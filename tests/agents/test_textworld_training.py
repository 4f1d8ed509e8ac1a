"""Agents are trained and evaluated on generated TextWorld games by the same commands."""

import json

import pytest
from adventures import CUSTOM, ID

from turnwise_agents.cli import main

pytest.importorskip("textworld", reason="textworld is not installed")


def train(run, model, kwargs, **options):
    arguments = ["train", "--model", model, "--algorithm", "gigpo", "--env", ID]
    arguments += ["--env-kwargs", json.dumps(kwargs), "--num-tasks", "1", "--run-dir", str(run)]
    arguments += [f"--{name.replace('__', '.')}={value}" for name, value in options.items()]
    if model == "tiny":
        arguments += ["--no-warm-start", "--max-new-tokens", "6", "--max-context-tokens", "1500"]
    assert main(arguments) == 0
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("model", ["tabular", pytest.param("tiny", marks=pytest.mark.slow)])
def test_gigpo_trains_on_generated_games(tmp_path, model):
    run, kwargs = tmp_path / "run", {**CUSTOM, "max_turns": 4}
    options = {"trainer__iterations": 1, "algo__groups-per-iteration": 1, "algo__group-size": 4}
    (row,) = train(run, model, kwargs, **options)
    assert row["rollout/episodes"] == 4
    assert row["rollout/stop_error"] == 0
    out = tmp_path / "result.json"
    evaluate = ["evaluate", "--policy", str(run), "--env", ID, "--env-kwargs", json.dumps(kwargs)]
    assert main([*evaluate, "--split", "train", "--tasks", "1", "--out", str(out)]) == 0
    assert json.loads(out.read_text())["setting"]["env"] == ID


@pytest.mark.slow
def test_gigpo_learns_a_recipe(tmp_path):
    options = {"trainer__iterations": 25, "algo__groups-per-iteration": 1, "algo__group-size": 8}
    rows = train(tmp_path / "run", "tabular", {"max_turns": 10}, **options)
    returns = [row["rollout/episodic_return"] for row in rows]
    assert sum(returns[-3:]) / 3 > sum(returns[:3]) / 3 + 0.3
