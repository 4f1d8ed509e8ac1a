"""Tables of text with separators: reading, writing, and asking them questions."""

from sheets.columns import convert, guess, summary
from sheets.queries import distinct, group, join, order_by, where
from sheets.reading import SheetError, read, read_records
from sheets.writing import write, write_records

__all__ = [
    "SheetError",
    "convert",
    "distinct",
    "group",
    "guess",
    "join",
    "order_by",
    "read",
    "read_records",
    "summary",
    "where",
    "write",
    "write_records",
]
