"""Agents are trained and evaluated on real ALFWorld games by the same commands."""

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


@pytest.fixture
def folder(tmp_path):
    """Three games of the kitchen, in ALFWorld's layout."""
    game = json.loads(GAME.read_text())
    for verb, able, treated in (
        ("heat", "heatable", "isHot"),
        ("cool", "coolable", "isCool"),
        ("clean", "cleanable", "isClean"),
    ):
        before, goal, after = game["pddl_problem"].partition("(:goal")
        after = after.replace("heatable", able).replace("isHot", treated)
        name = f"pick_{verb}_then_place_in_recep"
        trial = tmp_path / "json_2.1.1" / "train" / f"{name}-Potato-None-SinkBasin-1" / "trial_1"
        trial.mkdir(parents=True)
        (trial / "traj_data.json").write_text(json.dumps({"task_type": name}))
        text = json.dumps({**game, "pddl_problem": before + goal + after})
        (trial / "game.tw-pddl").write_text(text)
    return tmp_path


@pytest.mark.parametrize("model", ["tabular", "tiny"])
def test_gigpo_trains_on_a_folder_of_real_games(tmp_path, folder, model):
    run = tmp_path / "run"
    kwargs = {"data_dir": str(folder), "max_turns": 8, "task_types": ["heat", 5]}
    arguments = ["train", "--model", model, "--algorithm", "gigpo", *ENV]
    arguments += ["--env-kwargs", json.dumps(kwargs)]
    arguments += ["--run-dir", str(run), "--trainer.iterations", "2"]
    arguments += ["--algo.groups-per-iteration", "2", "--algo.group-size", "2"]
    if model == "tiny":
        arguments += ["--no-warm-start", "--max-new-tokens", "6", "--max-context-tokens", "1500"]
    assert main(arguments) == 0
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["rollout/episodes"] for row in rows] == [4, 4]
    assert not any(row["rollout/stop_error"] for row in rows)
    lines = (run / "trajectories" / "iteration-000001.jsonl").read_text().splitlines()
    assert {json.loads(line)["task_kind"] for line in lines} == {"heat", "cool"}
    recorded = json.loads((run / "tasks.json").read_text())["turnwise/Household-v0/train"]
    assert recorded["data_version"].startswith("2.1.2-")
    out = tmp_path / "result.json"
    evaluate = ["evaluate", *ENV, "--split", "train", "--env-kwargs", json.dumps(kwargs)]
    name = "pick_cool_then_place_in_recep-Potato-None-SinkBasin-1/trial_1"
    assert main([*evaluate, "--policy", str(run), "--task-ids", name, "--out", str(out)]) == 0
    setting = json.loads(out.read_text())["setting"]
    assert setting["data_version"] == recorded["data_version"]
