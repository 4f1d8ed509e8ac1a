"""What must hold of the losses: at ratio one, under importance weights, and between equal forms."""

import math

import pytest
import torch
from records import GoldTokens, episode, group
from small_model import small_model

from turnwise_agents import losses
from turnwise_agents.algorithms import ALGORITHMS
from turnwise_agents.algorithms.base import Outputs, Services
from turnwise_agents.learners.hf import HFLearner
from turnwise_agents.scorer import Scorer
from turnwise_agents.segments import count_norms, make_batch, segments

PLAIN = {"kl_coef": 0.0, "ent_coef": 0.0}


def batch_of(algorithm, sampled=None):
    """Two episodes of three and five tokens, credited; `sampled` shifts the sampler's numbers."""
    learner = HFLearner(small_model(10))
    algorithm.setup(learner)
    made = [
        group(
            episode("a", [[5, 6], [7]], [0.0, 1.0], score=1.0, reference=["x"]),
            episode("b", [[5, 6, 7, 8], [9]], [0.0, 0.0], reference=["x"]),
        )
    ]
    services = Services(
        scorer=Scorer(learner), learner=learner, generate=None, answers=GoldTokens(7)
    )
    algorithm.shape(made, services)
    credits = {c.trajectory_id: c for c in algorithm.assign_credit(made)}
    items = [s for t in made[0].valid for s in segments(t, credits[t.trajectory_id])]
    batch = make_batch(items, count_norms(items), torch.device("cpu"))
    if sampled is not None:
        batch.sampler_logprobs = batch.old_logprobs - sampled
    return batch


def loss_of(algorithm, batch, logprobs, **models):
    zeros = torch.zeros_like(logprobs)
    loss, metrics = algorithm.loss(Outputs(logprobs, zeros, zeros, models), batch)
    return loss, metrics


def spread_over(values, groups):
    """Returns the sum of `values` over the tokens of equal `groups`, at each of them."""
    return torch.stack([values[groups == g].sum() for g in groups.flatten()]).view(groups.shape)


def normaliser(config, batch):
    """Returns [B, L]: what divides a token's -A where all ratios are 1."""
    mask = batch.loss_mask.to(torch.float32)
    rows = torch.arange(len(mask))[:, None].expand_as(mask)
    if config.loss_aggregation == "token":
        return torch.full_like(mask, batch.norms.tokens)
    if config.loss_aggregation == "constant":
        return torch.full_like(mask, batch.norms.segments * config.max_completion_length)
    if config.loss_aggregation == "sequence":
        return batch.norms.segments * spread_over(mask, rows)
    assert (config.loss_aggregation, config.ratio_level) == ("turn", "turn")
    return torch.full_like(mask, batch.norms.turns)  # the whole action's ratio, once a turn


@pytest.mark.parametrize("name", ALGORITHMS)
def test_at_ratio_one_every_gradient_is_that_of_reinforce(name):
    algorithm = ALGORITHMS[name](ALGORITHMS[name].Config(**PLAIN))
    batch = batch_of(algorithm)
    leaf = batch.old_logprobs.clone().requires_grad_()
    loss, metrics = loss_of(algorithm, batch, leaf)
    loss.backward()
    expected = -batch.advantages / normaliser(algorithm.config, batch)
    assert batch.advantages.any()
    torch.testing.assert_close(leaf.grad, expected)
    assert not leaf.grad[~batch.loss_mask].any()
    assert metrics["ratio_mean"] == pytest.approx(1.0)
    assert metrics["approx_kl"] == metrics["clip_fraction"] == 0.0


@pytest.mark.parametrize("name", ALGORITHMS)
def test_masked_positions_have_exactly_zero_gradient_away_from_ratio_one(name):
    config = ALGORITHMS[name].Config(kl_coef=0.1, kl_in_reward=False, ent_coef=0.1)
    algorithm = ALGORITHMS[name](config)
    batch = batch_of(algorithm)
    shift = torch.where(batch.loss_mask, 0.07, 1e4)  # would overflow if it were exponentiated
    leaf = (batch.old_logprobs + shift).requires_grad_()
    loss, metrics = loss_of(algorithm, batch, leaf, ref=leaf.detach() - 0.1)
    loss.backward()
    assert not leaf.grad[~batch.loss_mask].any()
    assert leaf.grad[batch.loss_mask].any()
    assert all(map(math.isfinite, metrics.values()))


