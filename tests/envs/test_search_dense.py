"""The dense retriever with a tiny encoder of random weights, made from a config."""

import gymnasium as gym
import numpy as np
import pytest

from turnwise_envs.errors import DependencyNotInstalled, UsageError
from turnwise_envs.search.corpus import Corpus
from turnwise_envs.search.dense import DenseRetriever
from turnwise_envs.search.retriever import shared_retriever
from turnwise_envs.search.tasks import shared_world
from turnwise_envs.search.world import WorldOptions

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

ID = "turnwise/MultiHopSearch-v0"
PASSAGES = [
    ("Fox", "The fox is white."),
    ("Hare", "The hare is brown and old."),
    ("Fox", "It lives in the north."),
    ("River", "The river flows."),
]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A folder with a BERT of two layers and a tokenizer of letters."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    folder = tmp_path_factory.mktemp("encoder")
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", *letters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.BertModel(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def corpus():
    return Corpus.build(PASSAGES)


def test_a_passage_finds_itself(encoder, corpus):
    retriever = DenseRetriever(corpus, encoder, batch_size=3)
    assert retriever.vectors.shape == (4, 32)
    assert np.linalg.norm(retriever.vectors, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    for number, text in enumerate(corpus.texts()):
        hits = retriever.search(text, 2)
        assert hits[0].passage == corpus[number]
        assert hits[0].score == pytest.approx(1.0, abs=1e-5)
        assert hits[0].score >= hits[1].score
    assert [passage.text for passage in retriever.read("fox")] == [PASSAGES[0][1], PASSAGES[2][1]]


def test_padding_and_batches_do_not_matter(encoder, corpus):
    one = DenseRetriever(corpus, encoder, batch_size=1).vectors
    assert one == pytest.approx(DenseRetriever(corpus, encoder, batch_size=64).vectors, abs=1e-5)


def test_faiss_finds_what_numpy_finds(encoder):
    pytest.importorskip("faiss")
    passages = [(f"T{i}", f"text number {i} {'abc' * (i % 7)}") for i in range(60)]
    corpus = Corpus.build(passages)
    plain, fast = (DenseRetriever(corpus, encoder, faiss=faiss) for faiss in (False, True))
    for query in ("number 7", "abcabc", "T31"):
        one, other = plain.search(query, 5), fast.search(query, 5)
        assert [hit.score for hit in one] == pytest.approx([h.score for h in other], abs=1e-5)
        assert one[0].passage == other[0].passage


def test_pooling_and_prefixes_change_the_vectors(encoder, corpus):
    base = DenseRetriever(corpus, encoder).vectors
    for options in ({"pooling": "cls"}, {"passage_prefix": "passage: "}, {"max_tokens": 4}):
        assert not np.allclose(base, DenseRetriever(corpus, encoder, **options).vectors, atol=1e-4)


def test_vectors_are_kept(encoder, corpus, tmp_path):
    first = DenseRetriever(corpus, encoder, cache_dir=tmp_path)
    again = DenseRetriever(corpus, encoder, cache_dir=tmp_path)
    assert isinstance(again.vectors, np.memmap)
    assert first.search("fox", 3) == again.search("fox", 3)
    assert len(list(tmp_path.iterdir())) == 1
    DenseRetriever(corpus, encoder, cache_dir=tmp_path, pooling="cls")
    assert len(list(tmp_path.iterdir())) == 2


def test_through_gym_make(encoder, tmp_path):
    options = {"encoder": encoder, "max_tokens": 16}
    env = gym.make(
        ID,
        num_articles=1_200,
        retriever="dense",
        retriever_options=options,
        cache_dir=str(tmp_path),
        max_turns=30,
    )
    world = shared_world(WorldOptions(1_200))
    env.reset(seed=0)
    obs, _, _, _, info = env.step(f"search[{world.corpus[5].title}]")
    assert obs.count("[") >= 3
    assert info["metrics"]["passages"] == 3.0
    over = False
    while not over:  # what random vectors do not find, the expert reads
        _, _, over, _, info = env.step(env.unwrapped.expert_action())
    assert info["success"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "max"}, "pooling must be one of mean, cls, got 'max'"),
        ({"batch_size": 0}, "batch_size must be a positive integer, got 0"),
        ({"max_tokens": 2.5}, "max_tokens must be a positive integer"),
        ({"encoder": "/no/such/folder"}, "encoder must be a folder or hub id"),
        ({"depth": 3}, "retriever_options must be arguments of the dense retriever"),
    ],
)
def test_options_that_cannot_be(encoder, corpus, options, message):
    options = {"encoder": encoder, **options}
    with pytest.raises(UsageError, match=message):
        shared_retriever("dense", options, lambda: corpus)


def test_missing_libraries_are_named(corpus, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(DependencyNotInstalled, match=r"needs torch and transformers\. Install"):
        DenseRetriever(corpus, "anything")
