"""Which games of a user's folder count, and of which type they are.

A folder is searched for `*.tw-pddl` files. Where it (or its subfolder `json_2.1.1`) has folders
named after the splits, as ALFWorld's data has, a split is that folder; otherwise every game
belongs to every split. Games whose path says "movable" or "Sliced" and games marked unsolvable are
left out, as in the original.

Where a `traj_data.json` lies anywhere below, the folder is one of ALFWorld's own, and the other
rules of its loader hold, too: a game is a `game.tw-pddl` beside a `traj_data.json`, whose
`task_type` says of which type it is; other types are left out; "solvable" must be there. Elsewhere
the game's goal says its type.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from turnwise_envs.errors import DataError
from turnwise_envs.household.games import parse_parts, read_bytes, read_game
from turnwise_envs.household.goals import KINDS
from turnwise_envs.household.index import Facts, Reader, describe, digest_of, list_files
from turnwise_envs.household.texts import version_of

SPLIT_FOLDERS = ("train", "valid_seen", "valid_unseen")
GAME, LABEL = "game.tw-pddl", "traj_data.json"
_TYPE_NAMES = (
    "pick_and_place_simple",
    "look_at_obj_in_light",
    "pick_clean_then_place_in_recep",
    "pick_heat_then_place_in_recep",
    "pick_cool_then_place_in_recep",
    "pick_two_obj_and_place",
)
TASK_TYPES = dict(zip(_TYPE_NAMES, KINDS, strict=True))
"""The original's names of the task types, which it numbers from 1 in this order, and ours."""

_NO_LABEL = (
    "must lie beside the game, is missing; the original skips such a game. Restore the file, "
    "alfworld-download fetches it, or pass the game file itself as data_dir."
)
_NOT_CHECKED = (
    'solvable: must be true or false, is missing; the original skips such a game. Write "solvable" '
    "into it, as alfworld-generate does."
)


@dataclass(frozen=True, slots=True)
class Playable:
    """A game that can be played.

    Attributes:
        path: the game file.
        name: the original's identifier, "TYPE-.../trial_...": its folder below that of the split.
        id: content hash of the game.
        kind: its task type, of `KINDS`, or "other".
        version: version of its grammar.
        digest: of the file's bytes.
    """

    path: str
    name: str
    id: str
    kind: str
    version: str
    digest: str


@dataclass
class Survey:
    """What was found.

    Attributes:
        root: the folder that was searched.
        playable: the games, in the order of their paths.
        bad: what is wrong with others, by path.
        doubts: what is odd about games that are played all the same, by path.
        left_out: numbers of games left out as the original leaves them out, by reason.
    """

    root: Path
    playable: list[Playable] = field(default_factory=list)
    bad: dict[str, str] = field(default_factory=dict)
    doubts: dict[str, str] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, digest: str, facts: Facts, label: str | None = None) -> None:
        """Takes a game in, or notes why not; `label` is the type that ALFWorld's label says."""
        path = str(self.root / name)
        if facts.get("solvable") is False:
            self.left_out["marked unsolvable"] += 1
        elif "problem" in facts:
            self.bad[path] = facts["problem"]
        elif label is not None and facts["solvable"] is None:
            self.bad[path] = _NOT_CHECKED
        else:
            kind = facts["kind"] if label is None else label
            if kind != facts["kind"]:
                self.doubts[path] = (
                    f"its goal is of the type {facts['kind']!r}, but {LABEL} beside it says "
                    f"{kind!r}, which is taken as the original does. Restore both files."
                )
            shown = self.root.name if name == GAME else name.removesuffix("/" + GAME)
            self.playable.append(Playable(path, shown, facts["id"], kind, facts["version"], digest))


