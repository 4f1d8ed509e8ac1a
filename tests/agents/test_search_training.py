"""Multi-hop search under the trainers and in evaluations, through the `turnwise` command."""

import json
import os
from pathlib import Path

import pytest

from turnwise_agents import cli

ID = "turnwise/MultiHopSearch-v0"
DATA = Path(os.environ.get("TURNWISE_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
REAL = DATA / "multihop"


def train(folder, *words):
    """Runs `turnwise train`; returns the success rate of every iteration."""
    assert cli.main(["train", "--env", ID, "--run-dir", str(folder), *words]) == 0
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [
        row["rollout/success_rate"]
        for row in map(json.loads, lines)
        if "rollout/success_rate" in row
    ]


@pytest.mark.parametrize("algorithm", [pytest.param("grpo", marks=pytest.mark.slow), "gigpo"])
def test_a_tabular_policy_learns_eight_questions(tmp_path, algorithm):
    curve = train(
        tmp_path / "run",
        *("--model", "tabular", "--algorithm", algorithm, "--num-tasks", "8"),
        *("--env-kwargs", '{"actions": "menu"}', "--learner.learning-rate", "2.4"),
        *("--trainer.iterations", "16"),
    )
    assert sum(curve[:2]) / 2 < 0.2
    assert sum(curve[-3:]) / 3 > 0.6


@pytest.mark.slow
def test_the_tiny_preset_learns_single_questions(tmp_path):
    world = {"difficulty": "easy", "hops": [1, 1], "num_articles": 1200}
    curve = train(
        tmp_path / "run",
        *("--model", "tiny", "--algorithm", "grpo", "--num-tasks", "16"),
        *("--env-kwargs", json.dumps({**world, "top_k": 1, "max_turns": 4})),
        *("--max-new-tokens", "24", "--max-context-tokens", "512"),
        *("--trainer.iterations", "10", "--learner.learning-rate", "1e-3"),
    )
    assert curve[0] < 0.6
    assert sum(curve[-3:]) / 3 > curve[0] + 0.25


def evaluate(policy, data, out):
    """Runs `turnwise evaluate` over all questions of a file; returns the result."""
    words = ["--policy", policy, "--env", ID, "--split", "valid", "--tasks", "0"]
    words += ["--env-kwargs", json.dumps({"data_dir": str(data)}), "--out", str(out)]
    assert cli.main(["evaluate", *words]) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    assert result["counts"]["errors"] == 0
    return result["overall"]


@pytest.mark.skipif(not REAL.exists(), reason=f"no {REAL}; set TURNWISE_TEST_DATA")
@pytest.mark.parametrize("name", ["hotpotqa_distractor_30", "2wiki_10", "musique_10"])
def test_policies_on_real_rows(tmp_path, name):
    expert, scripted, floor = (
        evaluate(policy, REAL / f"{name}.jsonl", tmp_path / f"{number}.json")
        for number, policy in enumerate(("expert", "search_twice:SearchTwice", "random"))
    )
    assert expert["success_rate"]["mean"] == 1.0
    assert scripted["turns"]["mean"] == 3.0
    assert 0.0 <= floor["score"]["mean"] < 0.2
    assert 0.0 < scripted["score"]["mean"] < 0.6
