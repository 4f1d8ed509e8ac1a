"""Statistics against numbers computed by hand and against brute force."""

import itertools

import numpy as np
import pytest

from turnwise_agents.statistics import (
    bootstrap_mean_interval,
    interquartile_mean,
    interquartile_mean_interval,
    mean_pass_at_k,
    pass_at_k,
    wilson_interval,
)
from turnwise_envs import UsageError


def test_wilson_by_hand():
    # p = .5, n = 10, z = 1.959964, z^2/n = .384146
    # (.5 + .192073 -+ sqrt(.384146 * .25 + .384146^2 / 4)) / 1.384146
    # = (.692073 -+ sqrt(.0960365 + .0368920)) / 1.384146 = (.692073 -+ .364594) / 1.384146
    low, high = wilson_interval(5, 10)
    assert low == pytest.approx(0.236593, abs=1e-5)
    assert high == pytest.approx(0.763407, abs=1e-5)


def test_wilson_at_the_ends():
    # p = 0: (z^2/n) / (1 + z^2/n) = .384146 / 1.384146
    assert wilson_interval(0, 10) == (0.0, pytest.approx(0.277533, abs=1e-5))
    assert wilson_interval(10, 10) == (pytest.approx(0.722467, abs=1e-5), 1.0)
    assert wilson_interval(0, 0) == (0.0, 1.0)
    with pytest.raises(UsageError, match="successes must be in"):
        wilson_interval(3, 2)
    with pytest.raises(UsageError, match="confidence"):
        wilson_interval(1, 2, confidence=1.0)


def test_bootstrap_mean_of_two_values():
    # Means of 2 draws from {0, 1}: 0 w.p. 1/4, .5 w.p. 1/2, 1 w.p. 1/4; the 95 % ends are 0 and 1.
    assert bootstrap_mean_interval([0.0, 1.0]) == (0.0, 1.0)
    # The central 40 % lies wholly in the atom at .5.
    assert bootstrap_mean_interval([0.0, 1.0], confidence=0.4) == (0.5, 0.5)
    assert bootstrap_mean_interval([3.0]) == (3.0, 3.0)


def test_bootstrap_is_seeded_and_close_to_the_normal_interval():
    values = np.random.default_rng(0).normal(size=400)
    first = bootstrap_mean_interval(values, seed=1)
    assert first == bootstrap_mean_interval(values, seed=1)
    half = 1.96 * values.std() / 20
    assert first[0] == pytest.approx(values.mean() - half, abs=0.01)
    assert first[1] == pytest.approx(values.mean() + half, abs=0.01)
    with pytest.raises(UsageError, match="non-empty"):
        bootstrap_mean_interval([])


def test_interquartile_mean_by_hand():
    # 8 scores: 2 cut at either end, (3 + 4 + 5 + 6) / 4
    assert interquartile_mean([8, 1, 7, 2, 6, 3, 5, 4]) == 4.5
    # 5 scores: int(1.25) = 1 cut at either end, (2 + 3 + 10) / 3
    assert interquartile_mean([1, 2, 3, 10, 100]) == 5.0
    assert interquartile_mean([7.0]) == 7.0


def test_interquartile_interval_is_stratified():
    # Every run of a task scores the same: resampling runs within tasks changes nothing.
    scores = np.tile([0.0, 0.25, 0.5, 1.0], (3, 1))
    # 12 scores, 3 cut at either end: (3 * .25 + 3 * .5) / 6
    assert interquartile_mean_interval(scores) == (0.375, 0.375)
    low, high = interquartile_mean_interval([0.1, 0.2, 0.3, 0.4, 0.5])
    assert 0.1 <= low < 0.3 < high <= 0.5


def test_pass_at_k_by_counting():
    # n = 4, c = 1, k = 2: of the 6 pairs, 3 hold the success.
    assert pass_at_k(4, 1, 2) == pytest.approx(0.5)
    for n, k in itertools.product(range(1, 7), range(1, 7)):
        if k > n:
            continue
        for c in range(n + 1):
            pairs = list(itertools.combinations(range(n), k))
            share = sum(any(i < c for i in pair) for pair in pairs) / len(pairs)
            assert pass_at_k(n, c, k) == pytest.approx(share)
    assert mean_pass_at_k([(4, 1), (4, 4)], 2) == pytest.approx(0.75)
    with pytest.raises(UsageError, match="k must be in"):
        pass_at_k(3, 1, 4)
