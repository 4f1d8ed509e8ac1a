"""A user's own games: which files can be played, how, and what is wrong with the others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from turnwise_envs.errors import DataError, TurnwiseError
from turnwise_envs.splits import content_id
from turnwise_envs.textworld.builder import compiled, file_digest

STORY_SUFFIXES = tuple(f".z{version}" for version in range(1, 9))
SUFFIXES = (*STORY_SUFFIXES, ".ulx", ".json", ".tw-pddl")

_GAME_PARTS = ("KB", "world", "quests", "infos")
_PDDL_PARTS = ("pddl_domain", "grammar", "pddl_problem")


def find_files(path: Path) -> list[Path]:
    """Returns the game files of a path, sorted; of the files of one game only the playable one.

    A `.json` beside a `.z8` of the same name belongs to it; a `.ulx` gives way to both.

    Raises:
        DataError: If there are none.
    """
    if path.is_file():
        return [path]
    found = {p for p in path.rglob("*") if p.is_file() and p.name.endswith(SUFFIXES)}
    chosen = [p for p in found if not _superseded(p, found) and not _is_other_json(p)]
    if not chosen:
        raise DataError(
            f"data_dir must hold games ({', '.join(('.z1 to .z8', *SUFFIXES[8:]))}), found none "
            f"below {path}."
        )
    return sorted(chosen)


def _superseded(path: Path, found: set[Path]) -> bool:
    if path.name.endswith((".json", ".ulx")):
        better = [path.with_suffix(".z8")] + [path.with_suffix(".json")] * (path.suffix == ".ulx")
        return any(other in found for other in better)
    return False


def _is_other_json(path: Path) -> bool:
    """Whether a file of a folder is some other JSON, which is nobody's fault."""
    return path.suffix == ".json" and not looks_like_game(path)


def looks_like_game(path: Path) -> bool:
    """Returns whether a `.json` has most of the parts of a TextWorld game."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(data, dict) and sum(part in data for part in _GAME_PARTS) >= 2


def read_json(path: Path, parts: tuple[str, ...], what: str) -> dict[str, Any]:
    """Returns the JSON object of a file that must have the given parts.

    Raises:
        DataError: If it cannot be read, is no JSON, or lacks a part.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as JSON ({error}). Restore the file.") from None
    missing = [part for part in parts if not (isinstance(data, dict) and part in data)]
    if missing:
        raise DataError(f"{path}: must be {what}; it lacks {', '.join(missing)}.")
    found: dict[str, Any] = data
    return found


def playable(path: Path) -> Path:
    """Returns the file to open for a game: itself, or what it is compiled to in the cache.

    Raises:
        DataError: If the file is damaged or of a kind that cannot be played.
        EnvironmentFault: If it cannot be compiled.
    """
    if path.name.endswith(".tw-pddl"):
        read_json(path, _PDDL_PARTS, "a PDDL game of TextWorld")
        return path
    if path.suffix == ".ulx":
        source = path.with_suffix(".json")
        if not source.exists():
            raise DataError(
                f"{path}: TextWorld has no interpreter for .ulx since its version 1.6. Put the "
                "game's .json beside it, which is compiled anew, or play its .z8."
            )
        return playable(source)
    if path.suffix == ".json":
        read_json(path, _GAME_PARTS, "a game of TextWorld")
        return compiled(path).path
    if path.name.endswith(STORY_SUFFIXES):
        _check_story(path)
        return path
    raise DataError(f"{path}: must end with one of {', '.join(SUFFIXES)}.")


def _check_story(path: Path) -> None:
    """Checks a z-machine file's header: version, and length where the header gives it."""
    header = path.read_bytes()[:64]
    version = int(path.suffix[2:])
    if len(header) < 64 or header[0] != version:
        says = f"says version {header[0]}" if header else "is empty"
        raise DataError(
            f"{path}: must be a z-machine story of version {version}, its header {says}. "
            "Restore the file."
        )
    unit = 2 if version <= 3 else 4 if version <= 5 else 8
    length = int.from_bytes(header[26:28], "big") * unit
    size = path.stat().st_size
    if size < length:
        raise DataError(f"{path}: is cut off, it has {size} of {length} bytes. Restore the file.")
    source = path.with_suffix(".json")
    if source.exists():
        read_json(source, _GAME_PARTS, "the description of the game beside it")


def identity(path: Path) -> str:
    """Returns the content hash of a game: of its file, and of the `.json` beside a story."""
    parts = {"game": file_digest(path)}
    source = path.with_suffix(".json")
    if path.name.endswith(STORY_SUFFIXES) and source.exists():
        parts["about"] = file_digest(source)
    return content_id(parts)


def survey(files: list[Path]) -> Iterator[tuple[Path, str, str]]:
    """Yields (file, content hash, "") for a good game and (file, "", what is wrong) for a bad one.

    Nothing is compiled: a `.json` is checked for its parts only.
    """
    for path in files:
        try:
            source = path.with_suffix(".json")
            if path.suffix in (".json", ".ulx") and source.exists():
                read_json(source, _GAME_PARTS, "a game of TextWorld")
            else:
                playable(path)
            yield path, identity(path), ""
        except (TurnwiseError, OSError) as error:
            yield path, "", str(error)


def kind_of(path: Path) -> str:
    """Returns the task type that metrics of a user's game are reported by."""
    if path.name.endswith(".tw-pddl"):
        return "pddl"
    return "story" if not path.with_suffix(".json").exists() else "textworld"
