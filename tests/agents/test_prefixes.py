"""Prompts that share their beginning are computed once, and score what they score alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_model import small_model
from transformers import LlamaConfig, LlamaForCausalLM

from turnwise_agents.learners.hf import HFLearner
from turnwise_agents.prefixes import common_prefix, token_trees
from turnwise_agents.scorer import Scorer

SIZES = {
    "vocab_size": 40,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "initializer_range": 0.3,
}

sequences = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=9), min_size=1, max_size=8)


@given(st.lists(st.integers(0, 1), max_size=8), st.lists(st.integers(0, 1), max_size=8))
def test_common_prefix(a, b):
    expected = 0
    while expected < min(len(a), len(b)) and a[expected] == b[expected]:
        expected += 1
    assert common_prefix(a, b) == expected


@given(sequences, st.sampled_from([1, 6, 1000]))
@settings(deadline=None)
def test_trees_hold_every_sequence_once(rows, limit):
    trees = token_trees(rows, limit)
    assert sorted(n for tree in trees for n in tree.paths) == list(range(len(rows)))
    for tree in trees:
        assert len(tree.paths) == 1 or len(tree.ids) <= limit
        for number, path in tree.paths.items():
            assert [tree.ids[p] for p in path] == rows[number]
            assert [tree.parents[p] for p in path] == [-1, *path[:-1]]
    if limit == 1000:
        # Every beginning once per first token (a tree begins with one token).
        beginnings = {tuple(row[:n]) for row in rows for n in range(1, len(row) + 1)}
        assert sum(len(tree.ids) for tree in trees) == len(beginnings)


def conversation(turns, length, answer):
    """Prompts of a growing conversation, and the same answer after each."""
    rng = np.random.default_rng(0)
    ids = rng.integers(3, 40, turns * length).tolist()
    return [ids[: (t + 1) * length] for t in range(turns)], [answer] * turns


def model(kind="qwen3"):
    if kind == "qwen3":
        return small_model(40, num_hidden_layers=2, num_attention_heads=2, head_dim=16)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LlamaForCausalLM(LlamaConfig(**SIZES))


@pytest.mark.parametrize("kind", ["qwen3", "llama"])
@pytest.mark.parametrize("limit", [60, 16_384])
def test_trees_score_what_each_sequence_scores_alone(kind, limit):
    learner = HFLearner(model(kind))
    assert learner.scores_trees
    prompts, answers = conversation(6, 10, [1, 2])
    # Another conversation of the same task, aliases of the answer, and a prompt of its own.
    prompts += [prompts[2] + [7] * 5, prompts[2], [9]]
    answers += [[1, 2], [1, 4, 5], [2, 2, 2]]
    found = Scorer(learner, max_batch_tokens=limit).logprobs(prompts, answers)
    for prompt, answer, row in zip(prompts, answers, found, strict=True):
        with torch.no_grad():
            logits = learner.model(torch.tensor([prompt + answer])).logits[0]
        table = torch.log_softmax(logits, -1)
        expected = [float(table[len(prompt) + i - 1, token]) for i, token in enumerate(answer)]
        np.testing.assert_allclose(row, expected, atol=2e-5)


def test_a_conversation_costs_one_forward_and_its_tokens_once():
    scorer = Scorer(HFLearner(model()))
    prompts, answers = conversation(8, 12, [1, 2])
    scorer.logprobs(prompts, answers)
    stats = scorer.take_stats()
    assert stats["scoring_forwards"] == 1
    assert stats["scored_tokens"] == 8 * 12 + 8 * 2  # one by one: sum of 12 t + 2 is 448
    assert stats["scoring_s"] > 0
    assert scorer.take_stats() == dict.fromkeys(stats, 0.0)


def test_models_that_cannot_take_trees_score_one_by_one():
    sliding = small_model(40, use_sliding_window=True, sliding_window=8, max_window_layers=0)
    assert not HFLearner(sliding).scores_trees
    eager = HFLearner(model())
    eager.model.config._attn_implementation = "eager"
    assert not eager.scores_trees
    prompts, answers = conversation(4, 6, [1, 2])
    one_by_one, trees = Scorer(eager), Scorer(HFLearner(model()))
    np.testing.assert_allclose(
        one_by_one.logprobs(prompts, answers), trees.logprobs(prompts, answers), atol=2e-5
    )
    assert one_by_one.take_stats()["scored_tokens"] == 6 * (1 + 2 + 3 + 4) + 4 * 2
