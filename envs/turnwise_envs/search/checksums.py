"""The committed checksums of the default world: its corpus, and 2 bytes of every question.

    python -m turnwise_envs.search.checksums        # writes the table anew

Ids say how tasks are made; this table says what came out when this version of the generator was
released, so that a change of the generator or of a library is an error, not another data set.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from turnwise_envs.errors import EnvironmentFault
from turnwise_envs.search.question import Question
from turnwise_envs.splits import content_id

TABLE = Path(__file__).with_name("checksums.bin")
_CORPUS_BYTES, _BYTES = 8, 2


@lru_cache(maxsize=1)
def _table() -> bytes:
    return TABLE.read_bytes() if TABLE.exists() else b""


def entry(question: Question) -> bytes:
    """Returns the bytes kept of a question: text, answers, supporting facts and menu."""
    supports = [(s.title, s.sentence, s.queries) for s in question.supports]
    answers = (question.answer, question.aliases, question.wrong_answers)
    content = (question.text, *answers, supports, question.other_queries)
    return bytes.fromhex(content_id(content))[:_BYTES]


def check_corpus(digest: str) -> None:
    """Compares the default world's corpus with the table.

    Raises:
        EnvironmentFault: If they differ.
    """
    if _table()[:_CORPUS_BYTES].hex() != digest:
        raise _fault("The corpus of the default world")


def check_question(row: int, question: Question) -> None:
    """Compares a question of the default world with the table.

    Args:
        row: place of the question among those of all splits.
        question: what was built.

    Raises:
        EnvironmentFault: If they differ.
    """
    start = _CORPUS_BYTES + _BYTES * row
    if _table()[start : start + _BYTES] != entry(question):
        raise _fault(f"Question {row} of the default world")


def _fault(what: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"{what} must be what this version of the generator was released with, but another came "
        "out. Reinstall turnwise; if you changed the generator, change schema.WORLD and run "
        "python -m turnwise_envs.search.checksums."
    )


def write() -> int:
    """Builds every question of the default world and writes the table; returns its size."""
    from turnwise_envs.search.tasks import SPLITS, SearchTasks
    from turnwise_envs.search.world import WorldOptions

    sets = [SearchTasks(split, (1, 3), WorldOptions()) for split in SPLITS]
    data = bytes.fromhex(sets[0].shared.corpus.digest)
    data += b"".join(entry(tasks.build(task)) for tasks in sets for task in tasks)
    TABLE.write_bytes(data)
    return len(data)


if __name__ == "__main__":
    print(f"{TABLE.name}: {write()} bytes")
