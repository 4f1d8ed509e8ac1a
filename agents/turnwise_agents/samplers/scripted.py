"""A sampler that says what it is told: for tests, and for replaying recorded episodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from turnwise_agents.samplers.base import Request
from turnwise_agents.types import Generation
from turnwise_envs.errors import UsageError


class ScriptedSampler:
    """Completes prompts from a script.

    Args:
        script: a function of the request, or completions (ids) that are handed out in the order of
            the requests, whatever their session.
    """

    def __init__(
        self, script: Callable[[Request], Sequence[int]] | Iterable[Sequence[int]]
    ) -> None:
        self._function = script if callable(script) else None
        self._completions = iter(()) if callable(script) else iter(script)
        self._version = 0
        self.requests: list[Request] = []
        """Every request so far, in order."""

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """Completes every prompt; all log-probabilities are 0.

        Raises:
            UsageError: If the script has ended.
        """
        return [self._complete(request) for request in requests]

    def _complete(self, request: Request) -> Generation:
        self.requests.append(request)
        if self._function is not None:
            completion: Sequence[int] | None = self._function(request)
        else:
            completion = next(self._completions, None)
        if completion is None:
            raise UsageError(
                f"The script must hold a completion for every request, got {len(self.requests)} "
                "requests. Add completions, or pass a function."
            )
        return Generation(
            prompt_ids=list(request.prompt_ids),
            completion_ids=list(completion),
            sampler_logprobs=[0.0] * len(completion),
            role=request.role,
            temperature=request.sampling.temperature,
            policy_version=self._version,
        )

    def fork(self, session_id: str, new_session_id: str) -> None:
        """Does nothing: a script has no sessions."""

    def close(self, session_ids: Sequence[str]) -> None:
        """Does nothing."""

    def load(self, weights: Any, version: int) -> None:
        """Notes the version only."""
        self._version = version
