"""Single words and headings."""

SMALL = ("a", "an", "and", "in", "of", "or", "the", "to")


def slug(text: str, longest: int = 40) -> str:
    """Returns a text as lower-case words joined by hyphens, cut between words."""
    letters = [c.lower() if c.isalnum() else " " for c in text]
    words = "".join(letters).split()
    result = ""
    for word in words:
        longer = f"{result}-{word}" if result else word
        if len(longer) > longest:
            break
        result = longer
    return result


def title(text: str) -> str:
    """Capitalises a heading: small words stay small, but for the first and the last."""
    words = text.lower().split()
    last = len(words) - 1
    result = []
    for i, word in enumerate(words):
        if word in SMALL and i not in (0, last):
            result.append(word)
        else:
            result.append(word[0].upper() + word[1:])
    return " ".join(result)


def abbreviate(text: str, width: int) -> str:
    """Cuts a text to a width, ending in "..." where something is missing."""
    if width < 4:
        raise ValueError("width must be at least 4")
    if len(text) <= width:
        return text
    return text[: width - 3].rstrip() + "..."
