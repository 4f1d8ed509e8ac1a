r"""Where in a solution the answer stands.

In this order: the last `\boxed{...}`, the last `<answer>...</answer>`, the last "answer is ..." or
"answer: ...", the last "####" or "A:" line, the whole text where it is short, the last inline
formula or number. Every step is linear in the length of the text: a megabyte of brackets costs
less than a second.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_ANSWER_CHARS = 2000
"""An answer longer than this is not graded."""

_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s*")
_JOINT = re.compile(
    r"(?:\s|[.,;$&]|\\[()\[\]]|\\(?:text|mathrm|mbox)\s*\{\s*|\}|\\quad|\\qquad|\\ ){0,12}"
    r"(and|or|,|;)?"
    r"(?:\s|[.,;$&]|\\[()\[\]]|\}|\\quad|\\qquad|\\ ){0,12}",
    re.IGNORECASE,
)
_PHRASE = re.compile(
    r"\b(?:final\s+answer|answers?|result|solutions?)\s*(?:\*\*)?\s*"
    r"(?:(?:is|are|equals|=)\s*:?|:)\s*(?:\*\*)?\s*",
    re.IGNORECASE,
)
_HASH = re.compile(r"^[ \t]*(?:####|A:)[ \t]*", re.MULTILINE)
_FORMULA = re.compile(
    r"\$\$([^$]{1,2000})\$\$|\$([^$\n]{1,2000})\$|\\\(((?:(?!\\\)).){1,2000})\\\)"
)
_NUMBER = re.compile(
    r"(?<![\w.\\])-?\$?(?>(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+|(?<=\d)))(?:\s?/\s?\d+)?%?"
    r"(?=(?:[cmk]?m|k?g|ft|in|[€£$])?[²³]?(?!\w))"
)
_SENTENCE_END = re.compile(r"(?<!\d)\.(?=\s|$)|(?<=\d)\.(?=\s+[A-Z]|\s*$)|\n|\. I hope")
_CONNECTIVES = re.compile(
    r"(?:(?:thus|so|hence|therefore|then|it is|it's|we get|we have|i get|that is)\b[\s,:]*)*",
    re.IGNORECASE,
)
_WHOLE_CHARS = 300
_PROSE_WORDS = 4
"""With so many words an answer is a sentence about it."""
_TAIL_CHARS = 4000
_CLOSED_MATH = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Extraction:
    """An answer found in a text.

    Attributes:
        answer: the answer's text; "" where there is none.
        how: "boxed", "tag", "phrase", "marker", "whole", "formula", "number" or "none".
    """

    answer: str
    how: str


NOTHING = Extraction("", "none")


def closing_brace(text: str, start: int) -> int:
    """Returns the place of the brace that closes the one at `start`, -1 where none does."""
    depth = 0
    place = start
    while place < len(text):
        letter = text[place]
        if letter == "\\":
            place += 1  # an escaped brace is a brace on paper, not a group
        elif letter == "{":
            depth += 1
        elif letter == "}":
            depth -= 1
            if depth == 0:
                return place
        place += 1
    return -1


def _boxes(text: str) -> list[tuple[int, int, str]]:
    """Returns (start, end, content) of the boxes, outermost ones only."""
    found: list[tuple[int, int, str]] = []
    place = 0
    while box := _BOX.search(text, place):
        place = box.end()
        if place >= len(text):
            break
        if text[place] == "{":
            end = closing_brace(text, place)
            if end < 0:
                break  # cut off in the middle of an answer
            found.append((box.start(), end + 1, text[place + 1 : end]))
            place = end + 1
        elif text[place].isalnum() and box.group().endswith((" ", "\t")):
            end = place + 1
            while end < len(text) and text[end].isalnum():
                end += 1
            found.append((box.start(), end, text[place:end]))
            place = end
    return found


def _boxed(text: str) -> str | None:
    """Returns the last box; boxes joined by "and", "or" or a comma are one list."""
    boxes = _boxes(text)
    if not boxes:
        return None
    parts = [boxes[-1][2]]
    for before, after in zip(reversed(boxes[:-1]), reversed(boxes[1:]), strict=True):
        joint = _JOINT.fullmatch(text, before[1], after[0])
        if joint is None or (joint[1] is None and "," not in joint[0] and ";" not in joint[0]):
            break
        parts.append(before[2])
    return ", ".join(reversed(parts)) if len(set(parts)) > 1 else parts[0]


def _first_sentence(text: str) -> str:
    """Returns an answer's text up to the end of its sentence."""
    text = text[:_TAIL_CHARS].lstrip()
    found = _CLOSED_MATH.match(text)
    if found:
        # A formula may hold line ends and full stops; what follows it may be a unit or "and $...$".
        rest = text[found.end() :]
        stop = _SENTENCE_END.search(rest)
        return text[: found.end()] + (rest[: stop.start()] if stop else rest)
    stop = _SENTENCE_END.search(text)
    return (text[: stop.start()] if stop else text).strip()


