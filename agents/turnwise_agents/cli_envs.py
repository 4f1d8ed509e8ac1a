"""`turnwise envs`: the registered environments in a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from turnwise_envs import UsageError, env_ids
from turnwise_envs.registration import env_class, env_spec


def main(arguments: Sequence[str]) -> int:
    """Runs `turnwise envs`.

    Raises:
        UsageError: If it is given options; it has none.
    """
    if arguments and arguments[0] in ("-h", "--help"):
        print("usage: turnwise envs\n\nList the registered environments.")
        return 0
    if arguments:
        raise UsageError(f"turnwise envs takes no options, got {arguments[0]!r}.")
    table = Table(box=box.SIMPLE)
    table.add_column("id", no_wrap=True)
    for column in ("splits", "turns", "arguments"):
        table.add_column(column)
    for env_id in env_ids():
        spec = env_spec(env_id)
        cls = env_class(env_id)
        kwargs = {k: v for k, v in spec.kwargs.items() if k != "max_turns"}
        table.add_row(
            Text(env_id),
            Text(", ".join(cls.splits)),
            str(spec.kwargs.get("max_turns", cls.default_max_turns)),
            Text(", ".join(f"{k}={v!r}" for k, v in kwargs.items())),
        )
    Console().print(table)
    return 0
