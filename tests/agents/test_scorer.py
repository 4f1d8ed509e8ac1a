"""The scorer against a naive forward."""

import numpy as np
import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from turnwise_agents.learners.hf import HFLearner
from turnwise_agents.scorer import Scorer
from turnwise_agents.types import Generation, Trajectory, Turn
from turnwise_envs.errors import UsageError

PROMPTS = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10, 11], [12, 13]]
COMPLETIONS = [[4, 5], [6, 7, 8], [], [14]]


def make_scorer(**kwargs):
    config = Qwen2Config(
        vocab_size=20,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        initializer_range=0.5,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Qwen2ForCausalLM(config)
    return Scorer(HFLearner(model), **kwargs)


@pytest.mark.parametrize("tokens", [1, 8, 1000])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_logprobs_come_back_in_order_whatever_the_batches(tokens, temperature):
    scorer = make_scorer(max_batch_tokens=tokens)
    found = scorer.logprobs(PROMPTS, COMPLETIONS, temperature=temperature)
    for prompt, completion, row in zip(PROMPTS, COMPLETIONS, found, strict=True):
        with torch.no_grad():
            logits = scorer.learner.model(torch.tensor([prompt + completion])).logits[0]
        table = torch.log_softmax(logits / temperature, -1)
        expected = [float(table[len(prompt) + i - 1, c]) for i, c in enumerate(completion)]
        np.testing.assert_allclose(row, expected, atol=1e-5)


def test_a_sequence_scores_as_the_sum_of_its_halves():
    scorer = make_scorer()
    (whole,) = scorer.logprobs([[1, 2]], [[3, 4, 5]])
    (head,), (tail,) = scorer.logprobs([[1, 2]], [[3]]), scorer.logprobs([[1, 2, 3]], [[4, 5]])
    np.testing.assert_allclose(whole, head + tail, atol=1e-5)


def test_values_and_other_models():
    scorer = make_scorer()
    scorer.learner.add_head("values", init=0.25)
    assert scorer.values(PROMPTS, COMPLETIONS) == [[0.25] * len(c) for c in COMPLETIONS]
    scorer.learner.add_model("ref")
    before = scorer.logprobs(PROMPTS, COMPLETIONS)
    with torch.no_grad():
        scorer.learner.model.lm_head.weight.mul_(3.0)
    assert scorer.logprobs(PROMPTS, COMPLETIONS, model="ref") == before
    assert scorer.logprobs(PROMPTS, COMPLETIONS) != before


def test_whole_episodes_count_as_scoring():
    scorer = make_scorer()
    scorer.learner.add_head("values")
    scorer.learner.add_model("ref")
    played = [
        Trajectory(
            env_id="",
            task_id="",
            group_id="",
            trajectory_id=str(prompt),
            turns=[
                Turn(
                    turn_index=0,
                    observation="",
                    generations=[
                        Generation(
                            prompt_ids=prompt,
                            completion_ids=completion,
                            sampler_logprobs=[0.0] * len(completion),
                        )
                    ],
                )
            ],
        )
        for prompt, completion in zip(PROMPTS, COMPLETIONS, strict=True)
        if completion
    ]
    scorer.tokens(played, values=True, models=frozenset({"ref"}))
    stats = scorer.take_stats()
    tokens = sum(len(p) + len(c) for p, c in zip(PROMPTS, COMPLETIONS, strict=True) if c)
    assert stats["scored_tokens"] == 2 * tokens  # by the policy and by "ref"
    assert stats["scoring_forwards"] == 2
    assert stats["scoring_s"] > 0


def test_nothing_to_score_and_wrong_lists():
    scorer = make_scorer()
    assert scorer.logprobs([], []) == []
    with pytest.raises(UsageError, match="length of prompts"):
        scorer.logprobs([[1]], [])
    with pytest.raises(UsageError, match=r"prompts\[1\]"):
        scorer.logprobs([[1], []], [[1], [2]])
