"""The checker of repair tasks for `turnwise_envs.data`."""

import json
from collections import Counter
from pathlib import Path

from turnwise_envs.data import DataReport
from turnwise_envs.errors import DataError, DependencyNotInstalled
from turnwise_envs.splits import content_id
from turnwise_envs.swe import quixbugs
from turnwise_envs.swe.checkouts import Checkout, find_repository
from turnwise_envs.swe.instances import Instance, parse_row, read_rows
from turnwise_envs.swe.loading import instance_files


def check(path: Path) -> DataReport | None:
    """Repair tasks: a folder of QuixBugs' layout, or SWE-bench-style instances (.jsonl, .json).

    Returns:
        What is in it, or None where nothing looks like such tasks. Repositories beside the data
        are looked at, too: commits, patches and tests' files; nothing is run.
    """
    path = path.resolve()
    if path.is_dir() and quixbugs.is_layout(path):
        return _programs(path)
    return _instances(path)


def _usage(path: Path, split: str) -> str:
    named = f'split="{split}", ' if split else ""
    return f'"turnwise/SWESandbox-v0", {named}data_dir={json.dumps(str(path))}'


def _programs(path: Path) -> DataReport:
    names, problems = quixbugs.survey(path)
    found = [quixbugs.Program(path, name) for name in names]
    return DataReport(
        kind="QuixBugs programs",
        count=len(found),
        unit="programs",
        version=content_id([program.id for program in found]) if found else "",
        facts={"programs": ", ".join(names) or "none"},
        problems=tuple(problems),
        usage=_usage(path, ""),
    )


def _instances(path: Path) -> DataReport | None:
    problems: list[str] = []
    instances: list[Instance] = []
    files = instance_files(path)
    if not files:
        return None
    for file in files:
        try:
            for place, row in read_rows(file):
                try:
                    instances.append(parse_row(row, place))
                except DataError as error:
                    problems.append(str(error))
        except DataError as error:
            problems.append(str(error))
    folder = path if path.is_dir() else path.parent
    unreadable = bool(problems)
    misfits = {i.id: said for i in instances if (said := _misfit(i, folder))}
    problems += misfits.values()
    instances = [instance for instance in instances if instance.id not in misfits]
    absent = [instance for instance in instances if find_repository(instance, [folder]) is None]
    splits = Counter(instance.split or "every split" for instance in instances)
    facts = {name: f"{count:,} instances" for name, count in sorted(splits.items())}
    facts |= {"with the repair": f"{sum(bool(i.patch) for i in instances):,}"}
    facts |= {"with an image": f"{sum(bool(i.image) for i in instances):,}"}
    if absent:
        repos = ", ".join(sorted({instance.repo for instance in absent}))
        facts["not beside the data, to be found by checkouts="] = repos
    return DataReport(
        kind="SWE-bench-style instances",
        count=len(instances),
        unit="instances",
        version=content_id(sorted(i.id for i in instances)) if instances else "",
        facts=facts,
        problems=tuple(problems),
        # One row that cannot be read, and none of the file is loaded.
        usage="" if unreadable else _usage(path, next((i.split for i in instances if i.split), "")),
    )


def _misfit(instance: Instance, folder: Path) -> str:
    """Returns what does not fit the repository beside the data; "" where there is none beside."""
    repository = find_repository(instance, [folder])
    try:
        if repository is not None and instance.patch:
            _ = Checkout(instance, repository).edits
        elif repository is not None:
            Checkout(instance, repository)
    except (DataError, DependencyNotInstalled) as error:
        said = str(error)
        return said if said.startswith(instance.name) else f"{instance.name}: {said}"
    return ""
