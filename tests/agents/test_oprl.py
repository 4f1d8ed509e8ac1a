"""OPRL on records, through the trainer, and where something is missing."""

import dataclasses
import json
import math

import gymnasium as gym
import numpy as np
import pytest
import quiz
from short_runs import assert_same, final_state, interrupted, make_config, start

from turnwise_agents import cli
from turnwise_agents.algorithms.base import Contrast, Services
from turnwise_agents.algorithms.grpo import GRPO
from turnwise_agents.algorithms.oprl import CHANNEL, MODEL, OPRL, OPRLConfig
from turnwise_agents.learners.tabular import TabularLearner, TabularLearnerConfig
from turnwise_agents.scorer import Scorer
from turnwise_agents.tabular import TabularVocabulary
from turnwise_agents.types import Generation, Group, Trajectory, Turn
from turnwise_envs.core import StepResult
from turnwise_envs.errors import UsageError

OLD = 0.01
PLAIN = {"invalid_action_penalty": 0.0, "eps": 0.0}


def services_with(log_ratios, algorithm):
    """A table with a row per step, whose action has log-probability log .01 + log-ratio."""
    vocabulary = TabularVocabulary()
    learner = TabularLearner(TabularLearnerConfig(learning_rate=0.5), vocabulary)
    for i in range(len(log_ratios)):
        vocabulary.row("e", "t", str(i), ["act", "other"])

    def fill(values, ratios):
        for i, ratio in enumerate(ratios):
            p = OLD * math.exp(ratio)
            values[i, 0], values[i, 1] = math.log(p), math.log(1 - p)

    fill(learner.weights(), [0.0] * len(log_ratios))
    algorithm.setup(learner)
    fill(learner._models[MODEL].values, log_ratios)
    return Services(scorer=Scorer(learner), learner=learner, generate=None)


def trajectory(name, rows, reward, **fields):
    turns = [
        Turn(
            turn_index=i,
            observation="",
            generations=[
                Generation(
                    prompt_ids=[row], completion_ids=[0], sampler_logprobs=[math.log(OLD)], text="x"
                )
            ],
            reward=reward if i == len(rows) - 1 else 0.0,
        )
        for i, row in enumerate(rows)
    ]
    return Trajectory(
        env_id="e", task_id="t", group_id="g", trajectory_id=name, turns=turns, **fields
    )


def group(*trajectories):
    return Group(group_id="g", env_id="e", task_id="t", trajectories=list(trajectories))


def example():
    """Log-ratios 2 and 4 in an episode that succeeds, 1 and -1 in one that fails."""
    return group(trajectory("a", [0, 1], 1.0), trajectory("b", [2, 3], 0.0))


def credit(config, made, log_ratios=(2.0, 4.0, 1.0, -1.0)):
    algorithm = OPRL(config)
    services = services_with(log_ratios, algorithm)
    algorithm.shape([made], services)
    credits = {c.trajectory_id: c.turn for c in algorithm.assign_credit([made])}
    return credits, algorithm.observe([made], services)


def test_the_worked_example():
    made = example()
    found, metrics = credit(OPRLConfig(**PLAIN), made)
    rewards = [turn.channels[CHANNEL] for t in made.trajectories for turn in t.turns]
    assert rewards == pytest.approx([0.10, 0.20, 0.05, -0.05])
    assert found["a"] == pytest.approx([0.70711 + 0.24019, 0.70711 + 1.20095], abs=1e-5)
    assert found["b"] == pytest.approx([-0.70711 - 0.24019, -0.70711 - 1.20095], abs=1e-5)
    assert metrics["reward_model/loss"] == pytest.approx(0.554355, abs=1e-6)
    assert metrics["reward_model/margin"] == pytest.approx(0.30)
    assert metrics["reward_model/accuracy"] == metrics["reward_model/pairs"] == 1.0
    assert metrics["reward_model/groups_without_pairs"] == 0.0
    assert metrics["reward_model/step_reward_std"] == pytest.approx(np.std([0.1, 0.2, 0.05, -0.05]))
    assert metrics["reward_model/grad_norm"] > 0
    _, means = credit(OPRLConfig(**PLAIN, trajectory_score="mean"), example())
    assert means["reward_model/loss"] == pytest.approx(0.620957, abs=1e-6)


