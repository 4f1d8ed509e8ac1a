"""Tabular policy: vocabulary, context, sampler, learner; each against what can be done by hand."""

import math

import gymnasium as gym
import numpy as np
import pytest
import torch

from turnwise_agents.learners.tabular import TabularLearner, TabularLearnerConfig
from turnwise_agents.samplers.base import Request
from turnwise_agents.samplers.scripted import ScriptedSampler
from turnwise_agents.samplers.tabular import TabularSampler
from turnwise_agents.tabular import (
    TabularContexts,
    TabularVocabulary,
    build_tabular,
    load_policy,
    no_text,
    save_policy,
)
from turnwise_agents.types import Generation, RolloutSpec, Sampling, Segment
from turnwise_envs.errors import DataError, UsageError


def vocabulary_of(*sizes):
    vocabulary = TabularVocabulary()
    for i, size in enumerate(sizes):
        vocabulary.row("e", "t", f"belief {i}", [f"action {k}" for k in range(size)])
    return vocabulary


def segment(row, column=None, temperature=1.0):
    ids = [row] if column is None else [row, column]
    return Segment(
        trajectory_id="x",
        group_id="g",
        input_ids=ids,
        loss_mask=[False, True][: len(ids)],
        turn_indices=[-1, 0][: len(ids)],
        temperature=temperature,
    )


def request(row, choices, stream=0, temperature=1.0):
    return Request(
        session_id="s",
        prompt_ids=[row],
        sampling=Sampling(temperature=temperature),
        stream=stream,
        choices=choices,
    )


# ------------------------------------------------------------------ vocabulary and context


def test_rows_are_keyed_by_task_belief_and_menu():
    vocabulary = TabularVocabulary()
    first = vocabulary.row("e", "t", "b", ["open", "close"])
    assert vocabulary.row("e", "t", "b", ["close", "open"]) == first  # order does not matter
    others = [("e", "t", "c", ["a"]), ("e", "u", "b", ["a"]), ("f", "t", "b", ["a"])]
    assert [vocabulary.row(*key) for key in others] == [1, 2, 3]
    assert vocabulary.row("e", "t", "b", ["open"]) == 4
    assert len(vocabulary) == 5
    assert vocabulary.sizes() == [2, 1, 1, 1, 1]
    assert [vocabulary.action(first, c) for c in vocabulary.choices(first)] == ["close", "open"]
    assert vocabulary.column(first, "open") == 1
    with pytest.raises(UsageError, match="action must be on the menu"):
        vocabulary.column(first, "fly")


def test_vocabulary_survives_a_checkpoint():
    old, new = vocabulary_of(2, 5, 3), TabularVocabulary()
    new.load_state_dict(old.state_dict())
    assert new.sizes() == old.sizes()
    assert new.row("e", "t", "belief 1", [f"action {k}" for k in range(5)]) == 1
    assert new.row("e", "t", "belief 9", ["action 0"]) == 3


@pytest.fixture
def household():
    env = gym.make("turnwise/HouseholdSmall-v0", actions="menu")
    yield env
    env.close()


def spec(**fields):
    return RolloutSpec(env_id="e", task_id="t", group_id="g", count=1, **fields)


def generation(prompt, column, role="act"):
    return Generation(prompt_ids=prompt, completion_ids=[column], sampler_logprobs=[0.0], role=role)


def test_context_turns_beliefs_into_rows(household):
    contexts = TabularContexts(TabularVocabulary())
    observation, info = household.reset(seed=0)
    context = contexts.new(household, spec())
    context.begin(observation, info)
    asked = context.request("act")
    assert asked.train_prompt_ids is None
    assert asked.choices == list(range(len(info["admissible_actions"])))
    chosen = generation(asked.prompt_ids, 0)
    context.add(chosen)
    assert chosen.text == sorted(info["admissible_actions"])[0]
    observation, _, _, _, info = household.step(context.action_text(chosen))
    assert info["action_is_valid"]
    context.observe(observation, info)
    assert context.final_prompt_ids() == context.request("act").prompt_ids != asked.prompt_ids


