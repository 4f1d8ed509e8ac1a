"""Groups that teach nothing move nothing, and what is lost or filled up enters no statistics.

For every algorithm, with a real language model behind it.
"""

import numpy as np
import pytest
import torch
from records import GoldTokens, episode, group, outcome
from small_model import small_model

from turnwise_agents.algorithms import ALGORITHMS, load_algorithm
from turnwise_agents.algorithms.base import Services
from turnwise_agents.learners.hf import HFLearner
from turnwise_agents.scorer import Scorer
from turnwise_agents.segments import count_norms, make_batch, segments

NAMES = [*ALGORITHMS, "inspo+gigpo", "inspo+oprl"]
VARIANTS = {
    "oprl over rloo": ("oprl", {"outcome_advantage": "rloo"}),
    "oprl over reinforce++": ("oprl", {"outcome_advantage": "reinforce++"}),
    "gra by turn": ("gra", {"credit": "turn"}),
    "igpo jointly": ("igpo", {"normalization": "joint", "credit_final_gain": True}),
    "reinforce by task": ("reinforce", {"baseline": "task"}),
    "ppo by turn": ("ppo", {"level": "turn"}),
}
CASES = {**{name: (name, {}) for name in NAMES}, **VARIANTS}
COMPARING = [case for case in CASES if not case.startswith("ppo")]
"""PPO compares an episode with its value, not with its group."""

WHOLE_BATCH = ("reinforce", "reinforce_plus_plus")
"""These compare with all episodes of the iteration."""


def make(case, **fields):
    """Returns an algorithm without a reference or a bonus, and its services."""
    name, own = CASES[case]
    kind = load_algorithm(name)
    algorithm = kind(kind.Config(**{"kl_coef": 0.0, "ent_coef": 0.0, **own, **fields}))
    learner = HFLearner(small_model(8))
    algorithm.setup(learner)
    services = Services(
        scorer=Scorer(learner), learner=learner, generate=None, answers=GoldTokens(7)
    )
    return algorithm, services


def credited(algorithm, services, groups):
    algorithm.shape(groups, services)
    chosen = algorithm.select(groups)
    credits = {c.trajectory_id: c for c in algorithm.assign_credit(chosen)}
    items = [
        s
        for g in chosen
        for t in g.valid
        if t.trajectory_id in credits
        for s in segments(t, credits[t.trajectory_id])
    ]
    return credits, items


def advantages(credits):
    rows = [row for c in credits.values() for row in [c.turn, *(c.token or [])]]
    return [value for row in rows for value in row]


def known(name, value, **fields):
    """An episode of equal turns with a gold answer and a grade."""
    made = outcome(name, value, reference=["fox"], score=float(value), **fields)
    for turn in made.turns:
        turn.anchor_key = str(turn.turn_index)
    return made


KINDS = {
    "one member": lambda: [group(known("a", 1))],
    "all equal": lambda: [group(*(known(n, 0.1) for n in "abc"))],
    "all right": lambda: [group(*(known(n, 1) for n in "abc"))],
    "all errors": lambda: [group(*(known(n, 1, stop="error") for n in "ab"))],
    "all empty": lambda: [group(*(known(n, i, tokens=0) for i, n in enumerate("ab")))],
    "no turn": lambda: [group(episode("a", [], []), episode("b", [], []))],
    "nothing": lambda: [],
}


