"""What of an episode goes into the next prompt; owns the token ids.

`FullHistory` is tokens in, tokens out:

    prompt_{t+1} = prompt_t + completion_t + delta_ids(observation_{t+1})

The completion's sampled ids stay as they are; text is never tokenised again. `Window` edits the
history, so it renders one whole prompt per turn. A template that rewrites earlier turns (one that
strips thinking, say) is followed in what it adds, not in what it takes away: a policy is trained on
the very prompt it saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import gymnasium as gym

from turnwise_agents.answers import AnswerWriter, ChatAnswers
from turnwise_agents.chat import ChatTemplate
from turnwise_agents.types import Generation, RolloutSpec
from turnwise_envs.core import TextEnv
from turnwise_envs.errors import UsageError

ROLE_REQUESTS = {
    "act": "Now give your next action.",
    "think": "Think about what to do next.",
    "summary": "Summarise what matters so far.",
    "reflect": "Reflect on what went wrong, and what to do instead.",
}
"""The user's message before every generation of a turn but its first."""


@dataclass(slots=True)
class PromptRequest:
    """The next prompt.

    Attributes:
        prompt_ids: what the sampler sees.
        train_prompt_ids: what is trained on, where that differs.
        choices: ids that the first token must be among, or None.
    """

    prompt_ids: list[int]
    train_prompt_ids: list[int] | None = None
    choices: list[int] | None = None


class Context(Protocol):
    """What of one episode goes into the next prompt. One object an episode."""

    def begin(self, observation: str, info: dict[str, Any]) -> None:
        """Takes the first observation (after `env.reset`)."""

    def request(self, role: str) -> PromptRequest:
        """Returns the prompt of the next generation."""

    def add(self, generation: Generation) -> None:
        """Takes a generation (sampled, or a parent's in replay) and fills its `text`."""

    def action_text(self, generation: Generation) -> str:
        """Returns the raw completion for `env.step`."""

    def observe(self, observation: str, info: dict[str, Any]) -> None:
        """Takes the answer of `env.step`."""

    def final_prompt_ids(self) -> list[int]:
        """Returns the prompt after the last observation."""


class ContextFactory(Protocol):
    """Makes the contexts of a run."""

    max_context_tokens: int

    def new(self, env: gym.Env[str, str], spec: RolloutSpec) -> Context:
        """Returns the context of one episode of `env`."""

    def answers(self, worlds: Mapping[str, TextEnv]) -> AnswerWriter:
        """Returns what writes gold answers as completions, for these worlds by env_id."""


@dataclass(frozen=True, kw_only=True)
class ContextConfig:
    """How an episode becomes prompts."""

    kind: Literal["full", "window"] = "full"
    """"full": the whole conversation; "window": the last turns, in one message, every turn anew."""
    window: int = 4
    """Turns that the window keeps besides the first observation; at least 0."""
    system_prompt: bool = True
    """Whether instruction and grammar open the conversation (a warm-started model needs none)."""
    show_admissible: bool = False
    """Whether every observation ends with the list of admissible actions."""
    max_context_tokens: int = 4096
    """Longest prompt plus completion, in tokens; longer episodes stop with stop="context"."""
    thinking: bool | None = None
    """Passed to the template as `enable_thinking` (Qwen3); None leaves it to the template."""

    def __post_init__(self) -> None:
        """Checks the fields."""
        if self.kind not in ("full", "window"):
            raise UsageError(f'kind must be "full" or "window", got {self.kind!r}.')
        if self.window < 0:
            raise UsageError(f"window must be at least 0, got {self.window}.")
        if self.max_context_tokens < 2:
            raise UsageError(f"max_context_tokens must be above 1, got {self.max_context_tokens}.")


class ChatContexts:
    """Makes chat contexts for one tokenizer; templates and encoded texts are shared.

    Args:
        tokenizer: a transformers tokenizer with a chat template.
        config: what the prompts hold.

    Attributes:
        template: the tokenizer's chat template, without tools.
        stop_ids: ids that end a completion, for the sampler.
        max_context_tokens: as configured.
    """

    def __init__(self, tokenizer: Any, config: ContextConfig | None = None) -> None:
        self.tokenizer = tokenizer
        self.config = config or ContextConfig()
        self.max_context_tokens = self.config.max_context_tokens
        self._templates: dict[str, ChatTemplate] = {}
        self.template = self._template_with([])
        self.stop_ids = self.template.stop_ids

    def _template_with(self, tools: list[dict[str, Any]]) -> ChatTemplate:
        key = repr(tools)
        if key not in self._templates:
            thinking = self.config.thinking
            kwargs = {} if thinking is None else {"enable_thinking": thinking}
            self._templates[key] = ChatTemplate(self.tokenizer, tools, **kwargs)
        return self._templates[key]

    def new(self, env: gym.Env[str, str], spec: RolloutSpec) -> FullHistory | Window:
        """Returns the context of one episode.

        With `system_prompt`, the action format's tools go to the template and `system_message` to
        the system's message.
        """
        world: Any = env.unwrapped
        config = self.config
        template = self._template_with(world.action_format.tools if config.system_prompt else [])
        system = system_message(world, spec.instruction) if config.system_prompt else ""
        kind = FullHistory if config.kind == "full" else Window
        return kind(template, config, system, spec.prompt_patch)

    def answers(self, worlds: Mapping[str, TextEnv]) -> ChatAnswers:
        """Returns what writes answers for these worlds."""
        return ChatAnswers(self.template, worlds)


