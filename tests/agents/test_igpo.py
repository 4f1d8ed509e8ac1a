"""IGPO on records, through the trainer, and where something is missing."""

import dataclasses
import json
import math

import numpy as np
import pytest
import quiz
import torch
import two_rooms
from short_runs import assert_same, final_state, interrupted, make_config, start

from turnwise_agents import cli
from turnwise_agents.algorithms.base import Services
from turnwise_agents.algorithms.grpo import GRPO, GRPOConfig
from turnwise_agents.algorithms.igpo import BELIEF, FINAL_GAIN, GAIN, IGPO, IGPOConfig
from turnwise_agents.answers import TabularAnswers
from turnwise_agents.learners.tabular import TabularLearner, TabularLearnerConfig
from turnwise_agents.scorer import Scorer
from turnwise_agents.tabular import TabularVocabulary
from turnwise_agents.types import Generation, Group, Trajectory, Turn
from turnwise_envs.errors import UsageError

EXACT = {"belief": "prob", "std": "population", "eps": 0.0}
"""With these the worked numbers of `test_information_gain` appear."""


class Table:
    """A tabular policy with given beliefs in "fox", a row each; `None` takes it off the menu."""

    def __init__(self, *beliefs):
        self.vocabulary = TabularVocabulary()
        self.learner = TabularLearner(TabularLearnerConfig(), self.vocabulary)
        menu = ["answer fox", "answer owl", "look"]
        for i, belief in enumerate(beliefs):
            shown = menu if belief is not None else menu[1:]
            self.vocabulary.row("e", "t", str(i), shown)
        weights = self.learner.weights()
        for i, belief in enumerate(beliefs):
            if belief is not None:
                weights[i, :3] = [math.log(belief), *[math.log((1 - belief) / 2)] * 2]
        world = quiz.QuizEnv()
        self.services = Services(
            scorer=Scorer(self.learner),
            learner=self.learner,
            generate=None,
            answers=TabularAnswers(self.vocabulary, {"e": world}),
        )


def trajectory(name, rows, score=0.0, *, final=None, group="g", **fields):
    turns = [
        Turn(
            turn_index=i,
            observation="",
            generations=[
                Generation(prompt_ids=[row], completion_ids=[1], sampler_logprobs=[-1.0], text="x")
            ],
        )
        for i, row in enumerate(rows)
    ]
    fields = {"reference": ["fox"], "score": score, "success": score == 1.0, **fields}
    return Trajectory(
        env_id="e",
        task_id="t",
        group_id=group,
        trajectory_id=name,
        turns=turns,
        final_prompt_ids=[] if final is None else [final],
        **fields,
    )


def group(*trajectories):
    return Group(group_id="g", env_id="e", task_id="t", trajectories=list(trajectories))


def example():
    """Beliefs .1, .3, .6, then right; .1, .05, then wrong."""
    return Table(0.1, 0.3, 0.6, 0.05), group(
        trajectory("a", [0, 1, 2], 1.0), trajectory("b", [0, 3])
    )


def credit(algorithm, table, *groups):
    algorithm.shape(list(groups), table.services)
    return {c.trajectory_id: c.turn for c in algorithm.assign_credit(list(groups))}


def test_the_worked_example():
    for options, a, b in (
        ({}, [2.35872, 2.01904, 1.0], [-2.35872, -1.0]),
        ({"gamma": 0.9}, [2.06682, 1.91904, 1.0], [-2.25872, -1.0]),
        ({"normalization": "joint"}, [1.66949, 1.90799, 1.88149], [-1.66949, -0.76850]),
    ):
        found = credit(IGPO(IGPOConfig(**EXACT, **options)), *example())
        assert found["a"] == pytest.approx(a, abs=2e-5)
        assert found["b"] == pytest.approx(b, abs=2e-5)


def test_channels_and_metrics():
    table, played = example()
    algorithm = IGPO(IGPOConfig(belief="prob"))
    credit(algorithm, table, played)
    first = played.trajectories[0].turns
    assert [t.channels[BELIEF] for t in first] == pytest.approx([0.1, 0.3, 0.6])
    assert [t.channels[GAIN] for t in first[:2]] == pytest.approx([0.2, 0.3])
    assert GAIN not in first[2].channels
    metrics = algorithm.observe([played], table.services)
    assert metrics["credit/information_gain"] == pytest.approx(0.15)
    assert metrics["credit/information_gain/turn_0"] == pytest.approx(0.075)
    assert metrics["credit/information_gain/turn_1"] == pytest.approx(0.3)
    assert metrics["credit/belief_first"] == pytest.approx(0.1)
    assert metrics["credit/belief_last"] == pytest.approx(0.325)
    assert metrics["credit/zero_gain_share"] == metrics["credit/unscored_share"] == 0.0
    assert metrics["credit/no_answer_share"] == 0.0