@pytest.mark.parametrize("case", CASES)
def test_degenerate_groups_give_zero_and_no_nan(case):
    for kind, made in KINDS.items():
        groups = made()
        algorithm, services = make(case)
        credits, items = credited(algorithm, services, groups)
        found = advantages(credits)
        assert np.isfinite(found).all(), kind
        if case in COMPARING:
            assert found == [0.0] * len(found), kind
        if kind in ("all errors", "all empty", "no turn", "nothing"):
            assert not items, kind
        if items:
            batch = make_batch(items, count_norms(items), torch.device("cpu"))
            needs = algorithm.needs
            outputs = services.learner.forward(items, needs.outputs, needs.models)
            loss, metrics = algorithm.loss(outputs, batch)
            assert np.isfinite([float(loss.detach()), *metrics.values()]).all(), kind
            services.learner.backward(loss)
            moved = [p.grad for p in services.learner.model.parameters() if p.grad is not None]
            assert all(torch.isfinite(g).all() for g in moved), kind
            if case in COMPARING:
                assert not any(g.any() for g in moved), kind
        assert np.isfinite(list(algorithm.observe(groups, services).values())).all(), kind


@pytest.mark.parametrize("case", [case for case in COMPARING if CASES[case][0] not in WHOLE_BATCH])
def test_a_flat_group_beside_one_that_teaches_stays_at_zero(case):
    flat = group(*(known(f"f{i}", 1, group="f") for i in range(2)))
    taught = group(known("a", 1), known("b", 0, tokens=5))
    credits, _ = credited(*make(case), [taught, flat])
    found = advantages({name: c for name, c in credits.items() if name[0] == "f"})
    assert found == [0.0] * len(found)
    assert any(advantages(credits))


@pytest.mark.parametrize("case", CASES)
def test_errors_beside_good_episodes_change_nothing(case):
    def credit(*extra):
        groups = [group(known("a", 1), known("b", 0, tokens=3), *extra)]
        return credited(*make(case), groups)[0]

    assert repr(credit(known("x", 99, stop="error"))) == repr(credit())


@pytest.mark.parametrize("case", CASES)
def test_padding_comes_after_the_statistics(case):
    """Published trainers fill a batch up with copies of rows, which then count in mean and std."""
    made = [group(*(known(str(i), i % 2, turns=1 + i, tokens=1 + i) for i in range(4)))]
    credits, items = credited(*make(case), made)
    batch = make_batch(items, count_norms(items), torch.device("cpu"))
    generated = [
        (t.trajectory_id, turn.turn_index, n)
        for t in made[0].trajectories
        for turn in t.turns
        for n in range(len(turn.generations[0].completion_ids))
    ]
    assert batch.norms.tokens == int(batch.loss_mask.sum()) == len(generated)
    assert not batch.advantages[~batch.loss_mask].any()
    expected = {
        name: [v for t, row in enumerate(c.token or []) for v in row]
        or [v for t, v in enumerate(c.turn) for _ in range(int(name) + 1)]
        for name, c in credits.items()
    }
    for segment, row, mask in zip(items, batch.advantages, batch.loss_mask, strict=True):
        assert row[mask].tolist() == pytest.approx(expected[segment.trajectory_id], abs=1e-6)
    if CASES[case][0] in ("ppo", "reinforce_plus_plus"):  # whitened over exactly these tokens
        whitened = batch.advantages[batch.loss_mask].numpy()
        if "turn" not in case:
            assert whitened.mean() == pytest.approx(0, abs=1e-6)
            assert whitened.std(ddof=1) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("case", COMPARING)
def test_what_a_limit_cut_can_be_kept_out_of_the_update_and_stays_in_the_statistics(case):
    def groups():
        return [group(known("a", 1), known("b", 0), known("c", 0, tokens=3))]

    whole, _ = credited(*make(case, mask_truncated=True), groups())
    cut = groups()
    cut[0].trajectories[1].stop = "context"
    algorithm, services = make(case, mask_truncated=True)
    found, items = credited(algorithm, services, cut)
    assert set(found) == {"a", "c"} == {s.trajectory_id for s in items}
    assert algorithm.observe(cut, services)["credit/masked_share"] == pytest.approx(1 / 3)
    if not any(name in case for name in ("igpo", "reinforce")):
        # For IGPO a cut is another outcome; what is whitened are the trained tokens.
        assert found["a"].turn == pytest.approx(whole["a"].turn)
