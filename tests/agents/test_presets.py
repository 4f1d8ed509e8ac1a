"""The tiny preset: its tokenizer, its demonstrations, its warm start, its folder."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from turnwise_agents.context import ChatContexts, ContextConfig
from turnwise_agents.learners.hf import HFLearner, HFLearnerConfig
from turnwise_agents.learners.loading import load_model_and_tokenizer
from turnwise_agents.presets.demonstrations import demonstrate, demonstration_batches
from turnwise_agents.presets.tiny import (
    build_tiny,
    prepare_tiny,
    tiny_config,
    train_suite_tokenizer,
)
from turnwise_agents.presets.tokenizer import ASSISTANT, END, train_tokenizer
from turnwise_agents.presets.warm_start import WarmStartConfig, supervise, warm_start
from turnwise_agents.segments import segments
from turnwise_envs import UsageError

ENV = "turnwise/HouseholdSmall-v0"


@pytest.fixture(scope="module")
def tokenizer():
    return train_suite_tokenizer([ENV], {}, seed=0, episodes=60)


@pytest.fixture(scope="module")
def contexts(tokenizer):
    return ChatContexts(tokenizer, ContextConfig(system_prompt=False))


@pytest.fixture(scope="module")
def env():
    made = gym.make(ENV)
    yield made
    made.close()


def pieces(tokenizer, text):
    return [tokenizer.decode([i]) for i in tokenizer(text)["input_ids"]]


def test_names_and_phrases_are_single_tokens():
    documents = [
        [
            f"You see a cabinet {i % 3}, and a mug 1. Put a clean mug in it.",
            f"go to cabinet {i % 3}",
        ]
        for i in range(30)
    ]
    tokenizer = train_tokenizer(documents)
    assert pieces(tokenizer, "go to cabinet 2") == ["go to", " cabinet 2"]
    assert pieces(tokenizer, "You see a cabinet 1, and a mug 1.") == [
        *["You see a", " cabinet 1", ", and a", " mug 1", "."]
    ]
    # A noun that has numbered names stays apart from the words around it.
    assert " mug" in pieces(tokenizer, "Put a clean mug in it.")


def test_years_are_no_names():
    documents = [[f"It was built in {1900 + i % 50}."] for i in range(100)]
    tokenizer = train_tokenizer(documents)
    assert pieces(tokenizer, "It was built in 1903.")[:2] == ["It was built in", " 1903"]


def test_a_turn_of_the_household_is_a_handful_of_tokens(tokenizer):
    assert len(pieces(tokenizer, "go to fridge 1")) == 2
    assert len(pieces(tokenizer, "take mug 1 from cabinet 1")) == 4


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_any_text_comes_back(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


@pytest.mark.parametrize(
    "text", ["", " ", "  a\n\n b\t", "<0x41>", "Ġ", "漢字 🎉", "\x00\x7f", "1 2 3"]
)
def test_awkward_texts_come_back(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_tokenizer_survives_saving(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "go to cabinet 1, naïve 漢"
    assert loaded(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert loaded.chat_template == tokenizer.chat_template
    assert loaded.eos_token == END


def test_template_costs_two_tokens_a_turn(tokenizer, contexts):
    delta = contexts.template.encode_delta("You arrive at fridge 1.")
    text = tokenizer.convert_ids_to_tokens(list(delta))
    assert (text[0], text[-1]) == (END, ASSISTANT)
    assert list(delta[1:-1]) == tokenizer("You arrive at fridge 1.")["input_ids"]


def test_demonstrations_solve_the_task_in_one_segment(env, contexts, tokenizer):
    rng = np.random.default_rng(0)
    played = [demonstrate(env, contexts, tokenizer, rng) for _ in range(20)]
    assert np.mean([record.success for record in played]) > 0.8
    for record in played:
        (segment,) = segments(record)
        trained = [i for i, on in zip(segment.input_ids, segment.loss_mask, strict=True) if on]
        said = [i for turn in record.turns for i in turn.generations[0].completion_ids]
        assert trained == said
        for turn in record.turns:
            generation = turn.generations[0]
            assert generation.completion_ids[-1] == tokenizer.eos_token_id
            assert tokenizer.decode(generation.completion_ids[:-1]) == generation.text


def test_slips_are_imitated_only_where_asked(env, contexts, tokenizer):
    def trained(train_slips):
        rng = np.random.default_rng(1)
        record = demonstrate(env, contexts, tokenizer, rng, slip_share=1.0, train_slips=train_slips)
        return [turn.trainable for turn in record.turns]

    assert not any(trained(False))
    assert all(trained(True))


def test_an_environment_without_expert_is_named(contexts, tokenizer):
    from turnwise_envs.household import HouseholdEnv

    class Clueless(HouseholdEnv):
        def demonstration_action(self, rng):
            return None

    with pytest.raises(UsageError, match="must have an expert"):
        demonstrate(Clueless(size="small"), contexts, tokenizer, np.random.default_rng(0))


def test_models_are_equal_by_seed_and_leave_torch_alone(tokenizer):
    before = torch.get_rng_state()
    one, same, other = (build_tiny(tokenizer, seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    key = "model.embed_tokens.weight"
    assert torch.equal(one.state_dict()[key], same.state_dict()[key])
    assert not torch.equal(one.state_dict()[key], other.state_dict()[key])


def test_width_is_checked():
    with pytest.raises(UsageError, match="multiple of 32"):
        tiny_config(100, width=50)


def test_supervision_lowers_the_loss(env, contexts, tokenizer):
    model = build_tiny(tokenizer, 0)
    learner = HFLearner(model, HFLearnerConfig(learning_rate=5e-3))
    batches = demonstration_batches(
        [env], contexts, tokenizer, np.random.default_rng(0), batch_size=8, distinct=64
    )
    losses = [supervise(learner, next(batches)) for _ in range(15)]
    # A fresh model is near the uniform guess, log of the vocabulary's size.
    assert losses[0] == pytest.approx(np.log(len(tokenizer)), rel=0.15)
    assert np.mean(losses[-3:]) < 0.7 * losses[0]


SHORT = WarmStartConfig(
    batch_size=2,
    max_steps=3,
    max_sloppy_steps=2,
    target=-1.0,
    check_every=2,
    check_episodes=2,
    max_new_tokens=4,
)


def test_warm_start_is_repeatable_and_reports(contexts, tokenizer):
    def run():
        model, lines = build_tiny(tokenizer, 0), []
        done = warm_start(
            model, tokenizer, contexts, [ENV], {}, config=SHORT, seed=5, progress=lines.append
        )
        return model.state_dict(), done, lines

    (first, done, lines), (second, again, _) = run(), run()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert done == again
    assert done.steps == (3, 2)
    assert [step for step, _ in done.curve] == [2, 3, 4, 5]
    assert len(lines) == 4


def test_prepared_folder_is_an_ordinary_checkpoint(tmp_path):
    lines = []
    folder = prepare_tiny(
        [ENV], {}, tmp_path / "model", seed=1, warm_start=False, progress=lines.append
    )
    model, tokenizer = load_model_and_tokenizer(folder, device="cpu")
    assert model.config.vocab_size == len(tokenizer)
    assert pieces(tokenizer, "go to fridge 1") == ["go to", " fridge 1"]
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert lines
    assert not list(tmp_path.glob("*.partial"))
    with pytest.raises(UsageError, match="must not exist"):
        prepare_tiny([ENV], {}, folder)


def test_instructions_are_learnt_from_and_keep_their_sentences_whole(tmp_path):
    from turnwise_envs.household.explorer import HABITS

    own = "You carry out a task."
    told = [own, *(f"{own} {sentence}" for sentence in HABITS)]
    with pytest.raises(UsageError, match="system_prompt=True with instructions"):
        prepare_tiny([ENV], {}, tmp_path / "model", instructions=told)
    tokenizer = train_suite_tokenizer([ENV], {}, seed=0, episodes=60, instructions=told)
    for first in HABITS:
        for second in HABITS:
            cut = pieces(tokenizer, f"{own} {first} {second}\n\nCommands:\n")
            assert {f" {first}", f" {second}"} <= set(cut)
    contexts = ChatContexts(tokenizer, ContextConfig(system_prompt=True))
    model = build_tiny(tokenizer, 0)
    shown = []

    class Recording(ChatContexts):
        def new(self, env, spec):
            shown.append(spec.instruction or env.unwrapped.instruction)
            return contexts.new(env, spec)

    warm_start(
        model, tokenizer, Recording(tokenizer), [ENV], {}, config=SHORT, instructions=told[:2]
    )
    assert {text: shown.count(text) for text in told} == {
        **dict.fromkeys(told, 0),
        **dict.fromkeys(told[:2], len(shown) // 2),
    }
