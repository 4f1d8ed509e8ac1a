r"""Reads GSM8K, MATH and AIME-style files, and checks them for `turnwise data check`.

A row is an object with a question ("question" or "problem") and an answer: GSM8K's ends in
"#### 72"; MATH has "solution" with the answer in its last box; AIME-style rows have "answer".
Rows stand in a JSON Lines file, in a JSON list, or, as MATH is published, one in a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from turnwise_envs.data import DataReport
from turnwise_envs.errors import DataError, UnknownTaskError
from turnwise_envs.math.answers import NoAnswer, read
from turnwise_envs.math.exact import read_number
from turnwise_envs.math.extract import MAX_ANSWER_CHARS
from turnwise_envs.math.verifier import reference_answer
from turnwise_envs.spaces import MAX_OBSERVATION_CHARS
from turnwise_envs.splits import content_id

SPLIT_NAMES = ("train", "valid", "test")
_SHOWN_PROBLEMS = 5
"""Problems listed for one file; the rest is counted."""

_PROBED_FILES = 20
_FOREIGN = {"context", "contexts", "paragraphs", "supporting_facts"}
"""Keys of other worlds' questions."""

_QUESTIONS, _ANSWERS = ("problem", "question"), ("answer", "solution")


@dataclass(frozen=True, slots=True)
class Row:
    """One problem.

    Attributes:
        question: what is asked.
        answer: the reference answer alone.
        kind: MATH's subject, else the form's name; metrics are reported by it.
        part: the split's name in the file's path, "" where it has none.
    """

    question: str
    answer: str
    kind: str
    part: str

    @property
    def is_number(self) -> bool:
        """Whether the answer is a plain number."""
        return read_number(self.answer) is not None


@dataclass(slots=True)
class Found:
    """The rows of a file or folder, and what was wrong with the others."""

    path: Path
    rows: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_rows(path: str | Path) -> Found:
    """Reads every row of a file or folder; bad rows are in `problems`, not raised.

    Raises:
        DataError: If nothing is there.
    """
    root = Path(path).expanduser()
    if not root.exists():
        raise DataError(f"data_dir must be a file or folder, {root} is not there.")
    found = Found(root)
    seen: set[str] = set()
    for file in _files(root):
        problems: list[str] = []
        for place, row in _objects(file, problems):
            problem = _add(row, file, root, found, seen)
            if problem:
                problems.append(f"{place}: {problem}")
        found.problems += problems[:_SHOWN_PROBLEMS]
        if len(problems) > _SHOWN_PROBLEMS:
            more = len(problems) - _SHOWN_PROBLEMS
            found.problems.append(f"{file}: {more} more rows have problems.")
    return found


def rows_of_split(found: Found, split: str) -> list[Row]:
    """Returns the rows of a split: those of files named after it, or all where none is named.

    Raises:
        DataError: If there are none at all.
        UnknownTaskError: If the files have splits, but not this one.
    """
    if not found.rows:
        first = found.problems[0] if found.problems else "no .json or .jsonl file"
        raise DataError(f"{found.path} must hold mathematics problems, got none ({first}).")
    parts = {row.part for row in found.rows}
    if parts == {""} or split == "stream":
        return found.rows
    rows = [row for row in found.rows if row.part == split]
    if not rows:
        names = ", ".join(sorted(parts - {""}))
        raise UnknownTaskError(f"split must be one of {names} for {found.path}, got {split!r}.")
    return rows


def _files(root: Path) -> list[Path]:
    if root.is_file():
        return [root]
    return sorted(file for file in root.rglob("*") if file.suffix in (".json", ".jsonl"))


