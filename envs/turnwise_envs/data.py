"""`check_data`: what a file or folder of a user's data is, and what is wrong with it.

Every world that loads data has a checker: a function `check(path)` that returns a `DataReport`, or
None where the path does not look like its data at all. A checker never raises for bad data; what
is bad is in the report, one line a problem: file, place, what it must be, remedy.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from turnwise_envs.errors import DataError, UsageError

CHECKERS: tuple[str, ...] = (
    "turnwise_envs.household.data:check",
    "turnwise_envs.textworld.data:check",
    "turnwise_envs.search.check:check",
    "turnwise_envs.webshop.check:check",
    "turnwise_envs.math.files:check",
)
"""Checkers as "module:function", asked in this order."""


@dataclass(frozen=True, slots=True)
class DataReport:
    """What a checker found.

    Attributes:
        kind: name of the data set's form, e.g. "ALFWorld games".
        count: number of usable items.
        unit: what is counted, e.g. "games".
        version: digest of the usable content, 16 hexadecimal digits; "" where nothing is usable.
        facts: further lines for a person, name -> text (counts a split, a data version, ...).
        problems: one line for everything that is wrong.
        usage: the arguments of `gym.make` that load it, as a person would type them.
    """

    kind: str
    count: int
    unit: str
    version: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    usage: str = ""


def data_path(
    data_dir: str | bool | os.PathLike[str] | None, *, variable: str, what: str
) -> Path | None:
    """Returns the path that a world's argument `data_dir` means, None for generated tasks.

    Args:
        data_dir: a path, None or False for none, True for the one in the environment variable.
        variable: name of that variable.
        what: what must be there, for the message.

    Raises:
        UsageError: If it is True and the variable is not set, or of another type.
        DataError: If nothing is there.
    """
    if data_dir is None or data_dir is False:
        return None
    if data_dir is True:
        if not os.environ.get(variable):
            raise UsageError(
                f"data_dir=True must find a path in the variable {variable}, it is not set. "
                "Set it, or pass the path as data_dir."
            )
        data_dir = os.environ[variable]
    if not isinstance(data_dir, str | os.PathLike):
        raise UsageError(f"data_dir must be a path, True or None, got {data_dir!r}.")
    path = Path(data_dir).expanduser().resolve()
    if not path.exists():
        raise DataError(f"data_dir must be {what}, {path} is not there.")
    return path


def check_data(path: str | Path) -> list[DataReport]:
    """Returns the reports of all checkers that recognise `path`.

    Raises:
        DataError: If nothing is there, or no checker knows it; names what is known.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise DataError(f"path must be a file or folder of data, {path} is not there.")
    found = [report for name in CHECKERS if (report := _checker(name)(path)) is not None]
    if not found:
        known = "; ".join(
            (_checker(name).__doc__ or name).splitlines()[0].rstrip(".") for name in CHECKERS
        )
        raise DataError(f"{path} must be data of a known form, got none of: {known}")
    return found


def _checker(name: str) -> Callable[[Path], DataReport | None]:
    module, _, function = name.partition(":")
    checker: Callable[[Path], DataReport | None] = getattr(
        importlib.import_module(module), function
    )
    return checker
