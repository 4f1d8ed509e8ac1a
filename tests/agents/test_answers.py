"""How the gold answer is written and scored behind the policy's own prompts."""

import math

import gymnasium as gym
import numpy as np
import pytest
import quiz
import torch
import two_rooms
from small_model import small_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from turnwise_agents.answers import (
    ChatAnswers,
    TabularAnswers,
    answer_beliefs,
    belief_prompts,
    check_answers,
    gives_answers,
)
from turnwise_agents.chat import ChatTemplate
from turnwise_agents.learners.hf import HFLearner
from turnwise_agents.learners.tabular import TabularLearner, TabularLearnerConfig
from turnwise_agents.scorer import Scorer
from turnwise_agents.tabular import TabularVocabulary
from turnwise_agents.types import Generation, Trajectory, Turn
from turnwise_envs.errors import UsageError

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def merging_tokenizer():
    """Byte pairs without word boundaries: its tokens reach over any seam."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=270, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    core.train_from_iterator([" fo", 'o"', "r<"] * 50, trainer)
    core.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|im_end|>")
    tokenizer.chat_template = CHATML
    return tokenizer


TOKENIZER = merging_tokenizer()


def world(**kwargs):
    return gym.make(quiz.ENV_ID, **kwargs).unwrapped


def chat_answers(**kwargs):
    return ChatAnswers(ChatTemplate(TOKENIZER), {"e": world(**kwargs)})


@pytest.mark.parametrize("action_format", ["plain", "xml", "tool_json"])
@pytest.mark.parametrize("answer", ["fox", "bear", 'a "quoted" owl', "Füchslein 狐", "x"])
def test_the_answer_is_what_the_policy_would_write(action_format, answer):
    made = world(action_format=action_format)
    written = ChatAnswers(ChatTemplate(TOKENIZER), {"e": made}).write("e", answer, [])
    whole = made.action_format.render(f"answer {answer}")
    assert made.action_format.parse(whole).action == f"answer {answer}"
    markup = [made.action_format.render(f"answer {x}") for x in "QZ"]
    start = markup[0].index("Q") if action_format != "plain" else len("answer ")
    end = len(whole) - (len(markup[0]) - start - 1)
    encoded = TOKENIZER(whole, add_special_tokens=False, return_offsets_mapping=True)
    assert list(written.completion_ids) == encoded["input_ids"][: len(written.completion_ids)]
    spans = encoded["offset_mapping"][written.start : len(written.completion_ids)]
    assert spans[0][0] <= start < spans[0][1]
    assert spans[-1][0] < end <= spans[-1][1]


def test_tokens_are_found_by_their_characters():
    """Counting the tokens of the parts apart is off by one where pieces merge over the seam."""
    written = chat_answers().write("e", "fox", [])
    ids = list(written.completion_ids)
    assert TOKENIZER.decode(ids[written.start :]) == " fox"  # " fo" holds the seam and the answer
    before = TOKENIZER("answer ", add_special_tokens=False)["input_ids"]
    assert len(before) == written.start + 1
    tail = chat_answers(action_format="xml").write("e", "bear", [])
    assert TOKENIZER.decode(list(tail.completion_ids)).endswith("ar<")


def test_a_prefix_for_prompts_that_end_in_a_thought():
    plain = chat_answers().write("e", "owl", [])
    long = chat_answers().write("e", "owl", [], "I know it.</think>\n")
    assert TOKENIZER.decode(list(long.completion_ids)) == "I know it.</think>\nanswer owl"
    assert long.completion_ids[long.start :] == plain.completion_ids[plain.start :]
    assert chat_answers().write("e", "", []) is None


def test_slow_tokenizers_are_refused():
    class Slow(PreTrainedTokenizerFast):
        is_fast = False

    slow = Slow(tokenizer_object=TOKENIZER.backend_tokenizer, eos_token="<|im_end|>")
    slow.chat_template = CHATML
    with pytest.raises(UsageError, match="must be a fast one"):
        ChatAnswers(ChatTemplate(slow), {"e": world()}).write("e", "fox", [])


def test_worlds_that_cannot_be_answered():
    assert gives_answers(quiz.QuizEnv)
    assert not gives_answers(two_rooms.TwoRoomsEnv)
    check_answers(quiz.ENV_ID, world())
    with pytest.raises(UsageError, match="must say how a final answer is given"):
        check_answers(two_rooms.ENV_ID, gym.make(two_rooms.ENV_ID).unwrapped)


# ------------------------------------------------------------------ beliefs


MENU = ["answer fox", "answer owl", "look barn"]


def table(*rows):
    """A tabular learner whose row i has these probabilities, over the sorted menu."""
    vocabulary = TabularVocabulary()
    learner = TabularLearner(TabularLearnerConfig(), vocabulary)
    for i, row in enumerate(rows):
        vocabulary.row("e", "t", str(i), MENU[: len(row)])
    weights = learner.weights()
    for i, row in enumerate(rows):
        weights[i, : len(row)] = [math.log(p) if p else -math.inf for p in row]
    return learner, TabularAnswers(vocabulary, {"e": world()})


def trajectory(rows, reference, stop="env", final=None):
    turns = [
        Turn(
            turn_index=i,
            observation="",
            generations=[
                Generation(prompt_ids=[row], completion_ids=[0], sampler_logprobs=[0.0], text="x")
            ],
        )
        for i, row in enumerate(rows)
    ]
    return Trajectory(
        env_id="e",
        task_id="t",
        group_id="g",
        trajectory_id="a",
        turns=turns,
        stop=stop,
        reference=reference,
        final_prompt_ids=[] if final is None else [final],
    )


def test_beliefs_of_a_table():
    learner, answers = table([0.2, 0.3, 0.5], [0.7, 0.1, 0.2], [1.0, 0.0, 0.0])
    scorer = Scorer(learner)
    played = [trajectory([0, 1], ["fox", "owl"]), trajectory([0, 2, 1], ["owl"])]
    best = answer_beliefs(played, scorer, answers)
    np.testing.assert_allclose(np.exp(best[0]), [0.3, 0.7])  # the better alias at each prompt
    np.testing.assert_allclose(np.exp(best[1])[[0, 2]], [0.3, 0.1])
    assert math.isnan(best[1][1])  # log 0 is not finite
    first = answer_beliefs(played, scorer, answers, best_alias=False)
    np.testing.assert_allclose(np.exp(first[0]), [0.2, 0.7])
    assert answer_beliefs([], scorer, answers) == []
    assert all(map(math.isnan, answer_beliefs([trajectory([0, 1], None)], scorer, answers)[0]))


def test_equal_prompts_and_answers_are_scored_once():
    learner, answers = table([0.2, 0.3, 0.5], [0.7, 0.1, 0.2])
    scorer = Scorer(learner)
    answer_beliefs([trajectory([0, 1, 0, 1], ["fox"])] * 5, scorer, answers)
    assert scorer.take_stats()["scored_tokens"] == 2 * 2


def test_an_answer_that_is_not_on_the_menu_has_probability_0():
    learner, answers = table([0.2, 0.8], [1.0])
    (row,) = answer_beliefs([trajectory([0, 1], ["owl"])], Scorer(learner), answers)
    assert math.exp(row[0]) == pytest.approx(0.8)
    assert row[1] == -math.inf


def test_the_final_prompt_counts_only_where_the_episode_was_cut():
    assert belief_prompts(trajectory([0, 1], [], "env", 2)) == [[0], [1]]
    assert belief_prompts(trajectory([0, 1], [], "turns", 2)) == [[0], [1], [2]]
    assert belief_prompts(trajectory([0, 1], [], "turns")) == [[0], [1]]


def test_beliefs_of_a_language_model_are_means_over_the_answers_tokens():
    model = small_model(len(TOKENIZER))
    answers = chat_answers()
    played = trajectory([0, 1], ["fox"])
    played.turns[1].generations[0].prompt_ids = [0, 5, 6, 7, 8]
    (row,) = answer_beliefs([played], Scorer(HFLearner(model)), answers)
    written = answers.write("e", "fox", [])
    assert len(written.completion_ids) - written.start == 2
    for turn, belief in zip(played.turns, row, strict=True):
        ids = [*turn.generations[0].prompt_ids, *written.completion_ids]
        with torch.no_grad():
            logs = torch.log_softmax(model(torch.tensor([ids])).logits[0], -1)
        own = [float(logs[n - 1, ids[n]]) for n in range(len(ids) - 2, len(ids))]
        assert belief == pytest.approx(np.mean(own), abs=1e-5)
