"""Baselines taken from the other members of a group, and whitening over a batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from itertools import count
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from turnwise_agents.estimators.checks import expect_choice, expect_equal_shape, expect_rank
from turnwise_agents.estimators.returns import Floats, Ints

Std = Literal["unbiased", "population"]
Weight = Literal["trajectory", "step"]


def encode_ids(keys: Iterable[Hashable]) -> Ints:
    """Returns [N] integers, equal where the keys are equal, numbered by first appearance."""
    numbers: defaultdict[Hashable, int] = defaultdict(count().__next__)
    return np.fromiter(map(numbers.__getitem__, keys), dtype=np.int64)


def _dense(ids: npt.NDArray[Any]) -> tuple[Ints, Ints]:
    """Returns each row's group number 0..K-1 and the row of each group's first member."""
    _, first, dense = np.unique(ids, return_index=True, return_inverse=True)
    return dense.reshape(-1), first


def group_relative_advantages(
    returns: Floats,
    group_ids: npt.NDArray[Any],
    *,
    normalize_std: bool = True,
    eps: float = 1e-6,
    std: Std = "unbiased",
    weight: Weight = "trajectory",
    lengths: npt.NDArray[Any] | None = None,
) -> Floats:
    """Compares each value with the mean of its group.

        A_i = (R_i - mean(R_g)) / (std(R_g) + eps),    g = group of i
        A_i =  R_i - mean(R_g)                         without normalize_std (Dr. GRPO)

    A group of one, and a group whose members are all equal, get advantage 0 exactly.

    Args:
        returns: [B] one value per member: the episode return of a trajectory, or (GiGPO's second
            level) the return of a step.
        group_ids: [B] int; members of equal id are compared.
        normalize_std: whether to divide by the group's standard deviation.
        eps: added to the standard deviation, in units of return.
        std: "unbiased" divides the squares by N - 1, "population" by N.
        weight: "trajectory" counts every member once; "step" counts it `lengths` times, as if
            each of its steps were a row.
        lengths: [B] number of steps, needed for weight="step".

    Returns:
        [B] advantages, in the order of `returns`.

    Raises:
        UsageError: If shapes differ, an option is unknown, or lengths are missing.

    References:
        GRPO: Shao et al. 2024, arXiv:2402.03300, section 4.1.2. Dr. GRPO: Liu et al. 2025,
        arXiv:2503.20783. Paper against the authors' code: verl and GiGPO's trainer take mean and
        std over *rows*, so that long trajectories weigh more (weight="step" reproduces it), and
        give a group of one its raw score. We follow the papers: one value per trajectory, and 0
        for a group of one.
    """
    expect_rank(1, returns=returns, group_ids=group_ids)
    expect_equal_shape(returns=returns, group_ids=group_ids)
    expect_choice("std", std, ("unbiased", "population"))
    expect_choice("weight", weight, ("trajectory", "step"))
    if weight == "step" or lengths is not None:
        lengths = np.zeros(0) if lengths is None else lengths
        expect_equal_shape(returns=returns, lengths=lengths)
    if not len(returns):
        return np.zeros(0)
    ids, first = _dense(group_ids)
    members = np.bincount(ids)
    weights = lengths if weight == "step" else None
    counts = members if weights is None else np.bincount(ids, weights=weights)
    # Values relative to a member of the group: equal values then give exact zeros.
    shifted = returns - returns[first][ids]
    sums = np.bincount(ids, weights=shifted if weights is None else shifted * weights)
    centred = shifted - (sums / np.maximum(counts, 1))[ids]
    if normalize_std:
        squares = centred**2
        total = np.bincount(ids, weights=squares if weights is None else squares * weights)
        degrees = counts - 1 if std == "unbiased" else counts
        deviation = np.sqrt(total / np.maximum(degrees, 1))
        divisor = deviation + eps
        centred = centred / np.where(divisor > 0, divisor, 1.0)[ids]
    return np.where((members > 1)[ids], centred, 0.0)


def leave_one_out_advantages(returns: Floats, group_ids: npt.NDArray[Any]) -> Floats:
    """Compares each return with the mean of the *others* of its group.

        A_i = R_i - sum_{j != i} R_j / (N - 1)  =  N / (N - 1) * (R_i - mean(R_g))

    A group of one gets advantage 0.

    Args:
        returns: [B] episode returns.
        group_ids: [B] int; trajectories of equal id are compared.

    Returns:
        [B] advantages, in the order of `returns`.

    Raises:
        UsageError: If shapes differ.

    References:
        RLOO: Ahmadian et al. 2024, arXiv:2402.14740, section 3; Kool et al. 2019. verl computes
        the right-hand form, TRL the left-hand one; they are equal.
    """
    centred = group_relative_advantages(returns, group_ids, normalize_std=False)
    if not len(returns):
        return centred
    ids, _ = _dense(group_ids)
    counts = np.bincount(ids)
    return centred * (counts / np.maximum(counts - 1, 1))[ids]


def whiten(
    values: Floats, mask: npt.NDArray[np.bool_] | None = None, *, eps: float = 1e-8
) -> Floats:
    """Shifts and scales values to mean 0 and variance 1.

        y = (x - mean(x)) / sqrt(var(x) + eps),    var unbiased

    Args:
        values: any shape.
        mask: same shape; only True entries enter the statistics, others become 0.
        eps: added to the variance.

    Returns:
        Whitened values; zeros where fewer than two entries count.

    Raises:
        UsageError: If shapes differ.

    References:
        The `masked_whiten` that PPO and REINFORCE++ (arXiv:2501.03262) trainers share.
    """
    mask = np.ones(values.shape, dtype=bool) if mask is None else mask
    expect_equal_shape(values=values, mask=mask)
    chosen = values[mask]
    if len(chosen) < 2:
        return np.zeros_like(values, dtype=np.float64)
    # Relative to one of them: equal values then give exact zeros.
    shifted, chosen = values - chosen[0], chosen - chosen[0]
    scaled = (shifted - chosen.mean()) / np.sqrt(chosen.var(ddof=1) + eps)
    return np.where(mask, scaled, 0.0)


def batch_normalized_advantages(
    returns: Floats, group_ids: npt.NDArray[Any], counts: npt.NDArray[Any], *, eps: float = 1e-8
) -> Floats:
    """Compares each return with its group's mean, and scales by the std over the whole batch.

        A'_i = R_i - mean(R_g),    A_i = (A'_i - mean(A')) / sqrt(var(A') + eps)

    Mean and variance (unbiased) are over all tokens of the batch: A'_i counts `counts_i` times. A
    group whose members are all equal keeps advantage 0: it taught nothing, and the batch's mean,
    which is 0 only where all members have equally many tokens, is not subtracted from it.

    Args:
        returns: [B] episode returns.
        group_ids: [B] int; trajectories of equal id are compared.
        counts: [B] int, trained tokens of each.
        eps: added to the variance.

    Returns:
        [B] advantages, in the order of `returns`; zeros where fewer than two tokens count.

    Raises:
        UsageError: If shapes differ.

    References:
        The baseline form of REINFORCE++, arXiv:2501.03262.
    """
    expect_equal_shape(returns=returns, counts=counts)
    centred = group_relative_advantages(returns, group_ids, normalize_std=False)
    if not len(returns):
        return centred
    ids, _ = _dense(group_ids)
    informative = (np.bincount(ids, weights=np.abs(centred)) > 0)[ids] & (counts > 0)
    whitened = whiten(np.repeat(centred, counts), eps=eps)
    first = np.cumsum(counts) - counts
    advantages = np.zeros(len(returns))
    advantages[informative] = whitened[first[informative]]
    return advantages


def zero_where_alike(
    advantages: Floats, trajectory_ids: npt.NDArray[Any], group_ids: npt.NDArray[Any]
) -> Floats:
    """Returns advantages of turns, 0 in groups whose episodes all got the same row of them.

    Where the turns of a whole group share mean and std, one episode alone, or several that are all
    alike, would have its own turns compared with each other: later with earlier ones.

    Args:
        advantages: [S].
        trajectory_ids: [S] int in 0..B-1; turns of equal id belong together, in time order.
        group_ids: [B] int.
    """
    expect_equal_shape(advantages=advantages, trajectory_ids=trajectory_ids)
    rows: list[list[float]] = [[] for _ in group_ids]
    for owner, value in zip(trajectory_ids.tolist(), advantages.tolist(), strict=True):
        rows[owner].append(value)
    different = defaultdict(set)
    for group, row in zip(group_ids.tolist(), rows, strict=True):
        different[group].add(tuple(row))
    varied = np.array([len(different[group]) > 1 for group in group_ids.tolist()], dtype=bool)
    return np.where(varied[trajectory_ids], advantages, 0.0)


def zero_variance_share(returns: Floats, group_ids: npt.NDArray[Any]) -> float:
    """Returns the share of groups whose members all have the same return (0 if there is none)."""
    if not len(returns):
        return 0.0
    ids, first = _dense(group_ids)
    varied = np.bincount(ids, weights=returns != returns[first][ids]) > 0
    return float(1.0 - varied.mean())
