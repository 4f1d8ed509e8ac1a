"""OPRL's estimators: which episodes are preferred to which, and the advantage of a step reward."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from turnwise_agents.estimators.checks import expect_choice, expect_equal_shape, expect_rank
from turnwise_agents.estimators.group_relative import (
    Std,
    group_relative_advantages,
    leave_one_out_advantages,
)
from turnwise_agents.estimators.returns import Floats, Ints

StepNormalization = Literal["std", "leave_one_out", "max"]


def preference_pairs(
    outcomes: Floats, group_ids: npt.NDArray[Any], *, threshold: float | None = 0.0
) -> Ints:
    """Pairs every better episode of a group with every worse one.

    Args:
        outcomes: [B] outcome of each trajectory.
        group_ids: [B] int; only trajectories of equal id are paired.
        threshold: an outcome above it is a success, and successes are preferred to the others;
            None prefers the higher of any two different outcomes.

    Returns:
        [P, 2] rows (preferred, other), ordered by them; a group without both kinds gives none.

    Raises:
        UsageError: If shapes differ.

    References:
        OPRL, arXiv:2509.19199, section 3.1: success above 0 (SOTOPIA: goal score above 6). The
        authors' code takes all success x failure pairs too, but only within a data-parallel rank.
    """
    expect_rank(1, outcomes=outcomes, group_ids=group_ids)
    expect_equal_shape(outcomes=outcomes, group_ids=group_ids)
    grade = outcomes if threshold is None else (outcomes > threshold).astype(np.float64)
    better = (grade[:, None] > grade[None, :]) & (group_ids[:, None] == group_ids[None, :])
    return np.argwhere(better)


def step_reward_advantages(
    step_rewards: Floats,
    group_ids: npt.NDArray[Any],
    *,
    normalization: StepNormalization = "std",
    eps: float = 1e-6,
    std: Std = "unbiased",
) -> Floats:
    """Compares each step's implicit reward with ALL steps of all trajectories of its group.

        "std":            A^S = (r - mean(R_s)) / (std(R_s) + eps),   R_s = the group's step rewards
        "leave_one_out":  A^S = r - mean of the others in R_s
        "max":            A^S = r / (max |r| + eps)                   over all groups, not centred

    Args:
        step_rewards: [S] implicit reward of each step.
        group_ids: [S] int, the task group of each step.
        normalization: see above.
        eps: added to the divisor, in units of the rewards.
        std: "unbiased" or "population".

    Returns:
        [S] step advantages; 0 where a group has one step or equal rewards (but for "max").

    Raises:
        UsageError: If shapes differ or an option is unknown.

    References:
        OPRL, arXiv:2509.19199, equation 4 is "std". The released code's baseline holds one
        arbitrary step per trajectory, and its default is "max"; we follow the paper.
    """
    expect_rank(1, step_rewards=step_rewards, group_ids=group_ids)
    expect_equal_shape(step_rewards=step_rewards, group_ids=group_ids)
    expect_choice("normalization", normalization, ("std", "leave_one_out", "max"))
    if normalization == "std":
        return group_relative_advantages(step_rewards, group_ids, eps=eps, std=std)
    if normalization == "leave_one_out":
        return leave_one_out_advantages(step_rewards, group_ids)
    divisor = np.abs(step_rewards).max(initial=0.0) + eps
    return step_rewards / (divisor if divisor > 0 else 1.0)
