"""The checker of TextWorld games for `turnwise_envs.data`: a game file or a folder of them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from turnwise_envs.data import DataReport
from turnwise_envs.errors import DataError
from turnwise_envs.household.data import looks_like_alfred
from turnwise_envs.splits import content_id
from turnwise_envs.textworld.files import SUFFIXES, find_files, kind_of, looks_like_game, survey
from turnwise_envs.textworld.tasks import split_folders

_KINDS = {"textworld": "made by TextWorld", "story": "other stories", "pddl": "PDDL games"}


def check(path: Path) -> DataReport | None:
    """TextWorld games: .z1 to .z8 stories, .json, .ulx and .tw-pddl files, or a folder of them.

    Returns:
        What is in it, or None where no file looks like such a game; games of the ALFRED domain are
        the household's.
    """
    path = path.resolve()
    splits = split_folders(path) or [""]
    found = {split: _files(path / split) for split in splits}
    if not any(found.values()):
        return None
    facts: dict[str, str] = {}
    problems: list[str] = []
    ids: list[str] = []
    for split, files in found.items():
        kinds: Counter[str] = Counter()
        for file, identity, problem in survey(files):
            if problem:
                problems.append(problem if str(file) in problem else f"{file}: {problem}")
            else:
                kinds[kind_of(file)] += 1
                ids.append(identity)
        counts = ", ".join(f"{count:,} {_KINDS[kind]}" for kind, count in sorted(kinds.items()))
        facts[split or "games"] = counts or "none"
    usage = f'split="{next(s for s in splits if found[s])}", ' if splits != [""] else ""
    return DataReport(
        kind="TextWorld games",
        count=len(ids),
        unit="games",
        version=content_id(sorted(ids)) if ids else "",
        facts=facts,
        problems=tuple(problems),
        usage=f'"turnwise/TextWorld-v0", {usage}data_dir={json.dumps(str(path))}',
    )


def _files(path: Path) -> list[Path]:
    """Returns the games of a path that are TextWorld's business."""
    if path.is_file():
        known = path.name.endswith(SUFFIXES) and (path.suffix != ".json" or looks_like_game(path))
        files = [path] if known else []
    else:
        try:
            files = find_files(path)
        except DataError:
            files = []
    return [f for f in files if not (f.name.endswith(".tw-pddl") and looks_like_alfred(f))]