def survey(path: Path, split: str, *, every_byte: bool = False) -> Survey:
    """Returns what a split of a folder holds.

    Args:
        path: the folder.
        split: name of the split.
        every_byte: compare the content of every file with the index, not only size and time.

    Raises:
        DataError: If the folder has splits, but not this one.
    """
    found = Survey(split_root(path, split))
    files = {file.name: file for file in list_files(found.root, _is_wanted)}
    labelled = any(name.endswith(LABEL) for name in files)
    kept = [file for name, file in files.items() if _keep(found, name, files.keys(), labelled)]
    rows = describe(found.root, kept, _reader, every_byte=every_byte)
    for name, row in rows.items():
        folder = _folder(name)
        if name == folder + LABEL:
            continue
        if not labelled:
            found.add(name, row.digest, row.facts)
            continue
        label = rows[folder + LABEL].facts if folder + LABEL in rows else {"problem": _NO_LABEL}
        if "problem" in label:
            found.bad[str(found.root / folder / LABEL)] = label["problem"]
        elif label["task_type"] not in TASK_TYPES:
            found.left_out["of other task types"] += 1
        else:
            found.add(name, row.digest, row.facts, TASK_TYPES[label["task_type"]])
    return found


def _is_wanted(name: str) -> bool:
    return name == LABEL or name.endswith(".tw-pddl")


def _folder(name: str) -> str:
    return name.rpartition("/")[0] + "/" if "/" in name else ""


def _keep(found: Survey, name: str, names: Collection[str], labelled: bool) -> bool:
    """Returns whether a file is to be read; counts what is left out by its path alone."""
    folder = _folder(name)
    is_label = name == folder + LABEL
    if is_label and folder + GAME not in names:
        found.left_out[f"{LABEL} without a game"] += 1
        return False
    if "movable" in name or "Sliced" in name:
        found.left_out['"movable" or "Sliced" in the path'] += not is_label
        return False
    return is_label or not labelled or name == folder + GAME


def survey_file(path: Path) -> Survey:
    """Returns what a single game file holds.

    Raises:
        DataError: If it cannot be played.
    """
    folder = path.parent
    root = folder.parent if path.name == GAME else folder
    found = Survey(root.parent if folder.name.startswith("trial_") else root)
    try:
        data = read_bytes(path)
        facts = _describe_game(data)
        if facts.get("solvable") is False:
            read_game(parse_parts(data))  # which says so
        if "problem" in facts:
            raise DataError(facts["problem"])
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    found.add(path.relative_to(found.root).as_posix(), digest_of(data), facts)
    return found


def split_folders(path: Path) -> tuple[Path, list[str]]:
    """Returns the folder with the splits, or the games, and the names of the splits there."""
    root = path / "json_2.1.1" if (path / "json_2.1.1").is_dir() else path
    return root, [name for name in SPLIT_FOLDERS if (root / name).is_dir()]


def split_root(path: Path, split: str) -> Path:
    """Returns the folder in which the games of a split lie.

    Raises:
        DataError: If the folder has splits, but not this one.
    """
    root, there = split_folders(path)
    if there and split not in there:
        raise DataError(
            f"data_dir must hold *.tw-pddl games for split {split!r}, found none below "
            f"{root / split}. The data has the splits {', '.join(there)}; alfworld-download "
            "fetches ALFWorld's."
        )
    return root / split if there else root


def _reader(name: str) -> Reader:
    return _describe_label if name.endswith(LABEL) else _describe_game


def _describe_game(data: bytes) -> Facts:
    facts: Facts = {}
    try:
        parts = parse_parts(data)
        facts["solvable"] = parts.get("solvable")
        if facts["solvable"] is not False:
            game = read_game(parts)
            version = version_of(game.scene.texts)
            facts |= {"id": game.id, "kind": game.goal.kind, "version": version}
    except DataError as error:
        facts["problem"] = str(error)
    return facts


def _describe_label(data: bytes) -> Facts:
    try:
        return {"task_type": str(json.loads(data)["task_type"])}
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        return {
            "problem": f"must be a JSON object with a task_type ({error!r}). Restore the file; "
            "alfworld-download fetches ALFWorld's."
        }
