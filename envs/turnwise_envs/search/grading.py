"""Grades an answer by exact match and F1, as HotpotQA's official script does, with aliases.

Both texts are lower-cased, stripped of ASCII punctuation and of the words a, an, the, and their
white space is collapsed (Yang et al. 2018, "HotpotQA", arXiv:1809.09600, evaluation script v1).
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from turnwise_envs.errors import UsageError

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_CLOSED = frozenset({"yes", "no", "noanswer"})


@dataclass(frozen=True, slots=True)
class Grade:
    """How well an answer matches: each value in [0, 1].

    Attributes:
        em: exact match, 0.0 or 1.0.
        f1: harmonic mean of precision and recall.
        precision: share of the answer's words that the gold answer has.
        recall: share of the gold answer's words that the answer has.
    """

    em: float
    f1: float
    precision: float
    recall: float


def normalize_answer(text: str) -> str:
    """Returns the text in the form that answers are compared in."""
    text = text.lower().translate(_NO_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", text).split())


def grade_one(prediction: str, gold: str) -> Grade:
    """Grades a prediction against one gold answer.

    F1 counts common words with their multiplicity. Where either side is yes, no or noanswer and
    they differ, all values are 0: "yes and no" earns nothing.
    """
    one, other = normalize_answer(prediction), normalize_answer(gold)
    em = float(one == other)
    if one != other and (one in _CLOSED or other in _CLOSED):
        return Grade(0.0, 0.0, 0.0, 0.0)
    words, gold_words = one.split(), other.split()
    common = sum((Counter(words) & Counter(gold_words)).values())
    if not common:
        return Grade(em, 0.0, 0.0, 0.0)
    precision, recall = common / len(words), common / len(gold_words)
    return Grade(em, 2 * precision * recall / (precision + recall), precision, recall)


def grade(prediction: str, references: Sequence[str]) -> Grade:
    """Grades a prediction against the answer and its aliases; the best match counts.

    One case is not the official script's: where the normalisation leaves nothing of either side
    ("The The", "!!!"), they are compared letter by letter, else "the" would match every such gold.

    Args:
        prediction: the agent's answer.
        references: the gold answer and its aliases, at least one.

    Raises:
        UsageError: If there is no reference.
    """
    if not references:
        raise UsageError("references must hold at least one answer, got none.")
    if normalize_answer(prediction):
        grades = [grade_one(prediction, gold) for gold in references]
        return max(grades, key=lambda found: (found.em, found.f1))
    said = prediction.strip().lower()
    same = float(bool(said) and any(said == gold.strip().lower() for gold in references))
    return Grade(same, same, same, same)
