"""From rows to text."""

from collections.abc import Sequence


def write(rows: Sequence[Sequence[str]], separator: str = ",") -> str:
    """Returns rows as text that is read as the same rows."""
    return "".join(_line(row, separator) + "\n" for row in rows)


def _line(row: Sequence[str], separator: str) -> str:
    if len(row) == 1 and row[0] == "":
        return '""'
    return separator.join(_cell(cell, separator) for cell in row)


def _cell(cell: str, separator: str) -> str:
    special = separator in cell or "\n" in cell or '"' in cell
    if special or cell != cell.strip():
        doubled = cell.replace('"', '""')
        return f'"{doubled}"'
    return cell


def write_records(
    records: Sequence[dict[str, str]], names: Sequence[str] = (), separator: str = ","
) -> str:
    """Returns records with a row of names, in the order in which names first occur."""
    if not names:
        names = list(dict.fromkeys(name for record in records for name in record))
    rows = [list(names)]
    for record in records:
        rows.append([record.get(name, "") for name in names])
    return write(rows, separator)
