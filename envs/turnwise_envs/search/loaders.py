"""Task sets of the user's own questions, and corpora from files."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path

from turnwise_envs.errors import DataError, UnknownTaskError, UsageError
from turnwise_envs.household.generator import Draws, seed_of
from turnwise_envs.search.corpus import Corpus, cut_paragraph
from turnwise_envs.search.question import MENU_ANSWERS, MENU_QUERIES, Question, Support
from turnwise_envs.search.retriever import kept
from turnwise_envs.search.rows import Row, parse_passage, parse_row, read_json
from turnwise_envs.splits import Task, TaskSet, content_id

SUFFIXES = (".json", ".jsonl")
_COLUMNS = ("context", "paragraphs", "supporting_facts", "golden_answers")
_LOOKED_AT = 20
_HEAD_BYTES = 65536
SPLIT_NAMES = {"train": ("train",), "valid": ("valid", "dev"), "test": ("test",)}
"""What the names of a split's files have in them."""


def resolve(name: str, path: str | os.PathLike[str] | None) -> str | None:
    """Returns the absolute path that an argument means, None for None.

    Raises:
        UsageError: If it is no path.
        DataError: If nothing is there.
    """
    if path is None:
        return None
    if not isinstance(path, str | os.PathLike):
        raise UsageError(f"{name} must be a path or None, got {path!r}.")
    found = Path(path).expanduser().absolute()
    if not found.exists():
        raise DataError(f"{name} must be a file or folder, {found} is not there.")
    return str(found)


def find_files(path: Path, split: str) -> list[Path]:
    """Returns the files that hold the questions of a split, sorted.

    Raises:
        DataError: If there are none.
    """
    if path.is_file():
        return [path]
    files = [file for file in sorted(path.rglob("*")) if looks_like_questions(file)]
    named = {
        known: [f for f in files if any(name in f.stem.lower() for name in names)]
        for known, names in SPLIT_NAMES.items()
    }
    found = named.get(split, []) if any(named.values()) else files
    if not found:
        raise DataError(
            f"data_dir must hold a file of questions (*.json, *.jsonl) for split {split!r}, "
            f"found {[f.name for f in files][:10]} in {path}."
        )
    return found


def looks_like_questions(file: Path) -> bool:
    """Returns whether one of a file's first rows asks something and brings paragraphs.

    A question and an answer alone are no sign: data sets of mathematics have them, too.
    """
    if file.suffix not in SUFFIXES or not file.is_file():
        return False
    head = b""
    try:
        with file.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
        if not any(f'"{column}"'.encode() in head for column in _COLUMNS):
            return False
        if head.lstrip()[:1] == b"[":  # an array is parsed whole, half a gigabyte of it at times
            return b'"question"' in head and b'"answer' in head
        rows = [value for _, value in islice(read_json(file), _LOOKED_AT)]
    except (DataError, OSError):  # a damaged file is worth a report if it looked like questions
        return b'"question"' in head and b'"answer' in head
    return any(
        isinstance(row, dict) and "question" in row and any(c in row for c in _COLUMNS)
        for row in rows
    )