@pytest.mark.parametrize(
    ("base", "expected"), [("grpo", 0.70711), ("rloo", 1.0), ("reinforce++", 0.86603)]
)
def test_outcome_bases(base, expected):
    # 1 and 0; leave-one-out +-1; centred +-.5 over four tokens, unbiased std .57735.
    config = OPRLConfig(**PLAIN, outcome_advantage=base, step_advantage_weight=0.0)
    found, _ = credit(config, example())
    assert found["a"] == pytest.approx([expected] * 2, abs=1e-5)
    assert found["b"] == pytest.approx([-expected] * 2, abs=1e-5)


def test_a_flat_group_keeps_zero_though_the_batchs_mean_is_not():
    # Over tokens +-.5 count 1 and 2 times beside two zeros: mean -.1; the flat group stays at 0.
    one, two = trajectory("a", [0], 1.0), trajectory("b", [1, 2], 0.0)
    flat = [trajectory(n, [3], 1.0) for n in "cd"]
    for each in flat:
        each.group_id = "h"
    config = OPRLConfig(**PLAIN, outcome_advantage="reinforce++", step_advantage_weight=0.0)
    found, _ = credit(config, group(one, two, *flat), (0.0,) * 4)
    std = np.std([0.5, -0.5, -0.5, 0, 0], ddof=1)
    assert found["a"] == pytest.approx([0.6 / std], abs=1e-6)
    assert found["b"] == pytest.approx([-0.4 / std] * 2, abs=1e-6)
    assert found["c"] == found["d"] == [0.0]


def test_at_the_start_and_without_weight_it_is_grpo():
    plain = GRPO()
    made = example()
    plain.shape([made], None)
    expected = {c.trajectory_id: c.turn for c in plain.assign_credit([made])}
    start_of_run, metrics = credit(OPRLConfig(), example(), (0.0,) * 4)
    assert start_of_run == expected
    assert metrics["reward_model/loss"] == pytest.approx(math.log(2))
    assert metrics["reward_model/accuracy"] == 0.5
    assert credit(OPRLConfig(step_advantage_weight=0.0), example())[0] == expected


def test_rewards_before_and_after_the_update():
    """The released code's "after" returns rewards from before."""
    before, after = example(), example()
    credit(OPRLConfig(**PLAIN), before)
    credit(OPRLConfig(**PLAIN, rewards_from="after_update"), after)

    def rewards(made):
        return np.array([turn.channels[CHANNEL] for t in made.trajectories for turn in t.turns])

    moved = rewards(after) - rewards(before)
    assert (moved[:2] > 0).all()
    assert (moved[2:] < 0).all()


def test_more_epochs_of_the_reward_model():
    _, once = credit(OPRLConfig(**PLAIN), example())
    made = example()
    _, thrice = credit(OPRLConfig(**PLAIN, reward_epochs=3), made)
    assert thrice["reward_model/loss"] < once["reward_model/loss"]
    assert made.trajectories[0].turns[0].channels[CHANNEL] == pytest.approx(0.10)


@pytest.mark.parametrize(("base", "expected"), [("old", 0.05 * (2 - 1)), ("initial", 0.05 * 2)])
def test_what_the_policy_has_learnt_counts_against_a_step_unless_the_base_is_initial(
    base, expected
):
    algorithm = OPRL(OPRLConfig(**PLAIN, base=base))
    services = services_with((2.0, 4.0, 1.0, -1.0), algorithm)
    made = example()
    p = OLD * math.exp(1.0)
    services.learner.weights()[0, :2] = math.log(p), math.log(1 - p)
    algorithm.shape([made], services)
    assert made.trajectories[0].turns[0].channels[CHANNEL] == pytest.approx(expected)


