"""The transformers sampler against naive full forwards, and its sessions."""

import zlib

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from turnwise_agents.samplers.base import Request
from turnwise_agents.samplers.drawing import nucleus
from turnwise_agents.samplers.hf import HFSampler, supports_persistent_cache
from turnwise_agents.samplers.random_stream import uniforms
from turnwise_agents.types import Sampling
from turnwise_envs.errors import UsageError

STOP = 49
SIZES = {
    "vocab_size": 50,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.3,
    "eos_token_id": STOP,
}
KINDS = {
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, {}),
    "llama": (LlamaConfig, LlamaForCausalLM, {}),
    "eager": (LlamaConfig, LlamaForCausalLM, {"attn_implementation": "eager"}),
    "sliding": (
        Qwen2Config,
        Qwen2ForCausalLM,
        {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 0},
    ),
}


def make_model(kind="qwen2", seed=0):
    config, cls, changes = KINDS[kind]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return cls(config(**SIZES, **changes)).eval()


def make_sampler(kind="qwen2", **kwargs):
    return HFSampler(make_model(kind), stop_ids=[STOP], **kwargs)


def request(name, prompt, stream=None, temperature=1.0, top_p=1.0, new=8, choices=None):
    return Request(
        session_id=str(name),
        prompt_ids=list(prompt),
        sampling=Sampling(temperature=temperature, top_p=top_p, max_new_tokens=new),
        stream=zlib.crc32(f"{name} {len(prompt)}".encode()) if stream is None else stream,
        choices=choices,
    )


def prompts(count, seed=0, low=3, high=30):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, STOP, rng.integers(low, high)).tolist() for _ in range(count)]


@torch.no_grad()
def naive_logprobs(model, generation):
    ids = generation.prompt_ids + generation.completion_ids
    logits = model(input_ids=torch.tensor([ids])).logits[0]
    table = torch.log_softmax(logits / (generation.temperature or 1.0), dim=-1)
    first = len(generation.prompt_ids)
    return [float(table[i - 1, ids[i]]) for i in range(first, len(ids))]


