"""Ratio levels, value loss, sequence masks and further surrogates, against numbers by hand."""

import math

import pytest
import torch

from turnwise_agents import losses
from turnwise_agents.batch import Norms
from turnwise_envs.errors import UsageError


def row(*values):
    return torch.tensor([list(values)], dtype=torch.float64)


def mask(*values):
    return torch.tensor([[bool(v) for v in values]])


# Two turns of two tokens and one token; a prompt token in front, an observation between.
LOG_RATIO = row(9.0, 0.1, -0.05, 9.0, 0.2)
MASK = mask(0, 1, 1, 0, 1)
TURNS = torch.tensor([[-1, 0, 0, -1, 1]])


@pytest.mark.parametrize(
    # Turn 0: .1 - .05; turn 1: .2. All three: sum .25, mean .0833333.
    ("level", "expected"),
    [
        ("token", [0.1, -0.05, 0.2]),
        ("turn", [0.05, 0.05, 0.2]),
        ("sequence", [0.25 / 3] * 3),
        ("sequence_product", [0.25] * 3),
    ],
)
def test_ratio_levels(level, expected):
    leaf = LOG_RATIO.clone().requires_grad_()
    found = losses.group_log_ratio(leaf, MASK, TURNS, level)
    assert found[MASK].tolist() == pytest.approx(expected)
    (gradient,) = torch.autograd.grad(found[MASK].sum(), leaf)
    assert not gradient[~MASK].any()
    assert gradient[MASK].all()


def test_gspo_numbers():
    # log-ratios .1, -.05, .2: s = e^.0833333 = 1.0869040; the product would be 1.2840254.
    ratio = losses.group_log_ratio(LOG_RATIO, MASK, TURNS, "sequence").exp()
    assert ratio[0, 1].item() == pytest.approx(1.0869040)
    product = losses.group_log_ratio(LOG_RATIO, MASK, TURNS, "sequence_product").exp()
    assert product[0, 1].item() == pytest.approx(1.2840254)
    with pytest.raises(UsageError, match="level must be one of"):
        losses.group_log_ratio(LOG_RATIO, MASK, TURNS, "word")


def test_gspo_gradient_is_the_sequence_ratio_times_the_mean_gradient():
    # d/d log pi of mean_t(-s A) = -s A / 3 at each token, inside the clip.
    logprobs = torch.zeros(1, 5, dtype=torch.float64, requires_grad=True)
    log_ratio = losses.masked_log_ratio(logprobs, -LOG_RATIO, MASK)
    log_ratio = losses.group_log_ratio(log_ratio, MASK, TURNS, "sequence")
    terms = losses.clipped_surrogate(log_ratio, torch.full((1, 5), 2.0).double())
    norms = Norms(tokens=3, segments=1, trajectories=1, groups=1)
    loss = losses.aggregate(terms, MASK, norms, "sequence")
    assert loss.item() == pytest.approx(-2 * 1.0869040)
    (gradient,) = torch.autograd.grad(loss, logprobs)
    assert gradient[MASK].tolist() == pytest.approx([-2 * 1.0869040 / 3] * 3)


def test_cispo_bounds_the_weight_and_keeps_the_gradient():
    # Weights e^2 = 7.389 -> 5 and e^-1 = .36788, which has no lower bound.
    logprobs = row(-1.0, -2.0).requires_grad_()
    loss = losses.cispo_loss(row(2.0, -1.0), logprobs, row(1.0, -1.0))
    assert loss[0].tolist() == pytest.approx([5.0, -2 * 0.3678794])
    (gradient,) = torch.autograd.grad(loss.sum(), logprobs)
    assert gradient[0].tolist() == pytest.approx([-5.0, 0.3678794])


def test_vespo():
    # w = 2. A > 0: (2, 3), phi = e^(3 + 2 ln 2 - 6) = 4 e^-3 = .1991483.
    # A < 0: (3, 2), phi = e^(2 + 3 ln 2 - 4) = 8 e^-2 = 1.0826823. phi(1) = 1.
    logprobs = row(-1.0, -1.0).requires_grad_()
    loss = losses.vespo_loss(row(math.log(2), math.log(2)), logprobs, row(1.0, -1.0))
    assert loss[0].tolist() == pytest.approx([0.1991483, -1.0826823])
    (gradient,) = torch.autograd.grad(loss.sum(), logprobs)
    assert gradient[0].tolist() == pytest.approx([-0.1991483, 1.0826823])
    one = losses.vespo_loss(row(0.0, 0.0), logprobs, row(1.0, -1.0))
    assert one[0].tolist() == pytest.approx([1.0, -1.0])


