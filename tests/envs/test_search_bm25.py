"""BM25: hand-computed scores, agreement with the bm25s package, saved indices."""

import math
import subprocess
import sys

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise_envs.errors import DataError
from turnwise_envs.search.bm25 import BM25Index, tokenize

WORDS = st.sampled_from(["red", "blue", "old", "tower", "river", "music", "north", "glass"])
TEXTS = st.lists(st.lists(WORDS, max_size=9).map(" ".join), min_size=1, max_size=25)


def test_words_are_those_that_bm25s_indexes():
    text = "The Cat's 2 cats: a cat-like Émile, NOT in 1874 (x)!"
    assert tokenize(text) == ["cat", "cats", "cat", "like", "émile", "1874"]
    assert tokenize(text) == bm25s.tokenize(text, return_ids=False, show_progress=False)[0]


def test_scores_by_hand():
    index = BM25Index.build(["red red tower", "red river", "old glass north seven"])
    # N = 3, lengths 3, 2, 4, mean 3; df(red) = 2, df(tower) = 1.
    # idf(red) = ln(1 + (3 - 2 + .5) / (2 + .5)), idf(tower) = ln(1 + (3 - 1 + .5) / (1 + .5)).
    idf_red, idf_tower = math.log(1 + 1.5 / 2.5), math.log(1 + 2.5 / 1.5)
    # k1 (1 - b + b |d| / mean) = 1.5 (.25 + .75 * 3 / 3) = 1.5; for the second 1.5 * .75 = 1.125
    first = idf_red * 2 / (2 + 1.5) + idf_tower * 1 / (1 + 1.5)
    second = idf_red * 1 / (1 + 1.125)
    documents, scores = index.search("Red tower?", 5)
    assert documents == [0, 1]
    assert scores == pytest.approx([first, second], rel=1e-6)
    assert index.search("red red", 1)[1] == pytest.approx([2 * idf_red * 2 / 3.5], rel=1e-6)


def test_what_shares_no_word_is_not_found():
    index = BM25Index.build(["red tower", "blue river"])
    assert index.search("glass the of", 3) == ([], [])
    assert index.search("", 3) == ([], [])
    assert index.search("red", 0) == ([], [])
    assert index.search("red", 9)[0] == [0]


def test_equal_scores_come_in_order_of_number():
    index = BM25Index.build(["red tower"] * 50)
    assert index.search("tower red", 7)[0] == list(range(7))


@settings(max_examples=80, deadline=None)
@given(TEXTS, st.lists(WORDS, min_size=1, max_size=6).map(" ".join), st.integers(1, 8))
def test_the_best_are_those_of_bm25s(texts, query, k):
    """The same scores as the package's; which of equal documents comes first is ours alone."""
    texts = [*texts, "red blue old tower river music north glass"]  # every word is known
    k = min(k, len(texts))
    package = bm25s.BM25()
    package.index(bm25s.tokenize(texts, return_ids=False, show_progress=False), show_progress=False)
    theirs = package.get_scores(tokenize(query))
    documents, scores = BM25Index.build(texts).search(query, k)
    assert scores == pytest.approx(theirs[documents].tolist(), rel=1e-5)
    best = np.sort(theirs[theirs > 0])[::-1][:k]
    assert scores == pytest.approx(best.tolist(), rel=1e-5)


def test_skipping_common_words_loses_nothing():
    """Words as frequent as in a text: most queries end with look-ups for a few documents."""
    rng = np.random.default_rng(0)
    ranks = np.minimum(rng.zipf(1.3, size=(3_000, 12)), 4_000)
    index = BM25Index.build(" ".join(f"w{rank}" for rank in row) for row in ranks)
    numbers = list(index.vocabulary)
    for _ in range(300):
        words = [*rng.choice(numbers, size=5, replace=False).tolist(), "w1", "w2"]
        scores = np.zeros(index.num_docs, dtype=np.float32)
        for documents, gains, _ in index._terms(" ".join(words)):
            scores[documents] += gains
        expected = np.lexsort((np.arange(len(scores)), -scores))[:5].tolist()
        found, values = index.search(" ".join(words), 5)
        assert found == expected
        assert values == scores[expected].tolist()


def test_indices_open_on_both_sides(tmp_path):
    texts = ["red red tower", "red river", "old glass north seven", "blue river"]
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    BM25Index.build(texts).save(ours)
    package = bm25s.BM25()
    package.index(bm25s.tokenize(texts, return_ids=False, show_progress=False), show_progress=False)
    package.save(theirs)
    loaded = bm25s.BM25.load(ours, show_progress=False)
    found, scores = loaded.retrieve([["river", "red"]], k=2, show_progress=False)
    assert found[0].tolist() == BM25Index.open(ours).search("river red", 2)[0] == [1, 0]
    expected = BM25Index.build(texts).search("river red", 2)
    for folder in (ours, theirs):
        documents, values = BM25Index.open(folder).search("river red", 2)
        assert documents == expected[0]
        assert values == pytest.approx(expected[1], rel=1e-6)
    assert scores[0].tolist() == pytest.approx(expected[1], rel=1e-6)


def test_an_opened_index_is_memory_mapped(tmp_path):
    BM25Index.build(["red tower"] * 3).save(tmp_path)
    assert isinstance(BM25Index.open(tmp_path).data, np.memmap)


def test_folders_that_hold_no_index(tmp_path):
    with pytest.raises(DataError, match=r"must hold an index saved by bm25s or turnwise.*Delete"):
        BM25Index.open(tmp_path)
    package = bm25s.BM25(method="bm25+")
    package.index([["red"], ["blue"]], show_progress=False)
    package.save(tmp_path)
    with pytest.raises(DataError, match="must be of method"):
        BM25Index.open(tmp_path)
    with pytest.raises(DataError, match="at least one passage"):
        BM25Index.build([])


def test_a_huge_query_is_no_burden():
    index = BM25Index.build(["red tower", "blue river"] * 2000)
    documents, scores = index.search("red " * 100_000, 3)
    assert documents == [0, 2, 4]
    assert scores[0] == pytest.approx(100_000 * index.search("red", 1)[1][0], rel=1e-4)


def test_bm25s_is_not_imported_by_the_environment():
    code = "import turnwise_envs.search, sys; print({'bm25s', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
