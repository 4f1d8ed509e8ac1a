"""Policy losses as pure functions over padded [B, L] tensors and a mask.

Per-token terms are not reduced; `aggregate` reduces them to a SUM over the micro-batch divided by a
count of the whole minibatch (`Norms`), so a minibatch gives the same gradient however it is cut.
Masked positions are replaced before any exponential: their gradient is exactly zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from turnwise_agents.estimators.checks import expect_choice, expect_equal_shape, expect_rank

if TYPE_CHECKING:
    from turnwise_agents.batch import Norms

KLEstimator = Literal["k1", "k2", "k3"]
LossAggregation = Literal["token", "turn", "sequence", "trajectory", "constant"]
RatioLevel = Literal["token", "turn", "sequence", "sequence_product"]
Correction = Literal["off", "token_truncate", "token_mask", "sequence_truncate", "sequence_mask"]

MAX_LOG_RATIO = 20.0
"""Bound on log-ratios before exponentials; e**20 overflows nothing and clips nothing real."""


def masked_log_ratio(logprobs: Tensor, old_logprobs: Tensor, mask: Tensor) -> Tensor:
    """Returns log pi - log pi_old, [B, L]; 0 where masked, and where the old one is NaN.

    A NaN (an engine that reported no log-probability) thereby counts as ratio 1, with gradient.
    """
    expect_rank(2, logprobs=logprobs, old_logprobs=old_logprobs, mask=mask)
    expect_equal_shape(logprobs=logprobs, old_logprobs=old_logprobs, mask=mask)
    old = torch.where(torch.isnan(old_logprobs), logprobs.detach(), old_logprobs)
    difference = torch.where(mask, logprobs - old, 0.0)
    return difference.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)


def masked_sum(values: Tensor, mask: Tensor) -> Tensor:
    """Returns the sum over True entries; the others get exactly zero gradient."""
    return torch.where(mask, values, 0.0).sum()


def sequence_log_ratio(log_ratio: Tensor, mask: Tensor) -> Tensor:
    """Returns the mean log-ratio of each row, spread over it: GSPO's length-normalised ratio.

        log s_i = (1 / |y_i|) * sum_t log rho_{i,t}

    Args:
        log_ratio: [B, L], 0 where masked.
        mask: [B, L] bool.

    Returns:
        [B, L] with equal entries in a row, differentiable.

    References:
        GSPO: Zheng et al. 2025, arXiv:2507.18071, equation 7. A row here is a `Segment`.
    """
    counts = mask.sum(dim=1, keepdim=True).clamp(min=1)
    return (torch.where(mask, log_ratio, 0.0).sum(dim=1, keepdim=True) / counts).expand_as(
        log_ratio
    )


def group_log_ratio(
    log_ratio: Tensor, mask: Tensor, turn_indices: Tensor, level: RatioLevel
) -> Tensor:
    """Returns the log-ratio of the unit that each token belongs to, [B, L], differentiable.

    | level | log-ratio of a token's unit |
    |---|---|
    | "token" | its own (PPO, GRPO) |
    | "turn" | sum over the tokens of its turn: the ratio of the whole action |
    | "sequence" | mean over the row, see `sequence_log_ratio` (GSPO) |
    | "sequence_product" | sum over the row: the ratio of the whole sequence (RLOO, VESPO) |

    Args:
        log_ratio: [B, L], 0 where masked.
        mask: [B, L] bool.
        turn_indices: [B, L] int, -1 outside completions. A turn's tokens in another row (a context
            that does not keep them) are a unit of their own.
        level: see the table.
    """
    expect_choice("level", level, ("token", "turn", "sequence", "sequence_product"))
    if level == "token":
        return log_ratio
    if level == "sequence":
        return sequence_log_ratio(log_ratio, mask)
    expect_equal_shape(log_ratio=log_ratio, mask=mask, turn_indices=turn_indices)
    log_ratio = torch.where(mask, log_ratio, 0.0)
    if level == "turn":
        slots = turn_indices + 1
        sums = log_ratio.new_zeros(len(slots), int(slots.max()) + 1)
        summed = sums.scatter_add(1, slots, log_ratio).gather(1, slots)
    else:
        summed = log_ratio.sum(dim=1, keepdim=True).expand_as(log_ratio)
    return torch.where(mask, summed, 0.0).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)


def clipped_surrogate(
    log_ratio: Tensor,
    advantages: Tensor,
    *,
    clip_ratio_low: float = 0.2,
    clip_ratio_high: float = 0.2,
    dual_clip: float | None = None,
) -> Tensor:
    """Returns the per-token clipped loss, [B, L].

        L = -min(rho * A, clip(rho, 1 - low, 1 + high) * A)
        A < 0:  L = min(L, -c * A)                            with dual_clip c > 1

    For c >= 1 + high the dual clip is the same as replacing rho by min(rho, c) in the first term
    (INTELLECT-2's two-sided clip, arXiv:2505.07291).

    References:
        PPO: Schulman et al. 2017, arXiv:1707.06347, equation 7; an upper bound of its own: DAPO,
        arXiv:2503.14476; dual clip: Ye et al. 2020, arXiv:1912.09729.
    """
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1.0 - clip_ratio_low, 1.0 + clip_ratio_high)
    loss = -torch.minimum(ratio * advantages, clipped * advantages)
    if dual_clip is not None:
        loss = torch.where(advantages < 0, torch.minimum(loss, -dual_clip * advantages), loss)
    return loss


def cispo_loss(
    log_ratio: Tensor, logprobs: Tensor, advantages: Tensor, *, max_ratio: float = 5.0
) -> Tensor:
    """Returns -stop_gradient(min(rho, max_ratio)) * A * log pi, [B, L].

    References:
        CISPO: MiniMax-M1, arXiv:2506.13585, equation 4; `max_ratio` is the bound itself.
    """
    weight = log_ratio.detach().exp().clamp(max=max_ratio)
    return -weight * advantages * logprobs


def sapo_loss(
    log_ratio: Tensor,
    advantages: Tensor,
    *,
    temperature_positive: float = 1.0,
    temperature_negative: float = 1.05,
) -> Tensor:
    """Returns -(4 / tau) * sigmoid(tau * (rho - 1)) * A, [B, L].

    tau depends on the sign of A. The derivative by rho at rho = 1 is -A.

    References:
        SAPO: Gao et al. 2025, arXiv:2511.20347.
    """
    tau = torch.where(advantages > 0, temperature_positive, temperature_negative)
    return -(4.0 / tau) * torch.sigmoid(tau * (log_ratio.exp() - 1.0)) * advantages


def vespo_loss(
    log_ratio: Tensor,
    logprobs: Tensor,
    advantages: Tensor,
    *,
    positive: tuple[float, float] = (2.0, 3.0),
    negative: tuple[float, float] = (3.0, 2.0),
) -> Tensor:
    """Returns -stop_gradient(phi(w)) * A * log pi, [B, L].

        log phi(w) = lambda + k * log w - lambda * w,    so phi(1) = 1

    Args:
        log_ratio: [B, L] log w of the *sequence*: the sum over its tokens.
        logprobs: [B, L].
        advantages: [B, L].
        positive: (k, lambda) where A >= 0.
        negative: (k, lambda) where A < 0.

    References:
        VESPO: arXiv:2602.10693; the form and the constants are those of TRL's implementation.
    """
    log_ratio = log_ratio.detach()
    good = advantages >= 0
    k = torch.where(good, positive[0], negative[0])
    rate = torch.where(good, positive[1], negative[1])
    weight = (rate + k * log_ratio - rate * log_ratio.exp()).exp()
    return -weight * advantages * logprobs


def value_loss(
    values: Tensor, old_values: Tensor, targets: Tensor, *, value_clip: float | None = 0.2
) -> tuple[Tensor, Tensor]:
    """Returns the clipped value loss and where the clip decides it, [B, L] each.

        L = max((V - R)^2, (V_old + clip(V - V_old, -c, c) - R)^2) / 2

    Args:
        values: V, with gradient.
        old_values: V_old, before the update.
        targets: R; NaN where the head is not trained: loss and gradient are 0 there.
        value_clip: c in units of return; None for the plain squared error.

    References:
        The clip is that of the PPO code of Schulman et al. (openai/baselines); the paper has none.
    """
    expect_equal_shape(values=values, old_values=old_values, targets=targets)
    wanted = ~torch.isnan(targets)
    targets = torch.where(wanted, targets, 0.0)
    errors = torch.where(wanted, values - targets, 0.0).square()
    if value_clip is None:
        return errors / 2, torch.zeros_like(wanted)
    near = old_values + (values - old_values).clamp(-value_clip, value_clip)
    bounded = torch.where(wanted, near - targets, 0.0).square()
    return torch.maximum(errors, bounded) / 2, bounded > errors


def kl_penalty(
    logprobs: Tensor, ref_logprobs: Tensor, mask: Tensor, estimator: KLEstimator
) -> Tensor:
    """Returns the per-token estimate of KL(pi || pi_ref) from sampled tokens, [B, L].

        x = log pi - log pi_ref;   k1 = x;   k2 = x^2 / 2;   k3 = exp(-x) + x - 1

    As a *loss* on on-policy samples, k1 has expected gradient 0, k2 that of KL(pi || pi_ref), k3
    that of KL(pi_ref || pi).

    References:
        Schulman 2020, "Approximating KL divergence" (joschu.net/blog/kl-approx.html); k3 is the
        term of GRPO, arXiv:2402.03300, equation 4.
    """
    expect_choice("estimator", estimator, ("k1", "k2", "k3"))
    x = masked_log_ratio(logprobs, ref_logprobs, mask)
    if estimator == "k1":
        return x
    if estimator == "k2":
        return x.square() / 2
    return (-x).exp() + x - 1.0


def off_policy_mask(
    logprobs: Tensor,
    sampler_logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    threshold: float,
) -> Tensor:
    """Returns [B, L] bool: False at bad tokens of sequences that the policy has moved away from.

        keep where A >= 0 or mean_t(log pi_sampler - log pi) <= threshold

    The mean is over the row's tokens under the mask. A NaN counts as no difference.

    References:
        Off-policy sequence masking: DeepSeek-V3.2, arXiv:2512.02556, equation 9.
    """
    gap = -masked_log_ratio(logprobs.detach(), sampler_logprobs, mask)
    mean = gap.sum(dim=1, keepdim=True) / mask.sum(dim=1, keepdim=True).clamp(min=1)
    return (advantages >= 0) | (mean <= threshold)


def importance_weights(
    old_logprobs: Tensor,
    sampler_logprobs: Tensor,
    mask: Tensor,
    *,
    mode: Correction,
    cap: float,
    floor: float = 0.0,
) -> Tensor:
    """Returns weights for the gap between sampler and trainer, [B, L], without gradient.

        d = log pi_old - log pi_sampler;   token: w_t = exp(d_t);   sequence: w = exp(sum_t d_t)
        truncate: clip(w, floor, cap);   mask: w where floor <= w <= cap, else 0

    NaN log-probabilities count as equal (weight 1), and "off" gives ones.

    References:
        TIS: Yao et al. 2025; TRL's four modes, of which sequence_mask with cap 3 is its default.
        The sequence form multiplies over all tokens, which masks long conversations; for agents
        the token forms are the better ones.
    """
    modes = ("off", "token_truncate", "token_mask", "sequence_truncate", "sequence_mask")
    expect_choice("mode", mode, modes)
    if mode == "off":
        return torch.ones_like(old_logprobs)
    gap = (old_logprobs - sampler_logprobs).detach()
    gap = torch.where(mask & ~torch.isnan(gap), gap, 0.0)
    if mode.startswith("sequence"):
        gap = gap.sum(dim=1, keepdim=True).expand_as(gap)
    weights = gap.clamp(max=MAX_LOG_RATIO).exp()
    if mode.endswith("truncate"):
        return weights.clamp(min=floor, max=cap)
    return torch.where((weights >= floor) & (weights <= cap), weights, 0.0)


def aggregate(
    loss: Tensor,
    mask: Tensor,
    norms: Norms,
    mode: LossAggregation = "token",
    *,
    max_tokens: int | None = None,
    turn_indices: Tensor | None = None,
) -> Tensor:
    """Reduces per-token losses to this micro-batch's share of the minibatch's loss.

    | mode | loss of the minibatch | weight of a token |
    |---|---|---|
    | "token" (DAPO) | sum / tokens | equal |
    | "turn" (OPRL) | mean over turns of their token means | less in long turns |
    | "sequence" (GRPO) | mean over segments of their token means | less in long segments |
    | "trajectory" | mean over trajectories of their token sums | equal; scale grows with length |
    | "constant" (Dr. GRPO) | sum / (segments * max_tokens) | equal, whatever was sampled |

    Args:
        loss: [B, L] per-token terms.
        mask: [B, L] bool.
        norms: counts of the whole minibatch.
        mode: see the table.
        max_tokens: the constant length of mode "constant".
        turn_indices: [B, L] int, -1 outside completions; needed by mode "turn".

    Returns:
        A scalar; the scalars of all micro-batches add up to the minibatch's loss.

    References:
        GRPO arXiv:2402.03300 equation 3; DAPO arXiv:2503.14476 equation 8; Dr. GRPO
        arXiv:2503.20783 section 3.1; OPRL arXiv:2509.19199 equation 6.
    """
    expect_equal_shape(loss=loss, mask=mask)
    expect_choice("mode", mode, ("token", "turn", "sequence", "trajectory", "constant"))
    loss = torch.where(mask, loss, 0.0)
    if mode == "token":
        return loss.sum() / norms.tokens
    if mode == "trajectory":
        return loss.sum() / norms.trajectories
    if mode == "turn":
        if turn_indices is None:
            raise ValueError('turn_indices must be given for aggregation "turn", got None.')
        lengths = _turn_sums(mask.to(loss.dtype), turn_indices).clamp(min=1)
        return (loss / lengths).sum() / norms.turns
    if mode == "sequence":
        counts = mask.sum(dim=1).clamp(min=1)
        return (loss.sum(dim=1) / counts).sum() / norms.segments
    if max_tokens is None or max_tokens < 1:
        raise ValueError(
            f'max_tokens must be positive for aggregation "constant", got {max_tokens}. '
            "Pass the largest number of generated tokens a segment can have."
        )
    return loss.sum() / (norms.segments * max_tokens)


def _turn_sums(values: Tensor, turn_indices: Tensor) -> Tensor:
    """Returns [B, L]: at each token, the sum over all tokens of its turn in its row."""
    turns = turn_indices.clamp(min=0)
    count = int(turns.max()) + 1 if turns.numel() else 1
    sums = values.new_zeros(values.shape[0], count).scatter_add(1, turns, values)
    return sums.gather(1, turns)


def preference_loss(scores: Tensor, pairs: Tensor) -> Tensor:
    """Returns the mean over pairs of -log sigmoid(score of the preferred - score of the other).

    Args:
        scores: [B] of the trajectories, beta times their log-ratio.
        pairs: [P, 2] int, rows (preferred, other); 0 without a pair.

    References:
        OPRL, arXiv:2509.19199, equation 2; the loss of DPO, arXiv:2305.18290, on trajectories.
    """
    expect_rank(1, scores=scores)
    if not len(pairs):
        return scores.sum() * 0.0
    margins = scores[pairs[:, 0]] - scores[pairs[:, 1]]
    return -torch.nn.functional.logsigmoid(margins).mean()


def ratio_metrics(
    log_ratio: Tensor,
    mask: Tensor,
    advantages: Tensor,
    norms: Norms,
    *,
    clip_ratio_low: float,
    clip_ratio_high: float,
    dual_clip: float | None = None,
) -> dict[str, float]:
    """Returns token means over the minibatch (as this micro-batch's share of them).

    "approx_kl": k3 form of KL(pi_old || pi), from samples of pi_old. "clip_fraction": tokens whose
    gradient the clip removes; "dual_clip_fraction": those whose gradient the dual clip removes,
    where there is one. "ratio_mean": 1 in expectation.
    """
    with torch.no_grad():
        ratio = log_ratio.exp()
        above = (advantages > 0) & (ratio > 1.0 + clip_ratio_high)
        below = (advantages < 0) & (ratio < 1.0 - clip_ratio_low)
        terms = {
            "approx_kl": ratio - 1.0 - log_ratio,
            "clip_fraction": (above | below).to(ratio.dtype),
            "ratio_mean": ratio,
        }
        if dual_clip is not None:
            beyond = (advantages < 0) & (ratio > dual_clip)
            terms["dual_clip_fraction"] = beyond.to(ratio.dtype)
        sums = torch.stack([masked_sum(values, mask) for values in terms.values()])
        return dict(zip(terms, (sums / norms.tokens).tolist(), strict=True))