def test_thoughts_patches_and_instructions_have_rows_of_their_own(household):
    contexts = TabularContexts(TabularVocabulary(), thoughts=("x", "y"))
    _, info = household.reset(seed=0)

    def begin(**fields):
        context = contexts.new(household, spec(**fields))
        context.begin("", info)
        return context

    plain = begin()
    act = plain.request("act").prompt_ids
    think = plain.request("think")
    assert think.choices == [0, 1]
    plain.add(generation(think.prompt_ids, 1, role="think"))
    assert plain.request("act").prompt_ids not in (act, think.prompt_ids)
    patched = begin(prompt_patch="try the fridge").request("act")
    assert patched.train_prompt_ids == act != patched.prompt_ids
    assert begin(instruction_id="terse").request("act").prompt_ids != act
    assert begin().request("act").prompt_ids == act


def test_a_world_without_menu_is_refused():
    vocabulary = TabularVocabulary()
    env = gym.make("turnwise/HouseholdSmall-v0")
    context = TabularContexts(vocabulary).new(env, spec())
    context.begin("", {"belief_key": "b", "admissible_actions": None})
    with pytest.raises(UsageError, match='Make it with actions="menu"'):
        context.request("act")
    assert context.final_prompt_ids() == [0]  # a row without columns can still be valued


# ------------------------------------------------------------------ sampler


def test_sampler_follows_the_softmax():
    sampler = TabularSampler()
    sampler.load(np.log(np.array([[0.5, 0.25, 0.25], [0.9, 0.1, 7.0]])), version=3)
    count = 4000
    drawn = sampler.generate([request(0, [0, 1, 2], stream=i) for i in range(count)])
    share = np.bincount([g.completion_ids[0] for g in drawn], minlength=3) / count
    # Three standard errors of a share of .5 are 3 * sqrt(.25 / 4000) = .024.
    assert share == pytest.approx([0.5, 0.25, 0.25], abs=0.025)
    logprobs = {g.completion_ids[0]: g.sampler_logprobs[0] for g in drawn}
    assert logprobs == pytest.approx({0: math.log(0.5), 1: math.log(0.25), 2: math.log(0.25)})
    assert drawn[0].policy_version == 3
    # Columns that are no choice have no probability; temperature .5 squares: .81 / .82.
    (cold,) = sampler.generate([request(1, [0, 1], stream=1, temperature=0.5)])
    assert cold.sampler_logprobs[0] == pytest.approx(
        math.log((0.81, 0.01)[cold.completion_ids[0]] / 0.82)
    )
    (greedy,) = sampler.generate([request(1, [0, 1], temperature=0.0)])
    assert greedy.completion_ids == [0]
    assert greedy.sampler_logprobs == pytest.approx([math.log(0.9)])


def test_draws_do_not_depend_on_the_batch():
    sampler = TabularSampler()
    rng = np.random.default_rng(0)
    sampler.load(rng.normal(size=(30, 17)), version=0)
    requests = [
        request(int(rng.integers(40)), list(range(int(rng.integers(1, 30)))), stream=i)
        for i in range(200)
    ]

    def results(batches):
        return [
            (g.completion_ids[0], g.sampler_logprobs[0])
            for batch in batches
            for g in sampler.generate(batch)
        ]

    together = results([requests])
    assert together == results([[r] for r in requests])
    assert together == results([requests[:7], requests[7:]])


def test_rows_beyond_the_table_are_uniform():
    for sampler in (TabularSampler(), TabularSampler()):
        (drawn,) = sampler.generate([request(5, [0, 1, 2, 3])])
        assert drawn.sampler_logprobs[0] == pytest.approx(math.log(0.25))
        sampler.load(np.ones((2, 2)), 1)
    with pytest.raises(UsageError, match="at least one choice"):
        TabularSampler().generate([request(0, [])])


def test_scripted_sampler():
    sampler = ScriptedSampler([[1, 2], [3]])
    first, second = sampler.generate([request(0, None), request(1, None)])
    assert (first.completion_ids, second.completion_ids) == ([1, 2], [3])
    assert first.sampler_logprobs == [0.0, 0.0]
    assert [r.prompt_ids for r in sampler.requests] == [[0], [1]]
    with pytest.raises(UsageError, match="script must hold a completion"):
        sampler.generate([request(2, None)])
    echo = ScriptedSampler(lambda asked: asked.prompt_ids)
    assert echo.generate([request(7, None)])[0].completion_ids == [7]


