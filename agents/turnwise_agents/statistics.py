"""Intervals and aggregates for results: Wilson, bootstrap, interquartile mean, pass@k."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from turnwise_envs import UsageError

Interval = tuple[float, float]

_CHUNK = 1 << 22
"""Draws held at once while resampling; a matter of memory only."""


def wilson_interval(successes: float, count: int, *, confidence: float = 0.95) -> Interval:
    """Returns Wilson's score interval of a rate.

        (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n),    p = successes / n

    Unlike the normal approximation it stays in [0, 1] and has a width at p = 0 and p = 1.

    Args:
        successes: number of successes, in [0, count]; a sum of rates where trials are means.
        count: number of independent trials; 0 gives (0, 1), since nothing is known.
        confidence: coverage, in (0, 1).

    Raises:
        UsageError: If an argument is out of range.

    References:
        Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    if not 0 <= successes <= count:
        raise UsageError(f"successes must be in [0, {count}], got {successes}.")
    z = NormalDist().inv_cdf(0.5 + _check_confidence(confidence) / 2)
    if count == 0:
        return 0.0, 1.0
    rate, square = successes / count, z * z / count
    middle = rate + square / 2
    half = (square * rate * (1 - rate) + square * square / 4) ** 0.5
    # At the ends the bound is exactly 0 or 1; rounding would leave 1e-17 of it.
    low = 0.0 if successes == 0 else (middle - half) / (1 + square)
    high = 1.0 if successes == count else (middle + half) / (1 + square)
    return low, high


def bootstrap_mean_interval(
    values: ArrayLike, *, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Returns the percentile bootstrap interval of a mean.

    Args:
        values: [N] independent observations (one per task, where a task has several episodes).
        confidence: coverage, in (0, 1).
        resamples: number of bootstrap means.
        seed: of the resampling; equal arguments give equal intervals.

    Raises:
        UsageError: If `values` is not one-dimensional or is empty.
    """
    sample = np.asarray(values, dtype=float)
    if sample.ndim != 1 or len(sample) == 0:
        raise UsageError(f"values must be a non-empty row [N], got shape {sample.shape}.")
    rng = np.random.default_rng(seed)
    means: list[NDArray[np.float64]] = []
    portion = max(1, _CHUNK // len(sample))
    for start in range(0, resamples, portion):
        rows = min(portion, resamples - start)
        means.append(sample[rng.integers(len(sample), size=(rows, len(sample)))].mean(axis=1))
    return _percentiles(np.concatenate(means), confidence)


def interquartile_mean(scores: ArrayLike) -> float:
    """Returns the mean of the middle half of all scores.

    int(N / 4) scores are cut at either end, as in rliable (`scipy.stats.trim_mean(x, 0.25)`).

    Args:
        scores: any shape; flattened.

    Raises:
        UsageError: If there is no score.
    """
    flat = np.sort(np.asarray(scores, dtype=float), axis=None)
    if flat.size == 0:
        raise UsageError("scores must hold at least one score, got none.")
    return float(_trimmed_means(flat[None])[0])


def interquartile_mean_interval(
    scores: ArrayLike, *, confidence: float = 0.95, resamples: int = 2_000, seed: int = 0
) -> Interval:
    """Returns the stratified bootstrap interval of the interquartile mean.

    Runs are resampled within each task, independently of the other tasks.

    Args:
        scores: [runs, tasks], or [runs] for one task.
        confidence: coverage, in (0, 1).
        resamples: number of bootstrap aggregates.
        seed: of the resampling.

    Raises:
        UsageError: If `scores` has another rank or is empty.

    References:
        Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical precipice",
        arXiv:2108.13264, section 4.
    """
    table = np.asarray(scores, dtype=float)
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2 or table.size == 0:
        raise UsageError(f"scores must be a non-empty table [runs, tasks], got {table.shape}.")
    rng = np.random.default_rng(seed)
    aggregates: list[NDArray[np.float64]] = []
    portion = max(1, _CHUNK // table.size)
    for start in range(0, resamples, portion):
        rows = min(portion, resamples - start)
        drawn = rng.integers(len(table), size=(rows, *table.shape))
        resampled = np.take_along_axis(table[None], drawn, axis=1).reshape(rows, -1)
        aggregates.append(_trimmed_means(np.sort(resampled, axis=1)))
    return _percentiles(np.concatenate(aggregates), confidence)


def pass_at_k(count: int, successes: int, k: int) -> float:
    """Returns the unbiased estimate that at least one of `k` samples succeeds.

        pass@k = 1 - C(n - c, k) / C(n, k),    n samples of which c succeeded

    Args:
        count: n, samples drawn for the task.
        successes: c, in [0, n].
        k: in [1, n].

    Raises:
        UsageError: If an argument is out of range.

    References:
        Chen et al. 2021, arXiv:2107.03374, equation 1.
    """
    if not 0 <= successes <= count:
        raise UsageError(f"successes must be in [0, {count}], got {successes}.")
    if not 1 <= k <= count:
        raise UsageError(f"k must be in [1, {count}], got {k}. Draw at least k samples per task.")
    if count - successes < k:
        return 1.0
    factors = 1.0 - k / np.arange(count - successes + 1, count + 1, dtype=float)
    return float(1.0 - np.prod(factors))


def mean_pass_at_k(counts: Sequence[tuple[int, int]], k: int) -> float:
    """Returns the mean pass@k over tasks given as (samples, successes)."""
    if not counts:
        raise UsageError("counts must hold at least one task, got none.")
    return float(np.mean([pass_at_k(n, c, k) for n, c in counts]))


def _trimmed_means(ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    cut = int(0.25 * ordered.shape[1])
    middle: NDArray[np.float64] = ordered[:, cut : ordered.shape[1] - cut].mean(axis=1)
    return middle


def _percentiles(aggregates: NDArray[np.float64], confidence: float) -> Interval:
    tail = (1 - _check_confidence(confidence)) / 2 * 100
    low, high = np.percentile(aggregates, [tail, 100 - tail])
    return float(low), float(high)


def _check_confidence(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise UsageError(f"confidence must be in (0, 1), got {confidence}.")
    return confidence
