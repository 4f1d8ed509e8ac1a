"""Checks a user's files of multi-hop questions, for `turnwise data check`."""

from __future__ import annotations

import hashlib
import warnings
from itertools import islice
from pathlib import Path

from turnwise_envs.data import DataReport
from turnwise_envs.errors import DataError
from turnwise_envs.search.corpus import Corpus
from turnwise_envs.search.loaders import (
    SPLIT_NAMES,
    SUFFIXES,
    LoadedQuestions,
    looks_like_questions,
    open_corpus,
)
from turnwise_envs.search.rows import parse_passage, read_json

_SHOWN_PROBLEMS = 50
_LOOKED_AT = 20


def check(path: Path) -> DataReport | None:
    """Multi-hop questions (HotpotQA, 2WikiMultihopQA, MuSiQue, JSONL rows) or a search corpus."""
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    if not any(looks_like_questions(file) for file in files):
        return _check_corpus(path) if path.is_file() and _looks_like_passages(path) else None
    problems: dict[str, None] = {}
    facts: dict[str, str] = {}
    found: dict[str, LoadedQuestions] = {}
    for split in ("train",) if path.is_file() else SPLIT_NAMES:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the same problems are in the report
                questions = LoadedQuestions(split, str(path))
        except DataError as error:
            if path.is_file():
                problems[str(error)] = None
            else:
                facts[split] = f"none: {error}"
            continue
        problems.update(dict.fromkeys(questions.bad.values()))
        found.setdefault(questions.manifest_hash, questions)
        if path.is_dir():
            facts[split] = f"{len(questions):,} questions"
    for questions in found.values():
        facts["form"] = questions.form
        try:
            facts["passages"] = f"{len(questions.corpus):,}"
        except DataError as error:
            problems[str(error)] = None
    shown = list(problems)[:_SHOWN_PROBLEMS]
    if len(problems) > len(shown):
        shown.append(f"... and {len(problems) - len(shown)} problems more")
    return DataReport(
        kind="multi-hop questions",
        count=sum(map(len, found.values())),
        unit="questions",
        version=hashlib.blake2b("".join(found).encode(), digest_size=8).hexdigest()
        if found
        else "",
        facts=facts,
        problems=tuple(shown),
        usage=f'"turnwise/MultiHopSearch-v0", data_dir="{path}"',
    )


def _looks_like_passages(file: Path) -> bool:
    """Returns whether all of a file's first rows are passages: title and text, or contents.

    Rows with objects in them are something else: WebShop's products have contents, too.
    """
    if file.suffix not in SUFFIXES:
        return False
    try:
        rows = list(islice(read_json(file), _LOOKED_AT))
        for place, value in rows:
            parse_passage(place, value)
            if any(isinstance(column, dict | list) for column in value.values()):
                return False
    except DataError:
        return False
    return bool(rows)


def _check_corpus(path: Path) -> DataReport:
    corpus: Corpus | None = None
    problems: tuple[str, ...] = ()
    try:
        corpus = open_corpus(str(path))
    except DataError as error:
        problems = (str(error),)
    return DataReport(
        kind="search corpus",
        count=len(corpus) if corpus else 0,
        unit="passages",
        version=corpus.digest if corpus else "",
        problems=problems,
        usage=f'"turnwise/MultiHopSearch-v0", data_dir=..., corpus="{path}"',
    )