# ------------------------------------------------------------------ learner


def make_learner(*sizes, **config):
    return TabularLearner(TabularLearnerConfig(**config), vocabulary_of(*sizes))


def test_forward_is_a_softmax_over_the_rows_own_columns():
    learner = make_learner(2, 4)
    outputs = learner.forward([segment(0, 1), segment(1, 3)], frozenset({"entropy"}))
    assert outputs.logprobs.tolist() == [
        [0.0, pytest.approx(-math.log(2))],
        [0.0, pytest.approx(-math.log(4))],
    ]
    assert outputs.entropy[:, 1].tolist() == pytest.approx([math.log(2), math.log(4)])
    with torch.no_grad():
        learner.weights()[0, 1] = math.log(3)  # the weights are shared
    # p = 3/4 at temperature 1; at temperature .5 the odds are 9 to 1
    warm = learner.forward([segment(0, 1), segment(0, 1, temperature=0.5), segment(0)])
    assert warm.logprobs[:, 1].exp().tolist() == pytest.approx([0.75, 0.9, 1.0])


def test_sgd_takes_the_gradient_of_log_softmax():
    # Loss -log p(1) - log p(1) - log p(0) at p = 1/2 each: gradient of logit 1 is
    # -(1 - .5) * 2 + .5 = -.5, of logit 0 it is +.5.
    learner = make_learner(2, 3, optimizer="sgd", learning_rate=0.1)
    rows = [segment(0, 1), segment(0, 1), segment(0, 0)]
    for part in (rows[:1], rows[1:]):  # gradients of micro-batches add up
        learner.backward(-learner.forward(part).logprobs.sum())
    metrics = learner.step()
    assert learner.weights()[0, :2].tolist() == pytest.approx([-0.05, 0.05])
    assert metrics["grad_norm"] == pytest.approx(math.sqrt(0.5))
    assert not learner.weights()[1].any()
    assert learner.version == 1
    assert learner.step()["grad_norm"] == 0.0  # gradients were taken


def test_clipping_scales_the_whole_gradient():
    learner = make_learner(2, optimizer="sgd", learning_rate=1.0, max_grad_norm=0.1)
    learner.backward(-learner.forward([segment(0, 1)]).logprobs.sum())
    learner.step()
    # Direction (-1, 1) / sqrt(2), length .1.
    assert learner.weights()[0, :2].tolist() == pytest.approx([-0.0707107, 0.0707107])


def test_adam_equals_torch_where_every_row_is_visited():
    learner = make_learner(3, 3, learning_rate=0.05, betas=(0.9, 0.99))
    reference = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([reference], lr=0.05, betas=(0.9, 0.99), eps=1e-12)
    for step in range(6):
        learner.backward(
            -learner.forward([segment(0, step % 3), segment(1, (step + 1) % 2)]).logprobs.sum()
        )
        learner.step()
        adam.zero_grad()
        logs = reference.log_softmax(1)
        (-(logs[0, step % 3] + logs[1, (step + 1) % 2])).backward()
        adam.step()
    assert np.allclose(learner.weights()[:2, :3], reference.detach().numpy(), atol=1e-9)


def test_rows_that_are_not_visited_do_not_move():
    learner = make_learner(2, 2)
    learner.backward(-learner.forward([segment(0, 1)]).logprobs.sum())
    learner.step()
    moved = learner.weights()[0].copy()
    learner.backward(-learner.forward([segment(1, 1)]).logprobs.sum())
    learner.step()
    assert (learner.weights()[0] == moved).all()
    # Each row has its own step count, so a late first visit is a whole first step.
    assert learner.weights()[1, :2].tolist() == pytest.approx(moved[:2].tolist())


def test_tables_grow_with_the_vocabulary_and_keep_their_values():
    learner = make_learner(2)
    learner.backward(-learner.forward([segment(0, 1)]).logprobs.sum())
    learner.step()
    before = learner.weights()[0, :2].copy()
    for i in range(500):
        learner.vocabulary.row("e", "t", f"new {i}", [f"a{k}" for k in range(1 + i % 40)])
    outputs = learner.forward([segment(0, 1), segment(500, 19)])
    assert (learner.weights()[0, :2] == before).all()
    assert outputs.logprobs[1, 1].item() == pytest.approx(-math.log(20))  # 499 % 40 + 1 = 20


