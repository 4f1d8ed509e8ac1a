"""Per-token values and log-probabilities of episodes, against scoring each generation alone."""

import pytest
import records
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from turnwise_agents.learners.hf import HFLearner, HFLearnerConfig
from turnwise_agents.scorer import Scorer
from turnwise_agents.types import Generation, Segment
from turnwise_envs.errors import UsageError


@pytest.fixture
def learner():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = Qwen2Config(
            vocab_size=11,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            initializer_range=0.4,
        )
        made = HFLearner(Qwen2ForCausalLM(config))
        made.add_head("values")
        made.add_model("ref")
        torch.nn.init.normal_(made.heads["values"].weight)
        for parameter in made.models["ref"].parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
    return made


def full():
    return records.episode("full", [[5, 6], [7], [8, 9]], [0.0, 0.0, 1.0])


def windowed():
    """Every prompt begins anew: one segment a turn."""
    made = records.episode("window", [[5, 6], [7], []], [0.0, 0.0, 1.0])
    for turn in made.turns:
        turn.generations[0].prompt_ids = [1, 3 + turn.turn_index]
    return made


def branched():
    """A copied turn, then a turn of two generations at temperature .5, with a hint to strip."""
    made = records.episode("branch", [[5, 6], [7, 8]], [0.0, 1.0])
    made.turns[0].generations[0].trainable = False
    act = made.turns[1].generations[0]
    think = Generation(
        prompt_ids=[2, 2, 2],
        train_prompt_ids=list(act.prompt_ids),
        completion_ids=[9],
        sampler_logprobs=[-1.0],
        role="think",
    )
    act.prompt_ids = [*act.prompt_ids, 9, 3]
    for generation in (think, act):
        generation.temperature = 0.5
    made.turns[1].generations.insert(0, think)
    return made


def test_every_segment_is_scored_once_and_read_in_the_layout_of_credit(learner):
    scorer = Scorer(learner, max_batch_tokens=12)
    episodes = [full(), windowed(), branched()]
    found = scorer.tokens(episodes, values=True, models=frozenset({"ref"}))
    assert set(found) == {"logprobs", "values", "ref"}
    for episode in episodes:
        for index, turn in enumerate(episode.turns):
            own = [g for g in turn.generations if g.trainable]
            alone = {"logprobs": [], "values": [], "ref": []}
            for g in own:
                pair = [g.train_prompt_ids or g.prompt_ids], [g.completion_ids]
                alone["values"] += scorer.values(*pair)[0]
                alone["logprobs"] += scorer.logprobs(*pair, temperature=g.temperature)[0]
                alone["ref"] += scorer.logprobs(*pair, model="ref", temperature=g.temperature)[0]
            for name, expected in alone.items():
                row = found[name][episode.trajectory_id][index]
                assert row == pytest.approx(expected, abs=1e-5)
    assert found["values"]["branch"][0] == found["values"]["window"][2] == []


def test_a_full_history_costs_one_row(learner):
    rows = []
    forward = learner.forward

    def counting(items, *args, **kwargs):
        rows.extend(items)
        return forward(items, *args, **kwargs)

    learner.forward = counting
    Scorer(learner).tokens([full(), windowed()])
    assert len(rows) == 1 + 2


def test_heads_have_a_learning_rate_of_their_own(learner):
    # AdamW's first step moves every entry by its learning rate.
    learner = HFLearner(learner.model, HFLearnerConfig(learning_rate=1e-3, head_learning_rate=0.02))
    learner.add_head("values")
    before = learner.model.lm_head.weight.detach().clone()
    segment = Segment(
        trajectory_id="a",
        group_id="g",
        input_ids=[1, 2, 5, 6],
        loss_mask=[False, False, True, True],
        turn_indices=[-1, -1, 0, 0],
    )
    outputs = learner.forward([segment], frozenset({"values"}))
    learner.backward((outputs.values[0, 2:] - 1).square().sum() - outputs.logprobs.sum())
    metrics = learner.step()
    assert metrics["heads/learning_rate"] == 0.02
    assert metrics["heads/grad_norm"] > 0
    assert learner.heads["values"].bias.item() == pytest.approx(0.02, rel=1e-3)
    moved = (learner.model.lm_head.weight - before).abs().max().item()
    assert moved == pytest.approx(1e-3, rel=1e-2)
    with pytest.raises(UsageError, match="head_learning_rate must be positive"):
        HFLearnerConfig(head_learning_rate=0.0)
