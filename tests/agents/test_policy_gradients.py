"""Gradients of IGPO's and OPRL's policy losses do not depend on how batches are cut."""

import numpy as np
import pytest
import torch
from small_model import small_model

from turnwise_agents.algorithms.igpo import IGPO, IGPOConfig
from turnwise_agents.algorithms.oprl import OPRL, OPRLConfig
from turnwise_agents.learners.hf import HFLearner
from turnwise_agents.segments import count_norms, make_batch, microbatches, segments
from turnwise_agents.types import Credit, Generation, Trajectory, Turn

ALGORITHMS = [IGPO(IGPOConfig(kl_coef=0.1, ent_coef=0.05)), OPRL(OPRLConfig())]


def make_learner():
    model = small_model(20, initializer_range=0.2)
    learner = HFLearner(model)
    learner.add_model("ref")
    return learner


def make_items():
    """Two conversations and one of windows; old log-probabilities a little off the policy's."""
    rng = np.random.default_rng(1)
    learner = make_learner()
    items = []
    for name, lengths, window in (
        ("a", [3, 1], False),
        ("b", [2, 2, 4], False),
        ("c", [1, 2], True),
    ):
        ids, turns = [], []
        for i, length in enumerate(lengths):
            ids = ([] if window else ids) + rng.integers(1, 20, 3).tolist()
            completion = rng.integers(1, 20, length).tolist()
            generation = Generation(
                prompt_ids=list(ids), completion_ids=completion, sampler_logprobs=[0.0] * length
            )
            turns.append(Turn(turn_index=i, observation="", generations=[generation]))
            ids = ids + completion
        made = Trajectory(env_id="e", task_id="t", group_id="g", trajectory_id=name, turns=turns)
        credit = Credit(trajectory_id=name, turn=rng.normal(size=len(turns)).tolist())
        items += segments(made, credit)
    with torch.no_grad():
        for item in items:
            row = learner.forward([item]).logprobs[0].tolist()
            # Small enough that no ratio crosses a clip, where the loss has a kink.
            shift = rng.uniform(-0.03, 0.03, len(row))
            item.old_logprobs = [x + s for x, s in zip(row, shift, strict=True)]
    return items


ITEMS = make_items()


def loss_of(algorithm, learner, max_tokens=10_000):
    norms = count_norms(ITEMS)
    total = 0.0
    for micro in microbatches(ITEMS, max_tokens, whole_groups=False):
        batch = make_batch(micro, norms, learner.device)
        needs = algorithm.needs
        loss, _ = algorithm.loss(learner.forward(micro, needs.outputs, needs.models), batch)
        learner.backward(loss)
        total += float(loss.detach())
    return total


def flat_gradient(learner):
    parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in learner.model.parameters()]
    return torch.cat([p.flatten() for p in parts])


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=["igpo", "oprl"])
def test_gradient_does_not_depend_on_the_cut(algorithm):
    whole = make_learner()
    expected = loss_of(algorithm, whole)
    for tokens in (1, 12):
        cut = make_learner()
        assert loss_of(algorithm, cut, tokens) == pytest.approx(expected, abs=1e-6)
        torch.testing.assert_close(flat_gradient(cut), flat_gradient(whole), atol=1e-6, rtol=1e-4)


def test_every_turn_of_oprl_weighs_the_same_whatever_its_length():
    """With the ratio of whole actions at 1, a turn's loss is -A / (number of turns)."""
    algorithm = ALGORITHMS[1]
    norms = count_norms(ITEMS)
    assert norms.turns == 7
    batch = make_batch(ITEMS, norms, torch.device("cpu"))
    leaf = batch.old_logprobs.clone().requires_grad_()
    outputs = make_learner().forward(ITEMS)
    outputs.logprobs = leaf
    loss, metrics = algorithm.loss(outputs, batch)
    loss.backward()
    advantages = {round(a, 5) for a in batch.advantages[batch.loss_mask].tolist()}
    assert float(loss.detach()) == pytest.approx(-sum(advantages) / 7, abs=1e-5)
    # Each token of a turn gets the derivative of the whole action's ratio.
    torch.testing.assert_close(leaf.grad, -batch.advantages * batch.loss_mask / 7)
    assert metrics["ratio_mean"] == pytest.approx(1.0)
