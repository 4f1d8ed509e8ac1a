"""A table learns to shop through the usual command: the learning curve rises."""

import json
from statistics import mean

import pytest

from turnwise_agents.cli import main


@pytest.mark.slow
def test_training_success_rises(tmp_path):
    run = tmp_path / "run"
    command = "train --env turnwise/WebShop-v0 --algorithm gigpo --model tabular --num-tasks 3"
    command += " --trainer.iterations 60 --learner.learning-rate 0.2 --algo.kl-coef 0"
    command += " --algo.ent-coef 0.3 --algo.groups-per-iteration 3 --algo.group-size 48"
    arguments = [*command.split(), "--env-kwargs", '{"actions": "menu"}', "--run-dir", str(run)]
    assert main(arguments) == 0
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == 60
    for name, least in (("rollout/success_rate", 0.2), ("rollout/episodic_return", 0.4)):
        curve = [row[name] for row in rows]
        assert mean(curve[-10:]) - mean(curve[:10]) > least, (name, curve)