class LoadedQuestions(TaskSet):
    """The questions of a file, or of the files of a split, in their order.

    Args:
        split: name of the split.
        path: a file, or a folder.
        corpus_path: JSONL file (or saved corpus) to search; None takes the rows' paragraphs.
        cache_dir: where a corpus from a file is kept, memory-mapped; None for memory.

    Attributes:
        bad: what is wrong with the rows that were left out, by place; also given as a warning.
        form: what the rows look like.
    """

    def __init__(
        self,
        split: str,
        path: str,
        corpus_path: str | None = None,
        cache_dir: str | None = None,
    ) -> None:
        super().__init__(split)
        self.path, self._corpus_path, self._cache_dir = Path(path), corpus_path, cache_dir
        if split not in SPLIT_NAMES and not self.path.is_file():
            raise UnknownTaskError(
                f"split must be one of {', '.join(SPLIT_NAMES)} with a folder of data, "
                f"got {split!r}."
            )
        self.bad: dict[str, str] = {}
        self._rows: list[Row] = []
        self._tasks: list[Task] = []
        self._read()
        if not self._rows:
            reason = next(iter(self.bad.values()), "it is empty")
            raise DataError(f"data_dir must hold questions, {path} has none: {reason}")
        if self.bad:
            first = next(iter(self.bad.values()))
            warnings.warn(
                f"{len(self.bad)} rows of {path} cannot be used and are left out (see .bad of the "
                f"task set); the first: {first}",
                stacklevel=2,
            )
        self.form = ", ".join(dict.fromkeys(row.form for row in self._rows))

    def _read(self) -> None:
        own_ids: dict[str, str] = {}
        seen: set[str] = set()
        for file in find_files(self.path, self.split):
            for place, value in read_json(file):
                try:
                    row = parse_row(place, value)
                    task_id = content_id([row.question, row.answer, row.aliases, row.paragraphs])
                    if task_id in seen:
                        continue
                    if row.id and row.id in own_ids:
                        raise DataError(
                            f"{place} must have an id of its own, got {row.id!r}, which "
                            f"{own_ids[row.id]} has, too."
                        )
                except DataError as error:
                    self.bad[place] = str(error)
                    continue
                own_ids[row.id] = place
                seen.add(task_id)
                self._tasks.append(Task(task_id, self.split, len(self._tasks), row.kind))
                self._rows.append(row)

    def __len__(self) -> int:
        return len(self._tasks)

    def task(self, index: int) -> Task:
        """Returns task `index`."""
        return self._tasks[index]

    @cached_property
    def corpus(self) -> Corpus:
        """The passages to search.

        Raises:
            DataError: If there are none.
        """
        if self._corpus_path is not None:
            return open_corpus(self._corpus_path, self._cache_dir)
        paragraphs = dict.fromkeys(p for row in self._rows for p in row.paragraphs)
        if not paragraphs:
            raise DataError(
                f"The rows of {self.path} must have paragraphs to search, got none. "
                "Pass corpus=, or a remote retriever."
            )
        return Corpus.build(cut_all(paragraphs))

    @cached_property
    def _answers(self) -> list[str]:
        return list(dict.fromkeys(row.answer for row in self._rows))

    def question(self, task: Task) -> Question:
        """Returns the question of a task of this set."""
        row = self._rows[task.index]
        draws = Draws(seed_of("loaded", task.id))
        wrong = ["yes", "no"] if row.answer.lower() in ("yes", "no") else []
        wrong += [title for title, _ in draws.shuffled(row.paragraphs)[: MENU_ANSWERS // 2]]
        wrong += [draws.choice(self._answers) for _ in range(2 * MENU_ANSWERS)]
        others = [row.question, *(title for title, _ in draws.shuffled(row.paragraphs))]
        for _ in range(MENU_QUERIES):
            others += [title for title, _ in draws.choice(self._rows).paragraphs[:1]]
        return Question(
            row.question,
            row.answer,
            row.aliases,
            tuple(_support(*fact, row.question) for fact in row.supports),
            tuple(wrong),
            tuple(dict.fromkeys(others)),
        )


def _support(title: str, sentence: str, question: str) -> Support:
    sentence = cut_paragraph(sentence)[0]  # a long paragraph is found by its first passage
    return Support(title, sentence, (title, f"{title} {question}", f"{title} {sentence}"))


def cut_all(passages: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yields (title, text) of all passages, long texts in parts."""
    for title, text in passages:
        for part in cut_paragraph(text):
            yield title, part


@lru_cache(maxsize=8)
def open_corpus(path: str, cache_dir: str | None = None) -> Corpus:
    """Returns the corpus of a JSONL file or a folder that `Corpus.save` wrote, shared in a process.

    Args:
        path: the file or folder.
        cache_dir: where a file's corpus is kept, memory-mapped, until the file changes.

    Raises:
        DataError: If it holds no passages, or two different ones with one id.
    """
    file = Path(path)
    if file.is_dir():
        return Corpus.open(file)
    if cache_dir is None:
        return Corpus.build(_passages(file))
    facts = file.stat()
    key = hashlib.blake2b(f"{file} {facts.st_size} {facts.st_mtime_ns}".encode(), digest_size=8)
    return kept(
        Path(cache_dir) / f"corpus-{key.hexdigest()}",
        lambda folder: Corpus.build(_passages(file)).save(folder),
        Corpus.open,
    )


def _passages(file: Path) -> Iterator[tuple[str, str]]:
    seen: dict[str, tuple[str, str]] = {}
    for place, value in read_json(file):
        own_id, title, text = parse_passage(place, value)
        if own_id:
            content = content_id([title, text])
            if own_id in seen:
                if seen[own_id][1] == content:
                    continue
                raise DataError(
                    f"{place} must have an id of its own, got {own_id!r}, which "
                    f"{seen[own_id][0]} has, too."
                )
            seen[own_id] = (place, content)
        yield from cut_all([(title, text)])
