"""A tokenizer trained on the suite's own text, in which a turn is a handful of tokens.

Small models copy names far better when a name is one token, and short conversations are what makes
a laptop fast enough. So the vocabulary holds

1. names with their number (" cabinet 1"), codes ("B07XJ8"), and words;
2. phrases that recur between names ("You arrive at", ", you see a"), never one that holds a name,
   with a number or without ("put a clean" and " apple" stay apart);
3. all 256 bytes, so that any text comes back as it went in.

A text is cut into the fewest pieces of that vocabulary: a unigram model (Kudo 2018, "Subword
Regularization", arXiv:1804.10959, section 3.2) whose pieces all have the same log-probability.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import Unigram
from transformers import PreTrainedTokenizerFast

ASSISTANT, END, SYSTEM, PAD = "<|assistant|>", "<|end|>", "<|system|>", "<|pad|>"
SPECIAL_TOKENS = (PAD, END, ASSISTANT, SYSTEM)
MAX_PIECES = 4096

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    f"{{{{ '{ASSISTANT}' + message['content'] + '{END}' }}}}"
    "{% elif message['role'] == 'system' %}"
    f"{{{{ '{SYSTEM}' + message['content'] + '{END}' }}}}"
    "{% else %}{{ message['content'] }}{% endif %}"
    "{% endfor %}"
    f"{{% if add_generation_prompt %}}{{{{ '{ASSISTANT}' }}}}{{% endif %}}"
)
"""A user's message needs no marks: it starts where another ends, and ends at the answer's start."""

_CODE = r"(?=[A-Za-z]*\d)[A-Za-z\d]*[A-Za-z][A-Za-z\d]*"
"""A word of letters and digits ("B07XJ8")."""
_NUMBERED = r" ?[a-z]+ \d{1,2}(?!\d)"
"""A noun with its number ("cabinet 1"); a longer number is a year or a price of no noun."""
_NAME = re.compile(f"{_NUMBERED}|{_CODE}")
# A code is the same piece whether a space stands before it or not: actions quote it without.
_UNIT = re.compile(rf"{_NUMBERED}|{_CODE}| (?={_CODE})| ?[A-Za-z]+| ?\d+| ?[^\sA-Za-z\d]+|\s+")
_LONGEST_PHRASE = 12


def train_tokenizer(
    documents: Sequence[Iterable[str]],
    *,
    phrase_share: float = 0.04,
    min_documents: int = 2,
    max_pieces: int = MAX_PIECES,
) -> PreTrainedTokenizerFast:
    """Trains a tokenizer with a chat template.

    Args:
        documents: one collection of messages per episode.
        phrase_share: share of the documents that a phrase of several words must occur in.
        min_documents: documents that a name or a word must occur in.
        max_pieces: limit of the vocabulary, bytes not counted; the most widespread stay.

    Returns:
        A tokenizer for which `decode(encode(text)) == text` holds for every text without lone
        surrogates.
    """
    texts = [sorted(set(document)) for document in documents]
    units, phrases = _candidates(texts, phrase_share * len(texts), min_documents)
    trial = _tokenizer([*units, *phrases])
    used = Counter(
        piece for document in texts for text in document for piece in trial.encode(text).tokens
    )
    as_written = {_byte_form(phrase): phrase for phrase in phrases}
    kept = [as_written[piece] for piece, _ in _ordered(used) if piece in as_written]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer([*units, *kept][:max_pieces]),
        pad_token=PAD,
        eos_token=END,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _candidates(
    texts: Sequence[Sequence[str]], phrase_documents: float, unit_documents: int
) -> tuple[list[str], list[str]]:
    """Returns units (names, words) and phrases of several units, the most widespread first."""
    units: Counter[str] = Counter()
    phrases: Counter[str] = Counter()
    nouns = {
        name.rpartition(" ")[0].strip()
        for document in texts
        for text in document
        for name in re.findall(_NUMBERED, text)
    }
    for document in texts:
        seen_units: set[str] = set()
        seen_phrases: set[str] = set()
        for text in document:
            run: list[str] = []
            for unit in [*_UNIT.findall(text), None]:
                if unit is not None:
                    seen_units.add(unit)
                if unit is None or _NAME.fullmatch(unit) or unit.strip() in nouns:
                    seen_phrases.update(_phrases(run))
                    run = []
                else:
                    run.append(unit)
        units.update(seen_units)
        phrases.update(seen_phrases)
    common = [u for u, n in _ordered(units) if n >= unit_documents]
    return common, [p for p, n in _ordered(phrases) if n >= phrase_documents]


def _phrases(run: list[str]) -> Iterable[str]:
    """All sequences of two or more neighbouring units."""
    for first in range(len(run)):
        for last in range(first + 2, min(len(run), first + _LONGEST_PHRASE) + 1):
            yield "".join(run[first:last])


def _ordered(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _byte_form(text: str) -> str:
    """The text in the printable alphabet of byte-level tokenizers."""
    return "".join(
        piece
        for piece, _ in pre_tokenizers.ByteLevel(False, use_regex=False).pre_tokenize_str(text)
    )


def _tokenizer(pieces: Sequence[str]) -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = dict.fromkeys([*SPECIAL_TOKENS, *alphabet, *map(_byte_form, pieces)])
    tokenizer = Tokenizer(Unigram([(word, -1.0) for word in words], unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS]
    )
    return tokenizer