def test_penalties_enter_the_outcome():
    made = example()
    made.trajectories[1].turns[0].action_is_valid = False
    config = OPRLConfig(
        invalid_action_penalty=0.5, step_advantage_weight=0.0, outcome_advantage="rloo"
    )
    found, _ = credit(config, made)
    assert found["a"] == [1.5, 1.5]


def test_degenerate_groups_give_zero():
    alone, metrics = credit(OPRLConfig(), group(trajectory("a", [0], 1.0)))
    assert alone == {"a": [0.0]}
    assert metrics["reward_model/pairs"] == 0.0
    assert metrics["reward_model/groups_without_pairs"] == 1.0
    # Its two steps have rewards .10 and .20, which nobody else's can be compared with.
    for normalization in ("std", "leave_one_out", "max"):
        config = OPRLConfig(step_normalization=normalization)
        alone, _ = credit(config, group(trajectory("a", [0, 1], 1.0)), (2.0, 4.0))
        assert alone == {"a": [0.0, 0.0]}
    same, metrics = credit(
        OPRLConfig(**PLAIN), group(*(trajectory(n, [i], 1.0) for i, n in enumerate("ab"))), (1, 1)
    )
    assert same == {"a": [0.0], "b": [0.0]}
    for made in (
        group(trajectory("a", [0], 1.0, stop="error"), trajectory("b", [], 0.0)),
        group(),
    ):
        nothing, metrics = credit(OPRLConfig(), made)
        assert nothing == {}
        assert np.isfinite(list(metrics.values())).all()
    empty = example()
    for turn in (turn for t in empty.trajectories for turn in t.turns):
        turn.generations[0].completion_ids, turn.generations[0].sampler_logprobs = [], []
    for base in ("grpo", "rloo", "reinforce++"):
        found, metrics = credit(OPRLConfig(outcome_advantage=base), empty)
        assert np.isfinite([v for row in found.values() for v in row]).all()
        assert metrics["reward_model/loss"] == pytest.approx(math.log(2))


def test_copied_turns_of_a_branch_are_in_no_step_statistics():
    made = example()
    branch = trajectory("c", [0, 2], 0.0, parent=("a", 1))
    branch.turns[0].generations[0].trainable = False
    made.trajectories.append(branch)
    config = OPRLConfig(**PLAIN, step_normalization="leave_one_out", outcome_advantage="rloo")
    found, _ = credit(config, made)
    # Steps .10, .20, .05, -.05 and the branch's own .05; outcomes 1, 0, 0.
    assert found["c"] == pytest.approx([0.0, -0.5 + 0.05 - 0.30 / 4])


def test_defaults_are_the_papers():
    config = dataclasses.asdict(OPRLConfig())
    expected = {
        "group_size": 8,
        "groups_per_iteration": 16,
        "ratio_level": "turn",
        "loss_aggregation": "turn",
        "clip_ratio_low": 0.2,
        "clip_ratio_high": 0.2,
        "kl_coef": 0.0,
        "ent_coef": 0.0,
        "beta": 0.05,
        "step_advantage_weight": 1.0,
        "outcome_advantage": "grpo",
        "step_normalization": "std",
        "outcome": "return",
        "success_threshold": 0.0,
        "base": "old",
        "trajectory_score": "sum",
        "rewards_from": "before_update",
        "reward_epochs": 1,
        "reward_learning_rate_factor": 2.0,
        "std": "unbiased",
        "eps": 1e-6,
        "statistics": "trajectory",
    }
    assert {k: config[k] for k in expected} == expected
    for fields, message in (
        ({"outcome_advantage": "ppo"}, "outcome_advantage"),
        ({"step_normalization": "batch"}, "step_normalization"),
        ({"outcome": "f1"}, "outcome"),
        ({"base": "sft"}, "base"),
        ({"trajectory_score": "last"}, "trajectory_score"),
        ({"rewards_from": "now"}, "rewards_from"),
        ({"group_size": 1}, "group_size must be at least 2 for OPRL, got 1"),
    ):
        with pytest.raises(UsageError, match=message):
            OPRLConfig(**fields)


