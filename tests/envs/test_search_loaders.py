"""Files of questions: every published form, real rows, and files that are wrong in some way."""

import json
import os
import warnings
from pathlib import Path

import gymnasium as gym
import pytest
from published_rows import HOTPOT, HOTPOT_COLUMNS, MUSIQUE, PLAIN, TWO_WIKI, write_lines

import turnwise_envs
from turnwise_envs.data import check_data
from turnwise_envs.errors import DataError, UnknownTaskError
from turnwise_envs.search.corpus import MAX_PASSAGE_CHARS, Corpus
from turnwise_envs.search.grading import grade
from turnwise_envs.search.loaders import LoadedQuestions, open_corpus

ID = "turnwise/MultiHopSearch-v0"
DATA = Path(os.environ.get("TURNWISE_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
REAL = DATA / "multihop"
FILES = ("hotpotqa_distractor_30.jsonl", "2wiki_10.jsonl", "musique_10.jsonl")
needs_data = pytest.mark.skipif(not REAL.exists(), reason=f"no {REAL}; set TURNWISE_TEST_DATA")


def only_question(path):
    tasks = LoadedQuestions("train", str(path))
    return tasks.question(tasks[0])


@pytest.mark.parametrize("row", [HOTPOT, HOTPOT_COLUMNS])
def test_hotpotqa(tmp_path, row):
    tasks = LoadedQuestions("train", str(write_lines(tmp_path / "q.jsonl", row)))
    question = tasks.question(tasks[0])
    assert (tasks.form, tasks[0].kind) == ("HotpotQA", "bridge")
    assert question.references == ["Mina Rook"]
    assert [(s.title, s.sentence) for s in question.supports] == [
        ("Salt Fox", "Salt Fox is a novel by Ida Vale."),
        ("Ida Vale", "She was taught by Mina Rook."),
    ]
    assert [p.text for p in tasks.corpus.titled("salt fox")] == [
        "Salt Fox is a novel by Ida Vale. It appeared in 1901."
    ]


def test_both_forms_of_a_row_are_one_task(tmp_path):
    one = LoadedQuestions("train", str(write_lines(tmp_path / "a.jsonl", HOTPOT)))
    other = LoadedQuestions("train", str(write_lines(tmp_path / "b.jsonl", HOTPOT_COLUMNS)))
    assert one.manifest_hash == other.manifest_hash
    both = write_lines(tmp_path / "c.jsonl", HOTPOT, HOTPOT_COLUMNS)
    assert len(LoadedQuestions("train", str(both))) == 1


def test_2wiki_as_one_array(tmp_path):
    path = tmp_path / "dev.json"
    path.write_text(json.dumps([TWO_WIKI]), encoding="utf-8")
    tasks = LoadedQuestions("valid", str(path))
    assert (tasks.form, tasks[0].kind) == ("2WikiMultihopQA", "compositional")
    assert len(tasks.question(tasks[0]).supports) == 2


def test_musique_follows_its_decomposition(tmp_path):
    question = only_question(write_lines(tmp_path / "m.jsonl", MUSIQUE))
    assert [support.title for support in question.supports] == ["Ida Vale", "Tarn"]
    assert question.references == ["1310", "the year 1310"]


def test_plain_rows(tmp_path):
    question = only_question(write_lines(tmp_path / "p.jsonl", PLAIN))
    assert question.references == ["white", "salt-white"]
    assert [(s.title, s.sentence) for s in question.supports] == [("Fox", "")]


def test_a_folder_gives_each_split_its_files(tmp_path):
    write_lines(tmp_path / "hotpot_train_v1.1.jsonl", HOTPOT)
    write_lines(tmp_path / "hotpot_dev_distractor_v1.jsonl", MUSIQUE)
    write_lines(tmp_path / "notes.jsonl", {"text": "no question"})
    train, valid = (LoadedQuestions(split, str(tmp_path)) for split in ("train", "valid"))
    assert (train[0].kind, valid[0].kind) == ("bridge", "2hop")
    with pytest.raises(DataError, match=r"for split 'test', found \['hotpot_dev"):
        LoadedQuestions("test", str(tmp_path))
    with pytest.raises(UnknownTaskError, match="train, valid, test with a folder"):
        LoadedQuestions("ood_hops", str(tmp_path))


@pytest.mark.parametrize(
    ("encode", "good"),
    [
        (lambda text: text.encode("utf-8"), True),
        (lambda text: b"\xef\xbb\xbf" + text.encode("utf-8"), True),
        (lambda text: text.encode("utf-16"), True),
        (lambda text: text.replace("\n", "\r\n").encode("utf-8"), True),
        (lambda text: text.encode("latin-1"), False),
        (lambda text: text.encode("utf-16-le"), False),
    ],
)
@pytest.mark.parametrize("form", ["lines", "array"])
def test_encodings(tmp_path, form, encode, good):
    rows = [{**PLAIN, "question": "Où est le renard ?"}]
    text = json.dumps(rows if form == "array" else rows[0], ensure_ascii=False) + "\n"
    path = tmp_path / "q.json"
    path.write_bytes(encode(text))
    if good:
        assert only_question(path).text == "Où est le renard ?"
    else:
        with pytest.raises(DataError, match=r"must be (UTF-8 text|one JSON)|holds|has none"):
            only_question(path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{broken", "line 2 must be one JSON object, got"),
        ("[" * 100_000, "line 2 must be one JSON object, got"),
        ("17", "line 2 must be a JSON object, got int"),
        ({"answer": "x", "paragraphs": []}, "line 2 must have a text in column 'question'"),
        ({"question": "x?", "paragraphs": []}, "line 2 must have a text in column 'answer'"),
        ({**PLAIN, "golden_answers": [None, ""]}, "Test files without answers cannot be graded"),
        ({**PLAIN, "id": 8, "paragraphs": [{"title": "Fox"}]}, "must have paragraphs"),
        ({**PLAIN, "id": 8, "paragraphs": "text"}, "must have paragraphs"),
        ({**HOTPOT, "context": {"title": ["a"]}}, "line 2 must have paragraphs"),
        (
            {**HOTPOT, "_id": "7"},
            "line 2 must have an id of its own, got '7', which q.jsonl, line 1",
        ),
    ],
)
def test_bad_rows_are_left_out_and_named(tmp_path, row, message):
    path = write_lines(tmp_path / "q.jsonl", PLAIN, row)
    with pytest.warns(UserWarning, match="1 rows of .* cannot be used"):
        tasks = LoadedQuestions("train", str(path))
    assert len(tasks) == 1
    assert message in next(iter(tasks.bad.values()))
    (report,) = check_data(path)
    assert report.count == 1
    assert any(message in problem for problem in report.problems)


@pytest.mark.parametrize("text", ["", "\n\n", "[]", "[{", '{"question": 1, "paragraphs": []}\n'])
def test_files_without_a_question(tmp_path, text):
    path = tmp_path / "q.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="must"):
        LoadedQuestions("train", str(path))


def test_facts_that_are_not_there(tmp_path):
    """The published files name sentences beyond the paragraph's end."""
    row = {**HOTPOT, "supporting_facts": [["Salt Fox", 9], ["Nowhere", 0]]}
    question = only_question(write_lines(tmp_path / "q.jsonl", row))
    assert [(s.title, s.sentence) for s in question.supports] == [("Salt Fox", ""), ("Nowhere", "")]
    env = gym.make(ID, data_dir=str(tmp_path / "q.jsonl"), expose_reference=True)
    env.reset(seed=0)
    over = False
    while not over:
        _, _, over, truncated, info = env.step(env.unwrapped.expert_action())
        assert not truncated
    assert info["success"]
    assert info["metrics"]["evidence_recall"] == 0.5


def test_huge_documents_are_cut(tmp_path):
    text = "tower river " * 50_000
    row = {**PLAIN, "paragraphs": [{"title": "Fox", "text": text}]}
    tasks = LoadedQuestions("train", str(write_lines(tmp_path / "q.jsonl", row)))
    assert len(tasks.corpus) > len(text) // MAX_PASSAGE_CHARS
    assert max(len(tasks.corpus[i].text) for i in range(len(tasks.corpus))) <= MAX_PASSAGE_CHARS
    env = gym.make(ID, data_dir=str(tmp_path / "q.jsonl"), top_k=50)
    env.reset(seed=0)
    obs = env.step("search[tower]")[0]
    assert len(obs) <= 65_536
    assert env.step("read[Fox]")[0]


def test_questions_without_paragraphs_need_a_corpus(tmp_path):
    row = {"question": "What colour?", "answer": "white", "supporting_titles": ["Fox"]}
    path = write_lines(tmp_path / "q.jsonl", row)
    env = gym.make(ID, data_dir=str(path))
    env.reset(seed=0)
    with pytest.raises(DataError, match=r"must have paragraphs to search.*Pass corpus="):
        env.step("search[x]")
    passages = write_lines(
        tmp_path / "passages.jsonl",
        {"id": "0", "contents": '"Fox"\nThe fox is white.'},
        {"id": "1", "title": "Hare", "text": "The hare is brown."},
    )
    env = gym.make(ID, data_dir=str(path), corpus=str(passages), cache_dir=str(tmp_path / "kept"))
    for _ in range(2):
        env.reset(seed=0)
        assert env.step("search[fox]")[0] == "[1] Fox\nThe fox is white."
    assert {folder.name.partition("-")[0] for folder in (tmp_path / "kept").iterdir()} == {
        "bm25",
        "corpus",
    }


def test_check_knows_corpora(tmp_path):
    rows = [{"id": n, "title": f"T{n}", "text": "white"} for n in range(30)]
    (report,) = check_data(write_lines(tmp_path / "p.jsonl", *rows))
    assert (report.kind, report.count, report.problems) == ("search corpus", 30, ())
    (report,) = check_data(write_lines(tmp_path / "q.jsonl", *rows, {"id": 7, "text": "x"}))
    assert report.count == 0
    assert "line 31 must have an id of its own, got '7'" in report.problems[0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "at least one passage"),
        (['{"title": "x"}'], 'line 1 must have texts in columns "title" and "text"'),
        (["{"], "line 1 must be one JSON object"),
        (
            [{"id": 1, "title": "a", "text": "b"}, {"id": 1, "title": "a", "text": "c"}],
            "line 2 must have an id of its own, got '1', which p.jsonl, line 1",
        ),
    ],
)
def test_corpora_that_cannot_be(tmp_path, rows, message):
    path = write_lines(tmp_path / "p.jsonl", *rows)
    with pytest.raises(DataError, match=message):
        open_corpus(str(path))


