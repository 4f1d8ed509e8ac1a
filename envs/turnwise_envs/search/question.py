"""What is asked, generated or loaded: the question, its gold answers and its supporting facts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from turnwise_envs.household.generator import Draws, seed_of
from turnwise_envs.search.corpus import Corpus
from turnwise_envs.search.grading import normalize_answer
from turnwise_envs.splits import Task

MENU_ANSWERS = 20
"""Answers on a menu, one of them right: a uniformly random policy is right once in 20 answers."""
MENU_QUERIES = 12


@dataclass(frozen=True, slots=True)
class Support:
    """A fact that the answer rests on.

    Attributes:
        title: title of the article that states it.
        sentence: how the article states it; "" where the data only names the article.
        queries: what to search for to find it, the most natural first.
    """

    title: str
    sentence: str
    queries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """One question with everything that is known about it.

    Attributes:
        text: the question.
        answer: the gold answer.
        aliases: other answers that are right, too.
        supports: the supporting facts, in the order in which one would look for them.
        wrong_answers: plausible answers for a menu.
        other_queries: plausible queries for a menu.
    """

    text: str
    answer: str
    aliases: tuple[str, ...] = ()
    supports: tuple[Support, ...] = ()
    wrong_answers: tuple[str, ...] = ()
    other_queries: tuple[str, ...] = ()

    @property
    def references(self) -> list[str]:
        """The answer and its aliases."""
        return [self.answer, *self.aliases]


class QuestionSet(Protocol):
    """What the environment needs of its task set beyond `TaskSet`."""

    @property
    def corpus(self) -> Corpus:
        """The passages that are searched."""

    def question(self, task: Task) -> Question:
        """Returns the question of a task of this set."""


def make_menu(task_id: str, question: Question, queries: Iterable[str]) -> list[str]:
    """Returns the finite action set of a question, in an order that tells nothing.

    Args:
        task_id: seeds the order.
        question: what is asked.
        queries: the expert's queries, which are on the menu together with others.

    Returns:
        `search[...]` actions, at least `MENU_QUERIES` where the question knows as many, and
        `MENU_ANSWERS` different `answer[...]` actions, of which one is right.
    """
    asked = list(dict.fromkeys(queries))
    for query in question.other_queries:
        if len(asked) >= MENU_QUERIES:
            break
        if query not in asked:
            asked.append(query)
    answers = {normalize_answer(question.answer): question.answer}
    right = {normalize_answer(reference) for reference in question.references}
    padding = (f"{number}" for number in range(1, 10 * MENU_ANSWERS))
    for answer in (*question.wrong_answers, *padding):
        if len(answers) >= MENU_ANSWERS:
            break
        key = normalize_answer(answer)
        if key and key not in right:
            answers.setdefault(key, answer)
    actions = [f"search[{query}]" for query in asked]
    actions += [f"answer[{answer}]" for answer in answers.values()]
    return Draws(seed_of("menu", task_id)).shuffled(actions)


def readable(menu: Iterable[str], question: Question, text: str) -> list[str]:
    """Returns a menu without the answers that nobody can have read.

    Args:
        menu: as from `make_menu`.
        question: what is asked; its right answer counts under every alias.
        text: the question and all that was shown.

    Returns:
        All searches; and the answers that stand in `text`, word for word as the grader sees them,
        or are yes, no or a number.
    """
    words = f" {normalize_answer(text)} "
    kept = []
    for action in menu:
        verb, _, rest = action.partition("[")
        answer = rest.removesuffix("]")
        forms = question.references if answer == question.answer else [answer]
        offered = any(f" {normalize_answer(form)} " in words for form in forms)
        if verb != "answer" or offered or answer in ("yes", "no") or answer.isdigit():
            kept.append(action)
    return kept
