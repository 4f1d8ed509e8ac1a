"""The transformers learner against a naive full forward, and its bookkeeping."""

import copy
import math

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from turnwise_agents.learners import scoring
from turnwise_agents.learners.hf import HFLearner, HFLearnerConfig
from turnwise_agents.learners.loading import load_model_and_tokenizer, pick_device
from turnwise_agents.learners.optim import schedule_factor
from turnwise_agents.samplers.base import Request
from turnwise_agents.samplers.hf import HFSampler
from turnwise_agents.types import Sampling, Segment
from turnwise_envs.errors import UsageError

SIZES = {
    "vocab_size": 50,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def make_model(kind="qwen2", seed=0, **changes):
    config, cls = {
        "qwen2": (Qwen2Config, Qwen2ForCausalLM),
        "llama": (LlamaConfig, LlamaForCausalLM),
    }[kind]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        # A wide initialisation, so that the distributions are far from uniform.
        return cls(config(**SIZES, initializer_range=0.3, **changes))


def segment(ids, mask, temperature=1.0, name="a"):
    return Segment(
        trajectory_id=name,
        group_id="g",
        input_ids=ids,
        loss_mask=mask,
        turn_indices=[0] * len(ids),
        temperature=temperature,
    )


SEGMENTS = [
    segment([5, 7, 9, 11, 13, 2], [False, False, True, True, False, True], 0.7),
    segment([1, 2, 3], [True, False, True]),
]


def naive_logprobs(model, record):
    logits = model(input_ids=torch.tensor([record.input_ids])).logits[0]
    table = torch.log_softmax(logits / record.temperature, dim=-1)
    return [
        table[t - 1, token] if t and record.loss_mask[t] else torch.tensor(0.0)
        for t, token in enumerate(record.input_ids)
    ]


def sgd_like(learner, segments=SEGMENTS):
    learner.backward(-learner.forward(segments).logprobs.sum())
    return learner.step()


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
@pytest.mark.parametrize("chunk", [scoring._CHUNK_ELEMENTS, 100])
def test_logprobs_and_gradients_equal_a_naive_forward(kind, chunk, monkeypatch):
    monkeypatch.setattr(scoring, "_CHUNK_ELEMENTS", chunk)
    model, learner = make_model(kind), HFLearner(make_model(kind))
    outputs = learner.forward(SEGMENTS, frozenset({"entropy"}))
    assert outputs.logprobs.shape == (2, 6)
    expected = [naive_logprobs(model, s) for s in SEGMENTS]
    for row, theirs in zip(outputs.logprobs, expected, strict=True):
        torch.testing.assert_close(row[: len(theirs)], torch.stack(theirs), atol=1e-5, rtol=0)
        assert (row[len(theirs) :] == 0).all()
    torch.stack([v for row in expected for v in row]).sum().backward()
    learner.backward(outputs.logprobs.sum())
    for mine, theirs in zip(learner.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-4, rtol=1e-4)


def test_entropy_is_that_of_the_tempered_distribution():
    model = make_model().eval()
    entropy = HFLearner(make_model()).forward(SEGMENTS, frozenset({"entropy"})).entropy
    logits = model(input_ids=torch.tensor([SEGMENTS[0].input_ids])).logits[0]
    p = torch.softmax(logits / 0.7, dim=-1)
    assert entropy[0, 3].item() == pytest.approx(-(p[2] * p[2].log()).sum().item(), abs=1e-5)
    assert entropy[0, 1] == 0


def test_tokens_outside_the_mask_have_no_gradient():
    learner = HFLearner(make_model())
    outputs = learner.forward([segment([1, 2, 3], [True, False, False])])
    assert (outputs.logprobs == 0).all()


def test_soft_capped_logits_keep_their_cap():
    class Capped(Qwen2ForCausalLM):
        def forward(self, **kwargs):
            outputs = super().forward(**kwargs)
            outputs.logits = 2.0 * torch.tanh(outputs.logits / 2.0)
            return outputs

    model = Capped(make_model().config).eval()
    outputs = HFLearner(model).forward(SEGMENTS[:1])
    expected = torch.stack(naive_logprobs(model, SEGMENTS[0]))
    torch.testing.assert_close(outputs.logprobs[0], expected, atol=1e-5, rtol=0)


def test_values_stand_at_the_token_they_predict():
    learner = HFLearner(make_model())
    with pytest.raises(UsageError, match="add_head"):
        learner.forward(SEGMENTS, frozenset({"values"}))
    learner.add_head("values", init=0.5)
    values = learner.forward(SEGMENTS, frozenset({"values"})).values
    assert values.tolist() == [[0.0] + [0.5] * 5, [0.0, 0.5, 0.5, 0.0, 0.0, 0.0]]
    torch.nn.init.normal_(learner.heads["values"].weight)
    values = learner.forward(SEGMENTS, frozenset({"values"})).values
    hidden = learner.model.model(input_ids=torch.tensor([SEGMENTS[0].input_ids])).last_hidden_state
    torch.testing.assert_close(values[0, 1:], learner.heads["values"](hidden)[0, :-1, 0])
    learner.backward((values**2).sum())
    learner.step()
    assert learner.heads["values"].bias.item() != 0.5


def test_gradients_accumulate_over_backward_calls():
    whole, parts = (HFLearner(make_model(), HFLearnerConfig(learning_rate=0.1)) for _ in "ab")
    sgd_like(whole)
    for record in SEGMENTS:
        parts.backward(-parts.forward([record]).logprobs.sum())
    metrics = parts.step()
    assert metrics.keys() == {"grad_norm", "learning_rate"}
    assert (whole.version, parts.version) == (1, 1)
    for mine, theirs in zip(whole.model.parameters(), parts.model.parameters(), strict=True):
        # Adam's first step is the gradient's sign: where that is near zero, rounding decides it.
        near = (mine - theirs).abs() < 1e-4
        assert near.float().mean() > 0.99


def test_clipping_reports_the_norm_before_it():
    loose = HFLearner(make_model(), HFLearnerConfig(max_grad_norm=0))
    tight = HFLearner(make_model(), HFLearnerConfig(max_grad_norm=1e-3))
    assert sgd_like(loose)["grad_norm"] == pytest.approx(sgd_like(tight)["grad_norm"])


def test_a_gradient_that_is_not_finite_changes_nothing():
    learner = HFLearner(make_model())
    before = [p.clone() for p in learner.model.parameters()]
    learner.backward(learner.forward(SEGMENTS).logprobs.sum() * math.nan)
    assert math.isnan(learner.step()["grad_norm"])
    assert all(torch.equal(a, b) for a, b in zip(before, learner.model.parameters(), strict=True))


def test_schedules():
    assert [schedule_factor(s, 4, "constant", 0) for s in range(5)] == [0.25, 0.5, 0.75, 1, 1]
    assert [schedule_factor(s, 0, "linear", 4) for s in range(6)] == [1, 0.75, 0.5, 0.25, 0, 0]
    assert schedule_factor(6, 2, "cosine", 10) == pytest.approx(0.5)
    with pytest.raises(UsageError, match="total_steps"):
        HFLearnerConfig(lr_schedule="linear")


def test_warmup_shows_in_the_metrics():
    learner = HFLearner(make_model(), HFLearnerConfig(learning_rate=1.0, warmup_steps=2))
    assert [sgd_like(learner)["learning_rate"] for _ in range(3)] == [0.5, 1.0, 1.0]


def test_a_model_that_steps_rarely_warms_up_with_the_policy():
    learner = HFLearner(make_model(), HFLearnerConfig(learning_rate=1.0, warmup_steps=4))
    learner.add_model("judge", trainable=True, learning_rate_factor=2.0)
    rates = []
    for _ in range(3):
        learner.backward(learner.forward(SEGMENTS, model="judge").logprobs.sum())
        rates.append(learner.step()["judge/learning_rate"])
        sgd_like(learner)
        sgd_like(learner)
    assert rates == [0.5, 1.5, 2.0]


def test_frozen_copy_stays_and_trainable_copy_learns():
    learner = HFLearner(make_model(), HFLearnerConfig(learning_rate=0.01))
    learner.add_model("ref")
    learner.add_model("judge", trainable=True)
    before = learner.forward(SEGMENTS).logprobs.detach()
    sgd_like(learner)
    outputs = learner.forward(SEGMENTS, models=frozenset({"ref", "judge"}))
    torch.testing.assert_close(outputs.models["ref"], before)
    torch.testing.assert_close(outputs.models["judge"], before)
    assert not torch.allclose(outputs.logprobs, before, atol=1e-3)
    assert not outputs.models["ref"].requires_grad
    learner.backward(-learner.forward(SEGMENTS, model="judge").logprobs.sum())
    assert set(learner.step()) == {"judge/grad_norm", "judge/learning_rate"}
    assert not torch.allclose(learner.forward(SEGMENTS, model="judge").logprobs, before, atol=1e-3)
    with pytest.raises(UsageError, match="model must be one of"):
        learner.forward(SEGMENTS, model="missing")


def test_lora_trains_adapters_only_and_its_reference_is_the_base():
    learner = HFLearner(make_model(), HFLearnerConfig(lora_rank=4, learning_rate=0.01))
    learner.add_model("ref")
    assert list(learner.models) == ["policy"]
    plain = HFLearner(make_model()).forward(SEGMENTS).logprobs
    torch.testing.assert_close(learner.forward(SEGMENTS).logprobs, plain)
    for _ in range(3):
        sgd_like(learner)
    outputs = learner.forward(SEGMENTS, models=frozenset({"ref"}))
    torch.testing.assert_close(outputs.models["ref"], plain.detach())
    assert not torch.allclose(outputs.logprobs, plain, atol=1e-2)
    state = learner.state_dict()
    assert all("lora_" in name for name in state["models"]["policy"])
    again = HFLearner(make_model(), HFLearnerConfig(lora_rank=4, learning_rate=0.01))
    again.add_model("ref")
    again.load_state_dict(state)
    torch.testing.assert_close(again.forward(SEGMENTS).logprobs, outputs.logprobs)


def test_lora_samples_what_it_scores_and_saves_an_ordinary_folder(tmp_path):
    learner = HFLearner(make_model(), HFLearnerConfig(lora_rank=4, learning_rate=0.05))
    sgd_like(learner)
    sampler = HFSampler(learner.weights(), stop_ids=[49])
    (made,) = sampler.generate(
        [Request(session_id="a", prompt_ids=[3, 1], sampling=Sampling(max_new_tokens=6), stream=1)]
    )
    ids = made.prompt_ids + made.completion_ids
    record = segment(ids, [False, False] + [True] * len(made.completion_ids))
    scored = learner.forward([record]).logprobs[0, 2:].tolist()
    assert scored == pytest.approx(made.sampler_logprobs, abs=1e-5)
    learner.save_pretrained(tmp_path)
    merged = HFLearner(Qwen2ForCausalLM.from_pretrained(tmp_path))
    torch.testing.assert_close(
        merged.forward(SEGMENTS).logprobs, learner.forward(SEGMENTS).logprobs, atol=1e-4, rtol=0
    )
    assert "lora_A" in str(learner.state_dict()["models"]["policy"].keys())


def test_bfloat16_learns_through_float32_copies():
    config = HFLearnerConfig(dtype="bfloat16", learning_rate=1e-5)
    learner = HFLearner(make_model().to(torch.bfloat16), config)
    learner.add_head("values")
    for _ in range(3):
        sgd_like(learner)
    masters = learner._optimizers["policy"].masters
    moved = (masters[0] - learner.model.get_input_embeddings().weight.float()).abs().max()
    assert 0 < moved < 1e-2  # what a bfloat16 step would have lost
    again = HFLearner(make_model(seed=1).to(torch.bfloat16), config)
    again.add_head("values")
    again.load_state_dict(copy.deepcopy(learner.state_dict()))
    sgd_like(learner)
    sgd_like(again)
    for mine, theirs in zip(masters, again._optimizers["policy"].masters, strict=True):
        assert torch.equal(mine, theirs)


def test_checkpointing_activations_changes_no_number():
    plain, frugal = (
        HFLearner(make_model(), HFLearnerConfig(gradient_checkpointing=on)) for on in (False, True)
    )
    for learner in (plain, frugal):
        learner.backward(learner.forward(SEGMENTS).logprobs.sum())
    for mine, theirs in zip(plain.model.parameters(), frugal.model.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad)
    assert not any(m.training for m in frugal.model.modules())


def test_resumed_training_is_bit_exact():
    config = HFLearnerConfig(learning_rate=0.01, warmup_steps=3)
    first = HFLearner(make_model(), config)
    sgd_like(first)
    state = first.state_dict()
    state = {
        **state,
        "models": {"policy": {k: v.clone() for k, v in state["models"]["policy"].items()}},
    }
    second = HFLearner(make_model(seed=1), config)
    second.load_state_dict(state)
    assert second.version == 1
    for learner in (first, second):
        sgd_like(learner)
    for mine, theirs in zip(first.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_a_checkpoint_of_another_model_is_refused_untouched():
    other = HFLearner(make_model(seed=3, max_position_embeddings=64))
    state = other.state_dict()
    name = "model.embed_tokens.weight"
    state["models"]["policy"][name] = torch.zeros(60, 32)
    learner = HFLearner(make_model())
    before = learner.model.get_input_embeddings().weight.clone()
    with pytest.raises(UsageError, match=r"embed_tokens.weight must have shape \[50, 32\]"):
        learner.load_state_dict(state)
    assert torch.equal(before, learner.model.get_input_embeddings().weight)
    with_head = HFLearner(make_model())
    with_head.add_head("values")
    with pytest.raises(UsageError, match="absent"):
        with_head.load_state_dict(HFLearner(make_model()).state_dict())
    with pytest.raises(UsageError, match="format"):
        learner.load_state_dict({})


def test_saved_folder_loads_as_an_ordinary_model(tmp_path, monkeypatch):
    learner = HFLearner(make_model())
    learner.save_pretrained(tmp_path)
    loaded = Qwen2ForCausalLM.from_pretrained(tmp_path)
    torch.testing.assert_close(
        HFLearner(loaded).forward(SEGMENTS).logprobs, learner.forward(SEGMENTS).logprobs
    )
    with pytest.raises(UsageError, match="must hold a tokenizer"):
        load_model_and_tokenizer(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(UsageError, match=r"must hold config\.json"):
        load_model_and_tokenizer(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        load_model_and_tokenizer(tmp_path / "missing")
    with pytest.raises(UsageError, match="dtype"):
        load_model_and_tokenizer(tmp_path, dtype="int3")
    with pytest.raises(UsageError, match="device"):
        pick_device("toaster")