# ------------------------------------------------------------------ through the trainer


class UngradedQuiz(quiz.QuizEnv):
    """Says thank you to every answer."""

    def apply(self, action):
        result = super().apply(action)
        return StepResult(result.observation, terminated=result.terminated)


@pytest.fixture
def ungraded():
    env_id = "tests/UngradedQuiz-v0"
    gym.register(env_id, entry_point=UngradedQuiz, disable_env_checker=True)
    yield env_id
    gym.registry.pop(env_id)


def test_contrasts():
    assert Contrast("return", 0.0).prefers(0.1, 0.0)
    assert not Contrast("return", 0.0).prefers(2.0, 1.0)
    assert Contrast("return").prefers(2.0, 1.0)
    assert not Contrast("return").prefers(1.0, 1.0)


def test_a_world_without_spread_is_an_error_before_the_first_rollout(tmp_path, ungraded):
    small = "turnwise/HouseholdSmall-v0"
    for env_id, algo, message in (
        (ungraded, {}, "by return, tests/UngradedQuiz-v0 gives the oracle 0, .* nothing 0"),
        (ungraded, {"outcome": "score", "success_threshold": None}, "by score"),
        (small, {"success_threshold": 100.0}, r"lie above 100\); by return, .*Household"),
        (quiz.ENV_ID, {"outcome": "judge"}, "needs a judge with these options"),
    ):
        with pytest.raises(UsageError, match=message) as caught:
            start(make_config(tmp_path, "oprl", "tabular", env_id, algo=algo))
        if env_id == ungraded:
            assert small in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_it_learns_on_a_table(tmp_path):
    config = make_config(
        tmp_path / "run",
        "oprl",
        "tabular",
        quiz.ENV_ID,
        algo={"groups_per_iteration": 8},
        trainer={"iterations": 25},
    )
    run = start(config)
    seen = [run.trainer.iterate() for _ in range(25)]
    assert seen[0]["reward_model/loss"] == pytest.approx(math.log(2))
    assert seen[-1]["rollout/success_rate"] > max(0.85, seen[0]["rollout/success_rate"])
    accuracies = [m["reward_model/accuracy"] for m in seen[5:] if "reward_model/accuracy" in m]
    assert np.mean(accuracies) > 0.6
    assert all(0 < m["time/scoring_share"] < 1 for m in seen)
    assert all(np.isfinite(list(m.values())).all() for m in seen)


def test_it_trains_by_the_command_with_a_rule_judge(tmp_path, ungraded):
    rules = tmp_path / "rules.json"
    rules.write_text(
        json.dumps(
            {
                "low": 0,
                "high": 10,
                "start": 2,
                "rules": [{"pattern": "^it was", "points": 6, "where": "observation", "most": 1}],
            }
        )
    )
    words = ["train", "--env", ungraded, "--run-dir", str(tmp_path / "run"), "--model", "tabular"]
    words += ["--algorithm", "oprl", "--algo.outcome", "judge", "--judge", f"rules:{rules}"]
    words += ["--algo.success-threshold", "5", "--trainer.iterations", "6"]
    assert cli.main([*words, "--algo.groups-per-iteration", "4"]) == 0
    rows = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    last = json.loads(rows[-1])
    assert 2 <= last["judge/score"] <= 8
    assert last["judge/void_share"] == 0.0
    assert json.loads(rows[0])["reward_model/pairs"] > 0


@pytest.mark.parametrize("model", ["tabular", pytest.param("tiny", marks=pytest.mark.slow)])
def test_a_resumed_run_ends_where_it_would_have(tmp_path, model):
    whole = make_config(tmp_path / "whole", "oprl", model, quiz.ENV_ID)
    start(whole).train()
    interrupted(dataclasses.replace(whole, run_dir=tmp_path / "cut"), after=2).train()
    state = final_state(tmp_path / "whole")
    assert MODEL in state["learner"]["models"]
    assert_same(state, final_state(tmp_path / "cut"))
