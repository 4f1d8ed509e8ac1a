"""A policy behind an OpenAI-compatible endpoint: chat completions over plain HTTP.

Requests that fail for a passing reason (429, 5xx, time-out, broken connection) are sent again after
a wait that doubles, with jitter keyed by the episode, and never before `Retry-After`. An episode
whose request stays unanswered ends with status `error`; a refused key or an unknown model ends the
evaluation.
"""

from __future__ import annotations

import email.utils
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from turnwise_agents.policies import Env, PolicyFault, keyed_seed
from turnwise_envs import UsageError

PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""HTTP statuses after which the same request may succeed."""

REFUSED = frozenset({401, 403, 404})
"""HTTP statuses that every further request would get too."""


@dataclass(frozen=True, kw_only=True)
class EndpointConfig:
    """How an endpoint is asked."""

    api_key_env: str = "OPENAI_API_KEY"
    """Environment variable that holds the key; an unset variable sends none."""
    timeout_s: float = 120.0
    """Seconds until a request counts as lost."""
    max_retries: int = 6
    """Times a request is sent again before its episode is given up."""
    backoff_s: float = 1.0
    """Seconds before the first repetition, doubled each time and jittered by half."""
    max_backoff_s: float = 60.0
    """Longest wait between repetitions, also where Retry-After asks for more."""

    def __post_init__(self) -> None:
        """Checks the fields."""
        for name in ("timeout_s", "backoff_s", "max_backoff_s"):
            if getattr(self, name) <= 0:
                raise UsageError(f"{name} must be positive, got {getattr(self, name)}.")
        if self.max_retries < 0:
            raise UsageError(f"max_retries must not be negative, got {self.max_retries}.")


class EndpointPolicy:
    """Plays through `BASE_URL/chat/completions` with the whole conversation as messages.

    Args:
        name: "openai:MODEL@BASE_URL", for example `openai:qwen3-8b@http://localhost:8000/v1`.
        temperature: 0 is greedy.
        top_p: nucleus mass.
        max_new_tokens: limit of one completion.
        config: time-outs and repetitions.
        instruction: replaces the world's.
        sleep: waits some seconds.

    Raises:
        UsageError: If `name` has another form.
    """

    concurrent = True

    def __init__(
        self,
        name: str,
        *,
        temperature: float = 1.0,
        top_p: float = 1.0,
        max_new_tokens: int = 256,
        config: EndpointConfig | None = None,
        instruction: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        model, at, base_url = name.removeprefix("openai:").rpartition("@")
        if not at or not model or not base_url.startswith(("http://", "https://")):
            raise UsageError(
                f"policy must look like openai:MODEL@BASE_URL with an http(s) address, "
                f"got {name!r}. For example openai:qwen3-8b@http://localhost:8000/v1."
            )
        self.model = model
        self.url = base_url.rstrip("/") + "/chat/completions"
        self.temperature = temperature
        self.top_p = top_p
        self.max_new_tokens = max_new_tokens
        self.config = config or EndpointConfig()
        self.instruction = instruction
        self._sleep = sleep

    def new_episode(self, env: Env, *, key: str, seed: int) -> _Conversation:
        """Returns a conversation that opens with instruction and grammar."""
        return _Conversation(self, system_text(env, self.instruction), key, seed)

    def complete(self, messages: list[dict[str, str]], *, key: str, seed: int) -> dict[str, Any]:
        """Returns the endpoint's answer to a conversation.

        Args:
            messages: role and content of each message.
            key: names the request; the jitter depends on it.
            seed: passed to the endpoint, 31 bits.

        Raises:
            PolicyFault: If it stays unanswered, or this request is not accepted.
            UsageError: If key, model or address are refused.
        """
        body = json.dumps(
            {
                "model": self.model,
                "messages": messages,
                "temperature": self.temperature,
                "top_p": self.top_p,
                "max_tokens": self.max_new_tokens,
                "seed": seed,
            }
        ).encode()
        reason = ""
        for attempt in range(self.config.max_retries + 1):
            try:
                return self._post(body)
            except urllib.error.HTTPError as error:
                reason = f"status {error.code}: {_excerpt(error)}"
                if error.code in REFUSED:
                    raise UsageError(
                        f"endpoint {self.url} must accept the request, got {reason}. "
                        f"Check address, model and ${self.config.api_key_env}."
                    ) from error
                if error.code not in PASSING:
                    raise PolicyFault(f"endpoint {self.url} answered {reason}") from error
                wait = retry_after(error.headers.get("Retry-After"))
            except (OSError, http.client.HTTPException, ValueError, LookupError) as error:
                # ValueError and LookupError: a cut or foreign body, as proxies under load send it.
                reason, wait = f"{type(error).__name__}: {error}", 0.0
            if attempt < self.config.max_retries:
                self._sleep(self.wait_s(attempt, key, wait))
        raise PolicyFault(
            f"endpoint {self.url} gave no answer in {self.config.max_retries + 1} attempts; "
            f"the last: {reason}"
        )

    def wait_s(self, attempt: int, key: str, at_least: float = 0.0) -> float:
        """Returns the seconds to wait after failed attempt number `attempt` (from 0)."""
        rng = np.random.default_rng(keyed_seed("backoff", key, attempt))
        doubled = self.config.backoff_s * 2.0**attempt * (0.5 + rng.random())
        return float(min(self.config.max_backoff_s, max(doubled, at_least)))

    def _post(self, body: bytes) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        if api_key := os.environ.get(self.config.api_key_env):
            headers["Authorization"] = f"Bearer {api_key}"
        request = urllib.request.Request(self.url, data=body, headers=headers, method="POST")
        deadline = time.monotonic() + self.config.timeout_s
        with urllib.request.urlopen(request, timeout=self.config.timeout_s) as answer:
            data = json.loads(_read_until(answer, deadline))
        choice = data["choices"][0]
        usage = data.get("usage") or {}
        return {
            "text": choice["message"].get("content") or "",
            "finish_reason": choice.get("finish_reason") or "stop",
            "prompt_tokens": float(usage.get("prompt_tokens", 0)),
            "completion_tokens": float(usage.get("completion_tokens", 0)),
        }


class _Conversation:
    """One episode at an endpoint."""

    def __init__(self, policy: EndpointPolicy, system: str, key: str, seed: int) -> None:
        self.policy = policy
        self.key = key
        self.seed = seed
        self.messages = [{"role": "system", "content": system}] if system else []
        self.turn = 0
        self.cost: dict[str, float] = {}
        self.finish_reason = "stop"

    def act(self, observation: str, info: dict[str, Any], env: Env) -> str:
        """Asks for the next reply."""
        self.messages.append({"role": "user", "content": observation})
        key = f"{self.key}.{self.turn}"
        answer = self.policy.complete(
            self.messages, key=key, seed=keyed_seed(self.seed, key) & 0x7FFFFFFF
        )
        self.turn += 1
        self.messages.append({"role": "assistant", "content": answer["text"]})
        self.cost = {name: answer[name] for name in ("prompt_tokens", "completion_tokens")}
        self.finish_reason = "length" if answer["finish_reason"] == "length" else "stop"
        return str(answer["text"])


def system_text(env: Env, instruction: str | None = None) -> str:
    """Returns instruction, the world's grammar, the format's, and the tools where it has any."""
    world: Any = env.unwrapped
    form = world.action_format
    parts = [world.instruction if instruction is None else instruction, world.grammar]
    if form.grammar not in world.grammar:
        parts.append(form.grammar)
    if form.tools:
        parts.append("Tools:\n" + "\n".join(json.dumps(tool) for tool in form.tools))
    return "\n\n".join(part for part in parts if part)


def retry_after(value: str | None, now: float | None = None) -> float:
    """Returns the seconds that a Retry-After header asks for; 0 without one or a readable one.

    Args:
        value: seconds, or an HTTP date.
        now: current time in seconds since 1970; None asks the clock.
    """
    if not value:
        return 0.0
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        when = email.utils.parsedate_to_datetime(value).timestamp()
    except (TypeError, ValueError):
        return 0.0
    return max(0.0, when - (time.time() if now is None else now))


def _read_until(answer: Any, deadline: float) -> bytes:
    """Returns a body; the socket's own time-out bounds each read, not an answer that drips."""
    parts = []
    while part := answer.read1():
        parts.append(part)
        if time.monotonic() > deadline:
            raise TimeoutError("the answer came too slowly")
    return b"".join(parts)


def _excerpt(error: urllib.error.HTTPError) -> str:
    try:
        return error.read(300).decode("utf-8", "replace").strip() or str(error.reason)
    except OSError:
        return str(error.reason)