def test_by_default_gains_are_differences_of_log_probabilities():
    table, played = example()
    credit(IGPO(), table, played)
    gains = [t.channels[GAIN] for t in played.trajectories[0].turns[:2]]
    assert gains == pytest.approx([math.log(3), math.log(2)])


def test_a_turn_that_taught_nothing_stays_a_turn():
    # Gains .3, 0 and -.3: z 1, 0, -1. Were the zero left out, the others would be +-.7071.
    table = Table(0.4, 0.7, 0.1)
    played = group(trajectory("a", [0, 1, 1], 1.0), trajectory("b", [0, 2]))
    algorithm = IGPO(IGPOConfig(belief="prob", eps=0.0))
    found = credit(algorithm, table, played)
    assert found["a"] == pytest.approx([1.70711, 0.70711, 0.70711], abs=1e-5)
    assert found["b"] == pytest.approx([-1.70711, -0.70711], abs=1e-5)
    metrics = algorithm.observe([played], table.services)
    assert metrics["credit/zero_gain_share"] == pytest.approx(1 / 3)


def test_without_gain_weight_it_is_grpo_on_the_score():
    table, played = example()
    found = credit(IGPO(IGPOConfig(gain_weight=0.0)), table, played)
    for each in played.trajectories:
        each.turns[-1].reward = each.score
    plain = GRPO(GRPOConfig(invalid_action_penalty=0.0))
    plain.shape([played], table.services)
    assert found == {c.trajectory_id: c.turn for c in plain.assign_credit([played])}


@pytest.mark.parametrize("fault", ["cut", "format"])
def test_no_proper_answer_is_a_penalty(fault):
    table, played = example()
    wrong, third = played.trajectories[1], trajectory("c", [0, 3])
    played.trajectories.append(third)
    if fault == "cut":
        wrong.stop = "turns"
    else:
        wrong.turns[0].format_is_valid = False
    algorithm = IGPO(IGPOConfig(gain_weight=0.0, eps=0.0))
    found = credit(algorithm, table, played)
    # 1, -2, 0: mean -1/3, std 1.527525
    assert [found[n][-1] for n in "abc"] == pytest.approx([0.87287, -1.09109, 0.21822], abs=1e-5)
    assert algorithm.observe([played], table.services)["credit/no_answer_share"] == pytest.approx(
        1 / 3
    )


def test_the_gain_into_the_last_prompt_of_a_cut_episode_is_a_channel_of_its_own():
    table = Table(0.1, 0.3, 0.6, 0.05)
    played = group(
        trajectory("a", [0, 1], 1.0, final=2, stop="turns"), trajectory("b", [0, 3], final=2)
    )
    plain = credit(IGPO(IGPOConfig(belief="prob")), table, played)
    cut, ended = played.trajectories
    assert cut.turns[0].channels[GAIN] == pytest.approx(0.2)
    assert cut.turns[1].channels[FINAL_GAIN] == pytest.approx(0.3)
    assert FINAL_GAIN not in ended.turns[1].channels
    counted = credit(IGPO(IGPOConfig(belief="prob", credit_final_gain=True)), table, played)
    # Gains .2, -.05, and with it .3: z of the last 0.83205, with an outcome of -.70711 each.
    assert plain["a"][1] == pytest.approx(-0.70711, abs=1e-5)
    assert counted["a"][1] == pytest.approx(0.83205 - 0.70711, abs=1e-4)


def test_an_answer_that_comes_onto_the_menu_is_a_gain_if_asked_for():
    table = Table(None, None, 0.6, None)
    played = group(trajectory("a", [0, 1, 2], 1.0), trajectory("b", [0, 3]))
    algorithm = IGPO(IGPOConfig(belief="prob", unanswerable="zero"))
    credit(algorithm, table, played)
    first, second = played.trajectories
    assert [turn.channels.get(GAIN) for turn in first.turns] == [0.0, pytest.approx(0.6), None]
    assert second.turns[0].channels[GAIN] == 0.0
    with pytest.raises(UsageError, match="has no log-probability"):
        IGPOConfig(unanswerable="zero")


