"""IGPO's estimators: worked numbers, identities, a slow loop, and the defects of published code."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise_agents.estimators import (
    group_relative_advantages,
    information_gain_advantages,
    information_gains,
)
from turnwise_envs.errors import UsageError

# Beliefs .10 -> .30 -> .60, then the right answer; .10 -> .05, then a wrong one.
BELIEFS = ([0.10, 0.30, 0.60], [0.10, 0.05])
GAINS = np.array([0.2, 0.3, np.nan, -0.05, np.nan])
HAS_GAIN = np.array([True, True, False, True, False])
TRAJECTORIES = np.array([0, 0, 0, 1, 1])
OUTCOMES = np.array([1.0, 0.0])
GROUP = np.array([0, 0])


def advantages(outcomes=OUTCOMES, gains=GAINS, has_gain=HAS_GAIN, **options):
    return information_gain_advantages(gains, has_gain, outcomes, TRAJECTORIES, GROUP, **options)


def test_gains_of_the_example():
    gains = [information_gains(np.array(row)) for row in BELIEFS]
    np.testing.assert_allclose(gains[0], [0.2, 0.3])
    np.testing.assert_allclose(gains[1], [-0.05])
    assert len(information_gains(np.array([0.4]))) == len(information_gains(np.zeros(0))) == 0


@given(st.lists(st.floats(-50, 0), min_size=1, max_size=12))
def test_gains_telescope(beliefs):
    total = information_gains(np.array(beliefs)).sum()
    assert total == pytest.approx(beliefs[-1] - beliefs[0], abs=1e-9)


def test_unknown_beliefs_give_unknown_gains_that_still_telescope():
    gains = information_gains(np.array([np.nan, -3.0, np.nan, -1.0, -0.5, np.nan]))
    np.testing.assert_array_equal(np.isnan(gains), [True, True, False, False, True])
    assert np.nansum(gains) == 2.5
    assert np.isnan(information_gains(np.array([np.nan, np.nan]))).all()


def test_separate_normalisation_with_the_population_std():
    # Gains .2, .3, -.05: mean .15, std .147196; outcomes 1 and 0: +-1.
    exact = {"std": "population", "eps": 0.0}
    np.testing.assert_allclose(
        advantages(**exact), [2.35872, 2.01904, 1.0, -2.35872, -1.0], atol=2e-5
    )
    np.testing.assert_allclose(
        advantages(**exact, gamma=0.9), [2.06682, 1.91904, 1.0, -2.25872, -1.0], atol=2e-5
    )


def test_separate_normalisation_with_the_unbiased_std():
    # Gains: std .180278, z .27735, .83205, -1.10940; outcomes: std .707107, z +-.70711.
    np.testing.assert_allclose(
        advantages(eps=0.0), [1.81650, 1.53916, 0.70711, -1.81650, -0.70711], atol=1e-5
    )


def test_joint_normalisation():
    # .2, .3, -.05, 1, 0: mean .29, population std .377359, unbiased .421900.
    np.testing.assert_allclose(
        advantages(std="population", eps=0.0, normalization="joint"),
        [1.66949, 1.90799, 1.88149, -1.66949, -0.76850],
        atol=1e-5,
    )
    np.testing.assert_allclose(
        advantages(eps=0.0, normalization="joint")[2], (1 - 0.29) / 0.421900, atol=1e-5
    )


def test_gains_are_normalised_before_they_are_discounted():
    """The first public code did the reverse, per position, which its author withdrew."""
    ours = advantages(std="population", eps=0.0)
    # Raw sums to come 1.5, 1.3, 1 and -.05, 0; position by position minus the mean: .775, .65, 1.
    np.testing.assert_allclose(ours[:3] - [0.775, 0.65, 1.0], [1.58373, 1.36905, 0.0], atol=2e-5)


def test_a_gain_of_exactly_zero_is_a_turn_like_any_other():
    gains = np.array([0.3, 0.0, np.nan, -0.3, np.nan])
    found = advantages(gains=gains, eps=0.0)
    # z of .3, 0, -.3 is 1, 0, -1; code that looks for reward != 0 would find +-.7071 for the two.
    np.testing.assert_allclose(found, [1.70711, 0.70711, 0.70711, -1.70711, -0.70711], atol=1e-5)
    shifted = advantages(gains=gains + 0.1, eps=0.0)  # no zero among them: the same statistics
    np.testing.assert_allclose(shifted, found, atol=1e-9)


def test_without_gains_or_without_weight_it_is_the_outcome():
    expected = group_relative_advantages(OUTCOMES, GROUP)[TRAJECTORIES]
    for options in (
        {"gains": np.zeros(5)},
        {"gains": np.full(5, 0.7)},
        {"has_gain": np.zeros(5, dtype=bool)},
        {"gain_weight": 0.0},
    ):
        np.testing.assert_array_equal(advantages(**options), expected)


def test_the_weight_of_gains():
    # z of the gains .33968, 1.01904, -1.35872, times .5; outcomes +-1; sums of what follows.
    found = advantages(gain_weight=0.5, std="population", eps=0.0)
    np.testing.assert_allclose(found, [1.67936, 1.50952, 1.0, -1.67936, -1.0], atol=1e-5)


@pytest.mark.parametrize("factor", [0.5, 20.0])
def test_a_factor_on_raw_gains_cancels_where_they_are_normalised_by_themselves(factor):
    np.testing.assert_allclose(advantages(gains=factor * GAINS, eps=0.0), advantages(eps=0.0))
    joint = {"normalization": "joint", "eps": 0.0}
    assert np.abs(advantages(gains=factor * GAINS, **joint) - advantages(**joint)).max() > 0.1


def test_what_gamma_does():
    np.testing.assert_allclose(
        advantages(gamma=0.0, eps=0.0), [0.27735, 0.83205, 0.70711, -1.1094, -0.70711], atol=1e-5
    )


turns = st.lists(
    st.lists(st.one_of(st.none(), st.integers(-3, 3)), min_size=1, max_size=4),
    min_size=1,
    max_size=6,
)


def arrays(episodes, groups):
    gains = np.array([np.nan if g is None else g / 2 for e in episodes for g in e])
    ids = np.repeat(np.arange(len(episodes)), [len(e) for e in episodes])
    return gains, ~np.isnan(gains), ids, np.array(groups[: len(episodes)])


def slow(gains, has_gain, outcomes, ids, groups, gamma, joint):
    """The definition, one value at a time."""

    def z(value, among):
        spread = np.std(among, ddof=1) if len(among) > 1 else 0.0
        return (value - np.mean(among)) / (spread + 1e-6) if len(among) > 1 else 0.0

    found = np.zeros(len(gains))
    for i in range(len(outcomes)):
        own = groups == groups[i]
        all_gains = [g for g, h, t in zip(gains, has_gain, ids, strict=True) if h and own[t]]
        all_outcomes = list(outcomes[own])
        both = all_gains + all_outcomes
        value = 0.0
        for k, s in enumerate(reversed(np.flatnonzero(ids == i))):
            own_credit = z(outcomes[i], both if joint else all_outcomes) if k == 0 else 0.0
            if has_gain[s]:
                own_credit += z(gains[s], both if joint else all_gains)
            value = own_credit + gamma * value
            found[s] = value
    return found


@given(
    turns,
    st.lists(st.integers(0, 2), min_size=6, max_size=6),
    st.lists(st.integers(0, 2), min_size=6, max_size=6),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_equals_the_slow_loop(episodes, groups, outcomes, gamma, joint):
    gains, has_gain, ids, group_ids = arrays(episodes, groups)
    values = np.array(outcomes[: len(episodes)], dtype=float)
    name = "joint" if joint else "separate"
    fast = information_gain_advantages(
        gains, has_gain, values, ids, group_ids, gamma=gamma, normalization=name
    )
    expected = slow(gains, has_gain, values, ids, group_ids, gamma, joint)
    np.testing.assert_allclose(fast, expected, atol=1e-6)
    assert np.isfinite(fast).all()


@given(turns, st.lists(st.integers(0, 3), min_size=6, max_size=6))
@settings(max_examples=50, deadline=None)
def test_joint_first_advantages_add_up_to_zero(episodes, outcomes):
    """With gamma 1 each is the sum of its episode's z, and all z of a group add up to 0."""
    gains, has_gain, ids, groups = arrays(episodes, [0] * 6)
    found = information_gain_advantages(
        gains, has_gain, np.array(outcomes[: len(episodes)], float), ids, groups,
        normalization="joint",
    )  # fmt: skip
    first = np.flatnonzero(np.diff(ids, prepend=-1))
    assert found[first].sum() == pytest.approx(0.0, abs=1e-6)


def test_degenerate_groups_give_zero():
    one = information_gain_advantages(
        np.array([0.5, 0.0]), np.array([True, False]), np.ones(1), np.zeros(2, int), np.zeros(1)
    )
    np.testing.assert_array_equal(one, [0.0, 0.0])
    np.testing.assert_array_equal(
        advantages(np.ones(2), gains=np.full(5, -1.0), normalization="separate"), np.zeros(5)
    )
    none = np.zeros(0)
    assert len(information_gain_advantages(none, none > 0, none, none, none)) == 0


def test_arguments_are_checked():
    with pytest.raises(UsageError, match="normalization"):
        advantages(normalization="none")
    with pytest.raises(UsageError, match="gamma"):
        advantages(gamma=1.5)
    with pytest.raises(UsageError, match="has_gain"):
        advantages(has_gain=np.ones(4, dtype=bool))
