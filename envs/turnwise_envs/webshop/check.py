"""`check`: what a user's WebShop files hold, and what is wrong with them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from turnwise_envs.data import DataReport
from turnwise_envs.errors import DataError
from turnwise_envs.webshop.files import find_files, is_product_file
from turnwise_envs.webshop.goals import SPLITS
from turnwise_envs.webshop.loader import SOURCES, ShopData, load

_SHOWN = 20


def check(path: Path) -> DataReport | None:
    """WebShop's files: items_shuffle*.json or *.jsonl, items_ins*.json, items_human_ins*.json.

    Args:
        path: a file or a folder.

    Returns:
        A report on products and goals, None where nothing looks like them.
    """
    files = list(path.iterdir()) if path.is_dir() else [path]
    named = any(file.name.startswith("items_") and file.suffix == ".json" for file in files)
    if not named and not any(is_product_file(file) for file in files):
        return None
    kind = "WebShop products and goals"
    try:
        found = find_files(path)
    except DataError as error:
        return DataReport(kind, 0, "goals", problems=(str(error),))
    if not is_product_file(found.products):
        problem = (
            f"{path} must be a product file (items_shuffle*.json or *.jsonl). Pass its folder."
        )
        return DataReport(kind, 0, "goals", problems=(problem,))
    facts: dict[str, str] = {}
    problems: dict[str, None] = {}
    loaded: dict[str, ShopData] = {}
    given = {"synthetic": found.instructions, "human": found.human}
    for source in SOURCES:
        if given[source] is None and any(given.values()):
            continue
        try:
            loaded[source] = data = load(path, source)
        except DataError as error:
            problems[str(error)] = None
            continue
        facts["products"] = str(len(data.catalogue))
        counts: Counter[str] = Counter()
        for instruction in data.instructions:
            counts[instruction.split] += instruction.count
        facts[f"{source} goals"] = ", ".join(f"{n} {split}" for split, n in sorted(counts.items()))
        problems.update(dict.fromkeys(f"{place}: {what}" for place, what in data.bad.items()))
    return DataReport(
        kind,
        sum(i.count for data in loaded.values() for i in data.instructions),
        "goals",
        version=" and ".join(dict.fromkeys(data.version for data in loaded.values())),
        facts=facts,
        problems=_shorten(list(problems)),
        usage=_usage(path, loaded),
    )


def _usage(path: Path, loaded: dict[str, ShopData]) -> str:
    """Returns arguments of `gym.make` that find goals; "" where there are none."""
    for source, data in loaded.items():
        filled = {instruction.split for instruction in data.instructions}
        for split in SPLITS:
            if split in filled:
                chosen = "" if source == SOURCES[0] else f', goals="{source}"'
                folder = json.dumps(str(path), ensure_ascii=False)
                return f'"turnwise/WebShop-v0", split="{split}", data_dir={folder}{chosen}'
    return ""


def _shorten(problems: list[str]) -> tuple[str, ...]:
    rest = len(problems) - _SHOWN
    return tuple(problems[:_SHOWN] + ([f"and {rest} more"] if rest > 0 else []))
