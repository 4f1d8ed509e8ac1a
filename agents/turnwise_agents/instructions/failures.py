"""What went wrong, kept for reflection: the worst episodes of every instruction, answers hidden."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from turnwise_agents.judge import transcript
from turnwise_agents.types import Trajectory
from turnwise_envs.spaces import cut_middle

HIDDEN = "[hidden]"
MAX_CHARS = 4000
"""Longest transcript that is kept, in characters; cut in the middle."""

_WORD = re.compile(r"[^\W_]+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


def words(text: str) -> list[str]:
    """Returns the words of a text without case, accents, underscores and thousands' commas."""
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return _WORD.findall(_THOUSANDS.sub("", plain).casefold())


def mentions(text: str, secret: str) -> bool:
    """Returns whether a text holds a secret: its words in a row, whatever is between them."""
    sought = words(secret)
    if not sought:
        return bool(secret.strip()) and secret.strip() in text
    return f" {' '.join(sought)} " in f" {' '.join(words(text))} "


def hide(text: str, secrets: Iterable[str]) -> str:
    """Returns a text without any of the secrets."""
    # The longest first: a part that is a secret too must not break up the whole.
    for secret in sorted(set(secrets), key=lambda s: (-len(s), s)):
        sought = _WORD.findall(secret)
        pattern = (
            r"(?<![^\W_])" + r"[\W_]+".join(map(re.escape, sought)) + r"(?![^\W_])"
            if sought
            else re.escape(secret.strip())
        )
        if pattern:
            text = re.sub(pattern, HIDDEN, text, flags=re.IGNORECASE)
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failed episode.

    Attributes:
        task_id: its question.
        instruction_id: what it was played under.
        reward: what it earned.
        iteration: when.
        verdict: the grader's reason code.
        transcript: observations and completions, answers hidden.
        secrets: gold answers and evidence of the question, which no instruction may hold.
    """

    task_id: str
    instruction_id: str
    reward: float
    iteration: int
    verdict: str
    transcript: str
    secrets: tuple[str, ...]


class FailureBuffer:
    """The worst episodes of every instruction, one per question, newest first among equals.

    Args:
        capacity: episodes kept of one instruction.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._kept: dict[str, list[Failure]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._kept.values()))

    def add(
        self, episodes: Sequence[tuple[Trajectory, float]], *, iteration: int, public: str = ""
    ) -> None:
        """Takes the episodes of a question under one instruction, with their rewards.

        The worst of them is kept if it failed; a question that was solved in all of them leaves.

        Args:
            episodes: at least one; all of one task and one instruction.
            iteration: now.
            public: text that the agent is shown anyway; what it holds is no secret.
        """
        worst, reward = min(episodes, key=lambda item: item[1])
        name = worst.instruction_id
        kept = [f for f in self._kept.get(name, []) if f.task_id != worst.task_id]
        if not worst.success:
            gold = [*(worst.reference or ()), *(worst.evidence or ())]
            secrets = tuple(s for s in dict.fromkeys(gold) if s.strip() and not mentions(public, s))
            kept.append(
                Failure(
                    task_id=worst.task_id,
                    instruction_id=name,
                    reward=reward,
                    iteration=iteration,
                    verdict=worst.verdict,
                    transcript=cut_middle(hide(transcript(worst), secrets), MAX_CHARS),
                    secrets=secrets,
                )
            )
        kept.sort(key=lambda f: (f.reward, -f.iteration))
        self._kept[name] = kept[: self.capacity]

    def worst(self, instruction_id: str, count: int) -> list[Failure]:
        """Returns the worst episodes under an instruction, at most `count`."""
        return self._kept.get(instruction_id, [])[:count]

    def secrets(self) -> list[str]:
        """Returns the secrets of all kept episodes, once each."""
        every = [s for kept in self._kept.values() for f in kept for s in f.secrets]
        return list(dict.fromkeys(every))

    def drop(self, instruction_id: str) -> None:
        """Forgets the episodes of an instruction."""
        self._kept.pop(instruction_id, None)

    def state_dict(self) -> list[dict[str, Any]]:
        """Returns all episodes as plain data."""
        return [asdict(failure) for kept in self._kept.values() for failure in kept]

    def load_state_dict(self, state: list[dict[str, Any]]) -> None:
        """Reverses `state_dict`."""
        self._kept = {}
        for row in state:
            failure = Failure(**{**row, "secrets": tuple(row["secrets"])})
            self._kept.setdefault(failure.instruction_id, []).append(failure)
