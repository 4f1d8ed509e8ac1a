"""Checks a user's files of multi-hop questions, for `turnwise data check`."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

from turnwise_envs.data import DataReport
from turnwise_envs.errors import DataError
from turnwise_envs.search.loaders import SPLIT_NAMES, LoadedQuestions, looks_like_questions

_SHOWN_PROBLEMS = 50


def check(path: Path) -> DataReport | None:
    """Multi-hop questions: HotpotQA, 2WikiMultihopQA, MuSiQue, or JSONL rows with paragraphs."""
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    if not any(looks_like_questions(file) for file in files):
        return None
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
        usage=f'"turnwise/MultiHopSearch-v0", data="{path}"',
    )
