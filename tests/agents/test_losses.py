"""Losses against numbers computed by hand, gradients, and independence of how batches are cut."""

import math

import pytest
import torch

from turnwise_agents import losses
from turnwise_agents.batch import Norms

ONE = torch.ones(1, 1, dtype=torch.bool)


def row(*values):
    return torch.tensor([list(values)], dtype=torch.float64)


@pytest.mark.parametrize(
    ("advantage", "ratio", "expected"),
    [
        (1, 1.3, -1.28),  # cut at 1 + .28
        (1, 0.7, -0.7),  # a falling ratio of a good action is not cut
        (-1, 1.3, 1.3),  # a rising ratio of a bad action is not cut
        (-1, 0.7, 0.8),  # cut at 1 - .2
    ],
)
def test_clipped_surrogate(advantage, ratio, expected):
    loss = losses.clipped_surrogate(
        row(math.log(ratio)), row(advantage), clip_ratio_low=0.2, clip_ratio_high=0.28
    )
    assert loss.item() == pytest.approx(expected)


def test_dual_clip_bounds_bad_actions_only():
    # Ratio 5, A = -1: 5 without, min(5, 3) = 3 with.
    log_ratio = row(math.log(5))
    assert losses.clipped_surrogate(log_ratio, row(-1.0), dual_clip=3.0).item() == pytest.approx(3)
    assert losses.clipped_surrogate(log_ratio, row(-1.0)).item() == pytest.approx(5)
    assert losses.clipped_surrogate(log_ratio, row(1.0), dual_clip=3.0).item() == pytest.approx(
        -1.2
    )


@pytest.mark.parametrize(
    # -4 * sigmoid(0) = -2; -4 * sigmoid(.5) = -2.48984; (4 / 1.05) * sigmoid(.525) = 2.39359
    ("advantage", "ratio", "expected"),
    [(1, 1.0, -2.0), (1, 1.5, -2.48984), (-1, 1.5, 2.39359)],
)
def test_sapo(advantage, ratio, expected):
    loss = losses.sapo_loss(row(math.log(ratio)), row(float(advantage)))
    assert loss.item() == pytest.approx(expected, abs=1e-5)


def test_kl_estimators():
    # x = -.1: k1 -.1; k2 .01 / 2; k3 e^.1 - .1 - 1 = .00517092
    values = {
        kind: losses.kl_penalty(row(-1.0), row(-0.9), ONE, kind).item()
        for kind in ("k1", "k2", "k3")
    }
    assert values == pytest.approx({"k1": -0.1, "k2": 0.005, "k3": 0.00517092}, abs=1e-8)


def test_gradients_of_kl_estimators_as_losses():
    # Exact expectation over a three-token softmax: k1 gives 0, k2 KL(pi||ref), k3 KL(ref||pi).
    logits = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64, requires_grad=True)
    ref = torch.tensor([0.1, 0.4, -0.3], dtype=torch.float64).log_softmax(0)

    def gradient(function):
        logs = logits.log_softmax(0)
        (grad,) = torch.autograd.grad(function(logs), logits)
        return grad

    def expected(kind):
        mask = torch.ones(1, 3, dtype=torch.bool)

        def loss(logs):
            terms = losses.kl_penalty(logs[None], ref[None], mask, kind)[0]
            return (logs.exp().detach() * terms).sum()

        return gradient(loss)

    forward = gradient(lambda logs: (logs.exp() * (logs - ref)).sum())
    backward = gradient(lambda logs: (ref.exp() * (ref - logs)).sum())
    assert torch.allclose(expected("k1"), torch.zeros(3, dtype=torch.float64), atol=1e-12)
    assert torch.allclose(expected("k2"), forward, atol=1e-12)
    assert torch.allclose(expected("k3"), backward, atol=1e-12)


def test_sequence_ratio():
    # mean of .1, -.05, .2 is .083333: e^.083333 = 1.0869040; the product would be e^.25 = 1.2840254
    mask = torch.tensor([[True, True, True, False]])
    log_ratio = row(0.1, -0.05, 0.2, 0.0)
    ratio = losses.sequence_log_ratio(log_ratio, mask).exp()
    assert ratio[0].tolist() == pytest.approx([1.0869040] * 4)
    assert log_ratio.sum().exp().item() == pytest.approx(1.2840254)