def test_a_saved_corpus_is_opened_memory_mapped(tmp_path):
    Corpus.build([("Fox", "white \udcff"), ("Hare", "brown")]).save(tmp_path)
    corpus = open_corpus(str(tmp_path))
    assert corpus[0].text == "white \udcff"
    assert corpus.digest == Corpus.build([("Fox", "white \udcff"), ("Hare", "brown")]).digest
    (tmp_path / "corpus.json").write_text("{}")
    open_corpus.cache_clear()
    with pytest.raises(DataError, match="must be of version 1"):
        open_corpus(str(tmp_path))


@needs_data
@pytest.mark.parametrize("name", FILES)
def test_the_expert_solves_real_rows(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tasks = turnwise_envs.tasks(ID, "train", data_dir=str(REAL / name))
    env = gym.make(ID, data_dir=str(REAL / name), expose_reference=True, actions="menu")
    found = []
    for task in tasks:
        _, info = env.reset(options={"task_id": task.id})
        menu = info["admissible_actions"]
        answers = [action[7:-1] for action in menu if action.startswith("answer[")]
        assert sum(grade(answer, info["reference"]).em for answer in answers) == 1
        over = False
        while not over:
            action = env.unwrapped.expert_action()
            _, _, over, truncated, info = env.step(action)
            assert not truncated
        assert info["success"]
        found.append(info["metrics"].get("evidence_recall", 1.0))
    assert sum(found) / len(found) > 0.95


@needs_data
def test_check_names_what_is_there():
    (report,) = check_data(REAL / FILES[0])
    assert (report.count, report.facts["form"], report.problems) == (30, "HotpotQA", ())
    other = check_data(DATA / "math" / "gsm8k_train_200.jsonl")
    assert [report.kind for report in other] == ["mathematics problems"]