def test_unscored_prompts_leave_the_statistics():
    table = Table(0.1, None, 0.6, 0.05)
    played = group(trajectory("a", [0, 1, 2], 1.0), trajectory("b", [0, 3]))
    algorithm = IGPO(IGPOConfig(**EXACT))
    found = credit(algorithm, table, played)
    # The gain into row 1 is unknown, the one into row 2 is .6 - .1; gains .5 and -.05: z +-1.
    assert found["a"] == pytest.approx([2.0, 2.0, 1.0])
    assert found["b"] == pytest.approx([-2.0, -1.0])
    assert algorithm.observe([played], table.services)["credit/unscored_share"] == 0.2
    nothing = group(
        trajectory("a", [0, 1], 1.0, reference=None), trajectory("b", [0], reference=[])
    )
    assert all(np.isfinite(v).all() for v in credit(IGPO(), table, nothing).values())


def test_degenerate_groups_give_zero():
    table = Table(0.1, 0.3)
    algorithm = IGPO()
    alone = group(trajectory("a", [0, 1], 1.0))
    assert credit(algorithm, table, alone) == {"a": [0.0, 0.0]}
    same = group(*(trajectory(n, [0, 1], 0.5) for n in "abc"))
    assert all(v == [0.0, 0.0] for v in credit(algorithm, table, same).values())
    broken = group(trajectory("a", [0, 1], stop="error"), trajectory("b", []))
    assert credit(algorithm, table, broken) == {}
    assert credit(algorithm, table) == {}
    metrics = algorithm.observe([broken], table.services)
    assert all(np.isfinite(v) for v in metrics.values())
    empty = group(trajectory("a", [0], 1.0), trajectory("b", [0], 0.0))
    for each in empty.trajectories:
        each.turns[0].generations[0].completion_ids = []
        each.turns[0].generations[0].sampler_logprobs = []
    assert np.isfinite([v for row in credit(algorithm, table, empty).values() for v in row]).all()


def test_copied_turns_of_a_branch_are_in_no_statistics():
    table, played = example()
    branch = trajectory("c", [0, 1, 2], 1.0, parent=("a", 2))
    for turn in branch.turns[:2]:
        turn.generations[0].trainable = False
    played.trajectories.append(branch)
    found = credit(IGPO(IGPOConfig(**EXACT)), table, played)
    # Gains as without the branch; outcomes 1, 0, 1: z .70711, -1.41421, .70711.
    assert found["a"][0] == pytest.approx(0.33968 + 1.01904 + 0.70711, abs=2e-5)
    assert found["c"] == pytest.approx([0.0, 0.0, 0.70711], abs=1e-5)


def test_defaults_are_the_papers():
    config = dataclasses.asdict(IGPOConfig())
    expected = {
        "group_size": 16,
        "groups_per_iteration": 32,
        "kl_coef": 0.001,
        "kl_estimator": "k3",
        "ent_coef": 0.001,
        "clip_ratio_low": 0.2,
        "clip_ratio_high": 0.2,
        "belief": "logprob",
        "normalization": "separate",
        "gain_weight": 1.0,
        "gamma": 1.0,
        "outcome": "score",
        "format_penalty": 2.0,
        "invalid_action_penalty": 0.0,
        "aliases": "best",
        "answer_prefix": "",
        "credit_final_gain": False,
        "eps": 1e-6,
        "std": "unbiased",
    }
    assert {k: config[k] for k in expected} == expected
    for fields, message in (
        ({"belief": "odds"}, "belief"),
        ({"normalization": "none"}, "normalization"),
        ({"outcome": "f1"}, "outcome"),
        ({"aliases": "all"}, "aliases"),
        ({"std": "biased"}, "std"),
        ({"gamma": 1.1}, "gamma"),
        ({"format_penalty": -1.0}, "format_penalty must be non-negative"),
    ):
        with pytest.raises(UsageError, match=message):
            IGPOConfig(**fields)


# ------------------------------------------------------------------ through the trainer