def _objects(file: Path, problems: list[str]) -> Iterator[tuple[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        problems.append(f"{file}: must be UTF-8, byte {error.start} is not. Convert the file.")
        return
    except OSError as error:
        problems.append(f"{file}: must be readable ({error.strerror}).")
        return
    if file.suffix == ".jsonl":
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                try:
                    yield f"{file}, line {number}", json.loads(line)
                except (ValueError, RecursionError) as error:
                    problems.append(
                        f"{file}, line {number}: must be JSON ({error}). Mend the line."
                    )
        return
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as error:
        problems.append(f"{file}: must be JSON ({error}). Rename JSON Lines to .jsonl.")
        return
    if isinstance(whole, list):
        yield from ((f"{file}, row {i}", row) for i, row in enumerate(whole, 1))
    else:
        yield str(file), whole


def _add(row: Any, file: Path, root: Path, found: Found, seen: set[str]) -> str:
    """Adds a row; returns what is wrong with it, "" for nothing."""
    if not isinstance(row, dict):
        return f"must be an object, got {type(row).__name__}."
    question = next((row[key] for key in _QUESTIONS if key in row), None)
    given = next((row[key] for key in _ANSWERS if key in row), None)
    if not isinstance(question, str) or not question.strip():
        return 'must have a text "question" or "problem".'
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        return 'must have an "answer", or a "solution" with the answer in \\boxed{}.'
    text = str(given)
    if "answer" not in row and "\\boxed" not in text and "####" not in text:
        return 'must have an "answer", or a "solution" with the answer in \\boxed{}.'
    answer = reference_answer(text)
    if not answer or answer.lower() in ("nan", "null", "none"):
        return "must have an answer that is not empty."
    if len(answer) > MAX_ANSWER_CHARS:
        return f"must have an answer of at most {MAX_ANSWER_CHARS} characters, got {len(answer)}."
    if len(question) > MAX_OBSERVATION_CHARS:
        return f"must have a question of at most {MAX_OBSERVATION_CHARS} characters."
    try:
        read(answer)
    except NoAnswer as error:
        return f"must have an answer that can be compared ({error}), got {answer[:60]!r}."
    key = content_id([question, answer])
    if key in seen:
        return "must not repeat a row; it was left out."
    seen.add(key)
    kind = "gsm8k" if "####" in text else "math"
    if isinstance(row.get("type"), str):
        kind = row["type"].strip().lower().replace(" ", "_") or kind
    found.rows.append(Row(question.strip(), answer, kind, _part(file, root)))
    return ""


def _part(file: Path, root: Path) -> str:
    names = [file.stem, *file.relative_to(root).parts[:-1]] if file != root else []
    for name in SPLIT_NAMES:
        if any(part == name or part.startswith((name + "_", name + "-")) for part in names):
            return name
    return ""


def check(path: Path) -> DataReport | None:
    """GSM8K, MATH or AIME-style problems (.json, .jsonl)."""
    if path.is_file() and path.suffix not in (".json", ".jsonl"):
        return None
    if not _looks_like_mathematics(path):
        return None
    found = read_rows(path)
    kinds = sorted({row.kind for row in found.rows})
    counts = {name: sum(row.part == name for row in found.rows) for name in SPLIT_NAMES}
    facts = {"kinds": ", ".join(kinds)} if kinds else {}
    facts |= {name: f"{count} problems" for name, count in counts.items() if count}
    plain = sum(row.is_number for row in found.rows)
    facts["answers that are plain numbers"] = str(plain)
    problems = list(found.problems)
    if not found.rows:
        problems.append(f"{path}: must hold at least one problem with an answer.")
    ids = [content_id([row.question, row.answer]) for row in found.rows]
    return DataReport(
        kind="mathematics problems",
        count=len(found.rows),
        unit="problems",
        version=content_id(ids) if ids else "",
        facts=facts,
        problems=tuple(problems),
        usage=f'"turnwise/MathVerifier-v0", data_dir={str(path)!r}' if ids else "",
    )


def _looks_like_mathematics(path: Path) -> bool:
    """Returns whether a file begins with a row that has a question, an answer and no paragraphs."""
    for file in _files(path)[:_PROBED_FILES]:
        _, row = next(_objects(file, []), ("", None))
        if not isinstance(row, dict) or _FOREIGN & row.keys():
            continue
        if any(isinstance(row.get(key), str) for key in _QUESTIONS) and row.keys() & {*_ANSWERS}:
            return True
    return False
