"""What of an episode goes into the next prompt.

A context owns the token ids of one episode: tokens in, tokens out. Text is tokenised once, when it
enters the prompt; completions stay the ids that were sampled.

    FullHistory   prompt_{t+1} = prompt_t + completion_t + delta_ids(observation_{t+1})
    Window(k)     one user message: first observation, last k turns, current observation

`delta_ids` is what the model's chat template writes between the end of an assistant's content and
the start of the next one, found by rendering a short conversation and cutting it behind its
assistant message. So a template that edits earlier messages (strips thoughts, say) never changes
ids that were already sampled or seen, and a conversation stays one segment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import gymnasium as gym

from turnwise_agents.types import Generation, RolloutSpec
from turnwise_envs.errors import UsageError

_PROBE = "turnwise probe of an answer"
_CACHED_TEXTS = 16_384


@dataclass(slots=True)
class PromptRequest:
    """The next prompt.

    Attributes:
        prompt_ids: what the sampler sees.
        train_prompt_ids: what the learner sees, where that differs (`RolloutSpec.prompt_patch`).
        choices: ids that the first sampled id must be among, for policies over a menu.
    """

    prompt_ids: list[int]
    train_prompt_ids: list[int] | None = None
    choices: list[int] | None = None


class Context(Protocol):
    """What of one episode goes into the next prompt; one object per episode.

    The rollout calls `begin`, then per turn `request` and `add` once per generation, and `observe`.
    A branch replays its parent's turns with `begin`, `add` and `observe` alone.
    """

    def begin(self, observation: str, info: dict[str, Any]) -> None:
        """Takes the first observation."""
        ...

    def request(self, role: str) -> PromptRequest:
        """Returns the prompt of the next generation."""
        ...

    def add(self, generation: Generation) -> None:
        """Takes a generation of any role; decodes `generation.text`."""
        ...

    def action_text(self, generation: Generation) -> str:
        """Returns what `env.step` gets for a turn's last generation."""
        ...

    def observe(self, observation: str, info: dict[str, Any]) -> None:
        """Takes the observation after a step."""
        ...

    def final_prompt_ids(self) -> list[int]:
        """Returns the prompt after the last observation, without a patch."""
        ...


class ContextFactory(Protocol):
    """Makes one context per episode.

    Attributes:
        max_context_tokens: limit of prompt and completion together.
    """

    max_context_tokens: int

    def new(self, env: gym.Env[str, str], spec: RolloutSpec) -> Context:
        """Returns the context of a new episode of `env`."""
        ...


@dataclass(frozen=True, kw_only=True)
class ContextConfig:
    """Which context manager, and what it shows."""

    kind: str = "full"
    """"full" history, or "window"."""
    window: int = 2
    """Turns shown by the window, besides the first and the current observation."""
    system_prompt: bool = True
    """Send instruction, grammar and format as system message."""
    show_admissible: bool = False
    """List the admissible actions after every observation."""
    max_context_tokens: int = 4096
    """Prompt and completion together; an episode that needs more is cut."""
    thinking: bool | None = None
    """Passed to the template as `enable_thinking`; None leaves it out."""

    def __post_init__(self) -> None:
        if self.kind not in ("full", "window"):
            raise UsageError(f'kind must be "full" or "window", got {self.kind!r}.')
        for name, least in (("window", 0), ("max_context_tokens", 1)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} must be at least {least}, got {getattr(self, name)}.")


