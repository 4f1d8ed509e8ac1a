"""Reads rows of HotpotQA, 2WikiMultihopQA and MuSiQue, and plain rows of questions."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from turnwise_envs.errors import DataError

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
FORMS = {
    "HotpotQA": "question, answer, context, supporting_facts",
    "2WikiMultihopQA": "question, answer, context, supporting_facts, evidences",
    "MuSiQue": "question, answer, paragraphs with paragraph_text and is_supporting",
    "questions": "question and answer or golden_answers; paragraphs with title and text",
}
"""The forms of rows, and the columns that they are known by."""


@dataclass(frozen=True, slots=True)
class Row:
    """One question of a data set.

    Attributes:
        id: the row's own id, "" where it has none.
        form: one of `FORMS`.
        kind: the data set's question type.
        question: the question.
        answer: the gold answer.
        aliases: other answers that are right.
        supports: (title, sentence) of the supporting facts; the sentence is "" where only the
            article is known.
        paragraphs: (title, text) of all paragraphs that come with it.
    """

    id: str
    form: str
    kind: str
    question: str
    answer: str
    aliases: tuple[str, ...]
    supports: tuple[tuple[str, str], ...]
    paragraphs: tuple[tuple[str, str], ...]


def read_json(path: Path) -> Iterator[tuple[str, Any]]:
    """Yields (place, value) of every row of a JSON array or a JSON Lines file.

    A line that is no JSON is yielded as a `DataError` in place of its value.

    Raises:
        DataError: If the file cannot be read as text or is one damaged JSON array.
    """
    if _first_character(path) == "[":
        try:
            rows = json.loads(_decoded(path, _bytes(path), 0))
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{path} must be a JSON array, got {error}. Download it anew."
            ) from error
        yield from ((f"{path.name}, row {n}", row) for n, row in enumerate(rows, start=1))
        return
    for number, line in enumerate(_lines(path), start=1):
        if line.strip():
            place = f"{path.name}, line {number}"
            try:
                yield place, json.loads(line)
            except (ValueError, RecursionError) as error:
                yield place, DataError(f"{place} must be one JSON object, got {error}.")


def _first_character(path: Path) -> str:
    """Returns the first character of a file that is no white space; "" where there is none."""
    with _opened(path) as stream:
        head = stream.read(4096)
    text = head.decode("utf-16" if head.startswith(_UTF16) else "utf-8-sig", errors="ignore")
    return text.lstrip()[:1]


def _lines(path: Path) -> Iterator[str]:
    """Yields the lines of a text file one by one: a corpus may be larger than memory."""
    with _opened(path) as stream:
        if stream.read(2) in _UTF16:
            yield from _decoded(path, _bytes(path), 0).split("\n")
            return
        stream.seek(0)
        start = 0
        for line in stream:
            yield _decoded(path, line, start)
            start += len(line)


def _bytes(path: Path) -> bytes:
    with _opened(path) as stream:
        return stream.read()


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise DataError(f"{path} must be a file that can be read, got {error}.") from error


def _decoded(path: Path, data: bytes, start: int) -> str:
    """Returns the text of a file's bytes from `start` on."""
    encoding = "utf-16" if start == 0 and data.startswith(_UTF16) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} must be UTF-8 text, got byte {data[error.start]:#04x} at "
            f"{start + error.start}. Convert it, for example with iconv -t utf-8."
        ) from error


def parse_row(place: str, value: Any) -> Row:
    """Returns the row that `value` holds.

    Raises:
        DataError: If it is of no known form or something in it is missing; names the place.
    """
    if isinstance(value, DataError):
        raise value
    if not isinstance(value, dict):
        raise DataError(f"{place} must be a JSON object, got {type(value).__name__}.")
    question = value.get("question")
    if not isinstance(question, str) or not question.strip():
        raise DataError(f"{place} must have a text in column 'question', got {_shown(question)}.")
    answers = _answers(place, value)
    try:
        form, supports, paragraphs = _contents(value)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{place} must have paragraphs and supporting facts as its data set has them, "
            f"got {error!r}."
        ) from error
    row_id = str(value.get("_id") or value.get("id") or value.get("qid") or "")
    kind = value.get("type")
    if not isinstance(kind, str) or not kind:
        head = row_id.partition("__")[0]
        kind = head if form == "MuSiQue" and head else "question"
    return Row(
        row_id, form, kind, question.strip(), answers[0], tuple(answers[1:]), supports, paragraphs
    )


