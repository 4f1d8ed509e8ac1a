"""Generated catalogues and the search over them."""

import hashlib
import subprocess
import sys

import bm25s
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise_envs import UsageError
from turnwise_envs.cache import CACHE_VARIABLE
from turnwise_envs.webshop.catalogue import generated_catalogue
from turnwise_envs.webshop.dice import Dice
from turnwise_envs.webshop.generator import asin_of, index_of, make_product
from turnwise_envs.webshop.goals import split_of
from turnwise_envs.webshop.search import K1, RESULTS, B, Index, build_index, tokenize

DIGEST = """
import hashlib
from turnwise_envs.webshop.generator import make_product
print(hashlib.sha256("".join(repr(make_product(0, i)) for i in range(200)).encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def catalogue():
    return generated_catalogue(1000, 0)


def test_products_are_the_same_in_another_process():
    here = "".join(repr(make_product(0, i)) for i in range(200))
    there = subprocess.run([sys.executable, "-c", DIGEST], capture_output=True, text=True)
    assert there.stdout.strip() == hashlib.sha256(here.encode()).hexdigest(), there.stderr


@given(st.integers(0, 2**63 - 1), st.integers(0, 10**6 - 1))
def test_ids_are_numbers_in_disguise(seed, index):
    asin = asin_of(seed, index)
    assert len(asin) == 10
    assert asin == asin.upper()
    assert index_of(seed, asin) == index


@pytest.mark.parametrize("text", ["", "B0", "B01234567!", "C012345678", "B0eeeeeeee"])
def test_other_texts_are_no_ids(text):
    assert index_of(0, text) is None


def test_products_are_well_formed(catalogue):
    assert len({catalogue.product(i).title for i in range(1000)}) == 1000
    for i in range(1000):
        product = catalogue.product(i)
        assert catalogue.number(product.asin) == i
        values = [value for offered in product.options.values() for value in offered]
        assert len(values) == len(set(values)), "a click on a value must mean one option"
        assert all(value == value.lower() for value in values)
        assert len(product.attributes) == len(set(product.attributes)) >= 3
        text = " ".join([product.title, product.description, *product.bullets]).lower()
        assert all(attribute in text for attribute in product.attributes)
        assert product.price > 0
        stars = [review.score for review in product.reviews]
        assert product.rating == (f"{sum(stars) / len(stars):.1f}" if stars else "N.A.")
    assert catalogue.number(asin_of(0, 1000)) is None


def test_some_reviews_contradict(catalogue):
    reviews = [r for i in range(1000) for r in catalogue.product(i).reviews]
    against = sum("was not" in review.body for review in reviews)
    assert 0.15 < against / len(reviews) < 0.35


def test_dice_are_uniform_and_fixed():
    dice = Dice(1, 2)
    assert [dice.below(100) for _ in range(6)] == FIRST_DRAWS
    counts = np.bincount([Dice(7, i).below(6) for i in range(6000)])
    assert counts.min() > 850
    assert sorted(Dice(0).sample(range(9), 9)) == list(range(9))
    assert len(set(Dice(0).sample(range(9), 4))) == 4


FIRST_DRAWS = [90, 28, 0, 16, 96, 30]


# -------------------------------------------------------------------- search


def test_tokens():
    assert tokenize("The Batteries, glasses & 6.7 Fl-Oz of women's 'X'!") == [
        "battery", "glass", "6.7", "fl", "oz", "women", "s", "x",
    ]  # fmt: skip
    assert tokenize("a bus, gas, focus, ties") == ["bus", "gas", "focus", "tie"]
    assert tokenize("dresses brushes boxes cases") == ["dress", "brush", "box", "case"]
    assert tokenize("ё" * 40) == ["ё" * 12], "24 bytes of a term count"


def test_scores_are_those_of_bm25s(catalogue):
    documents = [tokenize(catalogue.product(i).document) for i in range(1000)]
    model = bm25s.BM25(method="lucene", k1=K1, b=B)
    model.index(documents, show_progress=False)
    for query in (
        "gluten free trail mixes honey",
        "navy blue dress",
        "pack of 2 hdmi cables",
        "rug",
    ):
        scores = model.get_scores(tokenize(query))
        order = np.lexsort((np.arange(1000), -scores))
        expected = [int(i) for i in order[:RESULTS] if scores[i] > 0]
        found = catalogue.search(query)
        assert len(found) == len(expected)
        np.testing.assert_allclose(scores[list(found)], scores[expected], rtol=1e-5)


def test_what_cannot_be_found(catalogue):
    assert catalogue.search("zzzzzz") == ()
    assert catalogue.search("") == ()
    assert catalogue.search("the of and") == ()
    assert catalogue.search("\ud800 🙂") == ()
    assert len(catalogue.search("free " * 3000)) == RESULTS


def test_equal_documents_come_in_their_order():
    index = build_index(["red shoe"] * 60 + ["red red shoe"])
    assert index.search("shoe red")[0] == 60
    assert index.search("red shoe")[1:] == tuple(range(49))


def test_a_kept_index_is_the_same(catalogue, tmp_path):
    catalogue.index.save(tmp_path / "deep" / "index")
    catalogue.index.save(tmp_path / "deep" / "index")  # somebody else was faster
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["index"]
    opened = Index.open(tmp_path / "deep" / "index")
    assert opened.num_terms == catalogue.index.num_terms
    for query in ("gluten free trail mixes honey", "navy blue dress", "nothing like it"):
        assert opened.search(query) == catalogue.search(query)


@pytest.mark.slow
def test_large_catalogues_live_in_the_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    code = (
        "from turnwise_envs.webshop.catalogue import generated_catalogue as g;"
        "c = g(20001, 5); print(c.search('gluten free trail mixes honey')[:9], len(c))"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        for _ in range(2)
    ]
    assert runs[0].returncode == 0, runs[0].stderr
    assert runs[0].stdout == runs[1].stdout
    assert len(list((tmp_path / "webshop").iterdir())) == 1


def test_sizes():
    for size in (199, 1_000_001, 1000.0, True):
        with pytest.raises(UsageError, match="num_products must be"):
            generated_catalogue(size, 0)
    with pytest.raises(UsageError, match="catalogue_seed must be"):
        generated_catalogue(1000, -1)
    smallest = {split_of(i) for i in range(200)}
    assert smallest == {"train", "valid", "test", "ood_category"}
