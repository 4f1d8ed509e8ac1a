"""Credit of the baselines against numbers computed by hand, identities, and degenerate groups."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from records import episode, group, outcome

from turnwise_agents.algorithms import ALGORITHMS
from turnwise_agents.algorithms.base import Outputs, Services
from turnwise_agents.algorithms.dr_grpo import DrGRPO
from turnwise_agents.algorithms.grpo import GRPO, GRPOConfig
from turnwise_agents.algorithms.loop import LOOP
from turnwise_agents.algorithms.ppo import PPO, PPOConfig
from turnwise_agents.algorithms.reinforce import REINFORCE, REINFORCEConfig
from turnwise_agents.algorithms.reinforce_plus_plus import (
    REINFORCEPlusPlus,
    REINFORCEPlusPlusBaseline,
    REINFORCEPlusPlusConfig,
)
from turnwise_agents.algorithms.rloo import RLOO, RLOOConfig
from turnwise_agents.estimators import whiten
from turnwise_agents.scorer import Scorer
from turnwise_envs.errors import UsageError


class GivenNumbers:
    """A learner whose outputs are fixed: V by position in the sequence, KL of every token."""

    device = torch.device("cpu")

    def __init__(self, values=(), kl=0.0):
        self.values = values
        self.kl = kl

    def forward(self, items, needs=frozenset(), models=frozenset(), model="policy"):
        width = max(len(s.input_ids) for s in items)
        row = torch.zeros(max(width, len(self.values)), dtype=torch.float64)
        row[: len(self.values)] = torch.tensor(self.values, dtype=torch.float64)
        logprobs = torch.full((len(items), width), -1.0, dtype=torch.float64)
        return Outputs(
            logprobs=logprobs,
            values=row[:width].repeat(len(items), 1),
            models={name: logprobs - self.kl for name in models},
        )


def credits_of(algorithm, *groups, values=(), kl=0.0):
    learner = GivenNumbers(values, kl)
    services = Services(scorer=Scorer(learner), learner=learner, generate=None)
    algorithm.shape(list(groups), services)
    return {c.trajectory_id: c for c in algorithm.assign_credit(algorithm.select(list(groups)))}


def tokens_of(algorithm, *groups, **numbers):
    found = credits_of(algorithm, *groups, **numbers)
    return {name: c.token for name, c in found.items()}


def flat(rows):
    return [value for row in rows for value in row]


def binary_group():
    return group(*(outcome(str(i), value) for i, value in enumerate([1, 0, 0, 1])))


# ------------------------------------------------------------------ outcome baselines


def test_outcome_advantages_of_one_group():
    # r = [1, 0, 0, 1]: mean .5, unbiased std .57735.
    def of(algorithm):
        return [credit.turn[0] for credit in credits_of(algorithm, binary_group()).values()]

    signs = np.array([1, -1, -1, 1])
    assert of(GRPO(GRPOConfig(eps=1e-4))) == pytest.approx(signs * 0.865875, abs=1e-6)
    assert of(RLOO()) == pytest.approx(signs * 0.666667, abs=1e-6)
    assert of(LOOP()) == of(RLOO())
    assert of(DrGRPO()) == pytest.approx(signs * 0.5)
    for name in ("dapo", "gspo", "cispo", "sapo", "vespo"):
        assert of(ALGORITHMS[name]()) == of(GRPO())


def two_lengths():
    """Returns 1 over two tokens, and 0 over four."""
    return group(episode("a", [[5, 6]], [1.0]), episode("b", [[5] * 4], [0.0]))


def test_reinforce_plus_plus():
    # Returns that follow the tokens are [1, 1] and [0, 0, 0, 0]: mean 1/3, std sqrt(.26667).
    found = tokens_of(REINFORCEPlusPlus(), two_lengths())
    assert found["a"] == [pytest.approx([1.2909944] * 2, abs=1e-6)]
    assert found["b"] == [pytest.approx([-0.6454972] * 4, abs=1e-6)]
    # gamma .5: [.5, 1, 0, 0, 0, 0], mean .25, std sqrt(.175) = .4183300.
    halved = tokens_of(REINFORCEPlusPlus(REINFORCEPlusPlusConfig(gamma=0.5)), two_lengths())
    assert halved["a"] == [pytest.approx([0.5976143, 1.7928429], abs=1e-6)]
    assert halved["b"] == [pytest.approx([-0.5976143] * 4, abs=1e-6)]


def test_reinforce_plus_plus_pays_for_divergence_token_by_token():
    # k1 = .5 at each of a's three tokens, weight .1: rewards -.05, -.05 | 1 - .05.
    made = group(episode("a", [[5, 6], [7]], [0.0, 1.0]))
    algorithm = REINFORCEPlusPlus(REINFORCEPlusPlusConfig(kl_coef=0.1))
    found = tokens_of(algorithm, made, kl=0.5)
    returns = np.array([0.85, 0.9, 0.95])
    expected = whiten(returns).tolist()
    assert found["a"] == [pytest.approx(expected[:2]), pytest.approx(expected[2:])]
    assert algorithm.observe([made], None)["credit/kl"] == pytest.approx(0.5)


def test_reinforce_plus_plus_baseline_whitens_differences_within_groups():
    # Differences +.5 over two tokens, -.5 over four: the same shape as [1, 1, 0, 0, 0, 0].
    found = tokens_of(REINFORCEPlusPlusBaseline(), two_lengths())
    assert found["a"] == [pytest.approx([1.2909944] * 2, abs=1e-6)]
    # A group that taught nothing stays at 0, though the batch's mean is 1/6 below it.
    equal = group(*(outcome(f"c{i}", 1, group="h") for i in range(2)))
    both = tokens_of(REINFORCEPlusPlusBaseline(), two_lengths(), equal)
    assert both["c0"] == [[0.0, 0.0], [0.0, 0.0]]
    assert both["a"][0][0] > 0 > both["b"][0][0]


# ------------------------------------------------------------------ PPO

# Prompt [1, 2], tokens at positions 2 and 3, an observation, a token at position 5, an observation;
# V before the tokens .5, .6 and .8, and .5 after the last observation.
VALUES = (9.0, 9.0, 0.5, 0.6, 9.0, 0.8, 9.0, 0.5)
PLAIN = {"whiten_advantages": False, "kl_coef": 0.0, "invalid_action_penalty": 0.0}


def three_tokens(**fields):
    return group(episode("a", [[5, 6], [7]], [0.0, 1.0], **fields))


def test_ppo_by_token():
    credit = credits_of(PPO(PPOConfig(**PLAIN)), three_tokens(), values=VALUES)["a"]
    assert credit.token == [pytest.approx([0.4705, 0.39]), pytest.approx([0.2])]
    assert credit.turn == pytest.approx([0.43025, 0.2])  # mean over tokens, for the viewer
    assert credit.extras["value_targets"] == [pytest.approx([0.9705, 0.99]), pytest.approx([1.0])]
    assert credit.extras["old_values"] == [pytest.approx([0.5, 0.6]), pytest.approx([0.8])]


def test_ppo_by_turn():
    # Steps V = .5, .8 and rewards 0, 1: deltas .3, .2; A = .3 + .95 * .2, .2.
    algorithm = PPO(PPOConfig(level="turn", **PLAIN))
    credit = credits_of(algorithm, three_tokens(), values=VALUES)["a"]
    assert credit.token == [pytest.approx([0.49, 0.49]), pytest.approx([0.2])]
    # V is trained at the first token of each turn only.
    targets = credit.extras["value_targets"]
    assert targets == [pytest.approx([0.99, np.nan], nan_ok=True), pytest.approx([1.0])]


@pytest.mark.parametrize("stop", ["turns", "tokens", "context", "time"])
def test_ppo_bootstraps_where_a_limit_cut_the_episode(stop):
    # Last delta 1 + .5 - .8 = .7; then .2 + .95 * .7 = .865; then .1 + .95 * .865 = .92175.
    made = three_tokens(stop=stop)
    credit = credits_of(PPO(PPOConfig(**PLAIN)), made, values=VALUES)["a"]
    assert credit.token == [pytest.approx([0.92175, 0.865]), pytest.approx([0.7])]


def test_ppo_whitens_over_the_iteration_and_keeps_the_targets():
    fields = {**PLAIN, "whiten_advantages": True}
    credit = credits_of(PPO(PPOConfig(**fields)), three_tokens(), values=VALUES)["a"]
    expected = whiten(np.array([0.4705, 0.39, 0.2])).tolist()
    assert flat(credit.token) == pytest.approx(expected)
    assert flat(credit.extras["value_targets"]) == pytest.approx([0.9705, 0.99, 1.0])


def test_ppo_penalises_an_invalid_action_at_its_turn_only():
    fields = {**PLAIN, "invalid_action_penalty": 0.1}
    made = three_tokens(valid=[True, False])
    credit = credits_of(PPO(PPOConfig(**fields)), made, values=VALUES)["a"]
    assert credit.token == [pytest.approx([0.4705, 0.39]), pytest.approx([0.1])]
    assert flat(credit.extras["value_targets"]) == pytest.approx([0.9705, 0.99, 1.0])


def test_ppo_reports_how_well_the_values_fit():
    algorithm = PPO(PPOConfig(**PLAIN))
    made = three_tokens()
    credits_of(algorithm, made, values=VALUES)
    metrics = algorithm.observe([made], None)
    targets, values = np.array([0.9705, 0.99, 1.0]), np.array([0.5, 0.6, 0.8])
    expected = 1 - np.var(targets - values) / np.var(targets)
    assert metrics["credit/explained_variance"] == pytest.approx(expected)
    assert metrics["credit/value_mean"] == pytest.approx(values.mean())
    assert metrics["credit/return_mean"] == pytest.approx(targets.mean())


def test_the_reward_of_an_empty_completion_lies_on_the_last_decision_before_it():
    made = group(episode("a", [[5, 6], [], [7]], [0.0, 2.0, 1.0]))
    algorithm = PPO(PPOConfig(gae_lambda=1.0, **PLAIN))
    assert tokens_of(algorithm, made)["a"] == [[3.0, 3.0], [], [1.0]]
    leading = group(episode("a", [[], [7]], [5.0, 1.0]))
    assert tokens_of(algorithm, leading)["a"] == [[], [1.0]]


episodes = st.lists(
    st.lists(st.tuples(st.integers(-2, 2), st.integers(1, 3)), min_size=1, max_size=4),
    min_size=1,
    max_size=4,
)


def build(shape, tokens=None):
    made = [
        episode(str(i), [[5] * (tokens or n) for _, n in turns], [float(r) for r, _ in turns])
        for i, turns in enumerate(shape)
    ]
    return group(*made)


@given(episodes)
@settings(max_examples=30, deadline=None)
def test_ppo_without_values_and_with_lambda_one_is_reinforce(shape):
    made = build(shape)
    expected = REINFORCE(REINFORCEConfig(baseline="none", gamma=0.9)).assign_credit([made])
    by_turn = PPO(PPOConfig(level="turn", gamma=0.9, gae_lambda=1.0, **PLAIN))
    found = credits_of(by_turn, made)
    for credit in expected:
        assert found[credit.trajectory_id].turn == pytest.approx(credit.turn)


@given(episodes)
@settings(max_examples=30, deadline=None)
def test_levels_agree_where_every_turn_is_one_token(shape):
    made = build(shape, tokens=1)
    values = np.linspace(-1, 1, 12).tolist()
    by_token, by_turn = (
        credits_of(PPO(PPOConfig(level=level, gamma=0.9)), made, values=values)
        for level in ("token", "turn")
    )
    assert by_token == by_turn


@given(episodes)
@settings(max_examples=30, deadline=None)
def test_reinforce_plus_plus_is_ppo_without_a_critic(shape):
    made = build(shape)
    plain = {"kl_coef": 0.0, "gamma": 0.9}
    ppo = tokens_of(PPO(PPOConfig(gae_lambda=1.0, **plain)), made)
    assert tokens_of(REINFORCEPlusPlus(REINFORCEPlusPlusConfig(**plain)), made) == ppo


def test_kl_in_the_reward_of_an_outcome_baseline_is_summed_over_tokens():
    # The form of the RLOO paper: returns 1 - .1 * .5 * 2 tokens, and 0 - .1 * .5 * 4.
    config = RLOOConfig(kl_in_reward=True, kl_estimator="k1", kl_coef=0.1)
    found = credits_of(RLOO(config), two_lengths(), kl=0.5)
    assert found["a"].turn == pytest.approx([1.1])
    assert found["b"].turn == pytest.approx([-1.1])
    assert RLOO(config).needs.models == frozenset()  # the loss reads no reference


# ------------------------------------------------------------------ defaults

SHARED = {
    "group_size": 8,
    "groups_per_iteration": 16,
    "invalid_action_penalty": 0.01,
    "importance_correction": "off",
    "mask_truncated": False,
    "surrogate": "clip",
    "ratio_level": "token",
    "clip_ratio_low": 0.2,
    "clip_ratio_high": 0.2,
    "dual_clip": None,
    "kl_coef": 0.0,
    "kl_in_reward": False,
    "ent_coef": 0.0,
    "loss_aggregation": "token",
}
OWN = {
    "ppo": {
        "group_size": 1,
        "groups_per_iteration": 128,
        "level": "token",
        "gamma": 1.0,
        "gae_lambda": 0.95,
        "whiten_advantages": True,
        "vf_coef": 0.1,
        "value_clip": 0.2,
        "kl_coef": 0.05,
        "kl_estimator": "k1",
        "kl_in_reward": True,
    },
    "reinforce_plus_plus": {
        "group_size": 1,
        "groups_per_iteration": 128,
        "gamma": 1.0,
        "kl_coef": 0.01,
        "kl_estimator": "k1",
        "kl_in_reward": True,
    },
    "reinforce_plus_plus_baseline": {"kl_coef": 0.01, "kl_estimator": "k2"},
    "dr_grpo": {
        "normalize_std": False,
        "loss_aggregation": "constant",
        "max_completion_length": 3000,
    },
    "dapo": {
        "group_size": 16,
        "clip_ratio_high": 0.28,
        "normalize_std": True,
        "dynamic_sampling": True,
        "dynamic_metric": "episode_return",
        "max_waves": 10,
        "overlong_penalty": 1.0,
        "overlong_max_tokens": 20480,
        "overlong_cache_tokens": 4096,
    },
    "gspo": {
        "ratio_level": "sequence",
        "clip_ratio_low": 3e-4,
        "clip_ratio_high": 4e-4,
        "loss_aggregation": "sequence",
    },
    "cispo": {"surrogate": "cispo", "cispo_max_ratio": 5.0, "dual_clip": 3.0},
    "sapo": {
        "surrogate": "sapo",
        "sapo_temperatures": (1.0, 1.05),
        "loss_aggregation": "sequence",
        "dual_clip": 3.0,
    },
    "vespo": {
        "surrogate": "vespo",
        "ratio_level": "sequence_product",
        "vespo_positive": (2.0, 3.0),
        "vespo_negative": (3.0, 2.0),
        "dual_clip": 3.0,
    },
    "loop": {"group_size": 6},
}


@pytest.mark.parametrize("name", OWN)
def test_defaults_are_the_papers(name):
    expected = {**SHARED, **OWN[name]}
    found = dataclasses.asdict(ALGORITHMS[name].Config())
    assert {field: found[field] for field in expected} == expected


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("ppo", {"level": "word"}, "level must be one of"),
        ("ppo", {"gae_lambda": 1.5}, "gae_lambda must be in"),
        ("ppo", {"value_clip": 0.0}, "value_clip must be positive or None"),
        ("reinforce_plus_plus", {"gamma": -1.0}, "gamma must be"),
        ("dapo", {"max_waves": 64}, "max_waves must be in"),
        ("dapo", {"dynamic_metric": "score"}, "dynamic_metric must be one of"),
        ("dapo", {"overlong_cache_tokens": 0}, "overlong_cache_tokens must be positive"),
        ("sapo", {"sapo_temperatures": (0.0, 1.0)}, "sapo_temperatures must be positive"),
        ("vespo", {"ratio_level": "token"}, 'ratio_level must be "sequence_product"'),
        ("grpo", {"importance_floor": 3.0}, "importance_floor must be at most"),
        ("grpo", {"off_policy_mask": -1.0}, "off_policy_mask must be non-negative"),
        ("grpo", {"kl_estimator": "k4"}, "kl_estimator must be one of"),
    ],
)
def test_configurations_that_cannot_be(name, fields, message):
    with pytest.raises(UsageError, match=message):
        ALGORITHMS[name].Config(**fields)
