"""G-RA: reward levels and the gate on records, through the trainer, and where something is missing.

G-RA brings no loss of its own; `test_loss_gradients.py` checks the one it shares.
"""

import dataclasses
import json
import math

import gymnasium as gym
import numpy as np
import pytest
import workshop
from hypothesis import given
from hypothesis import strategies as st
from records import episode, group, outcome
from short_runs import assert_same, final_state, interrupted, make_config, start

from turnwise_agents import cli
from turnwise_agents.algorithms.gigpo import GiGPO, GiGPOConfig
from turnwise_agents.algorithms.gra import GRA, GRAConfig
from turnwise_agents.algorithms.grpo import GRPO, GRPOConfig
from turnwise_agents.levels import open_levels, parse_levels
from turnwise_agents.rewards import RewardGate
from turnwise_envs.errors import UsageError

REPAIR = (
    "completion+modification+resolution priority=1 threshold=1",
    "tested priority=0",
)
PLAIN = {"kl_coef": 0.0, "ent_coef": 0.0}


def components(name, rows, **fields):
    """An episode whose turns have these reward components."""
    made = episode(name, [[5]] * len(rows), [float(sum(row.values())) for row in rows], **fields)
    for turn, row in zip(made.turns, rows, strict=True):
        turn.reward_components = dict(row)
    return made


def levelled(name, high, low=(0.05, 0.05, -0.05), **fields):
    """An episode of three turns: `low` at each, `high` at the last."""
    rows = [{"low": value} for value in low]
    rows[-1]["high"] = high
    return components(name, rows, **fields)


def two_levels(threshold=0.0, **options):
    return RewardGate(parse_levels((f"high threshold={threshold}", "low")), **options)


def total(gate, made):
    return sum(gate.apply(made).counted)


def credit(config, *trajectories, shapers=()):
    algorithm = GRA(config, shapers=shapers)
    made = [group(*trajectories)]
    algorithm.shape(made, None)
    found = {c.trajectory_id: c.turn for c in algorithm.assign_credit(made)}
    return found, algorithm.observe(made, None)


# ------------------------------------------------------------------ the rule


@pytest.mark.parametrize(
    ("high", "gated", "plain"),
    [(1.0, 1.05, 1.05), (0.0, 0.05, 0.05), (-0.5, -0.5, -0.45), (-1.0, -1.0, -0.95)],
)
def test_the_four_outcomes_of_a_repair(high, gated, plain):
    made = levelled("a", high)
    assert total(two_levels(), made) == pytest.approx(gated)
    assert total(two_levels(gated=False), made) == pytest.approx(plain)


def test_three_levels():
    """R2 misses its own threshold: it counts, the one below it does not."""
    levels = parse_levels(("c threshold=1", "b threshold=0.5", "a"))
    made = components("t", [{"a": 0.7, "b": 0.2, "c": 1.0}])
    assert total(RewardGate(levels), made) == pytest.approx(1.2)
    assert total(RewardGate(levels, gated=False), made) == pytest.approx(1.9)
    gate = RewardGate(levels)
    assert gate.apply(made).opened == [True, True, False]
    assert gate.apply(made).hidden == pytest.approx([0.7])
    closed = components("t", [{"a": 0.7, "b": 0.9, "c": 0.5}])
    assert total(gate, closed) == pytest.approx(0.5)


def test_levels_of_equal_priority_do_not_gate_each_other():
    levels = parse_levels(("c priority=1 threshold=1", "b threshold=5 priority=0", "a priority=0"))
    made = components("t", [{"a": 0.25, "b": 0.5, "c": 1.0}])
    assert total(RewardGate(levels), made) == 1.75
    assert open_levels(levels, [0.0, 9.0, 9.0]) == [True, False, False]


def test_weights_caps_and_their_turns():
    levels = parse_levels(("high threshold=0", "low weight=2 cap=0.5"))
    made = levelled("a", 1.0, (0.2, 0.2, 0.2))
    # .4, then .1 up to the cap, then nothing: each at its own turn.
    assert RewardGate(levels).apply(made).counted == pytest.approx([0.4, 0.1, 1.0])
    down = levelled("a", 1.0, (-0.2, -0.2, 0.3))
    assert RewardGate(levels).apply(down).counted == pytest.approx([-0.4, -0.1, 1.3])
    assert RewardGate(levels).apply(levelled("a", -1.0)).counted == pytest.approx([0, 0, -1])