def test_sapo_fades_the_gradient_around_ratio_one():
    # 4 p (1 - p) with p = sigmoid(tau (rho - 1)): at rho = 2, .7864477 (tau 1), .7682 (tau 1.05).
    for advantage, tau in ((1.0, 1.0), (-1.0, 1.05)):
        log_ratio = row(0.0, math.log(2)).requires_grad_()
        loss = losses.sapo_loss(log_ratio, row(advantage, advantage))
        (gradient,) = torch.autograd.grad(loss.sum(), log_ratio)
        p = 1 / (1 + math.exp(-tau))
        expected = [-advantage, -advantage * 4 * p * (1 - p) * 2]  # d rho / d log rho = rho
        assert gradient[0].tolist() == pytest.approx(expected)


def test_value_loss():
    # R = 1. V .5 from .4, within .2: .125. V 1 from .5: clipped to .7, (.3)^2 / 2 = .045 > 0.
    # V .9 from 2: clipped to 1.8, .64 / 2. The last is not trained.
    values = row(0.5, 1.0, 0.9, 3.0).requires_grad_()
    old, targets = row(0.4, 0.5, 2.0, 0.0), row(1.0, 1.0, 1.0, math.nan)
    loss, clipped = losses.value_loss(values, old, targets, value_clip=0.2)
    assert loss[0].tolist() == pytest.approx([0.125, 0.045, 0.32, 0.0])
    assert clipped[0].tolist() == [False, True, True, False]
    (gradient,) = torch.autograd.grad(loss.sum(), values)
    assert gradient[0].tolist() == pytest.approx([-0.5, 0.0, 0.0, 0.0])
    plain, _ = losses.value_loss(values, old, targets, value_clip=None)
    assert plain[0].tolist() == pytest.approx([0.125, 0.0, 0.005, 0.0])


def test_off_policy_mask_drops_bad_tokens_of_sequences_that_drifted():
    # Mean gap (.3 + .1) / 2 = .2 over the two tokens under the mask.
    seen, sampled = row(-1.3, -1.1, -9.0), row(-1.0, -1.0, 0.0)

    def kept(threshold):
        return losses.off_policy_mask(
            seen, sampled, row(-1.0, 1.0, 0.0), mask(1, 1, 0), threshold=threshold
        )[0].tolist()

    assert kept(0.1) == [False, True, True]
    assert kept(0.3) == [True, True, True]
    broken = losses.off_policy_mask(
        seen, row(math.nan, math.nan, 0.0), row(-1.0, -1.0, 0.0), mask(1, 1, 0), threshold=0.0
    )
    assert broken.all()


def test_importance_weights_have_a_floor():
    # Ratios e^-1 = .36788 and e^1 = 2.71828.
    def weights(mode):
        found = losses.importance_weights(
            row(-2.0, -1.0), row(-1.0, -2.0), mask(1, 1), mode=mode, cap=3.0, floor=0.5
        )
        return found[0].tolist()

    assert weights("token_truncate") == pytest.approx([0.5, 2.7182818])
    assert weights("token_mask") == pytest.approx([0.0, 2.7182818])
    assert weights("sequence_mask") == pytest.approx([1.0, 1.0])


def test_dual_clip_fraction():
    metrics = losses.ratio_metrics(
        row(math.log(4.0), math.log(4.0), 0.0),
        mask(1, 1, 1),
        row(-1.0, 1.0, -1.0),
        Norms(tokens=3, segments=1, trajectories=1, groups=1),
        clip_ratio_low=0.2,
        clip_ratio_high=0.2,
        dual_clip=3.0,
    )
    assert metrics["dual_clip_fraction"] == pytest.approx(1 / 3)
    assert metrics["clip_fraction"] == pytest.approx(1 / 3)
