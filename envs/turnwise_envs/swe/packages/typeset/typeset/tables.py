"""Tables of text."""

from typeset.words import abbreviate


def table(rows: list[list[str]], widest: int = 20, header: bool = True) -> list[str]:
    """Returns the lines of a table; columns are as wide as their widest cell, up to `widest`."""
    if not rows:
        return []
    count = max(len(row) for row in rows)
    filled = [row + [""] * (count - len(row)) for row in rows]
    cells = [[abbreviate(cell, widest) for cell in row] for row in filled]
    widths = [max(len(row[i]) for row in cells) for i in range(count)]
    lines = []
    for row in cells:
        padded = [_pad(cell, width) for cell, width in zip(row, widths, strict=True)]
        lines.append(" | ".join(padded).rstrip())
    if header:
        lines.insert(1, "-+-".join("-" * width for width in widths))
    return lines


def _pad(cell: str, width: int) -> str:
    number = cell.replace(".", "", 1).lstrip("-").isdigit()
    return cell.rjust(width) if number else cell.ljust(width)


def columns(items: list[str], width: int, gap: int = 2) -> list[str]:
    """Lays items out in as many columns as fit, read downwards."""
    if not items:
        return []
    longest = max(len(item) for item in items)
    count = max(1, (width + gap) // (longest + gap))
    height = -(-len(items) // count)
    lines = []
    for row in range(height):
        cells = items[row::height]
        line = "".join(cell.ljust(longest + gap) for cell in cells)
        lines.append(line.rstrip())
    return lines