class ChatTemplate:
    """The ids that a tokenizer's chat template gives.

    Special tokens that stand in the text of a message (an environment's page could hold
    `<|im_end|>`) are broken up by a space, so that no observation can fake a turn.

    Args:
        tokenizer: any Hugging Face tokenizer with a chat template.
        kwargs: further variables of the template.

    Raises:
        UsageError: If there is no template, or it does not write an assistant's content.
    """

    def __init__(self, tokenizer: Any, **kwargs: Any) -> None:
        if not getattr(tokenizer, "chat_template", None):
            raise UsageError(
                "tokenizer must have a chat template, got none. Use a chat (instruct) model, or "
                "set tokenizer.chat_template."
            )
        self.tokenizer = tokenizer
        self.kwargs = kwargs
        added = tokenizer.added_tokens_decoder.values()
        self._special = sorted({t.content for t in added if t.special}, key=len, reverse=True)
        self._takes_system = self._accepts_system()
        self.delta_ids = lru_cache(_CACHED_TEXTS)(self._delta_ids)
        self.decode = lru_cache(_CACHED_TEXTS)(self._decode)
        end = self.delta_ids(None)[:1]
        eos = tokenizer.eos_token_id
        self.stop_ids: list[int] = list(dict.fromkeys([*end, *([] if eos is None else [eos])]))
        """Ids that end an assistant's message."""

    def render(self, messages: Sequence[dict[str, str]], tools: Sequence[Any] = ()) -> list[int]:
        """Returns the ids of a conversation, open for the assistant's next message."""
        if messages[0]["role"] == "system" and not self._takes_system:
            text = f"{messages[0]['content']}\n\n{messages[1]['content']}"
            messages = [{"role": "user", "content": text}, *messages[2:]]
        cleaned = [{**m, "content": self._clean(m["content"])} for m in messages]
        return self._encode(self._text(cleaned, tools))

    def _delta_ids(self, observation: str | None) -> tuple[int, ...]:
        """Returns what follows an assistant's content until the next one starts.

        Args:
            observation: the user message in between; None for none (a second generation).
        """
        messages = [{"role": "user", "content": "-"}, {"role": "assistant", "content": _PROBE}]
        if observation is not None:
            messages.append({"role": "user", "content": self._clean(observation)})
        text = self._text(messages)
        found = text.find(_PROBE)
        if found < 0:
            raise UsageError(
                "The chat template must write an assistant's content unchanged, but it does not. "
                "Set tokenizer.chat_template to one that does."
            )
        return tuple(self._encode(text[found + len(_PROBE) :]))

    def _decode(self, ids: tuple[int, ...]) -> str:
        """Returns a completion's text, without the id that ended it."""
        if ids and ids[-1] in self.stop_ids:
            ids = ids[:-1]
        text = self.tokenizer.decode(list(ids), clean_up_tokenization_spaces=False)
        assert isinstance(text, str)
        return text

    def _accepts_system(self) -> bool:
        messages = [{"role": "system", "content": _PROBE}, {"role": "user", "content": "-"}]
        try:
            return _PROBE in self._text(messages)
        except Exception:
            # Templates without that role raise errors of their own kind from inside jinja.
            return False

    def _text(self, messages: Sequence[dict[str, str]], tools: Sequence[Any] = ()) -> str:
        text = self.tokenizer.apply_chat_template(
            list(messages),
            tools=list(tools) or None,
            add_generation_prompt=True,
            tokenize=False,
            **self.kwargs,
        )
        assert isinstance(text, str)
        return text

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _clean(self, text: str) -> str:
        # Lone surrogates have no UTF-8 form, which tokenizers ask for.
        text = text.encode("utf-8", "replace").decode()
        for token in self._special:
            if token in text:
                text = text.replace(token, f"{token[0]} {token[1:]}")
        return text


class _ChatContext:
    """What both managers share: a rendered start, and the ids that followed it.

    Args:
        template: the tokenizer's chat template.
        system: the system message; "" for none.
        tools: JSON schemas for the template.
        patch: text that only the sampler sees, after the first user message.
        show_admissible: whether observations are followed by the admissible actions.
        parse: reads the action out of a completion.
    """

    def __init__(
        self,
        template: ChatTemplate,
        *,
        system: str = "",
        tools: Sequence[Any] = (),
        patch: str = "",
        show_admissible: bool = False,
        parse: Callable[[str], str] = str.strip,
    ) -> None:
        self._template = template
        self._system = system
        self._tools = tools
        self._patch = patch
        self._show_admissible = show_admissible
        self._parse = parse
        self._start: list[int] = []
        self._patched_start: list[int] | None = None
        self._tail: list[int] = []
        self._answered = False  # the last message is an assistant's
        self._action = ""

    def begin(self, observation: str, info: dict[str, Any]) -> None:
        """Takes the first observation."""
        self._set_start(self._shown(observation, info))

    def request(self, role: str) -> PromptRequest:
        """Returns the prompt of the next generation."""
        if self._answered:
            self._extend(None)
        plain = self._start + self._tail
        if self._patched_start is None:
            return PromptRequest(plain)
        return PromptRequest(self._patched_start + self._tail, train_prompt_ids=plain)

    def add(self, generation: Generation) -> None:
        """Takes a generation; sets its text."""
        if self._answered:
            self._extend(None)
        generation.text = self._template.decode(tuple(generation.completion_ids))
        self._tail.extend(generation.completion_ids)
        self._answered = True
        self._action = generation.text

    def action_text(self, generation: Generation) -> str:
        """Returns the completion's text."""
        return generation.text

    def final_prompt_ids(self) -> list[int]:
        """Returns the prompt after the last observation, without a patch."""
        return self._start + self._tail

    def _extend(self, observation: str | None) -> None:
        """Appends what stands between two of the assistant's messages."""
        delta = self._template.delta_ids(observation)
        # A completion that ran into its limit lacks the end of turn: then the delta brings it.
        ended = bool(self._tail) and self._tail[-1] == delta[0]
        self._tail.extend(delta[1:] if ended else delta)
        self._answered = False

    def _set_start(self, text: str) -> None:
        """Renders a conversation of one user message."""
        head = [{"role": "system", "content": self._system}] if self._system else []
        self._start = self._template.render([*head, _user(text)], self._tools)
        if self._patch:
            patched = _user(f"{text}\n\n{self._patch}")
            self._patched_start = self._template.render([*head, patched], self._tools)
        self._tail = []
        self._answered = False

    def _shown(self, observation: str, info: dict[str, Any]) -> str:
        actions = info.get("admissible_actions") if self._show_admissible else None
        if not actions:
            return observation
        return f"{observation}\n\nAdmissible actions:\n" + "\n".join(actions)


