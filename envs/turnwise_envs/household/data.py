"""The checker of ALFWorld games for `turnwise_envs.data`: every byte of a file or folder."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

from turnwise_envs.data import DataReport
from turnwise_envs.errors import DataError
from turnwise_envs.household.loader import version_of_games
from turnwise_envs.household.survey import Survey, split_folders, survey, survey_file

_SUFFIX = ".tw-pddl"
_MARK = b"(domain alfred"
_GRAMMARS = {
    "2.1.2": '"move O to R" (ALFWorld since December 2024)',
    "2.1.1": '"put O in/on R" (ALFWorld before December 2024)',
    "other": "other commands than ALFWorld's",
}
_UNUSED = "valid_train"
"""A folder of ALFWorld's data that its own loader does not use."""


def check(path: Path) -> DataReport | None:
    """ALFWorld games: a game.tw-pddl, or a folder of them such as ALFWorld's json_2.1.1.

    Returns:
        What is in it, or None where no file looks like a game of the ALFRED domain.
    """
    path = path.resolve()
    if path.is_file():
        if path.suffix != _SUFFIX or not looks_like_alfred(path):
            return None
        try:
            return _report(path, {"train": survey_file(path)})
        except DataError as error:
            return DataReport("ALFWorld games", 0, "games", problems=(str(error),))
    root, splits = split_folders(path)
    try:
        found = {split: survey(path, split, every_byte=True) for split in splits or ["train"]}
    except DataError as error:
        return DataReport("ALFWorld games", 0, "games", problems=(str(error),))
    if not any(each.playable for each in found.values()) and not _any_game(path):
        return None
    report = _report(path, found)
    if (root / _UNUSED).is_dir() and splits:
        report.facts[_UNUSED] = f"is no split; data_dir={str(root / _UNUSED)!r} loads it"
    if not splits:
        report.facts["splits"] = "none, every game is in every split"
    return report


def looks_like_alfred(path: Path) -> bool:
    """Returns whether a `.tw-pddl` file is of the ALFRED domain, or too damaged to tell."""
    try:
        data = path.read_bytes()
    except OSError:
        return True
    # What is no JSON cannot say what it is: its name does.
    return _MARK in data or not data.lstrip().startswith(b"{") or not data.rstrip().endswith(b"}")


def _any_game(folder: Path) -> bool:
    return any(looks_like_alfred(path) for path in sorted(folder.rglob("*" + _SUFFIX)))


def _report(path: Path, found: dict[str, Survey]) -> DataReport:
    facts: dict[str, str] = {}
    left_out: Counter[str] = Counter()
    problems: list[str] = []
    for split, games in found.items():
        kinds = Counter(game.kind for game in games.playable)
        by_type = ", ".join(f"{kind} {count:,}" for kind, count in sorted(kinds.items()))
        name = split if len(found) > 1 or path.is_dir() else "game"
        facts[name] = f"{len(games.playable):,} ({by_type}), version {version_of_games(games)}"
        left_out += games.left_out
        problems += [f"{file}: {text}" for file, text in (games.bad | games.doubts).items()]
    playable = [game for games in found.values() for game in games.playable]
    versions = sorted({game.version for game in playable})
    facts["grammar"] = " and ".join(_GRAMMARS[version] for version in versions)
    copies = sum(count - 1 for count in Counter(game.id for game in playable).values())
    facts["copies"] = f"{copies:,} games have the content of another"
    facts["left out"] = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())
    first = next((split for split, games in found.items() if games.playable), "train")
    whole = "\n".join(version_of_games(games) for games in found.values())
    return DataReport(
        kind="ALFWorld games",
        count=len(playable),
        unit="games",
        version=hashlib.blake2b(whole.encode(), digest_size=8).hexdigest() if playable else "",
        facts={name: text for name, text in facts.items() if text and (name != "copies" or copies)},
        problems=tuple(problems) or (() if playable else (f"{path}: no game can be played.",)),
        usage=f'"turnwise/Household-v0", split="{first}", data_dir={json.dumps(str(path))}',
    )