def extract(text: str) -> Extraction:
    """Returns the answer that a solution gives.

    What stands before the last `</think>` is a thought and does not count.
    """
    text = text.rpartition("</think>")[2].strip()
    if not text:
        return NOTHING
    if "\\boxed" in text or "\\fbox" in text:
        boxed = _boxed(text)
        if boxed is not None:
            return Extraction(boxed.strip(), "boxed") if boxed.strip() else NOTHING
    start, end = text.rfind("<answer>"), text.rfind("</answer>")
    if 0 <= start < end:
        tagged = text[start + len("<answer>") : end].strip()
        return Extraction(tagged, "tag") if tagged else NOTHING
    tail = text[-_TAIL_CHARS:]
    for how, pattern in (("phrase", _PHRASE), ("marker", _HASH)):
        places = [found.end() for found in pattern.finditer(tail)]
        if places:
            answer = _first_sentence(tail[places[-1] :]).strip(" \t*")
            if answer:
                return Extraction(_core(answer), how)
    if len(text) <= _WHOLE_CHARS and "\n\n" not in text and _looks_like_an_answer(text):
        return Extraction(text[_CONNECTIVES.match(text).end() :], "whole")  # type: ignore[union-attr]
    return _last_expression(tail)


def _core(sentence: str) -> str:
    """Returns the last expression of a sentence in prose ("The area of $ABC$ is 12"), or all."""
    prose = re.sub(r"\$[^$]*\$|\\[A-Za-z]+\s*(?:\{[^{}]*\})?", " ", sentence)
    if len(re.findall(r"[A-Za-z]{2,}", prose)) < _PROSE_WORDS:
        return sentence
    return _last_expression(sentence).answer or sentence


def _looks_like_an_answer(text: str) -> bool:
    formulas = _FORMULA.findall(text)
    if len(formulas) == 1 and not text.startswith(("$", "\\(", "\\[")):
        return False
    if "$" in text.strip("$ .") and not re.fullmatch(r"\\?\$\s*-?[\d.,]+", text):
        # More than one formula in prose: the last of them is the answer, not the whole.
        return len(re.sub(r"\$[^$]*\$|\\?\$", "", text).split()) <= 2
    prose = re.sub(r"\\(?:text|mathrm|textbf|mbox)\s*\{[^{}]*\}|\\[A-Za-z]+", " ", text)
    words = re.findall(r"[A-Za-z]{2,}", prose)
    return len(words) <= 3 and "?" not in text


def _last_expression(tail: str) -> Extraction:
    place, answer, how = -1, "", "none"
    for found in _FORMULA.finditer(tail):
        body = next(group for group in found.groups() if group is not None).strip()
        if body:
            place, answer, how = found.end(), body, "formula"
    for found in _NUMBER.finditer(tail):
        if found.end() > place and found[0].strip("-$%"):
            place, answer, how = found.end(), found[0], "number"
    return Extraction(answer, how) if answer else NOTHING
