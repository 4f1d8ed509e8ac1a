"""Dynamic sampling and overlong handling, by numbers and through the trainer."""

import json

import pytest
from records import episode, group, outcome

from turnwise_agents.algorithms.dapo import DAPO, DAPOConfig
from turnwise_agents.rewards import OverlongPenalty
from turnwise_agents.run import config_class, train
from turnwise_agents.trainer import TrainerConfig


class Pool:
    """Counts the tasks that are drawn."""

    iteration = 3

    def __init__(self):
        self.drawn = 0

    def draw(self, count):
        self.drawn += count
        return [("e", f"t{self.drawn - count + i}") for i in range(count)]


def played(spec, *values):
    return group(*(outcome(str(i), v, group=spec.group_id) for i, v in enumerate(values)))


def test_flat_groups_are_replaced_until_enough_differ():
    algorithm, pool = DAPO(DAPOConfig(groups_per_iteration=3, group_size=2)), Pool()
    specs = algorithm.plan(pool, [])
    finished = [played(specs[0], 1, 0), played(specs[1], 1, 1), played(specs[2], 0, 0)]
    specs = algorithm.plan(pool, finished)
    assert [(s.group_id, s.task_id, s.count) for s in specs] == [("3.3", "t3", 2), ("3.4", "t4", 2)]
    finished += [played(specs[0], 0, 1), played(specs[1], 0, 0)]
    specs = algorithm.plan(pool, finished)
    assert [s.group_id for s in specs] == ["3.5"]
    finished.append(played(specs[0], 1, 0))
    assert algorithm.plan(pool, finished) == []
    assert pool.drawn == 6
    assert [g.group_id for g in algorithm.select(finished)] == ["3.0", "3.3", "3.5"]
    algorithm.shape(finished, None)
    metrics = algorithm.observe(finished, None)
    assert metrics["credit/waves"] == 3
    assert metrics["credit/discarded_share"] == metrics["credit/discarded_step_share"] == 0.5


def test_waves_are_bounded_and_every_iteration_begins_anew():
    algorithm, pool = DAPO(DAPOConfig(groups_per_iteration=1, max_waves=2)), Pool()
    for _ in range(2):
        finished = [played(algorithm.plan(pool, [])[0], 1, 1)]
        finished.append(played(algorithm.plan(pool, finished)[0], 1, 1))
        assert algorithm.plan(pool, finished) == []
        assert algorithm.select(finished) == []
        assert algorithm.assign_credit([]) == []


def test_lost_episodes_do_not_make_a_group_informative():
    algorithm, pool = DAPO(DAPOConfig(groups_per_iteration=1)), Pool()
    (spec,) = algorithm.plan(pool, [])
    made = group(outcome("a", 1), outcome("b", 0, stop="error"))
    made.group_id = spec.group_id
    assert len(algorithm.plan(pool, [made])) == 1


def test_outcomes_may_be_compared_by_success():
    graded = group(outcome("a", 0.5), outcome("b", 1.0))
    assert DAPO().informative(graded)
    assert not DAPO(DAPOConfig(dynamic_metric="success")).informative(graded)


def test_without_dynamic_sampling_flat_groups_stay():
    algorithm, pool = DAPO(DAPOConfig(groups_per_iteration=1, dynamic_sampling=False)), Pool()
    (spec,) = algorithm.plan(pool, [])
    finished = [played(spec, 1, 1)]
    assert algorithm.plan(pool, finished) == []
    assert algorithm.select(finished) == finished


@pytest.mark.parametrize(
    # A ramp of 20 tokens below 100.
    ("tokens", "expected"),
    [(80, 0.0), (81, -0.05), (90, -0.5), (100, -1.0), (150, -1.0)],
)
def test_overlong_penalty(tokens, expected):
    assert OverlongPenalty(100, 20).penalty(tokens) == pytest.approx(expected)
    assert OverlongPenalty(100, 20, scale=0.5).penalty(tokens) == pytest.approx(expected / 2)


def test_overlong_episodes_are_punished_in_their_return():
    # 6 + 4 tokens of at most 12, with a ramp of 4: half the penalty. Returns .5 and 1.
    config = DAPOConfig(
        overlong_max_tokens=12,
        overlong_cache_tokens=4,
        normalize_std=False,
        dynamic_sampling=False,
    )
    algorithm = DAPO(config)
    made = group(episode("a", [[5] * 6, [5] * 4], [0.0, 1.0]), episode("b", [[5]], [1.0]))
    algorithm.shape([made], None)
    assert [u.channels["overlong"] for u in made.trajectories[0].turns] == [0.0, -0.5]
    credits = {c.trajectory_id: c.turn for c in algorithm.assign_credit([made])}
    assert credits == {"a": pytest.approx([-0.25] * 2), "b": pytest.approx([0.25])}
    assert algorithm.observe([made], None)["credit/overlong_penalty"] == pytest.approx(-0.25)


def test_cut_episodes_can_be_filtered():
    config = DAPOConfig(mask_truncated=True, dynamic_sampling=False)
    algorithm = DAPO(config)
    made = group(outcome("a", 1), outcome("b", 0, stop="tokens"), outcome("c", 0, stop="turns"))
    algorithm.shape([made], None)
    credits = {c.trajectory_id: c.turn for c in algorithm.assign_credit([made])}
    assert set(credits) == {"a", "c"}  # the environment's own turn limit cuts nothing
    assert credits["a"] == pytest.approx([1.1547] * 2, abs=1e-4)  # the others' mean holds b
    assert algorithm.observe([made], None)["credit/masked_share"] == pytest.approx(1 / 3)


def test_trained_groups_all_differ_and_every_step_counts(tmp_path):
    kind = config_class("dapo", "tabular")
    config = kind(
        run_dir=tmp_path / "run",
        num_tasks=6,
        trainer=TrainerConfig(iterations=3),
        algo=DAPOConfig(groups_per_iteration=4, group_size=4, max_waves=4),
    )
    rows = (train(config) / "metrics.jsonl").read_text().splitlines()
    for metrics in map(json.loads, rows):
        assert metrics["rollout/groups"] >= 4
        assert metrics["rollout/chosen_groups"] <= 4
        assert metrics["rollout/episodes"] == 4 * metrics["rollout/groups"]
        discarded = 1 - metrics["rollout/chosen_groups"] / metrics["rollout/groups"]
        assert metrics["credit/discarded_share"] == pytest.approx(discarded)
        assert metrics["credit/zero_variance_share"] == pytest.approx(discarded)
    assert any(metrics["credit/waves"] > 1 for metrics in map(json.loads, rows))
