"""IGPO's estimators: what each turn taught about the answer, and the advantage it makes of it."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from turnwise_agents.estimators.checks import (
    expect_choice,
    expect_equal_shape,
    expect_range,
    expect_rank,
)
from turnwise_agents.estimators.group_relative import Std, group_relative_advantages
from turnwise_agents.estimators.returns import Floats, discounted_returns

Normalization = Literal["separate", "joint"]


def information_gains(beliefs: Floats) -> Floats:
    """Computes what each turn of one episode added to the belief in the right answer.

        IG_t = l_{t+1} - l_t,    so that  sum_t IG_t = l_T - l_0

    Where a belief is unknown (NaN) the gain into it is unknown too, and the next known belief is
    compared with the last known one: the known gains still add up to the whole change.

    Args:
        beliefs: [N] belief at the prompt of each turn, in order.

    Returns:
        [N - 1] gain of each turn but the last (none for fewer than two beliefs).

    References:
        IGPO, arXiv:2510.14967: version 2 takes length-normalised log-probabilities (equation 4),
        version 1 probabilities. A port of the code takes gain 0 where a belief is not finite.
    """
    expect_rank(1, beliefs=beliefs)
    known = np.flatnonzero(~np.isnan(beliefs))
    gains = np.full(max(0, len(beliefs) - 1), np.nan)
    gains[known[1:] - 1] = np.diff(beliefs[known])
    return gains


def information_gain_advantages(
    gains: Floats,
    has_gain: npt.NDArray[np.bool_],
    outcomes: Floats,
    trajectory_ids: npt.NDArray[Any],
    group_ids: npt.NDArray[Any],
    *,
    normalization: Normalization = "separate",
    gain_weight: float = 1.0,
    gamma: float = 1.0,
    eps: float = 1e-6,
    std: Std = "unbiased",
) -> Floats:
    """Computes IGPO's advantage of every turn.

        z        = (x - mean_g(x)) / (std_g(x) + eps)      over x in G_g and O_g, each by itself
                                                           ("separate") or both together ("joint")
        A_{i,t}  = gain_weight * z(IG_{i,t}) + gamma * A_{i,t+1}
        A_{i,T}  = z(o_i)  (+ gain_weight * z(IG_{i,T}), where the last turn has a gain)

    G_g are the gains of a task group, every turn of every trajectory counted once, and O_g its
    outcomes. Which turns have a gain is said explicitly, so a gain of exactly 0 counts like any
    other. A set of one value, or of equal values, has z = 0.

    Args:
        gains: [S] gain of each turn; read only where `has_gain`.
        has_gain: [S] bool.
        outcomes: [B] outcome of each trajectory, placed at its last turn.
        trajectory_ids: [S] int in 0..B-1; turns of equal id belong together, in time order.
        group_ids: [B] int.
        normalization: "separate" or "joint".
        gain_weight: weight of a normalised gain beside a normalised outcome.
        gamma: discount per turn, in [0, 1].
        eps: added to the standard deviation.
        std: "unbiased" (N - 1) or "population" (N).

    Returns:
        [S] advantages, in the order of `gains`.

    Raises:
        UsageError: If shapes differ or an option is out of range.

    References:
        IGPO, arXiv:2510.14967 version 2, equations 5 to 7. The first public code discounted before
        it normalised, per token position, which its author withdrew; its successor finds turns by
        reward != 0, so that a gain of 0 leaves the statistics and its turn melts into the next.
        The paper is followed. That code's std is "population".
    """
    expect_rank(1, gains=gains, outcomes=outcomes)
    expect_equal_shape(gains=gains, has_gain=has_gain, trajectory_ids=trajectory_ids)
    expect_equal_shape(outcomes=outcomes, group_ids=group_ids)
    expect_choice("normalization", normalization, ("separate", "joint"))
    expect_range("gamma", gamma, 0.0, 1.0)
    if not len(gains):
        return np.zeros(0)
    groups = np.concatenate([group_ids[trajectory_ids[has_gain]], group_ids])
    count = int(has_gain.sum())
    if normalization == "separate":
        groups = 2 * groups + (np.arange(len(groups)) < count)
    values = np.concatenate([gains[has_gain], outcomes])
    z = group_relative_advantages(values, groups, eps=eps, std=std)
    credit = np.zeros(len(gains))
    credit[has_gain] = gain_weight * z[:count]
    # Fancy assignment keeps the last write: each trajectory's last turn.
    last = np.full(len(outcomes), -1)
    last[trajectory_ids] = np.arange(len(gains))
    played = last >= 0
    credit[last[played]] += z[count:][played]
    return discounted_returns(credit, trajectory_ids, gamma=gamma)
