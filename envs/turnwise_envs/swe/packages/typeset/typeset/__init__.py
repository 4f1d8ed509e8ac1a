"""Plain text laid out in lines, columns and tables."""

from typeset.lines import align, indent, wrap
from typeset.tables import columns, table
from typeset.words import abbreviate, slug, title

__all__ = ["abbreviate", "align", "columns", "indent", "slug", "table", "title", "wrap"]
