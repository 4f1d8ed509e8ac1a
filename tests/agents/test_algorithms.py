"""Credit of the algorithms on records, their identities, edge cases, and pinned defaults."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise_agents.algorithms import ALGORITHMS, load_algorithm
from turnwise_agents.algorithms.base import Outputs
from turnwise_agents.algorithms.gigpo import GiGPO, GiGPOConfig
from turnwise_agents.algorithms.grpo import GRPO, GRPOConfig
from turnwise_agents.algorithms.reinforce import REINFORCE, REINFORCEConfig
from turnwise_agents.algorithms.rloo import RLOO
from turnwise_agents.batch import Norms
from turnwise_agents.rewards import InvalidActionPenalty, turns_of
from turnwise_agents.segments import count_norms, make_batch, segments
from turnwise_agents.types import Generation, Group, RolloutSpec, Trajectory, Turn
from turnwise_envs.errors import UsageError


def turn(index, reward=0.0, anchor="", *, observation="", valid=True, trainable=True):
    generation = Generation(
        prompt_ids=[1], completion_ids=[2, 3], sampler_logprobs=[-1.0, -2.0], trainable=trainable
    )
    return Turn(
        turn_index=index,
        observation=observation or anchor,
        generations=[generation],
        anchor_key=anchor,
        state_key=anchor,
        reward=reward,
        action_is_valid=valid,
    )


def trajectory(name, rewards, anchors=None, group="g", **fields):
    anchors = anchors or [f"{name}{i}" for i in range(len(rewards))]
    turns = [turn(i, r, a) for i, (r, a) in enumerate(zip(rewards, anchors, strict=True))]
    return Trajectory(
        env_id="e", task_id="t", group_id=group, trajectory_id=name, turns=turns, **fields
    )


def group(*trajectories, group_id="g"):
    return Group(group_id=group_id, env_id="e", task_id="t", trajectories=list(trajectories))


def example():
    """The worked example: returns 9.025, 9.5, 10 and 0; see test_estimators."""
    return group(
        trajectory("a", [0.0, 0, 10], ["s0", "s1", "s2"]),
        trajectory("b", [0.0, 0, 0], ["s0", "s1", "s1"]),
    )


def credit(algorithm, *groups):
    algorithm.shape(list(groups), None)
    return {c.trajectory_id: c.turn for c in algorithm.assign_credit(list(groups))}


def test_gigpo_example():
    plain = credit(GiGPO(GiGPOConfig(normalize_std=False)), example())
    assert plain["a"] == pytest.approx([9.5125, 11.3333, 5.0], abs=1e-4)
    assert plain["b"] == pytest.approx([-9.5125, -8.1667, -8.1667], abs=1e-4)
    # .70711 (episode) plus .70711, 1.15470, 0 (steps)
    scaled = credit(GiGPO(), example())
    assert scaled["a"] == pytest.approx([1.41421, 1.86181, 0.70711], abs=1e-5)
    assert scaled["b"] == pytest.approx([-1.41421, -1.28446, -1.28446], abs=1e-5)
    # .91287 where the episode's statistics are over rows
    rows = credit(GiGPO(GiGPOConfig(statistics="step")), example())
    assert rows["a"] == pytest.approx([1.61998, 2.06757, 0.91287], abs=1e-5)


trees = st.lists(
    st.lists(
        st.lists(st.tuples(st.integers(-2, 2), st.sampled_from("xyz")), min_size=1, max_size=5),
        min_size=1,
        max_size=5,
    ),
    min_size=1,
    max_size=3,
)


def build(tree):
    return [
        group(
            *(
                trajectory(f"{g}.{i}", [float(r) for r, _ in t], [a for _, a in t], group=str(g))
                for i, t in enumerate(members)
            ),
            group_id=str(g),
        )
        for g, members in enumerate(tree)
    ]


@given(trees)
@settings(max_examples=40, deadline=None)
def test_gigpo_without_step_weight_is_grpo(tree):
    groups = build(tree)
    assert credit(GiGPO(GiGPOConfig(step_advantage_weight=0.0)), *groups) == credit(GRPO(), *groups)


@given(trees)
@settings(max_examples=40, deadline=None)
def test_gigpo_with_unique_anchors_is_grpo(tree):
    groups = build(tree)
    for i, each in enumerate(turns_of(groups)):
        each.anchor_key = str(i)
    assert credit(GiGPO(), *groups) == credit(GRPO(), *groups)


@given(trees, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_of_trajectories_and_groups_does_not_matter(tree, random):
    groups = build(tree)
    expected = credit(GiGPO(), *groups)
    random.shuffle(groups)
    for each in groups:
        random.shuffle(each.trajectories)
    shuffled = credit(GiGPO(), *groups)
    assert set(shuffled) == set(expected)
    for name, values in expected.items():
        assert shuffled[name] == pytest.approx(values, abs=1e-6)


def slow_gigpo(groups, gamma=0.95):
    """Plain loops over the definition, without std."""
    result = {}
    for g in groups:
        mean = sum(t.episode_return for t in g.trajectories) / len(g.trajectories)
        returns = {}
        for t in g.trajectories:
            value = 0.0
            for each in reversed(t.turns):
                value = each.reward + gamma * value
                returns[t.trajectory_id, each.turn_index] = value
        for t in g.trajectories:
            row = []
            for each in t.turns:
                same = [
                    returns[o.trajectory_id, u.turn_index]
                    for o in g.trajectories
                    for u in o.turns
                    if u.anchor_key == each.anchor_key
                ]
                step = returns[t.trajectory_id, each.turn_index] - sum(same) / len(same)
                episode = t.episode_return - mean if len(g.trajectories) > 1 else 0.0
                row.append(episode + (step if len(same) > 1 else 0.0))
            result[t.trajectory_id] = row
    return result


@given(trees)
@settings(max_examples=40, deadline=None)
def test_gigpo_equals_the_slow_loop(tree):
    groups = build(tree)
    fast = credit(GiGPO(GiGPOConfig(normalize_std=False)), *groups)
    for name, values in slow_gigpo(groups).items():
        assert fast[name] == pytest.approx(values, abs=1e-9)


@given(trees)
@settings(max_examples=30, deadline=None)
def test_rloo_is_scaled_grpo_without_std(tree):
    groups = build(tree)
    rloo = credit(RLOO(), *groups)
    plain = credit(GRPO(GRPOConfig(normalize_std=False)), *groups)
    for g in groups:
        n = len(g.trajectories)
        for t in g.trajectories:
            scaled = [n / max(1, n - 1) * a for a in plain[t.trajectory_id]]
            assert rloo[t.trajectory_id] == pytest.approx(scaled, abs=1e-9)


@pytest.mark.parametrize("algorithm", [GRPO, GiGPO, RLOO])
def test_group_of_one_and_equal_outcomes_give_zero(algorithm):
    alone = credit(algorithm(), group(trajectory("a", [0.0, 5.0])))
    assert alone == {"a": [0.0, 0.0]}
    equal = [trajectory(n, [0.1, 0.1], ["x", "y"]) for n in "abc"]
    assert all(v == [0.0, 0.0] for v in credit(algorithm(), group(*equal)).values())


@pytest.mark.parametrize("algorithm", [GRPO, GiGPO, RLOO, REINFORCE])
def test_failed_episodes_enter_nothing(algorithm):
    broken = trajectory("x", [0.0, 99.0], ["s0", "s1"], stop="error")
    with_it = example()
    with_it.trajectories.append(broken)
    assert credit(algorithm(), with_it) == credit(algorithm(), example())


def test_episodes_without_a_turn_are_left_out():
    empty = trajectory("x", [])
    with_it = example()
    with_it.trajectories.append(empty)
    assert credit(GRPO(), with_it) == credit(GRPO(), example())


def test_a_branch_counts_its_prefix_but_trains_only_its_own_turns():
    branch = trajectory("c", [0.0, 0, 10], ["s0", "s1", "s2"], parent=("b", 2))
    for each in branch.turns[:2]:
        each.generations[0].trainable = False
    groups = group(*example().trajectories, branch)
    grpo = credit(GRPO(GRPOConfig(normalize_std=False)), groups)
    # Returns 10, 0, 10: mean 6.6667.
    assert grpo["c"] == pytest.approx([0.0, 0.0, 10 / 3])
    gigpo = credit(GiGPO(GiGPOConfig(normalize_std=False)), groups)
    # s0 holds two steps as before (the branch's is no member); s2 holds two with equal returns.
    assert gigpo["a"][0] == pytest.approx(10 / 3 + 4.5125)
    assert gigpo["c"] == pytest.approx([0.0, 0.0, 10 / 3])


def test_groups_of_different_sizes_and_groups_that_grew_over_waves():
    grown = group(*(trajectory(f"a{i}", [float(i)]) for i in range(5)))
    small = group(trajectory("b0", [1.0], group="h"), trajectory("b1", [0.0], group="h"))
    both = credit(GRPO(), grown, small)
    assert both["b0"] == pytest.approx([0.70711], abs=1e-5)
    assert sum(both[f"a{i}"][0] for i in range(5)) == pytest.approx(0)
    split = credit(GRPO(), group(*grown.trajectories[:2]), group(*grown.trajectories[2:]), small)
    assert split == both  # explicit ids: how the records are bundled does not matter


def test_invalid_action_penalty_does_not_flow_back():
    def one_invalid():
        made = example()
        made.trajectories[1].turns[2].action_is_valid = False
        return made

    config = GiGPOConfig(normalize_std=False, invalid_action_penalty=0.5)
    gigpo = credit(GiGPO(config), one_invalid())
    # Episode returns 10 and -.5: +-5.25. Step returns of b: 0, 0, -.5 and not 0 - .95 * .5.
    assert gigpo["a"][0] == pytest.approx(5.25 + 4.5125)
    # s1 {9.5, 0, -.5}: mean 3.
    assert gigpo["b"][1] == pytest.approx(-5.25 - 3.0)
    assert gigpo["b"][2] == pytest.approx(-5.25 - 3.5)
    grpo = credit(GRPO(GRPOConfig(normalize_std=False, invalid_action_penalty=0.5)), one_invalid())
    assert grpo["b"] == pytest.approx([-5.25] * 3)
    off = credit(GRPO(GRPOConfig(normalize_std=False, invalid_action_penalty=0.0)), one_invalid())
    assert off["b"] == [-5.0] * 3


class Brevity:
    """An own shaper: a cost per character, which flows back; one entry per token."""

    channel = "brevity"
    immediate = False

    def __call__(self, groups, services):
        for each in turns_of(groups):
            each.channels[self.channel] = [-0.5, -0.5]


def test_own_shaper_and_foreign_channels():
    made = group(trajectory("a", [0.0, 0]), trajectory("b", [0.0]))
    for each in turns_of([made]):
        each.channels["advantage"] = 99.0  # a channel of somebody else is no reward
    shaped = GRPO(GRPOConfig(normalize_std=False), shapers=[Brevity()])
    assert credit(shaped, made) == {"a": [-0.5, -0.5], "b": [0.5]}  # returns -2, -1
    gigpo = GiGPO(GiGPOConfig(gamma=1.0), shapers=[Brevity()])
    gigpo.shape([made], None)
    assert gigpo.table([made]).rewards.tolist() == [-1, -1, -1]
    with pytest.raises(UsageError, match="channels of the shapers must be unique"):
        GRPO(shapers=[InvalidActionPenalty(1.0)])


def test_truncated_episodes_can_be_kept_out_of_the_gradient():
    made = example()
    made.trajectories[0].stop = "context"
    kept = credit(GRPO(GRPOConfig(mask_truncated=True)), made)
    assert "a" not in kept  # no credit: out of the surrogate, the KL and entropy terms, the counts
    assert kept["b"] == pytest.approx([-0.70711] * 3, abs=1e-5)


@pytest.mark.parametrize(
    ("anchor", "size"),
    [("anchor_key", 2), ("state_key", 1), ("observation", 4), ("similar", 4)],
)
def test_anchors(anchor, size):
    made = group(trajectory("a", [0.0, 1]), trajectory("b", [0.0, 0]))
    for i, each in enumerate(turns_of([made])):
        each.anchor_key, each.state_key, each.observation = str(i % 2), str(i), "same text"
    algorithm = GiGPO(GiGPOConfig(anchor=anchor))
    credit(algorithm, made)
    metrics = algorithm.observe([made], None)
    assert metrics["credit/anchor_group_size"] == size
    assert metrics["credit/merge_rate"] == float(size > 1)
    assert metrics["credit/zero_variance_share"] == 0.0


class Pool:
    iteration = 0

    def __init__(self, visits):
        self.visits = visits

    def draw(self, count):
        return [("e", "t")] * count

    def lookup(self, env_id, task_id):
        return {"visits": self.visits, "mean_return": 4.0, "success_rate": 0.0}


def test_reinforce_baselines():
    # gamma 1: returns that follow are 10, 10, 10, 0, 0, 0, mean 5.
    none = credit(REINFORCE(REINFORCEConfig(baseline="none")), example())
    assert none == {"a": [10, 10, 10], "b": [0, 0, 0]}
    batch = credit(REINFORCE(), example())
    assert batch == {"a": [5, 5, 5], "b": [-5, -5, -5]}
    discounted = credit(REINFORCE(REINFORCEConfig(gamma=0.5, baseline="none")), example())
    assert discounted["a"] == [2.5, 5, 10]
    for visits, expected in ((8.0, [6, 6, 6]), (0.0, [5, 5, 5])):
        algorithm = REINFORCE(REINFORCEConfig(baseline="task", groups_per_iteration=1))
        (spec,) = algorithm.plan(Pool(visits), [])
        assert isinstance(spec, RolloutSpec)
        made = example()
        for t in made.trajectories:
            t.group_id = spec.group_id
        assert credit(algorithm, made)["a"] == expected


def test_default_configurations():
    shared = {
        "group_size": 8,
        "groups_per_iteration": 16,
        "surrogate": "clip",
        "ratio_level": "token",
        "clip_ratio_low": 0.2,
        "clip_ratio_high": 0.2,
        "dual_clip": 3.0,
        "cispo_max_ratio": 5.0,
        "sapo_temperatures": (1.0, 1.05),
        "vespo_positive": (2.0, 3.0),
        "vespo_negative": (3.0, 2.0),
        "kl_coef": 0.01,
        "kl_estimator": "k3",
        "kl_in_reward": False,
        "kl_model": "ref",
        "ent_coef": 0.001,
        "loss_aggregation": "token",
        "max_completion_length": None,
        "importance_correction": "off",
        "importance_cap": 2.0,
        "importance_floor": 0.0,
        "off_policy_mask": None,
        "invalid_action_penalty": 0.01,
        "mask_truncated": False,
    }
    grpo = {"normalize_std": True, "eps": 1e-6, "std": "unbiased", "statistics": "trajectory"}
    gigpo = {
        "gamma": 0.95,
        "step_advantage_weight": 1.0,
        "anchor": "anchor_key",
        "similarity_threshold": 0.95,
    }
    expected = {
        "grpo": {**shared, **grpo},
        "gigpo": {**shared, **grpo, **gigpo},
        "rloo": {**shared, "kl_estimator": "k2"},
        "reinforce": {**shared, "gamma": 1.0, "baseline": "batch"},
    }
    for name, values in expected.items():
        assert dataclasses.asdict(ALGORITHMS[name].Config()) == values


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"group_size": 0}, "group_size must be at least 1, got 0"),
        ({"groups_per_iteration": 0}, "groups_per_iteration must be at least 1"),
        ({"clip_ratio_low": 1.0}, "clip_ratio_low must be below 1"),
        ({"kl_coef": -0.1}, "kl_coef must be non-negative"),
        ({"kl_coef": math.nan}, "kl_coef must be non-negative"),
        ({"dual_clip": 0.5}, "dual_clip must be above 1 or None"),
        ({"gamma": 1.5}, "gamma must be in"),
        ({"anchor": "text"}, "anchor must be one of"),
        ({"similarity_threshold": 1.0}, "similarity_threshold must be between"),
        ({"statistics": "rows"}, "statistics must be one of"),
        ({"loss_aggregation": "constant"}, "max_completion_length must be positive"),
    ],
)
def test_configurations_that_cannot_be(fields, message):
    with pytest.raises(UsageError, match=message):
        GiGPOConfig(**fields)


def test_load_algorithm():
    assert load_algorithm("gigpo") is GiGPO
    assert load_algorithm("turnwise_agents.algorithms.grpo:GRPO") is GRPO
    for name, message in (
        ("gipgo", "algorithm must be one of reinforce, rloo, grpo, gigpo, "),
        ("no_such_module:X", "must name an importable class"),
        ("math:NoSuchClass", "must name an importable class"),
        ("math:pi", "must be a subclass of Algorithm"),
    ):
        with pytest.raises(UsageError, match=message):
            load_algorithm(name)


# ------------------------------------------------------------------ the loss hook


def loss_gradient(config, cut, *, old_shift=0.0):
    """Runs the loss over micro-batches of `cut` segments; returns gradient, value and metrics."""
    groups = build([[[(1, "x"), (0, "y")], [(0, "x")], [(0, "y"), (0, "x"), (1, "z")]]] * 2)
    algorithm = GiGPO(config)
    algorithm.shape(groups, None)
    credits = {c.trajectory_id: c for c in algorithm.assign_credit(groups)}
    items = [s for g in groups for t in g.valid for s in segments(t, credits[t.trajectory_id])]
    norms = count_norms(items)
    longest = max(len(s.input_ids) for s in items)
    leaf = torch.full((len(items), longest), -1.5 + old_shift, requires_grad=True)
    totals = {}
    value = 0.0
    for start in range(0, len(items), cut):
        part = items[start : start + cut]
        batch = make_batch(part, norms, torch.device("cpu"))
        own = leaf[start : start + cut, : batch.loss_mask.shape[1]]
        outputs = Outputs(
            logprobs=own, entropy=own.square(), models={"ref": torch.full_like(own, -1.4)}
        )
        loss, metrics = algorithm.loss(outputs, batch)
        loss.backward()
        value += float(loss.detach())
        for name, number in metrics.items():
            totals[name] = totals.get(name, 0.0) + number
    return leaf.grad, value, totals


@pytest.mark.parametrize("aggregation", ["token", "sequence", "trajectory", "constant"])
def test_loss_and_metrics_do_not_depend_on_the_cut(aggregation):
    config = GiGPOConfig(
        loss_aggregation=aggregation,
        max_completion_length=6,
        importance_correction="token_truncate",
        ratio_level="sequence" if aggregation == "sequence" else "token",
    )
    whole = loss_gradient(config, 12)
    for cut in (1, 2, 4):
        grad, value, metrics = loss_gradient(config, cut)
        assert torch.allclose(grad, whole[0], atol=1e-7)
        assert value == pytest.approx(whole[1], abs=1e-6)
        assert metrics == pytest.approx(whole[2], abs=1e-5)
    assert set(whole[2]) == {
        "approx_kl",
        "clip_fraction",
        "dual_clip_fraction",
        "ratio_mean",
        "sampled_entropy",
        "entropy",
        "kl",
        "importance_weight",
        "importance_masked",
    }


def test_needs_follow_the_configuration():
    plain = GRPO(GRPOConfig(kl_coef=0.0, ent_coef=0.0)).needs
    assert plain.outputs == plain.models == frozenset()
    assert GRPO().needs.models == {"ref"}
    assert GRPO().needs.outputs == {"entropy"}


@pytest.mark.parametrize("surrogate", ["clip", "cispo", "sapo"])
def test_first_step_is_reinforce_for_every_surrogate(surrogate):
    config = GRPOConfig(surrogate=surrogate, kl_coef=0.0, ent_coef=0.0)
    made = example()
    credits = {c.trajectory_id: c for c in GRPO(config).assign_credit([made])}
    items = [s for t in made.valid for s in segments(t, credits[t.trajectory_id])]
    batch = make_batch(items, count_norms(items), torch.device("cpu"))
    leaf = batch.old_logprobs.clone().requires_grad_()
    loss, _ = GRPO(config).loss(Outputs(logprobs=leaf), batch)
    loss.backward()
    expected = -batch.advantages / batch.norms.tokens
    assert torch.allclose(leaf.grad, expected, atol=1e-7)
    assert (leaf.grad[~batch.loss_mask] == 0).all()
    assert isinstance(batch.norms, Norms)