def test_rewards_count_at_their_own_turn():
    made = levelled("a", 1.0)
    two_levels()([group(made)], None)
    assert [turn.channels["gate"] for turn in made.turns] == pytest.approx([0.05, 0.05, 0.95])
    closed = levelled("b", -1.0)
    two_levels()([group(closed)], None)
    assert [turn.channels["gate"] for turn in closed.turns] == [0.0, 0.0, -1.0]
    assert [t.channels["gate_hidden"] for t in closed.turns] == pytest.approx([0.05, 0.05, -0.05])


def test_every_source():
    made = levelled("a", 0.5, valid=[True, False, True], score=0.5)
    made.turns[0].format_is_valid = False
    for index, turn in enumerate(made.turns):
        turn.cost = {"calls": 1.0}
        turn.metrics = {"progress": index / 4} if index < 2 else {}
    expected = {
        "high": 0.5,
        "low": 0.05,
        "cost/calls": 3.0,
        "metrics/progress": 0.25,
        "turn/reward": 0.55,
        "turn/format_is_valid": 1.0,
        "turn/action_is_valid": 1.0,
        "episode/success": 1.0,
        "episode/score": 0.5,
        "episode/ended": 1.0,
        "high+low": 0.55,
        "absent": 0.0,
        "metrics/absent": 0.0,
    }
    for source, value in expected.items():
        assert total(RewardGate(parse_levels([source])), made) == pytest.approx(value), source
    made.stop = "turns"
    assert total(RewardGate(parse_levels(["episode/ended"])), made) == 0.0
    late = RewardGate(parse_levels(["metrics/progress"])).apply(made)
    assert late.counted == [0.0, 0.25, 0.0]


lows = st.lists(st.sampled_from((-0.05, 0.0, 0.05, 0.1)), min_size=1, max_size=8)
outcomes = st.sampled_from((-1.0, -0.5, 0.0, 1.0))


@given(low=lows, high=outcomes)
def test_identities(low, high):
    made = levelled("a", high, low)
    open_always, never = two_levels(-math.inf), two_levels(math.inf)
    assert open_always.apply(made) == dataclasses.replace(
        two_levels(gated=False).apply(made), opened=[True, True]
    )
    assert never.apply(made).counted == RewardGate(parse_levels(["high"])).apply(made).counted
    plain = RewardGate(parse_levels(["turn/reward"])).apply(made)
    assert plain.counted == [turn.reward for turn in made.turns]


@given(low=lows, other=lows, high=outcomes, better=outcomes)
def test_invariants(low, other, high, better):
    lines = ("high threshold=0", "low cap=0.2")
    gate = RewardGate(parse_levels(lines))
    made = levelled("a", high, low)
    if high < 0:  # closed: what the low level says changes nothing
        assert total(gate, made) == total(gate, levelled("b", high, other)) == high
    if better > high:
        assert total(gate, levelled("b", better, other)) > total(gate, made)
    episode = gate.apply(made)
    capped = min(max(math.fsum(low), -0.2), 0.2)
    assert sum(episode.counted) + sum(episode.hidden) == pytest.approx(high + capped)


# ------------------------------------------------------------------ credit


def test_advantages_by_hand():
    # Totals 1.05 and, closed, -.5: mean .275, unbiased std 1.0960.
    config = GRAConfig(levels=("high threshold=0", "low"), eps=0.0)
    found, _ = credit(config, levelled("a", 1.0), levelled("b", -0.5))
    assert found == {
        "a": pytest.approx([0.70711] * 3, abs=1e-5),
        "b": pytest.approx([-0.70711] * 3, abs=1e-5),
    }
    found, _ = credit(
        dataclasses.replace(config, normalize_std=False), levelled("a", 1.0), levelled("b", -0.5)
    )
    assert found == {"a": pytest.approx([0.775] * 3), "b": pytest.approx([-0.775] * 3)}
    # Without the gate -.45: mean .3.
    found, _ = credit(
        dataclasses.replace(config, normalize_std=False, gate=False),
        levelled("a", 1.0),
        levelled("b", -0.5),
    )
    assert found == {"a": pytest.approx([0.75] * 3), "b": pytest.approx([-0.75] * 3)}


def test_turn_credit_by_hand():
    # Returns from each turn: a .75, .5, 1 (gamma .5) and b -.125, -.25, -.5; mean .229167.
    config = GRAConfig(
        levels=("high threshold=0", "low"),
        credit="turn",
        gamma=0.5,
        normalize_std=False,
    )
    a, b = levelled("a", 1.0, (0.5, 0.0, 0.0)), levelled("b", -0.5, (0.5, 0.0, 0.0))
    found, _ = credit(config, a, b)
    mean = (0.75 + 0.5 + 1 - 0.125 - 0.25 - 0.5) / 6
    assert found["a"] == pytest.approx([0.75 - mean, 0.5 - mean, 1 - mean])
    assert found["b"] == pytest.approx([-0.125 - mean, -0.25 - mean, -0.5 - mean])


