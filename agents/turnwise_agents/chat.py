"""A chat template as pieces of token ids: what opens a conversation, what each turn adds to it.

The pieces are found once, by rendering conversations of sentinels and cutting at them, so that any
template works whose messages hold their contents verbatim. Nothing is rendered per turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError

from turnwise_envs.errors import UsageError

_USER, _ASSISTANT, _NEXT = "turnwiseuserq", "turnwiseagentq", "turnwisenextq"
_CACHED_TEXTS = 16_384

Message = dict[str, str]


class ChatTemplate:
    """The ids of a tokenizer's chat template.

    Observations are data: where one spells a special token (`<|im_end|>`), a space is put after
    that token's first character, so that no text can forge the end of a message.

    Args:
        tokenizer: a transformers tokenizer with a chat template.
        tools: JSON schemas handed to the template, for tool-calling formats.
        **kwargs: further variables of the template.

    Attributes:
        stop_ids: ids that end a completion: the template's end of turn, and the end of text.

    Raises:
        UsageError: If there is no template, or it does not hold contents verbatim.
    """

    def __init__(self, tokenizer: Any, tools: Sequence[dict[str, Any]] = (), **kwargs: Any) -> None:
        if not getattr(tokenizer, "chat_template", None):
            raise UsageError(
                "The tokenizer must have a chat template, got none. Set tokenizer.chat_template, "
                "or put a chat_template.jinja file into the model's folder."
            )
        self.tokenizer = tokenizer
        self.tools = list(tools)
        self.kwargs = kwargs
        special = {t.content for t in tokenizer.added_tokens_decoder.values() if t.special}
        self._special = sorted(special, key=len, reverse=True)
        self.system_role = self._accepts_system()
        self._strips = "\n" + _NEXT + "\n" not in self._render(
            [{"role": "user", "content": "\n" + _NEXT + "\n"}]
        )
        before, after = self._tail_pieces()
        self._before, self._after = before, after
        self.encode_delta = lru_cache(_CACHED_TEXTS)(self._encode_delta)
        self.encode_opening = lru_cache(_CACHED_TEXTS)(self._encode_opening)
        self.decode = lru_cache(_CACHED_TEXTS)(self._decode)
        self.stop_ids = self._find_stop_ids()

    def _render(self, messages: list[Message]) -> str:
        text = self.tokenizer.apply_chat_template(
            messages,
            tools=self.tools or None,
            add_generation_prompt=True,
            tokenize=False,
            **self.kwargs,
        )
        return str(text)

    def _accepts_system(self) -> bool:
        messages = [{"role": "system", "content": _NEXT}, {"role": "user", "content": _USER}]
        try:
            return _NEXT in self._render(messages)
        except (TemplateError, ValueError):
            return False

    def _tail_pieces(self) -> tuple[str, str]:
        """What stands between a completion and the next user text, and after that text."""
        text = self._render(
            [
                {"role": "user", "content": _USER},
                {"role": "assistant", "content": _ASSISTANT},
                {"role": "user", "content": _NEXT},
            ]
        )
        if text.count(_ASSISTANT) != 1 or text.count(_NEXT) != 1:
            raise UsageError(
                "The chat template must hold the content of every message once and verbatim, got "
                f"{text!r} for [{_USER}, {_ASSISTANT}, {_NEXT}]. Use another template."
            )
        tail = text.split(_ASSISTANT)[1]
        before, after = tail.split(_NEXT)
        return before, after

    def _find_stop_ids(self) -> list[int]:
        ids = [] if self.tokenizer.eos_token_id is None else [self.tokenizer.eos_token_id]
        first = self.encode_delta("x")[0]
        if first in self.tokenizer.added_tokens_decoder and first not in ids:
            ids.append(first)
        if not ids:
            raise UsageError(
                "The tokenizer must have an end of turn, got neither an eos token nor a special "
                "token after the assistant's message. Set tokenizer.eos_token."
            )
        return ids

    def encode(self, text: str) -> list[int]:
        """Returns the ids of template text; special tokens in it are special."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def encode_with_spans(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Returns the ids of a text and the characters [start, end) that each one covers.

        Raises:
            UsageError: If the tokenizer knows no offsets (it is not a fast one).
        """
        if not self.tokenizer.is_fast:
            raise UsageError(
                f"The tokenizer must be a fast one to find an answer's tokens, got "
                f"{type(self.tokenizer).__name__}. Convert it to a tokenizer.json."
            )
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return list(encoded["input_ids"]), list(encoded["offset_mapping"])

    def _decode(self, ids: tuple[int, ...]) -> str:
        """Returns the text of ids, special tokens included."""
        return str(
            self.tokenizer.decode(
                list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        )

    def _encode_opening(self, system: str, user: str) -> tuple[int, ...]:
        """Ids of a conversation's first prompt, up to where the model writes.

        A template without a system role gets the system text at the head of the user's.
        """
        user = self._defused(user)
        messages = [{"role": "user", "content": user}]
        if system and self.system_role:
            messages.insert(0, {"role": "system", "content": self._defused(system)})
        elif system:
            messages[0]["content"] = f"{self._defused(system)}\n\n{user}"
        return tuple(self.encode(self._render(messages)))

    def _encode_delta(self, user: str) -> tuple[int, ...]:
        """Ids between a completion's text and the next: end of turn, user's message, opening."""
        user = self._defused(user)
        return tuple(
            self.encode(self._before + (user.strip() if self._strips else user) + self._after)
        )

    def _defused(self, text: str) -> str:
        # Lone surrogates have no UTF-8 form, and tokenizers ask for one.
        text = text.encode("utf-8", "replace").decode()
        for token in self._special:
            if token in text:
                text = text.replace(token, f"{token[0]} {token[1:]}")
        return text