def test_aggregations():
    # Token losses [-1, -1] and [.5] * 6: sequence (-1 + .5) / 2; token (-2 + 3) / 8;
    # constant (-2 + 3) / (2 * 8); trajectory (-2 + 3) / 2.
    loss = torch.full((2, 6), 0.5)
    loss[0] = -1.0
    mask = torch.ones(2, 6, dtype=torch.bool)
    mask[0, 2:] = False
    norms = Norms(tokens=8, segments=2, trajectories=2, groups=1)

    def value(mode):
        return losses.aggregate(loss, mask, norms, mode, max_tokens=8).item()

    assert value("sequence") == pytest.approx(-0.25)
    assert value("token") == pytest.approx(0.125)
    assert value("constant") == pytest.approx(0.0625)
    assert value("trajectory") == pytest.approx(0.5)
    with pytest.raises(ValueError, match="max_tokens must be positive"):
        losses.aggregate(loss, mask, norms, "constant")
    with pytest.raises(ValueError, match="mode must be one of"):
        losses.aggregate(loss, mask, norms, "mean")


def example(rows=8, length=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, length, 5, generator=generator, dtype=torch.float64)
    tokens = torch.randint(0, 5, (rows, length), generator=generator)
    mask = torch.rand(rows, length, generator=generator) < 0.6
    mask[:, 0] = True
    advantages = torch.randn(rows, length, generator=generator, dtype=torch.float64) * mask
    return logits, tokens, mask, advantages


def logprobs_of(logits, tokens):
    return logits.log_softmax(-1).gather(-1, tokens[..., None])[..., 0]


@pytest.mark.parametrize("mode", ["token", "sequence", "trajectory", "constant"])
def test_gradient_does_not_depend_on_the_cut(mode):
    logits, tokens, mask, advantages = example()
    norms = Norms(tokens=int(mask.sum()), segments=8, trajectories=4, groups=2)
    old = logprobs_of(logits, tokens) + 0.1

    def gradient(cut):
        leaf = logits.clone().requires_grad_()
        total = 0.0
        for start in range(0, 8, cut):
            part = slice(start, start + cut)
            logs = logprobs_of(leaf, tokens)[part]
            ratio = losses.masked_log_ratio(logs, old[part], mask[part])
            terms = losses.clipped_surrogate(ratio, advantages[part])
            loss = losses.aggregate(terms, mask[part], norms, mode, max_tokens=7)
            loss.backward()
            total += loss.item()
        return leaf.grad, total

    whole, value = gradient(8)
    for cut in (1, 2, 4):
        grad, part_value = gradient(cut)
        assert torch.allclose(grad, whole, atol=1e-14)
        assert part_value == pytest.approx(value)


def surrogates(log_ratio, logs, advantages):
    return {
        "clip": losses.clipped_surrogate(log_ratio, advantages, dual_clip=3.0),
        "cispo": losses.cispo_loss(log_ratio, logs, advantages),
        "sapo": losses.sapo_loss(log_ratio, advantages),
    }


@pytest.mark.parametrize("kind", ["clip", "cispo", "sapo"])
def test_at_ratio_one_every_gradient_is_that_of_reinforce(kind):
    logits, tokens, mask, advantages = example()
    leaf = logits.clone().requires_grad_()
    logs = logprobs_of(leaf, tokens)
    log_ratio = losses.masked_log_ratio(logs, logs.detach(), mask)
    norms = Norms(tokens=int(mask.sum()), segments=8, trajectories=8, groups=1)
    terms = surrogates(log_ratio, logs, advantages)[kind]
    (grad,) = torch.autograd.grad(losses.aggregate(terms, mask, norms), leaf)
    reinforce = -(advantages * logprobs_of(leaf, tokens))[mask].sum() / norms.tokens
    (expected,) = torch.autograd.grad(reinforce, leaf)
    assert torch.allclose(grad, expected, atol=1e-12)