def test_turn_credit_without_immediate_rewards_is_the_episodes():
    """Equal lengths, gamma 1, outcome at the end: centred returns are the same at every turn."""
    levels = {"levels": ("turn/reward",), "normalize_std": False}
    made = [outcome(n, v) for n, v in zip("abc", (1, 0, 0), strict=True)]
    by_turn, _ = credit(GRAConfig(credit="turn", **levels), *made)
    by_episode, _ = credit(GRAConfig(**levels), *made)
    assert {n: pytest.approx(row) for n, row in by_turn.items()} == by_episode


def test_one_level_is_grpo():
    made = [outcome(n, v) for n, v in zip("abcd", (1, 0, 0, 0.5), strict=True)]
    found, _ = credit(GRAConfig(levels=("turn/reward",)), *made)
    plain = GRPO(GRPOConfig(invalid_action_penalty=0.0))
    assert found == {c.trajectory_id: c.turn for c in plain.assign_credit([group(*made)])}


@pytest.mark.parametrize("mode", ["episode", "turn"])
def test_degenerate_groups_give_zero(mode):
    config = GRAConfig(levels=("high threshold=0", "low"), credit=mode, eps=0.0)
    alone, _ = credit(config, levelled("a", 1.0, (0.1, 0.2, 0.3)))
    assert alone == {"a": [0.0] * 3}
    alike, _ = credit(config, *(levelled(n, 1.0, (0.1, 0.2, 0.3)) for n in "ab"))
    assert alike == {"a": [0.0] * 3, "b": [0.0] * 3}
    # The gate is shut on both, so different low rewards make no difference.
    same, metrics = credit(
        config, components("a", [{"high": -1.0, "low": 0.3}]), components("b", [{"high": -1.0}])
    )
    assert same == {"a": [0.0], "b": [0.0]}
    assert metrics["gate/hidden_share"] == 0.5
    broken, metrics = credit(config, levelled("a", 1.0, stop="error"))
    assert broken == {}
    assert np.isfinite(list(metrics.values())).all()


def test_copied_turns_of_a_branch_open_the_gate_and_get_no_credit():
    branch = levelled("c", -1.0, parent=("a", 1))
    branch.turns[0].reward_components["high"] = 1.0
    branch.turns[0].generations[0].trainable = False
    config = GRAConfig(levels=("high threshold=0", "low"), normalize_std=False)
    found, _ = credit(config, branch, levelled("d", -1.0))
    assert found["c"] == pytest.approx([0.0, 0.525, 0.525])  # .05 against -1


def test_closed_gates_leave_no_rounding_behind():
    """The environment's own returns, 1.05 and .3, are nowhere in what counts: 0 and 0."""
    config = GRAConfig(levels=("high threshold=9", "low"), eps=0.0)
    rows = [{"low": 1.1, "other": -0.05}], [{"low": 0.3}]
    found, metrics = credit(config, *(components(n, r) for n, r in zip("ab", rows, strict=True)))
    assert found == {"a": [0.0], "b": [0.0]}
    assert metrics["credit/zero_variance_share"] == 1.0


def test_other_algorithms_take_the_gate_as_a_shaper():
    config = GiGPOConfig(invalid_action_penalty=0.0, step_advantage_weight=0.0)
    algorithm = GiGPO(config, shapers=[two_levels()])
    assert algorithm.needs.rewards == {"high", "low"}
    made = [group(levelled("a", 1.0), levelled("b", -0.5))]
    algorithm.shape(made, None)
    found = {c.trajectory_id: c.turn for c in algorithm.assign_credit(made)}
    expected, _ = credit(
        GRAConfig(levels=("high threshold=0", "low")), levelled("a", 1.0), levelled("b", -0.5)
    )
    assert found == expected
    assert algorithm.observe(made, None)["gate/hidden_gain"] == pytest.approx(0.05)


# ------------------------------------------------------------------ defects of published code


def test_the_threshold_itself_opens():
    """A published version asks for more than the threshold, so that only solved episodes count."""
    assert total(two_levels(), levelled("a", 0.0)) == pytest.approx(0.05)
    assert total(two_levels(0.5), levelled("a", 0.5)) == pytest.approx(0.55)
    assert total(two_levels(0.5), levelled("a", 0.49)) == pytest.approx(0.49)


