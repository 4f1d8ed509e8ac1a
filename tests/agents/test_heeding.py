"""Tables that heed instructions: the fixed logits, what rows share, checkpoints, whole runs."""

import json

import gymnasium as gym
import numpy as np
import pytest
import torch
from short_runs import assert_same, final_state, interrupted, make_config, start

from turnwise_agents.heeding import Heeding
from turnwise_agents.learners.tabular import TabularLearnerConfig
from turnwise_agents.samplers.base import Request
from turnwise_agents.tabular import build_tabular, load_policy, save_policy
from turnwise_agents.types import RolloutSpec, Sampling, Segment
from turnwise_envs.errors import UsageError
from turnwise_envs.household.explorer import HABITS

ENV = "turnwise/HouseholdSmall-v0"
LIKELY, SURVEY = (s for s, habit in HABITS.items() if habit in ("likely", "survey"))


class Counted:
    """Takes a, a, a and b in turn; c where it is told so; nothing that is on no menu counts."""

    def __init__(self):
        self.asked = 0

    def demonstration_action(self, rng, instruction=None):
        self.asked += 1
        return "look" if instruction == "odd" else "aaab"[self.asked % 4]


def test_logits_mix_the_demonstrators_shares_with_random_actions():
    heeding = Heeding(4, 0.2)
    # a: .8 * 3/4 + .2/4 = .65; b: .8 * 1/4 + .05 = .25; c and d: .05
    logits = heeding.logits(Counted(), ["a", "b", "c", "d"], "", "key")
    assert np.exp(logits) == pytest.approx([0.65, 0.25, 0.05, 0.05])
    uniform = heeding.logits(Counted(), ["a", "b"], "odd", "key")
    assert np.exp(uniform) == pytest.approx([0.5, 0.5])


def test_rows_without_fixed_logits_are_their_own():
    heeding = Heeding(1, 0.5)
    rows = np.array([0, 3, 500])
    columns = np.arange(3)[None, :]
    assert heeding.shared(rows).tolist() == [0, 3, 500]
    assert not heeding.fixed(rows, columns).any()
    heeding.add(3, 1, [-1.0, -2.0])
    assert heeding.shared(rows).tolist() == [0, 1, 500]
    assert heeding.fixed(rows, columns).tolist() == [[0, 0, 0], [-1, -2, 0], [0, 0, 0]]
    heeding.add(90, 2, [-3.0] * 4)
    assert heeding.shared(np.array([3, 89, 90])).tolist() == [1, 89, 2]
    again = Heeding.from_state(json.loads(json.dumps(heeding.state_dict())))
    assert again.fixed(np.array([3, 90]), np.arange(4)[None, :]).tolist() == [
        [-1, -2, 0, 0],
        [-3, -3, -3, -3],
    ]
    assert again.knows(90)
    assert not again.knows(4)


@pytest.fixture
def parts():
    config = TabularLearnerConfig(optimizer="sgd", learning_rate=1.0, demonstrations=4)
    return build_tabular(config)


@pytest.fixture
def rows(parts):
    """Rows of the first task's start: the world's own instruction, another, the first again."""
    env = gym.make(ENV, actions="menu")
    observation, info = env.reset(seed=0, options={"task_index": 0})
    found = []
    for told in (None, SURVEY, None):
        spec = RolloutSpec(env_id=ENV, task_id="t", group_id="g", count=1, instruction=told)
        context = parts[2].new(env, spec)
        context.begin(observation, info)
        found.append(context.request("act"))
    env.close()
    return found


def logprobs(learner, asked):
    segments = [
        Segment(
            trajectory_id="x",
            group_id="g",
            input_ids=[asked.prompt_ids[0], column],
            loss_mask=[False, True],
            turn_indices=[-1, 0],
        )
        for column in asked.choices
    ]
    return learner.forward(segments).logprobs[:, 1]


def test_instructions_begin_apart_and_share_what_is_learnt(parts, rows):
    learner = parts[0]
    own, told, again = rows
    assert own.prompt_ids == again.prompt_ids != told.prompt_ids
    before = [logprobs(learner, asked).detach() for asked in (own, told)]
    assert before[0].exp().sum() == pytest.approx(1.0)
    assert not torch.allclose(*before)
    learner.backward(-logprobs(learner, own)[0])
    learner.step()
    after = [logprobs(learner, asked).detach() for asked in (own, told)]
    assert after[0][0] > before[0][0]
    assert after[1][0] > before[1][0]
    # The same theta on top of both: their difference stays what it was, but for a constant.
    change = (after[0] - after[1]) - (before[0] - before[1])
    assert torch.allclose(change, change[0].expand_as(change))


def test_the_sampler_draws_what_the_learner_scores(parts, rows):
    learner, sampler, _ = parts
    learner.backward(-logprobs(learner, rows[0])[1])
    learner.step()
    for loaded in (False, True):
        if loaded:
            sampler.load(learner.weights(), learner.version)
        requests = [
            Request(
                session_id=str(i),
                prompt_ids=rows[1].prompt_ids,
                sampling=Sampling(),
                stream=i,
                choices=rows[1].choices,
            )
            for i in range(50)
        ]
        drawn = sampler.generate(requests)
    expected = logprobs(learner, rows[1]).detach()
    for generation in drawn:
        assert generation.sampler_logprobs[0] == pytest.approx(
            float(expected[generation.completion_ids[0]])
        )


def test_a_saved_table_heeds(parts, rows, tmp_path):
    learner = parts[0]
    save_policy(learner, tmp_path)
    loaded, _, contexts = load_policy(tmp_path)
    assert contexts.vocabulary.heeding.demonstrations == 4
    assert torch.equal(logprobs(loaded, rows[1]), logprobs(learner, rows[1]))


def test_carelessness_is_checked():
    with pytest.raises(UsageError, match="carelessness must be above 0"):
        TabularLearnerConfig(carelessness=0.0)


def household_run(run_dir, library, algorithm="inspo", iterations=6):
    own = {"evolve_every": 2, "verify_questions": 6, "held_out_share": 0.0, "min_draws": 1}
    return make_config(
        run_dir,
        algorithm,
        "tabular",
        ENV,
        algo=own if algorithm == "inspo" else {},
        trainer={"iterations": iterations},
        num_tasks=8,
        env_kwargs=json.dumps({"max_turns": 10}),
        learner=TabularLearnerConfig(demonstrations=4),
        **({"proposer": f"clauses:{library}"} if algorithm == "inspo" else {}),
    )


def test_evolution_finds_the_clause_that_helps_and_resumes(tmp_path):
    library = tmp_path / "clauses.json"
    library.write_text(json.dumps([LIKELY, SURVEY]))
    whole = household_run(tmp_path / "whole", library)
    run = start(whole)
    run.train()
    records = run.algorithm.world(ENV).population.records
    verified = {one.text: one.verified for one in records if one.verified is not None}
    worst = min(verified, key=verified.__getitem__)
    assert SURVEY in worst
    assert not [one for one in records if one.status == "living" and SURVEY in one.text]
    cut = household_run(tmp_path / "cut", library)
    interrupted(cut, after=3).train()
    assert_same(final_state(whole.run_dir), final_state(cut.run_dir))