def assert_exact(sampler, made):
    expected = naive_logprobs(sampler.model, made)
    np.testing.assert_allclose(made.sampler_logprobs, expected, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_logprobs_equal_a_full_forward_over_turns(kind):
    sampler = make_sampler(kind)
    assert sampler.persistent == (kind != "sliding")
    texts = prompts(9)
    rng = np.random.default_rng(1)
    for turn in range(4):
        names = [i for i in range(9) if turn < 2 or (i + turn) % 3]  # some sessions pause
        batch = [request(i, texts[i], temperature=0.5 + 0.1 * i, new=3 + i) for i in names]
        for i, made in zip(names, sampler.generate(batch), strict=True):
            assert made.prompt_ids == texts[i]
            assert_exact(sampler, made)
            stopped = made.completion_ids[-1] == STOP
            assert made.finish_reason == ("stop" if stopped else "length")
            assert STOP not in made.completion_ids[:-1]
            assert stopped or len(made.completion_ids) == 3 + i
            more = rng.integers(0, STOP, int(rng.integers(1, 60 if i == 3 else 8))).tolist()
            texts[i] = texts[i] + made.completion_ids + more
        if turn == 2:
            sampler.close(["1", "unknown"])
    if sampler.persistent:
        assert sampler.stats()["cache_hit_share"] > 0.5


def test_a_request_draws_the_same_alone_and_in_any_batch():
    texts = prompts(12)
    batch = [request(i, texts[i], stream=1000 + i) for i in range(12)]
    together = make_sampler().generate(batch)
    backwards = make_sampler().generate(batch[::-1])[::-1]
    for i, made in enumerate(together):
        (alone,) = make_sampler().generate([batch[i]])
        assert alone.completion_ids == made.completion_ids == backwards[i].completion_ids
    other = make_sampler().generate([request(i, texts[i], stream=2000 + i) for i in range(12)])
    assert [m.completion_ids for m in other] != [m.completion_ids for m in together]


def test_frequencies_follow_the_tempered_softmax():
    sampler = make_sampler()
    count, prompt = 4000, [3, 1, 4]
    batch = [request(i, prompt, stream=i, temperature=2.0, new=1) for i in range(count)]
    drawn = np.bincount([g.completion_ids[0] for g in sampler.generate(batch)], minlength=50)
    with torch.no_grad():
        p = torch.softmax(sampler.model(torch.tensor([prompt])).logits[0, -1] / 2.0, -1).numpy()
    # Five standard deviations of a binomial share.
    assert (np.abs(drawn / count - p) <= 5 * np.sqrt(p * (1 - p) / count) + 1e-9).all()


def test_greedy_takes_the_likeliest_token():
    sampler = make_sampler()
    (made,) = sampler.generate([request("a", [3, 1, 4], temperature=0.0, new=5)])
    ids = [3, 1, 4]
    for token in made.completion_ids:
        with torch.no_grad():
            assert token == int(sampler.model(torch.tensor([ids])).logits[0, -1].argmax())
        ids.append(token)
    assert_exact(sampler, made)


def test_nucleus_keeps_the_likeliest_tokens_that_reach_the_mass():
    weights = torch.tensor([[0.1, 0.5, 0.25, 0.15]])
    assert nucleus(weights, torch.tensor([0.7])).tolist() == [[0.0, 0.5, 0.25, 0.0]]
    assert nucleus(weights, torch.tensor([0.01])).tolist() == [[0.0, 0.5, 0.0, 0.0]]
    torch.testing.assert_close(nucleus(weights, torch.tensor([1.0])), weights)


def test_top_p_cuts_the_draw_and_not_the_logprobs():
    sampler = make_sampler()
    batch = [
        request(i, [3, 1, 4], stream=i, top_p=1e-6 if i % 2 else 1.0, new=4) for i in range(60)
    ]
    made = sampler.generate(batch)
    assert len({tuple(g.completion_ids) for g in made[1::2]}) == 1
    assert len({tuple(g.completion_ids) for g in made[0::2]}) > 10
    np.testing.assert_allclose(
        made[1].sampler_logprobs, naive_logprobs(sampler.model, made[1]), atol=1e-5
    )


def test_choices_restrict_the_first_token():
    batch = [
        request(i, [3, 1, 4], stream=i, choices=[7, 9] if i % 2 else None, new=2) for i in range(60)
    ]
    made = make_sampler().generate(batch)
    assert {g.completion_ids[0] for g in made[1::2]} == {7, 9}
    assert len({g.completion_ids[0] for g in made[0::2]}) > 2


def test_a_prompt_that_edits_the_past_reuses_the_common_prefix_only():
    sampler = make_sampler()
    (first,) = sampler.generate([request("a", range(20))])
    before = (sampler.counts.reused, sampler.counts.prefilled)
    edited = [*range(12), 45, 46, *first.completion_ids, 3]
    (second,) = sampler.generate([request("a", edited)])
    assert sampler.counts.reused - before[0] == 12
    assert sampler.counts.prefilled - before[1] == len(edited) - 12
    assert_exact(sampler, second)
    (again,) = sampler.generate([request("a", edited)])  # at least one id is computed again
    assert again.completion_ids == second.completion_ids


def test_fork_copies_and_both_go_on():
    sampler = make_sampler()
    (first,) = sampler.generate([request("a", range(10))])
    sampler.fork("a", "b")
    sampler.fork("missing", "c")
    prompt = first.prompt_ids + first.completion_ids
    before = sampler.counts.prefilled
    pair = sampler.generate([request("a", [*prompt, 1, 2]), request("b", [*prompt, 5])])
    assert sampler.counts.prefilled - before == (2 + 1) + (1 + 1)
    for made in pair:
        assert_exact(sampler, made)


def test_new_weights_void_the_cache():
    sampler = make_sampler()
    (first,) = sampler.generate([request("a", range(10))])
    prompt = first.prompt_ids + first.completion_ids
    sampler.load(sampler.model, 0)
    assert sampler._sessions["a"].ids
    with torch.no_grad():
        sampler.model.lm_head.weight.mul_(2.0)
    sampler.load(sampler.model, 1)
    (second,) = sampler.generate([request("a", prompt)])
    assert (second.policy_version, sampler.counts.reused) == (1, 0)
    other = make_model(seed=1)
    sampler.load(other, 2)
    (third,) = sampler.generate([request("a", prompt)])
    np.testing.assert_allclose(third.sampler_logprobs, naive_logprobs(other, third), atol=1e-5)
    sampler.load(make_model(seed=2).state_dict(), 3)
    assert sampler.version == 3


def test_training_mode_and_gradients_are_left_alone():
    sampler = make_sampler()
    sampler.model.train()
    sampler.generate([request("a", [1, 2])])
    assert all(m.training for m in sampler.model.modules())
    sampler.model(input_ids=torch.tensor([[1, 2]])).logits.sum().backward()


def test_closed_rows_are_used_again():
    sampler = make_sampler()
    for turn in range(5):
        batch = [request(f"{turn}.{i}", p) for i, p in enumerate(prompts(6, seed=turn))]
        sampler.generate(batch)
        sampler.close([r.session_id for r in batch[:5]])
    assert sampler._cache.rows <= 16


@pytest.mark.parametrize(
    ("bad", "needle"),
    [
        ([request("a", [])], "at least one id"),
        ([request("a", [1]), request("a", [2])], "twice"),
        ([request("a", [50])], "below the model's vocabulary"),
        ([request("a", [1], new=0)], "max_new_tokens"),
    ],
)
def test_wrong_requests_are_refused(bad, needle):
    with pytest.raises(UsageError, match=needle):
        make_sampler().generate(bad)


def test_wrong_settings_are_refused():
    assert make_sampler().generate([]) == []
    with pytest.raises(UsageError, match="stop_ids"):
        HFSampler(make_model(), stop_ids=[])
    with pytest.raises(UsageError, match="persistent"):
        make_sampler("sliding", persistent=True)
    assert not supports_persistent_cache(make_model("sliding").config)


def test_uniforms_depend_on_stream_and_counter_alone():
    table = uniforms([0, 1, 2**64 - 1, -1], 5)
    assert table.shape == (4, 5)
    assert (table[2] == table[3]).all()  # the low 64 bits count
    assert (uniforms([1], 2, start=3)[0] == table[1, 3:]).all()
    many = uniforms(range(2000), 50)
    assert many.min() >= 0
    assert many.max() < 1
    assert len(np.unique(many)) == many.size
    counts = np.histogram(many, bins=20, range=(0, 1))[0]
    assert np.abs(counts - 5000).max() < 5 * np.sqrt(5000)
    assert abs(np.corrcoef(many[:, 0], many[:, 1])[0, 1]) < 0.1
