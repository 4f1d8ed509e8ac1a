"""Estimators against numbers computed by hand, identities, and slow loops."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise_agents.estimators import (
    anchor_groups,
    anchor_statistics,
    batch_normalized_advantages,
    discounted_returns,
    encode_ids,
    gae,
    group_relative_advantages,
    leave_one_out_advantages,
    similar_anchor_groups,
    step_advantages,
    whiten,
    zero_variance_share,
    zero_where_alike,
)
from turnwise_envs.errors import UsageError

# Two trajectories of three turns, gamma = .95 (the worked example of GiGPO):
# A: rewards 0, 0, 10 from states s0, s1, s2;   B: rewards 0, 0, 0 from s0, s1, s1.
REWARDS = np.array([0.0, 0, 10, 0, 0, 0])
TRAJECTORY = np.array([0, 0, 0, 1, 1, 1])
GROUP = np.zeros(6, dtype=int)
ANCHORS = ["s0", "s1", "s2", "s0", "s1", "s1"]
BOTH = np.array([0, 0])


def test_discounted_returns():
    # 10, .95 * 10 = 9.5, .95 * 9.5 = 9.025
    expected = [9.025, 9.5, 10, 0, 0, 0]
    assert discounted_returns(REWARDS, TRAJECTORY, gamma=0.95) == pytest.approx(expected)
    mixed = np.array([3, 0, 4, 1, 5, 2])  # interleaved, each trajectory still in time order
    order = np.argsort(mixed)
    interleaved = np.empty(6)
    interleaved[order] = REWARDS
    ids = np.empty(6, dtype=int)
    ids[order] = TRAJECTORY
    back = discounted_returns(interleaved, ids, gamma=0.95)
    assert back[order] == pytest.approx(expected)


def test_discounts_of_zero_and_one():
    rewards, ids = np.array([1.0, 2, 4]), np.zeros(3, dtype=int)
    assert discounted_returns(rewards, ids, gamma=0.0).tolist() == [1, 2, 4]
    assert discounted_returns(rewards, ids, gamma=1.0).tolist() == [7, 6, 4]
    assert discounted_returns(np.zeros(0), np.zeros(0, dtype=int)).shape == (0,)


def test_gigpo_example_without_std():
    # Episode returns 10 and 0, mean 5. s0 {9.025, 0}: mean 4.5125. s1 {9.5, 0, 0}: mean 3.1667.
    episode = group_relative_advantages(np.array([10.0, 0]), BOTH, normalize_std=False)
    assert episode.tolist() == [5, -5]
    returns = discounted_returns(REWARDS, TRAJECTORY, gamma=0.95)
    steps = step_advantages(returns, anchor_groups(GROUP, ANCHORS), normalize_std=False)
    assert steps == pytest.approx([4.5125, 19 / 3, 0, -4.5125, -9.5 / 3, -9.5 / 3])
    total = episode[TRAJECTORY] + steps
    expected = [9.5125, 11.3333, 5.0, -9.5125, -8.1667, -8.1667]
    assert total == pytest.approx(expected, abs=1e-4)


def test_gigpo_example_with_std():
    # std of {10, 0} is sqrt(25 + 25) = 7.0711: 5 / 7.0711 = .70711.
    episode = group_relative_advantages(np.array([10.0, 0]), BOTH)
    assert episode == pytest.approx([0.70711, -0.70711], abs=1e-5)
    # s1: deviations 19/3, -9.5/3, -9.5/3; std = sqrt((40.11 + 2 * 10.03) / 2) = 5.4848.
    returns = discounted_returns(REWARDS, TRAJECTORY, gamma=0.95)
    steps = step_advantages(returns, anchor_groups(GROUP, ANCHORS))
    expected = [0.70711, 1.15470, 0, -0.70711, -0.57735, -0.57735]
    assert steps == pytest.approx(expected, abs=1e-5)


def test_statistics_over_rows_reproduce_the_published_code():
    # Rows 10, 10, 10, 0, 0, 0: mean 5, std sqrt(150 / 5) = 5.4772; 5 / 5.4772 = .91287.
    rows = {"weight": "step", "lengths": np.array([3, 3])}
    same = group_relative_advantages(np.array([10.0, 0]), BOTH, **rows)
    assert same == pytest.approx([0.91287, -0.91287], abs=1e-5)
    # Lengths 2 and 6: mean 20 / 8 = 2.5, std sqrt((2 * 56.25 + 6 * 6.25) / 7) = 4.6291.
    rows["lengths"] = np.array([2, 6])
    uneven = group_relative_advantages(np.array([10.0, 0]), BOTH, **rows)
    assert uneven == pytest.approx([1.62019, -0.54006], abs=1e-5)
    # One value per trajectory is the default, whatever the lengths.
    default = group_relative_advantages(np.array([10.0, 0]), BOTH, lengths=np.array([2, 6]))
    assert default == pytest.approx([0.7071, -0.7071], abs=1e-4)


def test_baselines_of_one_group():
    returns, ids = np.array([1.0, 0, 0, 1]), np.zeros(4, dtype=int)
    # std sqrt(4 * .25 / 3) = .57735; .5 / (.57735 + 1e-4) = .865875 (TRL's eps).
    grpo = group_relative_advantages(returns, ids, eps=1e-4)
    assert grpo == pytest.approx([0.865875, -0.865875, -0.865875, 0.865875], abs=1e-6)
    # The others of a 1 have mean 1/3.
    rloo = leave_one_out_advantages(returns, ids)
    assert rloo == pytest.approx([2 / 3, -2 / 3, -2 / 3, 2 / 3])
    plain = group_relative_advantages(returns, ids, normalize_std=False)
    assert plain.tolist() == [0.5, -0.5, -0.5, 0.5]
    # Population std is .5: .5 / .5 = 1.
    population = group_relative_advantages(returns, ids, std="population")
    assert population == pytest.approx([1, -1, -1, 1], abs=1e-5)


@pytest.mark.parametrize("normalize_std", [True, False])
def test_group_of_one_gets_zero_and_not_its_score(normalize_std):
    for weight in ("trajectory", "step"):
        one = group_relative_advantages(
            np.array([10.0, 1, 2]),
            np.array([7, 8, 8]),
            normalize_std=normalize_std,
            weight=weight,
            lengths=np.array([5, 1, 1]),
        )
        assert one[0] == 0.0
        assert one[1] == -one[2] != 0.0
    assert leave_one_out_advantages(np.array([10.0]), np.array([3])).tolist() == [0.0]


def test_differences_normalised_over_the_batch():
    # Differences +.5 over two tokens and -.5 over four; a flat group of three tokens stays at 0.
    values = [0.5] * 2 + [-0.5] * 4 + [0.0] * 6
    std = np.std(values, ddof=1)
    found = batch_normalized_advantages(
        np.array([1.0, 0, 3, 3]), np.array([0, 0, 9, 9]), np.array([2, 4, 3, 3])
    )
    mean = -1 / 12
    assert found == pytest.approx([(0.5 - mean) / std, (-0.5 - mean) / std, 0, 0], abs=1e-6)
    # One without a token is in its group's mean, and gets nothing.
    cut = batch_normalized_advantages(np.array([1.0, 0]), np.zeros(2, int), np.array([2, 0]))
    assert cut.tolist() == [0.0, 0.0]
    assert batch_normalized_advantages(np.zeros(0), np.zeros(0, int), np.zeros(0, int)).size == 0


def test_groups_whose_episodes_are_all_alike_are_set_to_zero():
    # Group 5: rows (1, -1) twice. Group 3: rows (1,) and (1, 0). Group 4: one episode.
    advantages = np.array([1.0, -1, 1, -1, 1, 1, 0, 7])
    owners = np.array([0, 0, 1, 1, 2, 3, 3, 4])
    found = zero_where_alike(advantages, owners, np.array([5, 5, 3, 3, 4]))
    assert found.tolist() == [0, 0, 0, 0, 1, 1, 0, 0]


def test_equal_returns_give_exact_zeros():
    returns, ids = np.full(7, 0.1), np.zeros(7, dtype=int)
    assert not group_relative_advantages(returns, ids).any()
    assert not leave_one_out_advantages(returns, ids).any()


def test_anchor_groups_never_cross_task_groups():
    ids = anchor_groups(np.array([0, 0, 1, 1]), ["a", "b", "a", "a"])
    assert ids.tolist() == [0, 1, 2, 2]
    assert anchor_statistics(ids) == {
        "merge_rate": 0.5,
        "anchor_group_size": pytest.approx(4 / 3),
        "singleton_share": pytest.approx(2 / 3),
        "large_group_share": 0.0,
    }
    # Eleven, ten, nine and one step: half of the anchor groups have ten or more.
    sizes = anchor_statistics(np.repeat(np.arange(4), [11, 10, 9, 1]))
    assert (sizes["large_group_share"], sizes["singleton_share"]) == (0.5, 0.25)
    assert sizes["anchor_group_size"] == 31 / 4
    assert not any(anchor_statistics(np.zeros(0, dtype=int)).values())


def test_similar_anchor_groups_join_the_first_similar_representative():
    # "abcdefghij" and "abcdefghiX" share 9 of 10 letters: ratio 2 * 9 / 20 = .9.
    # The third shares 8 with the first (.8) and 9 with the second (.9), which is no representative.
    texts = ["abcdefghij", "abcdefghiX", "abcdefghYX", "abcdefghij"]
    group = np.zeros(4, dtype=int)
    assert similar_anchor_groups(group, texts, threshold=0.9).tolist() == [0, 0, 1, 0]
    assert similar_anchor_groups(group, texts, threshold=0.75).tolist() == [0, 0, 0, 0]
    assert similar_anchor_groups(group, texts, threshold=0.95).tolist() == [0, 1, 2, 0]
    # Order decides: with the third first, the second joins it and the first does not.
    assert similar_anchor_groups(group, texts[2::-1] + texts[:1], threshold=0.9).tolist() == [
        0,
        0,
        1,
        1,
    ]
    assert similar_anchor_groups(np.array([0, 1]), ["x", "x"]).tolist() == [0, 1]
    with pytest.raises(UsageError, match="threshold must be between 0 and 1"):
        similar_anchor_groups(group, texts, threshold=1.0)


def test_whiten():
    # mean 1/3, unbiased variance (2 * 4/9 + 4 * 1/9) / 5 = .26667; (2/3) / .5164 = 1.29099.
    values = np.array([1.0, 1, 0, 0, 0, 0])
    expected = [1.2909944, 1.2909944, *[-0.6454972] * 4]
    assert whiten(values) == pytest.approx(expected, abs=1e-6)
    padded = whiten(np.r_[values, 99.0], np.r_[np.ones(6, dtype=bool), False])
    assert padded == pytest.approx([*expected, 0.0], abs=1e-6)
    assert whiten(np.array([3.0])).tolist() == [0.0]


def test_gae():
    # deltas .6 - .5 = .1, .8 - .6 = .2, 1 - .8 = .2; .2 + .95 * .2 = .39; .1 + .95 * .39 = .4705
    rewards, values = np.array([0.0, 0, 1]), np.array([0.5, 0.6, 0.8])
    ids = np.zeros(3, dtype=int)
    assert gae(rewards, values, ids) == pytest.approx([0.4705, 0.39, 0.2])
    # lambda = 1: return minus value.
    assert gae(rewards, values, ids, gae_lambda=1.0) == pytest.approx(1 - values)
    # An episode cut before the end continues with the value of its last state: .8 becomes
    # 1 + .5 - .8 = .7.
    cut = gae(rewards, values, ids, bootstrap=np.array([9.0, 9, 0.5]), gae_lambda=0.0)
    assert cut == pytest.approx([0.1, 0.2, 0.7])


def test_zero_variance_share():
    assert zero_variance_share(np.array([1.0, 1, 0, 1]), np.array([0, 0, 1, 1])) == 0.5
    assert zero_variance_share(np.zeros(0), np.zeros(0, dtype=int)) == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: discounted_returns(np.zeros(3), np.zeros(2)), "trajectory_ids must have the"),
        (lambda: discounted_returns(np.zeros(3), np.zeros(3), gamma=1.1), "gamma must be in"),
        (lambda: discounted_returns(np.zeros((3, 1)), np.zeros(3)), "rewards must have rank 1"),
        (
            lambda: group_relative_advantages(np.zeros(2), BOTH, weight="step"),
            "lengths must have the shape",
        ),
        (lambda: group_relative_advantages(np.zeros(2), BOTH, std="x"), "std must be one of"),
        (lambda: anchor_groups(GROUP, ["a"]), "anchors must have one entry per step"),
    ],
)
def test_errors_name_what_is_wrong(call, message):
    with pytest.raises(UsageError, match=message):
        call()


# ------------------------------------------------------------------ properties

members = st.lists(st.tuples(st.integers(0, 3), st.integers(-4, 4)), min_size=1, max_size=24).map(
    lambda rows: (np.array([g for g, _ in rows]), np.array([float(r) for _, r in rows]))
)


def slow_group_relative(returns, ids, normalize_std):
    result = []
    for value, group in zip(returns, ids, strict=True):
        same = [r for r, g in zip(returns, ids, strict=True) if g == group]
        if len(same) == 1:
            result.append(0.0)
            continue
        mean = sum(same) / len(same)
        std = math.sqrt(sum((r - mean) ** 2 for r in same) / (len(same) - 1))
        result.append((value - mean) / (std + 1e-6) if normalize_std else value - mean)
    return result


@given(members, st.booleans())
@settings(max_examples=60, deadline=None)
def test_group_relative_equals_the_slow_loop(data, normalize_std):
    ids, returns = data
    fast = group_relative_advantages(returns, ids, normalize_std=normalize_std)
    assert fast == pytest.approx(slow_group_relative(returns, ids, normalize_std), abs=1e-9)


@given(members, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_permuting_members_changes_nothing(data, random):
    ids, returns = data
    order = list(range(len(ids)))
    random.shuffle(order)
    for function in (group_relative_advantages, leave_one_out_advantages):
        plain, permuted = function(returns, ids), function(returns[order], ids[order])
        assert permuted == pytest.approx(plain[order], abs=1e-9)


@given(members)
@settings(max_examples=60, deadline=None)
def test_identities_of_baselines(data):
    ids, returns = data
    centred = group_relative_advantages(returns, ids, normalize_std=False)
    sizes = np.array([(ids == i).sum() for i in ids])
    factor = np.where(sizes > 1, sizes / np.maximum(sizes - 1, 1), 0)
    assert leave_one_out_advantages(returns, ids) == pytest.approx(centred * factor, abs=1e-9)
    for group in set(ids.tolist()):
        assert centred[ids == group].sum() == pytest.approx(0, abs=1e-9)
    shifted = group_relative_advantages(returns + 5.0, ids, normalize_std=False)
    assert shifted == pytest.approx(centred, abs=1e-9)


steps = st.lists(
    st.lists(st.tuples(st.integers(-3, 3), st.sampled_from("xyz")), min_size=4, max_size=4),
    min_size=2,
    max_size=5,
)


@given(steps, st.integers(-5, 5))
@settings(max_examples=60, deadline=None)
def test_a_constant_added_to_every_reward_changes_no_advantage(rows, constant):
    """Of episodes of equal length whose states meet at equal times."""
    rewards = np.array([float(r) for row in rows for r, _ in row])
    ids = np.repeat(np.arange(len(rows)), 4)
    anchors = anchor_groups(np.zeros_like(ids), [f"{t}{a}" for row in rows
                            for t, (_, a) in enumerate(row)])  # fmt: skip

    def both(shift):
        episode = group_relative_advantages(
            np.bincount(ids, rewards + shift), np.zeros(len(rows)), normalize_std=False
        )
        returns = discounted_returns(rewards + shift, ids, gamma=0.95)
        return episode[ids], step_advantages(returns, anchors, normalize_std=False)

    for moved, plain in zip(both(constant), both(0), strict=True):
        assert moved == pytest.approx(plain, abs=1e-9)


@given(steps)
@settings(max_examples=60, deadline=None)
def test_step_advantages_of_an_anchor_group_add_up_to_zero(rows):
    returns = np.array([float(r) for row in rows for r, _ in row])
    anchors = anchor_groups(np.zeros(len(returns), dtype=int), [a for row in rows for _, a in row])
    for normalize_std in (False, True):
        found = step_advantages(returns, anchors, normalize_std=normalize_std)
        assert np.bincount(anchors, found) == pytest.approx(0.0, abs=1e-9)


@given(st.lists(st.lists(st.integers(-3, 3), min_size=1, max_size=6), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_returns_equal_the_slow_loop(trajectories):
    rewards = np.array([float(r) for t in trajectories for r in t])
    ids = encode_ids([i for i, t in enumerate(trajectories) for _ in t])
    expected = []
    for trajectory in trajectories:
        for start in range(len(trajectory)):
            expected.append(sum(0.9**k * r for k, r in enumerate(trajectory[start:])))
    assert discounted_returns(rewards, ids, gamma=0.9) == pytest.approx(expected, abs=1e-9)
