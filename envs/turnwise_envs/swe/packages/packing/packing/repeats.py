"""Repetitions told by their number."""


def shorten(text: str) -> str:
    """Writes runs of one character as count and character; digits and backslashes get a backslash.

    A single character has no count.
    """
    result = []
    place = 0
    while place < len(text):
        end = place
        while end < len(text) and text[end] == text[place]:
            end += 1
        letter = text[place]
        count = str(end - place) if end - place > 1 else ""
        result.append(count + (f"\\{letter}" if letter.isdigit() or letter == "\\" else letter))
        place = end
    return "".join(result)


def expand(short: str) -> str:
    """Reverses `shorten`."""
    result = []
    count = ""
    letters = iter(short)
    for letter in letters:
        if letter.isdigit():
            count += letter
            continue
        if letter == "\\":
            letter = next(letters, "")
        if not letter:
            raise ValueError("a backslash at the end")
        result.append(letter * (int(count) if count else 1))
        count = ""
    if count:
        raise ValueError("a count at the end")
    return "".join(result)


def squeeze(text: str, window: int = 255, shortest: int = 3) -> list[tuple[int, int] | str]:
    """Returns letters, and (how far back, how many) for what was there before.

    Of several places of equal length the nearest counts. A repetition may overlap what it repeats.
    """
    result: list[tuple[int, int] | str] = []
    place = 0
    while place < len(text):
        back, length = _longest(text, place, window)
        if length >= shortest:
            result.append((back, length))
            place += length
        else:
            result.append(text[place])
            place += 1
    return result


def _longest(text: str, place: int, window: int) -> tuple[int, int]:
    best = (0, 0)
    for back in range(1, min(window, place) + 1):
        length = 0
        while place + length < len(text) and text[place + length] == text[place + length - back]:
            length += 1
        if length > best[1]:
            best = (back, length)
    return best


def unsqueeze(parts: list[tuple[int, int] | str]) -> str:
    """Reverses `squeeze`."""
    result = ""
    for part in parts:
        if isinstance(part, str):
            result += part
            continue
        back, length = part
        if back < 1 or back > len(result):
            raise ValueError("a repetition of what was not there")
        for _ in range(length):
            result += result[-back]
    return result
