"""Paragraphs as lines."""


def wrap(text: str, width: int) -> list[str]:
    """Breaks a text into lines of at most `width` characters; longer words are broken, too."""
    if width < 1:
        raise ValueError("width must be positive")
    lines: list[str] = []
    line = ""
    for word in text.split():
        while len(word) > width:
            if line:
                lines.append(line)
                line = ""
            lines.append(word[:width])
            word = word[width:]
        if not word:
            continue
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    if line:
        lines.append(line)
    return lines


def align(lines: list[str], width: int, how: str = "left") -> list[str]:
    """Fills lines with blanks up to `width`: left, right, centre or both."""
    result = []
    for i, line in enumerate(lines):
        missing = max(0, width - len(line))
        if how == "right":
            result.append(" " * missing + line)
        elif how == "centre":
            result.append(" " * (missing // 2) + line + " " * (missing - missing // 2))
        elif how == "both" and i < len(lines) - 1:
            result.append(_spread(line, width))
        else:
            result.append(line + " " * missing)
    return result


def _spread(line: str, width: int) -> str:
    words = line.split()
    gaps = len(words) - 1
    if gaps < 1:
        return line.ljust(width)
    blanks = width - sum(len(word) for word in words)
    each, more = divmod(blanks, gaps)
    parts = []
    for i, word in enumerate(words[:-1]):
        parts.append(word + " " * (each + (1 if i < more else 0)))
    return "".join(parts) + words[-1]


def indent(text: str, first: str, others: str = "") -> str:
    """Puts `first` before the first line and `others` before the following ones, but empty ones."""
    result = []
    for i, line in enumerate(text.split("\n")):
        prefix = first if i == 0 else others
        result.append(prefix + line if line.strip() else "")
    return "\n".join(result)
