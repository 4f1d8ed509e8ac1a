"""How much a policy believes in the gold answer: teacher-forced, at every prompt of an episode.

The gold answer is written the way the policy would give it (the world's answer action in the run's
action format) behind prompts that the policy was shown anyway. It is scored, never sampled from:
no prompt of a rollout is changed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from turnwise_agents.types import Trajectory
from turnwise_envs.core import TextEnv
from turnwise_envs.errors import UsageError

if TYPE_CHECKING:
    from turnwise_agents.chat import ChatTemplate
    from turnwise_agents.scorer import Scorer
    from turnwise_agents.tabular import TabularVocabulary

_MARK = "turnwiseanswerq"


@dataclass(frozen=True)
class Answer:
    """An answer as a completion.

    Attributes:
        completion_ids: the tokens up to the answer's last one.
        start: number of tokens before the answer's first one (markup, the action's name).
    """

    completion_ids: tuple[int, ...]
    start: int = 0


class AnswerWriter(Protocol):
    """Writes answers as completions."""

    def write(
        self, env_id: str, answer: str, prompt_ids: Sequence[int], prefix: str = ""
    ) -> Answer | None:
        """Returns `answer` as a completion of a prompt, None where it cannot be given there.

        Args:
            env_id: the world, whose answer action it is.
            answer: a gold answer.
            prompt_ids: the prompt.
            prefix: text before the action, for models whose prompts end inside a thought.
        """
        ...


class ChatAnswers:
    """Answers as text.

    The text is tokenised as a whole, as a policy writes it, and the answer's tokens are those that
    overlap its characters: where a token reaches over the seam between markup and answer, counting
    the tokens of the two parts apart would be off by one.

    Args:
        template: encodes.
        worlds: env_id -> environment (unwrapped).
    """

    def __init__(self, template: ChatTemplate, worlds: Mapping[str, Any]) -> None:
        self._template = template
        self._worlds = worlds
        self._written: dict[tuple[str, str, str], Answer] = {}

    def write(
        self, env_id: str, answer: str, prompt_ids: Sequence[int], prefix: str = ""
    ) -> Answer | None:
        """Returns the answer as a completion, the same after every prompt; None if it is empty."""
        key = (env_id, answer, prefix)
        if key not in self._written:
            self._written[key] = self._write(self._worlds[env_id], answer, prefix)
        written = self._written[key]
        return written if written.start < len(written.completion_ids) else None

    def _write(self, world: Any, answer: str, prefix: str) -> Answer:
        def rendered(text: str) -> str:
            return prefix + str(world.action_format.render(world.answer_action(text)))

        before, _, after = rendered(_MARK).partition(_MARK)
        text = rendered(answer)
        ids, spans = self._template.encode_with_spans(text)
        first, last = len(before), len(text) - len(after)
        own = [i for i, (start, end) in enumerate(spans) if start < last and end > first]
        return Answer(tuple(ids[: own[-1] + 1]), own[0]) if own else Answer(())


class TabularAnswers:
    """Answers as columns: the menu's action that gives the answer.

    Args:
        vocabulary: shared with learner and contexts.
        worlds: env_id -> environment (unwrapped).
    """

    def __init__(self, vocabulary: TabularVocabulary, worlds: Mapping[str, Any]) -> None:
        self._vocabulary = vocabulary
        self._worlds = worlds

    def write(
        self, env_id: str, answer: str, prompt_ids: Sequence[int], prefix: str = ""
    ) -> Answer | None:
        """Returns the column of the answer, None where the row's menu does not hold it."""
        action = self._worlds[env_id].answer_action(answer)
        column = self._vocabulary.find_column(prompt_ids[0], action)
        return None if column is None else Answer((column,))


def belief_prompts(trajectory: Trajectory) -> list[list[int]]:
    """Returns the prompts at which the policy could have answered, in order.

    They are the very prompts of the turns, and the one after the last observation where the episode
    was cut before an answer.
    """
    prompts = [turn.generations[0].prompt_ids for turn in trajectory.turns]
    if trajectory.stop != "env" and trajectory.final_prompt_ids:
        prompts.append(trajectory.final_prompt_ids)
    return prompts


def answer_beliefs(
    trajectories: Sequence[Trajectory],
    scorer: Scorer,
    writer: AnswerWriter,
    *,
    prefix: str = "",
    best_alias: bool = True,
) -> list[list[float]]:
    """Scores the gold answer at every prompt of some episodes.

        l_t = max over aliases a of  (1 / |a|) * sum_j log pi(a_j | prompt_t, markup, a_{<j})

    All prompts of all episodes are scored together, equal pairs of prompt and answer once.

    Args:
        trajectories: episodes with `reference`.
        scorer: scores with the weights that sampled.
        writer: writes the answers.
        prefix: see `AnswerWriter.write`.
        best_alias: take the best of several gold answers; else the first alone.

    Returns:
        One list per trajectory, aligned with `belief_prompts`; -inf where no gold answer can be
        given, NaN where there is none or none has a finite score.
    """
    jobs: dict[tuple[tuple[int, ...], Answer], int] = {}
    wanted: list[list[list[int]]] = []
    for trajectory in trajectories:
        golds = trajectory.reference or []
        rows = []
        for prompt in belief_prompts(trajectory):
            written = (
                writer.write(trajectory.env_id, gold, prompt, prefix)
                for gold in (golds if best_alias else golds[:1])
            )
            keys = [(tuple(prompt), answer) for answer in written if answer is not None]
            rows.append([jobs.setdefault(key, len(jobs)) for key in keys])
        wanted.append(rows)
    scores = scorer.logprobs(
        [list(prompt) for prompt, _ in jobs], [list(answer.completion_ids) for _, answer in jobs]
    )
    means = [
        float(np.mean(row[answer.start :])) for row, (_, answer) in zip(scores, jobs, strict=True)
    ]
    return [
        [_best([means[i] for i in row], given=bool(t.reference)) for row in rows]
        for t, rows in zip(trajectories, wanted, strict=True)
    ]


def _best(values: Sequence[float], *, given: bool) -> float:
    if given and not values:
        return -math.inf
    return max((v for v in values if math.isfinite(v)), default=math.nan)


def gives_answers(kind: type[TextEnv]) -> bool:
    """Returns whether a class of worlds says how a final answer is given."""
    own = kind.answer_action is not TextEnv.answer_action
    return own or any(tool.name == "answer" for tool in kind.tools)


def check_answers(env_id: str, world: Any) -> None:
    """Raises if a world does not say how an answer is given.

    Raises:
        UsageError: If its `answer_action` gives None.
    """
    if world.answer_action(_MARK) is None:
        raise UsageError(
            f"{env_id} must say how a final answer is given, got no answer action. "
            'Override answer_action, or declare a tool named "answer" with one parameter.'
        )
