"""The expert: searches for the supporting facts in their order, then gives the gold answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from turnwise_envs.search.corpus import Passage, title_key
from turnwise_envs.search.question import Question, Support
from turnwise_envs.search.retriever import Retriever


def states(support: Support, passage: Passage) -> bool:
    """Returns whether a passage states a supporting fact."""
    return title_key(passage.title) == title_key(support.title) and support.sentence in passage.text


def stated(question: Question, passages: Iterable[Passage]) -> set[int]:
    """Returns which supporting facts (their places) are stated in these passages."""
    passages = list(passages)
    return {
        place
        for place, support in enumerate(question.supports)
        if any(states(support, passage) for passage in passages)
    }


def plan_queries(question: Question, retriever: Retriever, k: int) -> list[str]:
    """Returns one query per supporting fact, in order: the first that finds it, if any does.

    Without known facts the question itself is searched for.
    """
    if not question.supports:
        return [question.text]
    planned = []
    for support in question.supports:
        for query in support.queries:
            if any(states(support, hit.passage) for hit in retriever.search(query, k)):
                break
        else:
            query = support.queries[0]
        planned.append(query)
    return planned


def next_action(
    question: Question, queries: Sequence[str], found: set[int], actions: Sequence[str]
) -> str:
    """Returns the expert's action.

    Args:
        question: what is asked.
        queries: the plan of `plan_queries`.
        found: places of the supporting facts that were shown.
        actions: what was done so far; nothing is done twice.
    """
    for place, query in enumerate(queries):
        if place in found:
            continue
        attempts = [f"search[{query}]"]
        if question.supports:
            attempts.append(f"read[{question.supports[place].title}]")
        for attempt in attempts:
            if attempt not in actions:
                return attempt
    return f"answer[{question.answer}]"
