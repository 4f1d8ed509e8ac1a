"""The text space: membership, sampling, and exact transport through shared memory."""

import multiprocessing as mp
import pickle
from copy import deepcopy

import gymnasium as gym
import pytest
from gymnasium.vector.utils import (
    batch_differing_spaces,
    batch_space,
    concatenate,
    create_empty_array,
    create_shared_memory,
    iterate,
    read_from_shared_memory,
    write_to_shared_memory,
)
from hypothesis import given
from hypothesis import strategies as st

from turnwise_envs.spaces import MAX_OBSERVATION_CHARS, TextSpace, cut_middle

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)


@given(st.lists(ANY_TEXT, min_size=3, max_size=3), ANY_TEXT)
def test_shared_memory_returns_every_text_exactly(texts, later):
    space = TextSpace(60)
    memory = create_shared_memory(space, n=3, ctx=mp.get_context("spawn"))
    view = read_from_shared_memory(space, memory, n=3)
    for index, text in enumerate(texts):
        write_to_shared_memory(space, index, text, memory)
    kept = deepcopy(view)
    assert kept == tuple(texts)
    assert type(kept) is tuple
    write_to_shared_memory(space, 1, later, memory)
    assert list(view) == [texts[0], later, texts[2]]  # the view is live,
    assert kept == tuple(texts)  # its copies are not
    assert view == pickle.loads(pickle.dumps(view))
    assert view[-1] == texts[2]


def test_shared_memory_holds_the_widest_text():
    space = TextSpace(1000)
    memory = create_shared_memory(space, n=2)
    write_to_shared_memory(space, 0, "🙂" * 1000, memory)
    write_to_shared_memory(space, 1, "a", memory)
    assert list(read_from_shared_memory(space, memory, n=2)) == ["🙂" * 1000, "a"]
    with pytest.raises(ValueError, match="at most 1000 characters, got 1001"):
        write_to_shared_memory(space, 0, "a" * 1001, memory)


@given(ANY_TEXT)
def test_contains_any_text_up_to_the_limit(text):
    assert text in TextSpace(60)
    assert (text in TextSpace(5)) == (len(text) <= 5)
    assert None not in TextSpace(60)
    assert b"" not in TextSpace(60)


def test_sample_is_seeded_and_takes_candidates():
    one, two = TextSpace(100, seed=3), TextSpace(100, seed=3)
    samples = [one.sample() for _ in range(50)]
    assert samples == [two.sample() for _ in range(50)]
    assert all(text in one for text in samples)
    assert {one.sample(mask=["a", "b"]) for _ in range(50)} == {"a", "b"}
    assert {one.sample(probability={"a": 0.0, "b": 1.0}) for _ in range(9)} == {"b"}
    with pytest.raises(ValueError, match="must not both"):
        one.sample(mask=["a"], probability={"a": 1.0})
    with pytest.raises(ValueError, match="at least one"):
        one.sample(mask=[])


def test_equality_repr_pickle_and_json():
    space = TextSpace(7)
    assert space == pickle.loads(pickle.dumps(space)) != TextSpace(8)
    assert repr(space) == "TextSpace(7)"
    assert space.from_jsonable(space.to_jsonable(["a", "ß"])) == ["a", "ß"]
    assert not isinstance(space, gym.spaces.Text)
    with pytest.raises(ValueError, match="positive integer"):
        TextSpace(0)


def test_batching():
    space = TextSpace(20, seed=1)
    before = deepcopy(space).sample()
    batched = batch_space(space, 3)
    assert space.sample() == before  # batching draws nothing from the space
    assert batched.sample() in batched
    assert list(iterate(batched, ("ab", "c", ""))) == ["ab", "c", ""]
    assert concatenate(space, ["ab", "c"], create_empty_array(space, 2)) == ("ab", "c")
    assert create_empty_array(space, 2) == ("", "")
    mixed = batch_differing_spaces([TextSpace(2), TextSpace(3)])
    assert ("ab", "abc") in mixed
    assert ("abc", "abc") not in mixed


def test_nested_in_a_dict_space():
    space = gym.spaces.Dict({"text": TextSpace(20), "number": gym.spaces.Discrete(3)})
    memory = create_shared_memory(space, n=2)
    view = read_from_shared_memory(space, memory, n=2)
    write_to_shared_memory(space, 1, {"text": "ab", "number": 2}, memory)
    assert deepcopy(view)["text"] == ("", "ab")
    items = list(iterate(batch_space(space, 2), {"text": ("ab", "c"), "number": [1, 2]}))
    assert [item["text"] for item in items] == ["ab", "c"]


def test_flattening_keeps_text_and_says_why_it_has_no_dimension():
    space = TextSpace(5)
    assert gym.spaces.flatten_space(space) == space
    assert gym.spaces.unflatten(space, gym.spaces.flatten(space, "ab")) == "ab"
    with pytest.raises(ValueError, match="no fixed number of dimensions"):
        gym.spaces.flatdim(space)


@given(st.integers(0, 2000), st.integers(50, 300))
def test_cut_middle(length, limit):
    text = "".join(chr(97 + i % 26) for i in range(length))
    cut = cut_middle(text, limit)
    assert len(cut) <= limit
    if length <= limit:
        assert cut == text
    else:
        head, _, tail = cut.partition("\n[... ")
        number, _, tail = tail.partition(" characters left out ...]\n")
        assert text.startswith(head)
        assert text.endswith(tail)
        assert len(head) + int(number) + len(tail) == length


def test_cut_middle_by_hand():
    # The note is reckoned at 35 characters (with the number 100): 25 are left, 13 + 12.
    cut = cut_middle("a" * 50 + "b" * 50, 60)
    assert cut == "a" * 13 + "\n[... 75 characters left out ...]\n" + "b" * 12
    assert len(cut_middle("x" * 10**6, MAX_OBSERVATION_CHARS)) <= MAX_OBSERVATION_CHARS
