"""OPRL's estimators, its loss, and its gradients across micro-batches.

`test_loss_gradients.py` compares them with finite differences.
"""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_model import small_model

from turnwise_agents.algorithms.base import Services
from turnwise_agents.batch import Norms
from turnwise_agents.estimators import preference_pairs, step_reward_advantages
from turnwise_agents.estimators.table import TurnTable
from turnwise_agents.learners.hf import HFLearner, HFLearnerConfig
from turnwise_agents.learners.tabular import TabularLearner, TabularLearnerConfig
from turnwise_agents.losses import aggregate, group_log_ratio, preference_loss
from turnwise_agents.reward_model import ImplicitRewardModel, pair_metrics
from turnwise_agents.scorer import Scorer
from turnwise_agents.tabular import TabularVocabulary
from turnwise_agents.two_pass import backward_through_sums, sums
from turnwise_agents.types import Generation, Group, Trajectory, Turn
from turnwise_envs.errors import UsageError

BETA = 0.05
LOG_RATIOS = np.array([2.0, 4.0, 1.0, -1.0])  # two steps of the better episode, two of the worse
GROUPS = np.zeros(4, dtype=int)


# ------------------------------------------------------------------ estimators


def test_step_advantages_of_the_example():
    rewards = BETA * LOG_RATIOS
    np.testing.assert_allclose(rewards, [0.10, 0.20, 0.05, -0.05])
    for name, expected in (
        ("std", [0.24019, 1.20095, -0.24019, -1.20095]),  # mean .075, unbiased std .104083
        ("leave_one_out", [0.03333, 0.16667, -0.03333, -0.16667]),
        ("max", [0.5, 1.0, 0.25, -0.25]),
    ):
        found = step_reward_advantages(rewards, GROUPS, normalization=name)
        np.testing.assert_allclose(found, expected, atol=2e-5)


def test_the_baseline_holds_every_step():
    """The released code's holds one arbitrary step of each trajectory: .10 and .05 here."""
    rewards = BETA * LOG_RATIOS
    ours = step_reward_advantages(rewards, GROUPS, normalization="leave_one_out")
    assert ours.sum() == pytest.approx(0.0)
    first_rows_only = rewards - np.mean([0.10, 0.05])
    assert np.abs(ours - first_rows_only).max() > 0.02
    # What any step of the group is worth moves the others' advantages.
    moved = step_reward_advantages(rewards + np.eye(4)[1], GROUPS, normalization="leave_one_out")
    assert moved[0] == pytest.approx(ours[0] - 1 / 3)


def test_groups_are_compared_by_themselves_and_degenerate_ones_give_zero():
    rewards = np.array([0.1, 0.3, 5.0, 2.0, 2.0])
    found = step_reward_advantages(rewards, np.array([0, 0, 1, 2, 2]), eps=0.0)
    np.testing.assert_allclose(found, [-0.70711, 0.70711, 0.0, 0.0, 0.0], atol=1e-5)
    for name in ("std", "leave_one_out", "max"):
        np.testing.assert_array_equal(
            step_reward_advantages(np.zeros(3), np.zeros(3), normalization=name, eps=0.0),
            np.zeros(3),
        )
        assert len(step_reward_advantages(np.zeros(0), np.zeros(0), normalization=name)) == 0
    with pytest.raises(UsageError, match="normalization"):
        step_reward_advantages(rewards, np.zeros(5), normalization="batch")


def test_pairs_are_all_successes_with_all_failures_of_a_group():
    outcomes = np.array([1.0, 0.0, 0.5, 0.0, 1.0, 0.0])
    groups = np.array([0, 0, 0, 0, 1, 2])
    assert preference_pairs(outcomes, groups).tolist() == [[0, 1], [0, 3], [2, 1], [2, 3]]
    ranked = preference_pairs(outcomes, groups, threshold=None)
    assert ranked.tolist() == [[0, 1], [0, 2], [0, 3], [2, 1], [2, 3]]
    high = preference_pairs(outcomes, groups, threshold=0.7)
    assert high.tolist() == [[0, 1], [0, 2], [0, 3]]
    assert preference_pairs(np.ones(3), np.zeros(3)).shape == (0, 2)
    assert preference_pairs(np.zeros(0), np.zeros(0)).shape == (0, 2)


# ------------------------------------------------------------------ the loss