def test_what_an_environment_lacks_is_said_before_the_first_rollout(tmp_path):
    with pytest.raises(UsageError, match=r"igpo needs info\['reference'\], which .*Household"):
        start(make_config(tmp_path, "igpo", "tabular", "turnwise/HouseholdSmall-v0"))
    with pytest.raises(UsageError, match="tests/TwoRooms-v0 must say how a final answer is given"):
        start(make_config(tmp_path, "igpo", "tabular", two_rooms.ENV_ID))
    assert not list(tmp_path.iterdir())


def test_it_learns_on_a_table_and_shows_what_scoring_cost(tmp_path):
    config = make_config(
        tmp_path / "run",
        "igpo",
        "tabular",
        quiz.ENV_ID,
        algo={"groups_per_iteration": 8},
        trainer={"iterations": 25},
    )
    run = start(config)
    first = run.trainer.iterate()
    assert first["credit/belief_first"] == pytest.approx(math.log(1 / 6))
    last = run.train()
    assert last["rollout/success_rate"] > max(0.85, first["rollout/success_rate"])
    assert last["credit/belief_last"] > last["credit/belief_first"]
    assert 0 < last["time/scoring_share"] < 1
    assert last["time/scoring_s"] <= last["time/credit_s"]
    assert last["time/scored_tokens"] > 0


def test_it_trains_by_the_command(tmp_path):
    words = [
        "train",
        "--env",
        quiz.ENV_ID,
        "--run-dir",
        str(tmp_path / "run"),
        "--model",
        "tabular",
    ]
    words += ["--algorithm", "igpo", "--trainer.iterations", "2", "--algo.group-size", "2"]
    assert cli.main([*words, "--algo.groups-per-iteration", "2"]) == 0
    rows = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert "credit/information_gain" in json.loads(rows[-1])


@pytest.mark.parametrize("model", ["tabular", pytest.param("tiny", marks=pytest.mark.slow)])
def test_a_resumed_run_ends_where_it_would_have(tmp_path, model):
    whole = make_config(tmp_path / "whole", "igpo", model, quiz.ENV_ID)
    start(whole).train()
    interrupted(dataclasses.replace(whole, run_dir=tmp_path / "cut"), after=2).train()
    assert_same(final_state(tmp_path / "whole"), final_state(tmp_path / "cut"))


def test_the_gold_answer_reaches_no_prompt_and_no_record(tmp_path):
    """Rollouts with gold answers at hand are those without, token by token."""
    played = {}
    for name in ("igpo", "grpo"):
        config = make_config(tmp_path / name, name, "tiny", quiz.ENV_ID, trainer={"iterations": 1})
        run = start(config)
        played[name] = run.trainer.collect()
        run.record(0, played[name])
    for ours, theirs in zip(played["igpo"], played["grpo"], strict=True):
        assert ours.task_id == theirs.task_id
        for a, b in zip(ours.trajectories, theirs.trajectories, strict=True):
            assert a.reference is not None
            assert b.reference is None
            for x, y in zip(a.turns, b.turns, strict=True):
                assert x.generations[0].prompt_ids == y.generations[0].prompt_ids
            assert a.final_prompt_ids == b.final_prompt_ids
    (file,) = (tmp_path / "igpo" / "trajectories").glob("*.jsonl")
    for line in file.read_text().splitlines():
        assert "sly" not in line
        assert not {"reference", "evidence"} & set(json.loads(line))


@pytest.mark.parametrize("context", ["full", "window"])
def test_gains_telescope_on_real_prompts(tmp_path, context):
    config = make_config(tmp_path, "igpo", "tiny", quiz.ENV_ID, context=context)
    run = start(config)
    groups = run.trainer.collect()
    run.algorithm.shape(groups, run.trainer.services)
    for t in (t for g in groups for t in g.valid if len(t.turns) > 1):
        total = sum(turn.channels.get(GAIN, 0.0) for turn in t.turns)
        change = t.turns[-1].channels[BELIEF] - t.turns[0].channels[BELIEF]
        assert total == pytest.approx(change, abs=1e-5)
    stats = run.trainer.services.scorer.take_stats()
    alone = sum(len(t.turns[i].generations[0].prompt_ids) for g in groups for t in g.valid
                for i in range(len(t.turns)))  # fmt: skip
    assert stats["scored_tokens"] < alone or context == "window"
    assert torch.is_grad_enabled()