def test_a_sum_of_tenths_reaches_its_threshold():
    rows = [{"high": 0.1}] * 7 + [{"high": 0.1, "low": 0.25}]
    assert sum([0.1] * 8) < 0.8
    assert total(two_levels(0.8), components("a", rows)) == pytest.approx(1.05)


def test_what_a_closed_gate_hides_is_reported():
    """Penalties are hidden too, which nothing else would show."""
    config = GRAConfig(levels=("high threshold=0", "low"))
    _, metrics = credit(config, levelled("a", 1.0), levelled("b", -0.5), levelled("c", -1.0))
    assert metrics["gate/hidden_gain"] == pytest.approx(0.2 / 3)
    assert metrics["gate/hidden_penalty"] == pytest.approx(-0.1 / 3)
    assert metrics["gate/hidden_share"] == pytest.approx(2 / 3)
    assert metrics["gate/open/low"] == metrics["gate/reached/high"] == pytest.approx(1 / 3)
    assert metrics["gate/open/high"] == 1.0
    assert metrics["gate/value/low"] == pytest.approx(0.05)
    assert metrics["gate/return"] == pytest.approx((1.05 - 0.5 - 1) / 3)
    assert "gate/reached/low" not in metrics
    _, plain = credit(dataclasses.replace(config, gate=False), levelled("b", -0.5))
    assert plain["gate/hidden_gain"] == plain["gate/hidden_share"] == 0.0
    assert plain["gate/open/low"] == 0.0


def test_rewards_that_no_level_names_are_reported():
    config = GRAConfig(levels=("high",))
    _, metrics = credit(config, levelled("a", 1.0), levelled("b", 0.0, (0.3, 0.0, 0.0)))
    assert metrics["gate/unlisted_reward"] == pytest.approx(0.175)
    _, metrics = credit(GRAConfig(levels=("turn/reward",)), levelled("a", 1.0))
    assert metrics["gate/unlisted_reward"] == 0.0


def test_the_papers_rates():
    rows = [[{"completion": 0.5, "modification": 0.5, "resolution": 1.0}], [{"completion": 0.5}]]
    made = [components(n, r) for n, r in zip("ab", rows, strict=True)]
    made.append(components("c", [{}], stop="turns"))
    made[1].success = False
    _, metrics = credit(GRAConfig(levels=(REPAIR[0],)), *made)
    assert metrics["rollout/completion_rate"] == pytest.approx(2 / 3)
    assert metrics["rollout/modification_rate"] == pytest.approx(1 / 3)
    assert metrics["rollout/resolution_rate"] == pytest.approx(1 / 3)
    _, none = credit(GRAConfig(levels=("high",)), levelled("a", 1.0))
    assert "rollout/modification_rate" not in none


# ------------------------------------------------------------------ configuration and needs


def test_defaults_and_what_cannot_be_read():
    config = dataclasses.asdict(GRAConfig())
    expected = {
        "levels": (
            "episode/score threshold=1 priority=1",
            "turn/format_is_valid weight=0.05 cap=0.1 priority=0",
            "turn/action_is_valid weight=0.05 cap=0.1 priority=0",
        ),
        "gate": True,
        "credit": "episode",
        "gamma": 1.0,
        "modification": "",
        "invalid_action_penalty": 0.0,
        "normalize_std": True,
        "eps": 1e-6,
        "std": "unbiased",
        "statistics": "trajectory",
    }
    assert {k: config[k] for k in expected} == expected
    for fields, message in (
        ({"credit": "token"}, "credit must be one of"),
        ({"gamma": 1.5}, "gamma"),
        ({"modification": "info/x"}, "source must be"),
        ({"levels": ()}, "levels must be one or more"),
        ({"levels": ("a threshold=1", "a")}, "different sources"),
        ({"levels": ("a", "b")}, "'a' must have a threshold, because 'b' stands below it"),
        ({"levels": ("a threshold",)}, "Mend 'threshold'"),
        ({"levels": ("a limit=3",)}, "Mend 'limit=3'"),
        ({"levels": ("a threshold=nan", "b")}, "threshold of level 'a' must be a number"),
        ({"levels": ("a weight=inf",)}, "weight of level 'a' must be finite"),
        ({"levels": ("a cap=0",)}, "cap of level 'a' must be positive"),
        ({"levels": ("turn/length",)}, "turn/reward.*got 'turn/length'"),
        ({"levels": ("a+",)}, "got ''"),
    ):
        with pytest.raises(UsageError, match=message):
            GRAConfig(**fields)