def test_loss_of_the_example():
    pairs = torch.tensor([[0, 1]])
    for scores, expected in (
        ([BETA * 6, BETA * 0], 0.554355),  # sums over steps: margin .30
        ([BETA * 3, BETA * 0], 0.620957),  # means: margin .15
        ([0.0, 0.0], math.log(2)),
        ([-1e4, 1e4], 2e4),  # -log(sigmoid(x)) would be infinite
    ):
        loss = preference_loss(torch.tensor(scores, dtype=torch.float64), pairs)
        assert float(loss) == pytest.approx(expected, abs=1e-6)
    nothing = preference_loss(torch.zeros(2, requires_grad=True), torch.zeros(0, 2).long())
    nothing.backward()
    assert float(nothing.detach()) == 0.0


def test_turns_are_averaged_whatever_their_length():
    # Turn 0 has two tokens of 1 and 3, turn 1 one of 5; another row has one turn of 2.
    loss = torch.tensor([[1.0, 3.0, 9.0, 5.0], [2.0, 9.0, 9.0, 9.0]])
    mask = torch.tensor([[1, 1, 0, 1], [1, 0, 0, 0]]).bool()
    turns = torch.tensor([[0, 0, -1, 1], [3, -1, -1, -1]])
    norms = Norms(tokens=4, segments=2, trajectories=2, groups=1, turns=3)
    found = aggregate(loss, mask, norms, "turn", turn_indices=turns)
    assert float(found) == pytest.approx((2 + 5 + 2) / 3)
    with pytest.raises(ValueError, match="turn_indices"):
        aggregate(loss, mask, norms, "turn")


def test_the_ratio_of_whole_actions():
    log_ratio = torch.tensor([[0.1, 0.2, 0.0, -0.3], [0.0, 15.0, 15.0, 0.0]])
    mask = torch.tensor([[1, 1, 0, 1], [0, 1, 1, 0]]).bool()
    turns = torch.tensor([[0, 0, -1, 1], [-1, 4, 4, -1]])
    found = group_log_ratio(log_ratio, mask, turns, "turn")
    # exp(30) would not help anybody: bounded at 20.
    expected = torch.tensor([[0.3, 0.3, 0.0, -0.3], [0.0, 20.0, 20.0, 0.0]])
    torch.testing.assert_close(found, expected)
    assert torch.equal(group_log_ratio(log_ratio, mask, turns, "token"), log_ratio)


# ------------------------------------------------------------------ two passes


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=1, max_size=5),
    st.integers(0, 5),
)
@settings(max_examples=40, deadline=None)
def test_two_passes_give_the_gradient_of_one(micros, seed):
    """Against autograd over all micro-batches at once, in float64."""
    torch.manual_seed(seed)
    theta = torch.randn(3, dtype=torch.float64, requires_grad=True)
    inputs = [torch.randn(len(m), 3, dtype=torch.float64) for m in micros]
    index = [torch.tensor(m) for m in micros]

    def contribution(i):
        return index[i], torch.tanh(inputs[i] @ theta)

    def loss(total):
        return -torch.nn.functional.logsigmoid(total[0] * total[1] - total[2]) + total[3] ** 2

    total = torch.zeros(4, dtype=torch.float64)
    for i in range(len(micros)):
        total = total.index_add(0, *contribution(i))
    (expected,) = torch.autograd.grad(loss(total), theta)
    numbers = range(len(micros))
    collected = sums(numbers, contribution, 4)
    torch.testing.assert_close(collected, total.detach())
    value = backward_through_sums(
        numbers, contribution, collected, loss, lambda part: part.backward()
    )
    assert value == pytest.approx(float(loss(total).detach()))
    torch.testing.assert_close(theta.grad if theta.grad is not None else expected * 0, expected)


# ------------------------------------------------------------------ the reward model


def make_services(**config):
    model = small_model(30)
    learner = HFLearner(model, HFLearnerConfig(learning_rate=1e-2, **config))
    learner.add_model("reward", trainable=True, learning_rate_factor=2.0)
    return Services(scorer=Scorer(learner), learner=learner, generate=None)


def trajectory(name, lengths, seed, *, window=False):
    """Turns of random tokens; with `window` each prompt stands alone, a segment per turn."""
    rng = np.random.default_rng(seed)
    ids, turns = [], []
    for i, length in enumerate(lengths):
        ids = ([] if window else ids) + rng.integers(1, 30, 4).tolist()
        completion = rng.integers(1, 30, length).tolist()
        generation = Generation(
            prompt_ids=list(ids), completion_ids=completion, sampler_logprobs=[-1.0] * length
        )
        turns.append(Turn(turn_index=i, observation="", generations=[generation]))
        ids = ids + completion
    return Trajectory(env_id="e", task_id="t", group_id="g", trajectory_id=name, turns=turns)


