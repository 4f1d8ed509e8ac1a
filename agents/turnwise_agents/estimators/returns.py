"""Discounted returns and generalised advantage estimation over ragged trajectories."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from turnwise_agents.estimators.checks import expect_equal_shape, expect_range, expect_rank

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def _backwards(inputs: Floats, trajectory_ids: npt.NDArray[Any], factor: float) -> Floats:
    """Solves y_t = x_t + factor * y_{t+1} within each trajectory, rows in time order.

    All trajectories advance together, one turn a pass, so the work is vectorised over trajectories
    and no row is touched twice; a closed form with powers of the factor would lose precision.
    """
    order = np.argsort(trajectory_ids, kind="stable")
    sorted_ids = trajectory_ids[order]
    starts = np.flatnonzero(np.r_[True, sorted_ids[1:] != sorted_ids[:-1]])
    ends = np.r_[starts[1:], len(order)]
    out = np.array(inputs[order], dtype=np.float64)
    if factor == 0.0 or not len(order):
        longest = 1
    else:
        longest = int((ends - starts).max())
    for back in range(2, longest + 1):
        rows = ends - back
        rows = rows[rows >= starts]
        out[rows] += factor * out[rows + 1]
    result = np.empty_like(out)
    result[order] = out
    return result


def discounted_returns(
    rewards: Floats, trajectory_ids: npt.NDArray[Any], *, gamma: float = 1.0
) -> Floats:
    """Computes the return that follows each turn.

        G_t = r_t + gamma * G_{t+1},    G after the last turn = 0

    Args:
        rewards: [S] reward after each turn.
        trajectory_ids: [S] int; turns of equal id belong together, in time order. Trajectories may
            be interleaved.
        gamma: discount per turn, in [0, 1].

    Returns:
        [S] returns, in the order of `rewards`.

    Raises:
        UsageError: If shapes differ or gamma is outside [0, 1].

    References:
        GiGPO (arXiv:2505.10978) equation 5. The authors' code does the same, from the
        environment's raw rewards; so do we.
    """
    expect_rank(1, rewards=rewards, trajectory_ids=trajectory_ids)
    expect_equal_shape(rewards=rewards, trajectory_ids=trajectory_ids)
    expect_range("gamma", gamma, 0.0, 1.0)
    return _backwards(rewards, trajectory_ids, gamma)


def explained_variance(predictions: Floats, targets: Floats) -> float:
    """Returns 1 - Var(targets - predictions) / Var(targets): 1 is perfect, 0 as good as a constant.

    It is 0 where the targets do not vary, and negative where the predictions make things worse.

    Raises:
        UsageError: If shapes differ.
    """
    expect_equal_shape(predictions=predictions, targets=targets)
    variance = float(np.var(targets)) if len(targets) else 0.0
    return 1.0 - float(np.var(targets - predictions)) / variance if variance > 0 else 0.0


def gae(
    rewards: Floats,
    values: Floats,
    trajectory_ids: npt.NDArray[Any],
    *,
    bootstrap: Floats | None = None,
    gamma: float = 1.0,
    gae_lambda: float = 0.95,
) -> Floats:
    """Computes generalised advantages.

        delta_t = r_t + gamma * V_{t+1} - V_t
        A_t     = delta_t + gamma * gae_lambda * A_{t+1}

    With gae_lambda=1 and no bootstrap this is the discounted return minus the value.

    Args:
        rewards: [S] reward after each turn.
        values: [S] value before each turn.
        trajectory_ids: [S] int; turns of equal id belong together, in time order.
        bootstrap: [S] value *after* each turn; only that of a trajectory's last turn is read
            (episodes cut by a limit). None means 0: the episode ended.
        gamma: discount per turn, in [0, 1].
        gae_lambda: in [0, 1].

    Returns:
        [S] advantages, in the order of `rewards`.

    Raises:
        UsageError: If shapes differ or a parameter is outside its range.

    References:
        Schulman et al. 2015, arXiv:1506.02438, equations 11 to 16.
    """
    after = np.zeros_like(values) if bootstrap is None else np.array(bootstrap, dtype=np.float64)
    expect_rank(1, rewards=rewards, values=values, trajectory_ids=trajectory_ids, bootstrap=after)
    expect_equal_shape(
        rewards=rewards, values=values, trajectory_ids=trajectory_ids, bootstrap=after
    )
    expect_range("gamma", gamma, 0.0, 1.0)
    expect_range("gae_lambda", gae_lambda, 0.0, 1.0)
    order = np.argsort(trajectory_ids, kind="stable")
    inner = np.flatnonzero(trajectory_ids[order][1:] == trajectory_ids[order][:-1])
    after[order[inner]] = values[order[inner + 1]]
    deltas = rewards + gamma * after - values
    return _backwards(deltas, trajectory_ids, gamma * gae_lambda)