def test_a_missing_component_is_an_error_before_the_first_rollout(tmp_path):
    small = "turnwise/HouseholdSmall-v0"
    for env_id, levels, message in (
        (small, ("correct",), r"'correct'.*Small-v0 does not.*reports success.*turnwise/MathVer"),
        (workshop.ENV_ID, ("tests",), r"It reports completion, modification, resolution, tested"),
        (workshop.ENV_ID, ("metrics/found",), r"'metrics/found'.*metrics/fixed"),
        (workshop.ENV_ID, ("cost/calls",), r"'cost/calls'.*cost/edits"),
    ):
        config = make_config(tmp_path, "gra", "tabular", env_id, algo={"levels": levels})
        with pytest.raises(UsageError, match=message):
            start(config)
    config = make_config(tmp_path, "gra", "tabular", small, algo={"modification": "changed"})
    with pytest.raises(UsageError, match="'changed'"):
        start(config)
    assert not list(tmp_path.iterdir())


class SilentWorkshop(workshop.WorkshopEnv):
    """Does not say which components it gives."""

    reward_names = ()


def test_a_world_that_does_not_say_is_watched(tmp_path):
    env_id = "tests/SilentWorkshop-v0"
    gym.register(env_id, entry_point=SilentWorkshop, disable_env_checker=True)
    try:
        levels = {"levels": ("resolution threshold=1", "metrics/fixed")}
        start(make_config(tmp_path / "run", "gra", "tabular", env_id, algo=levels))
        levels = {"levels": ("success",)}
        config = make_config(tmp_path / "other", "gra", "tabular", env_id, algo=levels)
        with pytest.raises(UsageError, match=r"reports .*resolution.* These have it: .*Household"):
            start(config)
    finally:
        gym.registry.pop(env_id)


# ------------------------------------------------------------------ through the trainer


def repair_config(run_dir, model="tabular", *, algo=None, **fields):
    algo = {"levels": REPAIR, "group_size": 8, "groups_per_iteration": 6, **PLAIN, **(algo or {})}
    return make_config(run_dir, "gra", model, workshop.ENV_ID, num_tasks=6, algo=algo, **fields)


def test_it_learns_on_a_table(tmp_path):
    run = start(
        repair_config(
            tmp_path / "run",
            trainer={"iterations": 40},
        )
    )
    seen = [run.trainer.iterate() for _ in range(40)]
    assert seen[0]["rollout/resolution_rate"] < 0.15
    assert np.mean([m["rollout/resolution_rate"] for m in seen[-5:]]) > 0.5
    assert all(m["rollout/resolution_rate"] <= m["rollout/modification_rate"] for m in seen)
    assert all(m["rollout/modification_rate"] <= m["rollout/completion_rate"] for m in seen)
    assert all(np.isfinite(list(m.values())).all() for m in seen)


def test_it_trains_by_the_command_with_turn_credit_and_without_the_gate(tmp_path):
    for name, more in (("turn", ["--algo.credit", "turn"]), ("plain", ["--algo.no-gate"])):
        words = ["train", "--env", workshop.ENV_ID, "--run-dir", str(tmp_path / name)]
        words += ["--model", "tabular", "--algorithm", "gra", "--algo.levels", *REPAIR]
        words += ["--trainer.iterations", "3", "--algo.groups-per-iteration", "4", *more]
        assert cli.main(words) == 0
        rows = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        last = json.loads(rows[-1])
        assert 0 <= last["rollout/modification_rate"] <= last["rollout/completion_rate"] <= 1
        assert last["gate/hidden_gain"] > 0 if name == "turn" else last["gate/hidden_gain"] == 0


def test_the_defaults_train_on_household(tmp_path):
    config = make_config(tmp_path / "run", "gra", "tabular", "turnwise/HouseholdSmall-v0")
    metrics = start(config).train()
    assert metrics["gate/value/turn/action_is_valid"] > 0
    assert "rollout/modification_rate" not in metrics


@pytest.mark.parametrize("model", ["tabular", pytest.param("tiny", marks=pytest.mark.slow)])
def test_a_resumed_run_ends_where_it_would_have(tmp_path, model):
    few = {"group_size": 4, "groups_per_iteration": 2}
    short = {"max_turns": 4} if model == "tiny" else {}
    whole = repair_config(tmp_path / "whole", model, algo=few, env_kwargs=json.dumps(short))
    start(whole).train()
    interrupted(dataclasses.replace(whole, run_dir=tmp_path / "cut"), after=2).train()
    assert_same(final_state(tmp_path / "whole"), final_state(tmp_path / "cut"))
