"""Every baseline trains through the unchanged trainer, and goes on as if never interrupted."""

import json
import math
import shutil

import gymnasium as gym
import pytest
import torch
from doors import DoorsEnv, make_trainer

from turnwise_agents import cli
from turnwise_agents.algorithms import ALGORITHMS
from turnwise_agents.checkpoint import latest_checkpoint, load_checkpoint
from turnwise_agents.presets.tiny import prepare_tiny
from turnwise_envs import StepResult
from turnwise_envs.errors import EnvironmentFault

ENV = "turnwise/HouseholdSmall-v0"
SMALL = {"groups_per_iteration": 8, "group_size": 8}
VARIANTS = {
    **{
        name: {}
        for name in (
            *("ppo", "reinforce_plus_plus", "reinforce_plus_plus_baseline", "dr_grpo"),
            *("gspo", "cispo", "sapo", "vespo", "loop"),
        )
    },
    "dapo": {"max_waves": 2},
    "ppo by turn": {"level": "turn"},
    "rloo with k1 in the reward": {"kl_in_reward": True, "kl_estimator": "k1"},
    "grpo with truncated importance": {"importance_correction": "token_truncate"},
}


def make_algorithm(variant, **fields):
    kind = ALGORITHMS[variant.split()[0]]
    return kind(kind.Config(**{**SMALL, **VARIANTS[variant], **fields}))


def portions(variant):
    return {
        "num_minibatches": 2,
        "checkpoint_every": 2,
        "recompute_old_logprobs": "importance" in variant,
    }


def numbers(metrics):
    """Returns the metrics that are not measured times."""
    return {k: v for k, v in metrics.items() if not k.startswith("time/")}


def same(a, b):
    """Whether two states are equal, bit for bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_learns_and_a_resumed_run_agrees(variant, tmp_path):
    def trainer(iterations):
        return make_trainer(
            make_algorithm(variant), iterations, run_dir=tmp_path, portions=portions(variant)
        )

    whole = trainer(6)
    first = whole.iterate()
    assert first["rollout/success_rate"] < 0.3
    last = whole.train()
    assert last["rollout/success_rate"] > 0.9
    assert all(map(math.isfinite, last.values()))
    end = latest_checkpoint(tmp_path)
    final = load_checkpoint(end)
    shutil.rmtree(end)

    resumed = trainer(6)
    assert resumed.resume() == 4
    assert numbers(resumed.train()) == numbers(last)
    assert same(load_checkpoint(latest_checkpoint(tmp_path)), final)
    heads = final["learner"]["heads"]
    assert bool(heads) == variant.startswith("ppo")
    assert all(table["values"].abs().max() > 0 for table in heads.values())


class Barren(DoorsEnv):
    """Nothing is ever rewarded."""

    def apply(self, action):
        result = super().apply(action)
        return StepResult(result.observation, terminated=result.terminated, verdict=result.verdict)


class Broken(DoorsEnv):
    """Its infrastructure fails at the first step."""

    def apply(self, action):
        raise EnvironmentFault("the doors are stuck")


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("world", [Barren, Broken])
def test_a_world_that_teaches_nothing_moves_nothing(variant, world):
    env_id = f"turnwise-test/{world.__name__}-v0"
    gym.register(env_id, entry_point=world, disable_env_checker=True)
    try:
        algorithm = make_algorithm(variant, ent_coef=0.0)
        trainer = make_trainer(algorithm, 2, env_id=env_id, portions=portions(variant))
        metrics = trainer.train()
        assert all(map(math.isfinite, metrics.values()))
        assert metrics["credit/advantage_max_abs"] == 0
        assert metrics["rollout/stop_error"] == float(world is Broken)
        assert not trainer.learner.weights().any()
    finally:
        gym.registry.pop(env_id)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny") / "model"
    prepare_tiny([ENV], {}, folder, seed=0, warm_start=False)
    return folder


def command(model, variant, run_dir):
    name = variant.split()[0]
    fields = {"groups_per_iteration": 2, "group_size": 2, **VARIANTS[variant]}
    options = {
        "model": model,
        "algorithm": name,
        "env": ENV,
        "num_tasks": 2,
        "max_new_tokens": 4,
        "run_dir": run_dir,
        "trainer.iterations": 2,
        "trainer.checkpoint_every": 1,
        **{f"algo.{field}": value for field, value in fields.items() if value is not True},
    }
    words = [w for k, v in options.items() for w in (f"--{k.replace('_', '-')}", str(v))]
    words += [f"--algo.{k.replace('_', '-')}" for k, v in fields.items() if v is True]
    if "importance" in variant:
        words.append("--trainer.recompute-old-logprobs")
    return words


@pytest.mark.slow
@pytest.mark.parametrize("variant", [name for name in VARIANTS if " " in name])
@pytest.mark.parametrize("model", ["tabular", "tiny"])
def test_the_command_trains_and_resumes(variant, model, tiny, tmp_path):
    model = str(tiny) if model == "tiny" else model
    run_dir = tmp_path / "run"
    assert cli.main(["train", *command(model, variant, run_dir)]) == 0
    rows = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    assert all(math.isfinite(v) for row in rows for v in row.values() if isinstance(v, float))
    end = latest_checkpoint(run_dir)
    final = load_checkpoint(end)
    shutil.rmtree(end)
    assert cli.main(["train", "--resume", str(run_dir)]) == 0
    assert same(load_checkpoint(latest_checkpoint(run_dir)), final)
    assert bool(final["learner"]["heads"]) == variant.startswith("ppo")


def test_importance_weights_want_the_learners_log_probabilities(tmp_path, capsys):
    words = command("tabular", "grpo with truncated importance", tmp_path / "run")[:-1]
    assert cli.main(["train", *words]) == 2
    assert "Add --trainer.recompute-old-logprobs" in capsys.readouterr().err