def table(window=False):
    shapes = [[3, 1, 4], [2, 2], [1], [5, 2, 1, 1]]
    members = [trajectory(str(i), s, i, window=window) for i, s in enumerate(shapes)]
    return TurnTable([Group(group_id="g", env_id="e", task_id="t", trajectories=members)])


PAIRS = np.array([[0, 1], [0, 2], [3, 1], [3, 2]])


def shaken(services, name="reward", scale=0.05):
    """Moves a model away from the policy."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in services.learner.models[name].parameters():
            p.add_(scale * torch.randn(p.shape, generator=generator))
    return services


@pytest.mark.parametrize("window", [False, True])
def test_at_the_start_rewards_are_zero_and_the_loss_is_ln_2(window):
    model = ImplicitRewardModel(make_services(), "reward", table(window), beta=BETA)
    log_ratios = model.log_ratios()
    np.testing.assert_array_equal(log_ratios, np.zeros(10))
    assert model.update(log_ratios, PAIRS)["reward_model/loss"] == pytest.approx(math.log(2))


@pytest.mark.parametrize("window", [False, True])
@pytest.mark.parametrize("tokens", [1, 40, 10_000])
def test_log_ratios_are_sums_over_the_actions_tokens(window, tokens):
    services, made = shaken(make_services()), table(window)
    model = ImplicitRewardModel(services, "reward", made, beta=BETA, micro_batch_tokens=tokens)
    expected = []
    for turn in made.turns:
        (generation,) = turn.generations
        pair = [
            services.scorer.logprobs(
                [generation.prompt_ids], [generation.completion_ids], model=name
            )[0]
            for name in ("reward", "policy")
        ]
        expected.append(sum(pair[0]) - sum(pair[1]))
    log_ratios = model.log_ratios()
    np.testing.assert_allclose(log_ratios, expected, atol=1e-4)
    # sum_t r = beta * the trajectory's log-ratio; the mean form divides by its turns.
    per_trajectory = np.add.reduceat(log_ratios, [0, 3, 5, 6])
    np.testing.assert_allclose(model.scores(log_ratios), BETA * per_trajectory)
    model.mean = True
    np.testing.assert_allclose(
        model.scores(log_ratios), BETA * per_trajectory / np.array([3, 2, 1, 4])
    )


@pytest.mark.parametrize("floor", [0.01, 0.2])
def test_rewards_are_bounded_by_the_least_probability(floor):
    """|r| <= beta log(1 / floor), where both models give every action at least that much."""
    vocabulary = TabularVocabulary()
    row = vocabulary.row("e", "t", "s", ["a", "b", "c"])
    learner = TabularLearner(TabularLearnerConfig(), vocabulary)
    learner.add_model("reward", trainable=True)
    rng = np.random.default_rng(0)
    most = 1 - 2 * floor
    rows = [[1, 0, 0], [0, 1, 0], *rng.dirichlet(np.ones(3), 20)]
    rows = [floor + (most - floor) * np.array(p) for p in rows]
    services = Services(scorer=Scorer(learner), learner=learner, generate=None)
    made = Trajectory(
        env_id="e",
        task_id="t",
        group_id="g",
        trajectory_id="a",
        turns=[
            Turn(
                turn_index=i,
                observation="",
                generations=[
                    Generation(prompt_ids=[row], completion_ids=[i], sampler_logprobs=[0.0])
                ],
            )
            for i in range(3)
        ],
    )
    table = TurnTable([Group(group_id="g", env_id="e", task_id="t", trajectories=[made])])
    largest = 0.0
    for ours, theirs in itertools.pairwise(rows):
        learner.weights()[row, :3] = np.log(ours)
        learner._models["reward"].values[row, :3] = torch.from_numpy(np.log(theirs))
        rewards = BETA * ImplicitRewardModel(services, "reward", table, beta=BETA).log_ratios()
        assert np.abs(rewards).max() <= BETA * math.log(1 / floor)
        largest = max(largest, np.abs(rewards).max())
    assert largest == pytest.approx(BETA * math.log(most / floor))


def gradients(services, name="reward"):
    return torch.cat(
        [
            (torch.zeros_like(p) if p.grad is None else p.grad).flatten()
            for p in services.learner.models[name].parameters()
        ]
    )


class NoStep:
    """Keeps the gradient that an update would take, for the tests to look at."""

    def __init__(self, learner):
        self.learner = learner

    def __getattr__(self, name):
        return getattr(self.learner, name)

    def step(self):
        return {}


def loss_gradient(window, tokens, mean=False):
    services = shaken(make_services())
    services.learner = NoStep(services.learner)
    model = ImplicitRewardModel(
        services, "reward", table(window), beta=0.5, mean=mean, micro_batch_tokens=tokens
    )
    loss = model.update(model.log_ratios(), PAIRS)["reward_model/loss"]
    return loss, gradients(services), gradients(services, "policy")


@pytest.mark.parametrize("window", [False, True])
@pytest.mark.parametrize("mean", [False, True])
def test_gradients_do_not_depend_on_the_cut_and_reach_the_reward_model_alone(window, mean):
    whole = loss_gradient(window, 10_000, mean)
    assert whole[1].abs().max() > 1e-4
    assert whole[2].abs().max() == 0.0
    for tokens in (1, 40):
        loss, gradient, _ = loss_gradient(window, tokens, mean)
        assert loss == pytest.approx(whole[0], abs=1e-6)
        torch.testing.assert_close(gradient, whole[1], atol=1e-5, rtol=1e-3)


def test_updates_change_the_reward_model_and_teach_it_the_pairs():
    """The released code detaches the log-ratios, so that its reward model never moves."""
    services = make_services()
    before = [p.clone() for p in services.learner.models["reward"].parameters()]
    policy = [p.clone() for p in services.learner.model.parameters()]
    model = ImplicitRewardModel(services, "reward", table(), beta=BETA)
    first = model.update(model.log_ratios(), PAIRS)
    after = list(services.learner.models["reward"].parameters())
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert first["reward_model/grad_norm"] > 0
    for _ in range(10):
        last = model.update(model.log_ratios(), PAIRS)
    assert last["reward_model/loss"] < first["reward_model/loss"] - 0.05
    metrics = pair_metrics(model.scores(model.log_ratios()), PAIRS, np.zeros(4, dtype=int))
    assert metrics["reward_model/accuracy"] == 1.0
    assert metrics["reward_model/margin"] > 0
    untouched = list(services.learner.model.parameters())
    assert all(torch.equal(a, b) for a, b in zip(policy, untouched, strict=True))


def test_what_scoring_costs_is_counted():
    services = make_services()
    model = ImplicitRewardModel(services, "reward", table(), beta=BETA)
    model.update(model.log_ratios(), PAIRS)
    stats = services.scorer.take_stats()
    assert stats["scoring_s"] > 0
    last = [t.turns[-1].generations[0] for t in table().trajectories]
    tokens = sum(len(g.prompt_ids) + len(g.completion_ids) for g in last)
    assert stats["scored_tokens"] == 3 * tokens  # both models without gradient, one with it
    assert stats["scoring_forwards"] == 3


def test_empty_completions_and_nothing_at_all():
    services = make_services()
    empty = TurnTable(
        [
            Group(
                group_id="g",
                env_id="e",
                task_id="t",
                trajectories=[trajectory("a", [0, 0], 0), trajectory("b", [0], 1)],
            )
        ]
    )
    model = ImplicitRewardModel(services, "reward", empty, beta=BETA)
    np.testing.assert_array_equal(model.log_ratios(), np.zeros(3))
    assert model.update(np.zeros(3), np.array([[0, 1]]))["reward_model/loss"] == pytest.approx(
        math.log(2)
    )
    nothing = ImplicitRewardModel(services, "reward", TurnTable([]), beta=BETA)
    assert len(nothing.log_ratios()) == len(nothing.scores(np.zeros(0))) == 0


def test_metrics_of_pairs():
    scores = np.array([1.0, 0.0, 1.0, 3.0])
    pairs = np.array([[0, 1], [0, 2], [1, 2]])
    found = pair_metrics(scores, pairs, np.array([0, 0, 0, 1]))
    assert found == {
        "reward_model/pairs": 3.0,
        "reward_model/groups_without_pairs": 0.5,
        "reward_model/accuracy": 0.5,  # right, tie, wrong
        "reward_model/margin": 0.0,
    }
    assert pair_metrics(np.zeros(0), np.zeros((0, 2), int), np.zeros(0)) == {
        "reward_model/pairs": 0.0,
        "reward_model/groups_without_pairs": 0.0,
    }