class FullHistory(_ChatContext):
    """The whole conversation; every prompt extends the one before it, id by id."""

    def observe(self, observation: str, info: dict[str, Any]) -> None:
        """Appends the observation."""
        self._extend(self._shown(observation, info))


class Window(_ChatContext):
    """One user message with the first observation, the last `window` turns and the current one.

    Args:
        template: the tokenizer's chat template.
        window: number of turns (observation and action) shown.
        **kwargs: see `FullHistory`.
    """

    def __init__(self, template: ChatTemplate, window: int, **kwargs: Any) -> None:
        super().__init__(template, **kwargs)
        self._window = window
        self._turns: list[tuple[str, str]] = []
        self._observation = ""

    def begin(self, observation: str, info: dict[str, Any]) -> None:
        """Takes the first observation."""
        self._turns = []
        self._observation = observation
        super().begin(observation, info)

    def observe(self, observation: str, info: dict[str, Any]) -> None:
        """Renders the message anew, with the observation as its last part."""
        self._turns.append((self._observation, self._parse(self._action)))
        self._observation = observation
        first = max(0, len(self._turns) - self._window)
        parts = [self._turns[0][0]]
        if first:
            parts.append(f"({first} earlier turns are left out.)")
        for i, (seen, action) in enumerate(self._turns[first:], first):
            parts += [seen, f"> {action}"] if i else [f"> {action}"]
        parts.append(self._shown(observation, info))
        self._set_start("\n\n".join(parts))


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


class ChatContexts:
    """Makes the contexts of a chat model.

    Args:
        tokenizer: the model's tokenizer, with a chat template.
        config: which manager, and what it shows.

    Attributes:
        stop_ids: ids that end a completion, for the sampler.
        max_context_tokens: as configured.
    """

    def __init__(self, tokenizer: Any, config: ContextConfig | None = None) -> None:
        self.config = config or ContextConfig()
        thinking = self.config.thinking
        kwargs = {} if thinking is None else {"enable_thinking": thinking}
        self.template = ChatTemplate(tokenizer, **kwargs)
        self.stop_ids = self.template.stop_ids
        self.max_context_tokens = self.config.max_context_tokens

    def new(self, env: gym.Env[str, str], spec: RolloutSpec) -> FullHistory | Window:
        """Returns the context of a new episode of `env`."""
        world: Any = env.unwrapped
        action_format = world.action_format
        system = system_message(world, spec.instruction) if self.config.system_prompt else ""
        kwargs: dict[str, Any] = {
            "system": system,
            "tools": action_format.tools if self.config.system_prompt else (),
            "patch": spec.prompt_patch,
            "show_admissible": self.config.show_admissible,
            "parse": lambda text: action_format.parse(text).action or text.strip(),
        }
        if self.config.kind == "window":
            return Window(self.template, self.config.window, **kwargs)
        return FullHistory(self.template, **kwargs)


def system_message(env: Any, instruction: str | None = None) -> str:
    """Returns instruction (the environment's unless given), grammar, and how to write an action."""
    instruction = env.instruction if instruction is None else instruction
    parts = [instruction, env.grammar]
    if env.action_format.grammar not in env.grammar:
        parts.append(env.action_format.grammar)
    return "\n\n".join(part for part in parts if part)