@pytest.mark.parametrize("kind", ["clip", "cispo", "sapo"])
def test_masked_tokens_have_exactly_zero_gradient_and_padding_changes_nothing(kind):
    logits, tokens, mask, advantages = example()
    old = logprobs_of(logits, tokens) - 0.3
    old[~mask] = -1e4  # would overflow if it were exponentiated
    norms = Norms(tokens=int(mask.sum()), segments=8, trajectories=8, groups=1)

    def run(extra):
        wide = torch.cat([logits, torch.zeros(8, extra, 5, dtype=torch.float64)], 1)
        leaf = wide.requires_grad_()

        def pad(x):
            return torch.cat([x, torch.zeros(8, extra, dtype=x.dtype)], 1)

        logs = logprobs_of(leaf, pad(tokens))
        ratio = losses.masked_log_ratio(logs, pad(old), pad(mask))
        terms = surrogates(ratio, logs, pad(advantages))[kind]
        terms = terms + 0.1 * losses.kl_penalty(logs, pad(old), pad(mask), "k3")
        loss = losses.aggregate(terms, pad(mask), norms)
        (grad,) = torch.autograd.grad(loss, leaf)
        return loss.item(), grad

    loss, grad = run(0)
    assert math.isfinite(loss)
    assert (grad[~mask] == 0).all()
    assert (grad[mask].abs().sum(-1) > 0).any()
    wider, wide_grad = run(3)
    assert wider == pytest.approx(loss)
    assert (wide_grad[:, 7:] == 0).all()


@pytest.mark.parametrize("kind", ["clip", "sapo"])
def test_gradients_equal_finite_differences(kind):
    logits, tokens, mask, advantages = example(rows=2, length=3)
    old = logprobs_of(logits, tokens) + 0.05
    norms = Norms(tokens=int(mask.sum()), segments=2, trajectories=2, groups=1)

    def loss(leaf):
        logs = logprobs_of(leaf, tokens)
        ratio = losses.masked_log_ratio(logs, old, mask)
        return losses.aggregate(surrogates(ratio, logs, advantages)[kind], mask, norms)

    assert torch.autograd.gradcheck(loss, (logits.clone().requires_grad_(),))


def test_masked_sum():
    values = torch.tensor([[1.0, math.inf], [3.0, 4.0]])
    assert losses.masked_sum(values, torch.tensor([[True, False], [True, True]])).item() == 8.0


def test_importance_weights():
    mask = torch.tensor([[True, True, False]])
    old, sampler = row(-1.0, -1.0, 0.0), row(-1.5, -2.0, -9.0)

    def weights(mode, cap=2.0):
        return losses.importance_weights(old, sampler, mask, mode=mode, cap=cap)[0].tolist()

    # e^.5 = 1.64872, e^1 = 2.71828; the product e^1.5 = 4.48169
    assert weights("off") == [1, 1, 1]
    assert weights("token_truncate") == pytest.approx([1.64872, 2.0, 1.0], abs=1e-5)
    assert weights("token_mask") == pytest.approx([1.64872, 0.0, 1.0], abs=1e-5)
    assert weights("sequence_truncate", 3.0) == pytest.approx([3.0] * 3)
    assert weights("sequence_mask", 3.0) == [0, 0, 0]
    assert weights("sequence_mask", 5.0) == pytest.approx([4.48169] * 3, abs=1e-5)
    same = losses.importance_weights(old, old, mask, mode="sequence_mask", cap=1.0)
    assert same.tolist() == [[1, 1, 1]]


def test_nan_from_an_engine_counts_as_ratio_one():
    mask = torch.tensor([[True, True]])
    broken = row(math.nan, -2.0)
    weights = losses.importance_weights(
        row(-1.0, -2.0), broken, mask, mode="token_truncate", cap=2.0
    )
    assert weights.tolist() == [[1.0, 1.0]]
    logs = row(-1.0, -2.0).requires_grad_()
    ratio = losses.masked_log_ratio(logs, broken, mask)
    assert ratio.tolist() == [[0.0, 0.0]]
    (grad,) = torch.autograd.grad(losses.clipped_surrogate(ratio, row(1.0, 1.0)).sum(), logs)
    assert grad.tolist() == [[-1.0, -1.0]]


def test_ratio_metrics():
    # Ratios 1.5, .5, 1: k3 = (.5 - .405465) + (-.5 + .693147) + 0 = .287682, over 3 tokens.
    # A = +1 at 1.5 is clipped; A = +1 at .5 is not.
    log_ratio = row(math.log(1.5), math.log(0.5), 0.0)
    metrics = losses.ratio_metrics(
        log_ratio,
        torch.ones(1, 3, dtype=torch.bool),
        row(1.0, 1.0, 1.0),
        Norms(tokens=3, segments=1, trajectories=1, groups=1),
        clip_ratio_low=0.2,
        clip_ratio_high=0.2,
    )
    assert metrics == pytest.approx(
        {"approx_kl": 0.287682 / 3, "clip_fraction": 1 / 3, "ratio_mean": 1.0}, abs=1e-6
    )
