"""Marks within a line: *emphasis*, **strong**, `code`, and [links](address)."""

_SPECIAL = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def escape(text: str) -> str:
    """Returns a text without characters that mean something to a browser."""
    return "".join(_SPECIAL.get(letter, letter) for letter in text)


def render_line(text: str) -> str:
    """Returns a line with its marks as tags; a mark that is not closed is a character."""
    result = []
    place = 0
    while place < len(text):
        made, end = _mark(text, place)
        if end > place:
            result.append(made)
            place = end
        else:
            result.append(escape(text[place]))
            place += 1
    return "".join(result)


def _mark(text: str, place: int) -> tuple[str, int]:
    """Returns what is made of the mark at a place, and where it ends; its begin if it is none."""
    letter = text[place]
    if letter == "\\" and place + 1 < len(text):
        return escape(text[place + 1]), place + 2
    if letter == "`":
        end = text.find("`", place + 1)
        if end > place:
            return f"<code>{escape(text[place + 1 : end])}</code>", end + 1
    for sign, tag in (("**", "strong"), ("*", "em")):
        if text.startswith(sign, place):
            start = place + len(sign)
            end = text.find(sign, start)
            if end > start and not text[start].isspace():
                return f"<{tag}>{render_line(text[start:end])}</{tag}>", end + len(sign)
    return _link(text, place) if letter == "[" else ("", place)


def _link(text: str, place: int) -> tuple[str, int]:
    middle = text.find("](", place)
    end = text.find(")", middle + 2)
    if middle < 0 or end < 0:
        return "", place
    address = escape(text[middle + 2 : end].strip())
    label = render_line(text[place + 1 : middle])
    return f'<a href="{address}">{label}</a>', end + 1


def plain(text: str) -> str:
    """Returns a line without its marks."""
    result = []
    inside = False
    for letter in render_line(text):
        if letter in "<>":
            inside = letter == "<"
        elif not inside:
            result.append(letter)
    bare = "".join(result)
    for letter, name in reversed(_SPECIAL.items()):
        bare = bare.replace(name, letter)
    return bare