def _answers(place: str, value: dict[str, Any]) -> list[str]:
    """Returns the answer and its aliases, without repetition."""
    given = value.get("answer", value.get("golden_answers"))
    answers = list(given) if isinstance(given, list) else [given]
    for column in ("answer_aliases", "aliases"):
        more = value.get(column) or []
        answers += more if isinstance(more, list) else [more]
    texts = [
        str(answer).strip()
        for answer in answers
        if isinstance(answer, str | int | float) and not isinstance(answer, bool)
    ]
    texts = [text for text in dict.fromkeys(texts) if text]
    if not texts:
        raise DataError(
            f"{place} must have a text in column 'answer' or 'golden_answers', "
            f"got {_shown(given)}. Test files without answers cannot be graded."
        )
    return texts


def _contents(
    value: dict[str, Any],
) -> tuple[str, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Returns (form, supports, paragraphs) of a row."""
    if "context" in value and "supporting_facts" in value:
        form = "2WikiMultihopQA" if "evidences" in value else "HotpotQA"
        return form, *_hotpot(value["context"], value["supporting_facts"])
    paragraphs, supports, form = [], [], "questions"
    for paragraph in value.get("paragraphs") or []:
        if "paragraph_text" in paragraph:
            form = "MuSiQue"
        text = paragraph.get("paragraph_text", paragraph.get("text"))
        title = paragraph["title"]
        if not isinstance(text, str) or not isinstance(title, str):
            raise TypeError("paragraphs must have texts as title and text")
        paragraphs.append((title, text))
        if paragraph.get("is_supporting"):
            supports.append((title, text))
    order = [
        step.get("paragraph_support_idx") for step in value.get("question_decomposition") or []
    ]
    if order and all(type(place) is int for place in order):
        places = {p.get("idx", i): i for i, p in enumerate(value["paragraphs"])}
        supports = [paragraphs[places[i]] for i in dict.fromkeys(order)]
    supports += [(str(title), "") for title in value.get("supporting_titles") or []]
    return form, tuple(supports), tuple(paragraphs)


def _hotpot(
    context: Any, facts: Any
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Returns (supports, paragraphs); pairs as published, or columns as Hugging Face has them."""
    if isinstance(context, dict):
        context = list(zip(context["title"], context["sentences"], strict=True))
    if isinstance(facts, dict):
        facts = list(zip(facts["title"], facts["sent_id"], strict=True))
    sentences = {}
    paragraphs = []
    for title, parts in context:
        parts = [part.strip() for part in parts]
        sentences[title] = parts
        paragraphs.append((title, " ".join(part for part in parts if part)))
    supports = []
    for title, number in facts:
        parts = sentences.get(title, [])
        # Some rows of the published file name sentences that are not there.
        supports.append((title, parts[number] if 0 <= number < len(parts) else ""))
    return tuple(supports), tuple(paragraphs)


def parse_passage(place: str, value: Any) -> tuple[str, str, str]:
    """Returns (id, title, text) of a row of a corpus: title and text, or Search-R1's contents.

    Raises:
        DataError: If it is neither; names the place.
    """
    if isinstance(value, DataError):
        raise value
    if isinstance(value, dict):
        own_id = value.get("id", value.get("_id", value.get("docid", "")))
        title, text = value.get("title"), value.get("text")
        if isinstance(value.get("contents"), str) and not isinstance(text, str):
            title, _, text = value["contents"].partition("\n")
            title = title.strip().strip('"')
        if isinstance(text, str) and (text.strip() or title):
            return str(own_id), title if isinstance(title, str) else "", text
    raise DataError(
        f'{place} must have texts in columns "title" and "text", or "contents", '
        f"got {_shown(value)}."
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