def system_message(world: Any, instruction: str | None = None) -> str:
    """Returns instruction (the world's unless given), the world's grammar and the format's."""
    instruction = world.instruction if instruction is None else instruction
    parts = [instruction, world.grammar]
    if world.action_format.grammar not in world.grammar:
        parts.append(world.action_format.grammar)
    return "\n\n".join(part for part in parts if part)


class _ChatContext:
    """What both kinds share: the texts, the patch, and several generations in one turn."""

    def __init__(
        self, template: ChatTemplate, config: ContextConfig, system: str, prompt_patch: str
    ) -> None:
        self._template = template
        self._config = config
        self._system = system
        self._patch = prompt_patch
        self._head: tuple[int, ...] = ()
        self._patched_head: tuple[int, ...] = ()
        self._tail: list[int] = []
        self._in_turn = 0
        self._asked = False
        self._last: Generation | None = None

    def _shown(self, observation: str, info: dict[str, Any]) -> str:
        actions = info.get("admissible_actions")
        if self._config.show_admissible and actions is not None:
            return f"{observation}\n\nAdmissible actions:\n" + "\n".join(actions)
        return observation

    def _open(self, user: str) -> None:
        """Starts a conversation at `user`'s message; the patch stands in the sampler's only."""
        self._head = self._template.encode_opening(self._system, user)
        self._patched_head = self._head
        if self._patch:
            self._patched_head = self._template.encode_opening(
                self._system, f"{user}\n\n{self._patch}"
            )
        self._tail = []
        self._in_turn = 0
        self._last = None

    def _delta(self, text: str) -> tuple[int, ...]:
        ids = self._template.encode_delta(text)
        last = self._last
        # A completion that ended by itself holds the end of turn already. One cut by the length
        # limit gets it here, outside its completion, where it is not trained on.
        if (
            last is not None
            and last.finish_reason == "stop"
            and last.completion_ids[-1:] == [ids[0]]
        ):
            return ids[1:]
        return ids

    def _ask(self, role: str) -> None:
        """Adds the message that asks for a further generation in this turn, once."""
        if self._in_turn and not self._asked:
            self._tail.extend(self._delta(ROLE_REQUESTS.get(role, role)))
            self._asked = True

    def request(self, role: str) -> PromptRequest:
        """Returns the next prompt."""
        self._ask(role)
        train = [*self._head, *self._tail]
        if self._patched_head is self._head:
            return PromptRequest(train)
        return PromptRequest([*self._patched_head, *self._tail], train_prompt_ids=train)

    def add(self, generation: Generation) -> None:
        """Appends the completion's ids as they were sampled and decodes its text."""
        self._ask(generation.role)
        self._tail.extend(generation.completion_ids)
        ids = tuple(generation.completion_ids)
        ended = generation.finish_reason == "stop"
        generation.text = self._template.decode(ids[:-1] if ended else ids)
        self._last = generation
        self._in_turn += 1
        self._asked = False

    def action_text(self, generation: Generation) -> str:
        """Returns the completion's text."""
        return generation.text

    def final_prompt_ids(self) -> list[int]:
        """Returns the prompt that a next turn would train on."""
        return [*self._head, *self._tail]


class FullHistory(_ChatContext):
    """The whole conversation: an observation is a user's message, a completion the assistant's."""

    def begin(self, observation: str, info: dict[str, Any]) -> None:
        """Opens the conversation."""
        self._open(self._shown(observation, info))

    def observe(self, observation: str, info: dict[str, Any]) -> None:
        """Appends the observation's ids."""
        self._tail.extend(self._delta(self._shown(observation, info)))
        self._in_turn = 0


class Window(_ChatContext):
    """The first observation and the last k turns, as one user's message, rendered every turn.

        {first observation}

        [3 earlier turns are left out]
        > {completion of turn t-k}
        {observation after it}
        ...
        > {completion of turn t-1}
        {current observation}

    The note stands only where turns were left out. Completions appear as text, without any thought
    that ends in `</think>`; only the last observation shows its admissible actions. Generations of
    the current turn follow token by token, as in `FullHistory`.
    """

    def begin(self, observation: str, info: dict[str, Any]) -> None:
        """Renders the first observation."""
        self._first = observation
        self._turns: list[tuple[str, str]] = []
        self._open(self._shown(observation, info))

    def observe(self, observation: str, info: dict[str, Any]) -> None:
        """Renders the window that ends with this observation."""
        said = self._last.text if self._last is not None else ""
        self._turns.append((said.rpartition("</think>")[2].strip(), observation))
        kept = self._turns[-self._config.window :] if self._config.window else []
        lines = [self._first, ""]
        if left_out := len(self._turns) - len(kept):
            lines.append(f"[{left_out} earlier turn{'s are' if left_out > 1 else ' is'} left out]")
        for i, (action, seen) in enumerate(kept):
            lines.append(f"> {action}")
            lines.append(self._shown(seen, info) if i == len(kept) - 1 else seen)
        if not kept:
            lines.append(self._shown(observation, info))
        self._open("\n".join(lines))
