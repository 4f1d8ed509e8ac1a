"""Questions to records. None of them changes the records."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

Record = dict[str, Any]


def where(records: Sequence[Record], **wanted: Any) -> list[Record]:
    """Returns the records with these values; a function as value is asked instead."""
    return [record for record in records if all(_has(record, *pair) for pair in wanted.items())]


def _has(record: Record, name: str, wanted: Any) -> bool:
    if name not in record:
        return False
    return bool(wanted(record[name])) if callable(wanted) else record[name] == wanted


def order_by(records: Sequence[Record], *names: str) -> list[Record]:
    """Sorts by one column after the other; "-" before a name sorts downwards.

    Records that lack the value come last in any case.
    """
    result = list(records)
    for name in reversed(names):
        down = name.startswith("-")
        column = name.removeprefix("-")
        known = [record for record in result if record.get(column) is not None]
        unknown = [record for record in result if record.get(column) is None]
        known.sort(key=itemgetter(column), reverse=down)
        result = known + unknown
    return result


def distinct(records: Sequence[Record], name: str) -> list[Any]:
    """Returns the values of a column, each once, in the order in which they first occur."""
    found: list[Any] = []
    for record in records:
        if name in record and record[name] not in found:
            found.append(record[name])
    return found


def group(
    records: Sequence[Record], by: str, of: str, how: Callable[[list[Any]], Any] | None = None
) -> dict[Any, Any]:
    """Returns for each value of one column what `how` makes of the values of another.

    Without `how` they are added up. Records that lack either are left out.
    """
    groups: dict[Any, list[Any]] = {}
    for record in records:
        if by in record and record.get(of) is not None:
            groups.setdefault(record[by], []).append(record[of])
    return {key: (sum(values) if how is None else how(values)) for key, values in groups.items()}


def join(
    left: Sequence[Record], right: Sequence[Record], on: str, keep: bool = False
) -> list[Record]:
    """Joins records that have one value in a column; the left value of other columns counts.

    With `keep`, left records without a partner stay.
    """
    partners: dict[Any, list[Record]] = {}
    for record in right:
        partners.setdefault(record.get(on), []).append(record)
    result = []
    for record in left:
        found = partners.get(record[on], []) if on in record else []
        result += [other | record for other in found]
        if keep and not found:
            result.append(dict(record))
    return result
