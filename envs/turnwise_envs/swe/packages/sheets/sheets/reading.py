"""From text to rows. Cells may stand in quotes, where two quotes are one."""


class SheetError(ValueError):
    """A text that is no sheet."""


def read(text: str, separator: str = ",", comment: str = "") -> list[list[str]]:
    """Returns the rows of a sheet; empty lines, and those that begin with `comment`, are none."""
    rows: list[list[str]] = []
    place = 0
    while place < len(text):
        if comment and text.startswith(comment, place):
            end = text.find("\n", place)
            place = len(text) if end < 0 else end + 1
            continue
        row, place = _row(text, place, separator)
        if row != [""]:
            rows.append(row)
    return rows


def _row(text: str, place: int, separator: str) -> tuple[list[str], int]:
    """Returns the row that begins at `place`, and where the next one does."""
    row = []
    while True:
        if text.startswith('"', place):
            cell, place = _quoted(text, place + 1)
        else:
            cell, place = _plain(text, place, separator)
        row.append(cell)
        if place >= len(text):
            return row, place
        if text[place] == "\n":
            return row, place + 1
        if text[place] != separator:
            raise SheetError(f"a separator is missing after {cell!r}")
        place += 1


def _plain(text: str, place: int, separator: str) -> tuple[str, int]:
    end = place
    while end < len(text) and text[end] != separator and text[end] != "\n":
        end += 1
    return text[place:end].strip(), end


def _quoted(text: str, place: int) -> tuple[str, int]:
    parts = []
    while True:
        end = text.find('"', place)
        if end < 0:
            raise SheetError("a quote is not closed")
        parts.append(text[place:end])
        if not text.startswith('"', end + 1):
            return '"'.join(parts), end + 1
        place = end + 2


def read_records(text: str, separator: str = ",") -> list[dict[str, str]]:
    """Returns a record a row, with the names in the first row; short rows are filled up."""
    rows = read(text, separator)
    if not rows:
        return []
    names = rows[0]
    if len(set(names)) < len(names):
        raise SheetError("two columns have one name")
    records = []
    for number, row in enumerate(rows[1:], start=2):
        if len(row) > len(names):
            raise SheetError(f"row {number} has {len(row)} cells for {len(names)} columns")
        filled = row + [""] * (len(names) - len(row))
        records.append(dict(zip(names, filled, strict=True)))
    return records