@pytest.mark.parametrize(
    # Weights e^.2, one and five times: 1.2214 a token, e^.6 and e^1 a sequence.
    ("mode", "weights"),
    [
        ("token_truncate", [1.1, 1.1]),
        ("token_mask", [0.0, 0.0]),
        ("sequence_truncate", [1.1, 1.1]),
        ("sequence_mask", [0.0, 0.0]),
    ],
)
def test_importance_weights_multiply_the_policy_loss_and_not_the_kl(mode, weights):
    fields = {"importance_correction": mode, "importance_cap": 1.1}
    grpo = ALGORITHMS["grpo"]
    plain, both = (
        grpo(grpo.Config(kl_coef=kl_coef, ent_coef=0.0, **fields)) for kl_coef in (0.0, 0.5)
    )
    batch = batch_of(plain, sampled=0.2)
    uncorrected = grpo(grpo.Config(**PLAIN))
    logprobs = batch.old_logprobs.clone()
    weighted, metrics = loss_of(plain, batch, logprobs)
    expected = sum(
        -float(w * row[mask].sum()) / batch.norms.tokens
        for w, row, mask in zip(weights, batch.advantages, batch.loss_mask, strict=True)
    )
    assert float(weighted) == pytest.approx(expected, abs=1e-6)
    assert metrics["importance_masked"] == float(not any(weights))
    # k3 of x = .3 at every token: e^-.3 + .3 - 1.
    with_kl, _ = loss_of(both, batch, logprobs, ref=logprobs - 0.3)
    assert float(with_kl - weighted) == pytest.approx(0.5 * (math.exp(-0.3) - 0.7), abs=1e-6)
    # Sampler and trainer agree: the ratio is 1 and nothing is corrected or masked.
    batch.sampler_logprobs = batch.old_logprobs
    same, metrics = loss_of(plain, batch, logprobs)
    assert float(same) == pytest.approx(float(loss_of(uncorrected, batch, logprobs)[0]))
    assert (metrics["importance_weight"], metrics["importance_masked"]) == (1.0, 0.0)


def test_the_dual_clip_is_the_two_sided_clip():
    """min(rho, delta) in the first term, for delta of at least 1 + high (INTELLECT-2)."""
    log_ratio = torch.linspace(-2.0, 3.0, 101, dtype=torch.float64)[None]
    for advantage in (-1.5, -1.0, 0.0, 1.0, 1.5):
        values = torch.full_like(log_ratio, advantage)
        ratio = log_ratio.exp()
        bounded = torch.minimum(
            ratio.clamp(max=3.0) * values, ratio.clamp(1 - 0.2, 1 + 0.28) * values
        )
        found = losses.clipped_surrogate(
            log_ratio, values, clip_ratio_low=0.2, clip_ratio_high=0.28, dual_clip=3.0
        )
        torch.testing.assert_close(found, -bounded)


def test_the_token_form_of_gspo_has_the_same_gradient():
    """sg[s_i] * pi_t / sg[pi_t], as verl computes it, where a sequence shares its advantage."""
    old = torch.tensor([[-1.0, -2.0, -0.5], [-0.3, -1.2, 0.0]], dtype=torch.float64)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    advantages = torch.tensor([[0.7] * 3, [-1.3] * 3], dtype=torch.float64)
    now = old + torch.tensor([[0.01, -0.02, 0.03], [0.02, -0.01, 0.0]])

    def gradient(form):
        leaf = now.clone().requires_grad_()
        log_ratio = losses.sequence_log_ratio(losses.masked_log_ratio(leaf, old, mask), mask)
        if form == "token":
            log_ratio = log_ratio.detach() + leaf - leaf.detach()
        terms = losses.clipped_surrogate(
            log_ratio, advantages, clip_ratio_low=0.02, clip_ratio_high=0.02
        )
        norms = count_norms([])
        loss = losses.aggregate(terms, mask, norms, "sequence")
        return torch.autograd.grad(loss, leaf)[0]

    torch.testing.assert_close(gradient("token"), gradient("sequence"))
    assert gradient("sequence")[mask].all()
