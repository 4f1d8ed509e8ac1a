"""What an instruction must be before it may enter: whole, short, new, and free of answers."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from turnwise_agents.instructions.failures import Failure, mentions, words

QUOTE_WORDS = 8
"""So many words in a row from an episode are a quotation."""

_PLACEHOLDER = re.compile(r"\{[A-Za-z_]\w*\}")
_TAG = re.compile(r"</?[A-Za-z_][\w-]*>")

Fault = Literal["", "not_text", "empty", "too_long", "placeholder", "duplicate", "answer", "quote"]
FAULTS: tuple[Fault, ...] = (
    *("not_text", "empty", "too_long", "placeholder", "duplicate", "answer", "quote"),
)


def placeholders(text: str) -> set[str]:
    """Returns the placeholders of a text, such as {question}."""
    return set(_PLACEHOLDER.findall(text))


def markers(text: str) -> set[str]:
    """Returns what an edit must keep: placeholders, and tags such as <answer>."""
    return placeholders(text) | set(_TAG.findall(text))


def lost_markers(text: str, seed: str) -> list[str]:
    """Returns the markers of `seed` that `text` lost, and the placeholders it made up."""
    return sorted((markers(seed) - markers(text)) | (placeholders(text) - placeholders(seed)))


def normalized(text: str) -> str:
    """Returns a text without differences of case, punctuation and white space."""
    return " ".join(words(text))


@dataclass(frozen=True, kw_only=True)
class Screen:
    """The examination of proposed instructions.

    Attributes:
        seed: the world's own instruction; its placeholders and tags must be kept, and no others
            made up.
        public: all text that the agent is shown anyway.
        known: texts that are there already.
        secrets: answers that no instruction may hold, unless they are public.
        failures: episodes that no instruction may quote.
        max_chars: longest instruction.
    """

    seed: str
    public: str
    known: Collection[str]
    secrets: Sequence[str]
    failures: Sequence[Failure]
    max_chars: int

    def fault(self, text: object) -> Fault:
        """Returns what is wrong with a proposal, "" if nothing is."""
        if not isinstance(text, str):
            return "not_text"
        if not text.strip():
            return "empty"
        if len(text) > self.max_chars:
            return "too_long"
        if lost_markers(text, self.seed):
            return "placeholder"
        if normalized(text) in {normalized(known) for known in self.known}:
            return "duplicate"
        if any(mentions(text, s) and not mentions(self.public, s) for s in self.secrets):
            return "answer"
        if self._quotes(text):
            return "quote"
        return ""

    def _quotes(self, text: str) -> bool:
        shown = f" {' '.join(word for f in self.failures for word in words(f.transcript))} "
        public = f" {normalized(self.public)} "
        own = words(text)
        spans = (
            f" {' '.join(own[i : i + QUOTE_WORDS])} " for i in range(len(own) - QUOTE_WORDS + 1)
        )
        return any(span in shown and span not in public for span in spans)