def test_value_head_and_second_models():
    learner = make_learner(2, 2, optimizer="sgd", learning_rate=1.0, head_learning_rate=0.5)
    learner.add_head("values", init=0.25)
    values = learner.forward([segment(1, 0)], frozenset({"values"})).values
    assert values.tolist() == [[0.0, 0.25]]
    learner.backward((values[0, 1] - 1.0) ** 2)
    learner.step()
    values = learner.forward([segment(1, 0), segment(0, 0)], frozenset({"values"})).values
    # .25 - .5 * 2 * (.25 - 1) = 1
    assert values[:, 1].tolist() == pytest.approx([1.0, 0.25])

    learner.add_model("ref")
    learner.add_model("reward", trainable=True)
    for model in ("policy", "ref", "reward"):
        loss = -learner.forward([segment(0, 1)], model=model).logprobs.sum()
        learner.backward(loss)  # the reference is not trainable: nothing happens
        learner.step()
    outputs = learner.forward([segment(0, 1)], models=frozenset({"ref", "reward"}))
    assert outputs.models["ref"][0, 1].item() == pytest.approx(-math.log(2))
    assert outputs.models["reward"][0, 1].item() == pytest.approx(outputs.logprobs[0, 1].item())
    assert outputs.logprobs[0, 1].item() > -math.log(2)
    assert not outputs.models["reward"].requires_grad


def test_state_survives_a_checkpoint(tmp_path):
    def train(learner, steps):
        for step in range(steps):
            outputs = learner.forward(
                [segment(0, step % 2), segment(1, 2)], frozenset({"values"}), frozenset({"ref"})
            )
            learner.backward((outputs.values - outputs.logprobs).square().sum())
            learner.step()

    def fresh(vocabulary):
        learner = TabularLearner(TabularLearnerConfig(), vocabulary)
        learner.add_head("values")
        learner.add_model("ref")
        return learner

    whole = fresh(vocabulary_of(2, 3))
    train(whole, 4)
    torch.save(whole.state_dict(), tmp_path / "state.pt")
    train(whole, 3)
    resumed = fresh(TabularVocabulary())
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert resumed.version == 4
    train(resumed, 3)
    assert (resumed.weights()[:2, :3] == whole.weights()[:2, :3]).all()
    with pytest.raises(UsageError, match=r"models of the checkpoint must be \['policy'\]"):
        make_learner(2).load_state_dict(whole.state_dict())
    with pytest.raises(UsageError, match="must be of a tabular policy"):
        make_learner(2).load_state_dict({})


def test_saved_policies_can_be_played(tmp_path):
    learner, _, contexts = build_tabular(TabularLearnerConfig(learning_rate=2.0))
    row = contexts.vocabulary.row("e", "t", "b", ["x", "y"])
    learner.add_model("ref")
    learner.backward(-learner.forward([segment(row, 1)]).logprobs.sum())
    learner.step()
    save_policy(learner, tmp_path / "policy")
    _, sampler, contexts = load_policy(tmp_path / "policy")
    assert contexts.vocabulary.row("e", "t", "b", ["x", "y"]) == row
    (drawn,) = sampler.generate([request(row, [0, 1], temperature=0.0)])
    assert contexts.vocabulary.action(row, drawn.completion_ids[0]) == "y"
    with pytest.raises(DataError, match="must hold a tabular policy"):
        load_policy(tmp_path)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: x.forward([segment(9, 0)]), "rows must be below 2"),
        (lambda x: x.forward([segment(0, 3)]), "columns must be on the menu"),
        (lambda x: x.forward([segment(0, 0)], model="ref"), "Call add_model first"),
        (lambda x: x.forward([segment(0, 0)], frozenset({"values"})), "Call add_head first"),
        (lambda x: TabularLearnerConfig(optimizer="lion"), "optimizer must be one of"),
        (lambda x: TabularLearnerConfig(learning_rate=-1.0), "learning_rate must be non-negative"),
        (lambda x: no_text(["hello"]), "generates no text"),
    ],
)
def test_errors_name_what_is_wrong(call, message):
    with pytest.raises(UsageError, match=message):
        call(make_learner(2, 3))
