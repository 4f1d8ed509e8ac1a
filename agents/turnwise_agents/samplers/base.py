"""What a sampler is: something that completes prompts of token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from turnwise_agents.types import Generation, Sampling


@dataclass(slots=True, kw_only=True)
class Request:
    """One prompt to complete.

    Attributes:
        session_id: the conversation it belongs to; a prompt that extends the session's last prompt
            and completion reuses its cache.
        prompt_ids: the whole prompt.
        sampling: how to draw.
        stream: key of the random stream, unique per (run seed, iteration, trajectory, turn,
            generation): token i of the completion uses draw i of it, whatever the batch.
        choices: token ids that the first token must be among (menu of a tabular policy), or None.
    """

    session_id: str
    prompt_ids: list[int]
    sampling: Sampling
    stream: int
    choices: list[int] | None = None
    role: str = "act"
    meta: dict[str, Any] = field(default_factory=dict)


class Sampler(Protocol):
    """Completes prompts in batches.

    `generate` returns one `Generation` per request, in order. `fork` lets a new session start with
    another's cache; `close` frees a session. `load` takes new weights.
    """

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """Completes every prompt."""
        ...

    def fork(self, session_id: str, new_session_id: str) -> None:
        """Starts `new_session_id` with a copy of a session's cache."""
        ...

    def close(self, session_ids: Sequence[str]) -> None:
        """Frees sessions; unknown ids are ignored."""
        ...

    def load(self, weights: Any, version: int) -> None:
        """Takes the learner's weights (`Learner.weights()`); `version` marks what is sampled."""
        ...
