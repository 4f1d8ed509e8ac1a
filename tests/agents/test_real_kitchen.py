"""Agents are trained and evaluated on a real ALFWorld game by the same commands."""

import json
import os
from pathlib import Path

import pytest

from turnwise_agents.cli import main

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("TURNWISE_TEST_DATA", ROOT.parent / "shared" / "data"))
GAME = DATA / "alfworld" / "real_kitchen" / "game.tw-pddl"

pytestmark = pytest.mark.skipif(
    not GAME.is_file(), reason=f"the real game is not at {GAME}; set TURNWISE_TEST_DATA"
)

ENV = ["--env", "turnwise/Household-v0"]
KWARGS = ["--env-kwargs", json.dumps({"data_dir": str(GAME), "max_turns": 12})]


def test_expert_solves_the_real_kitchen(tmp_path):
    out = tmp_path / "expert.json"
    assert main(["evaluate", "--policy", "expert", *ENV, *KWARGS, "--out", str(out)]) == 0
    rows = [json.loads(line) for line in out.with_suffix(".jsonl").read_text().splitlines()]
    assert [row["success"] for row in rows] == [True]


@pytest.mark.parametrize("model", ["tabular", "tiny"])
def test_agents_train_on_the_real_kitchen(tmp_path, model):
    run = tmp_path / "run"
    arguments = ["train", "--model", model, "--algorithm", "gigpo", *ENV, *KWARGS]
    arguments += ["--run-dir", str(run), "--trainer.iterations", "1"]
    arguments += ["--algo.groups-per-iteration", "1", "--algo.group-size", "4"]
    if model == "tiny":
        arguments += ["--no-warm-start", "--max-new-tokens", "6", "--max-context-tokens", "1500"]
    assert main(arguments) == 0
    row = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert row["rollout/episodes"] == 4
    assert row["rollout/stop_error"] == 0
    out = tmp_path / "result.json"
    assert main(["evaluate", "--policy", str(run), *ENV, *KWARGS, "--out", str(out)]) == 0
    assert json.loads(out.read_text())["setting"]["env"] == "turnwise/Household-v0"
