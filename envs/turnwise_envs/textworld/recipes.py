"""What a generated TextWorld game is made from: its kind, its options, its split and its seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from typing import Any

from turnwise_envs.errors import DependencyNotInstalled, UsageError
from turnwise_envs.splits import content_id

GENERATOR = "textworld-games-1"
"""Name and version of this module's recipes; the package's version goes into every id, too."""

ROOMS_OF_COOKING = (1, 6, 9, 12)


@dataclass(frozen=True)
class Option:
    """One option of a kind of game.

    Attributes:
        default: its value where none is given.
        least, most: its range; two booleans make it a switch.
        why: what it does.
    """

    default: int
    least: int
    most: int
    why: str


def _switch(default: bool, why: str) -> Option:
    return Option(default, False, True, why)


GAMES: dict[str, dict[str, Option]] = {
    "cooking": {
        "recipe": Option(1, 1, 5, "ingredients of the recipe"),
        "take": Option(1, 0, 5, "ingredients that must be found (at most `recipe`)"),
        "go": Option(1, 1, 12, "rooms: 1, 6, 9 or 12"),
        "open": _switch(False, "doors and containers start closed"),
        "cook": _switch(True, "ingredients must be cooked"),
        "cut": _switch(False, "ingredients must be cut"),
        "drop": _switch(False, "the inventory is limited"),
    },
    "coin_collector": {
        "level": Option(5, 1, 300, "1-100 without distracting rooms, 101-300 with"),
    },
    "treasure_hunter": {
        "level": Option(5, 1, 30, "1-10 easy, 11-20 medium, 21-30 hard"),
    },
    "custom": {
        "nb_rooms": Option(3, 1, 20, "rooms"),
        "nb_objects": Option(6, 1, 50, "objects"),
        "quest_length": Option(3, 1, 20, "commands of the shortest solution"),
        "nb_parallel_quests": Option(1, 1, 4, "quests"),
    },
}
"""The kinds of generated games and their options, named as TextWorld names them."""


@lru_cache(maxsize=1)
def package_version() -> str:
    """Returns the version of the installed `textworld` package.

    Raises:
        DependencyNotInstalled: If there is none.
    """
    try:
        return metadata.version("textworld")
    except metadata.PackageNotFoundError as error:
        raise DependencyNotInstalled(
            "turnwise/TextWorld-v0 needs the textworld package. Install turnwise[textworld]."
        ) from error


def game_options(game: str, given: Mapping[str, Any] | None) -> dict[str, int]:
    """Returns the complete options of a kind of game.

    Raises:
        UsageError: If there is no such kind or option, or a value is out of range.
    """
    if game not in GAMES:
        raise UsageError(f"game must be one of {', '.join(GAMES)}, got {game!r}.")
    known = GAMES[game]
    if unknown := set(given or ()) - set(known):
        raise UsageError(
            f"game_options of {game!r} must be among {', '.join(known)}, "
            f"got {', '.join(sorted(map(str, unknown)))}."
        )
    options = {name: option.default for name, option in known.items()} | dict(given or {})
    for name, value in options.items():
        least, most = known[name].least, known[name].most
        if not (isinstance(value, int) and least <= value <= most):
            raise UsageError(
                f"game_options[{name!r}] of {game!r} must be in [{least}, {most}] "
                f"({known[name].why}), got {value!r}."
            )
    if game == "cooking":
        if options["go"] not in ROOMS_OF_COOKING:
            raise UsageError(
                f"game_options['go'] must be one of {ROOMS_OF_COOKING}, got {options['go']}."
            )
        if options["take"] > options["recipe"]:
            raise UsageError(
                f"game_options['take'] must be at most recipe={options['recipe']}, "
                f"got {options['take']}."
            )
    return options


def harder(game: str, options: Mapping[str, int]) -> dict[str, int]:
    """Returns the options of the split "ood": the same kind of game, larger.

    Cooking gets the next number of rooms and one more ingredient to find, coin collector a path
    half as long again, treasure hunter the next ten levels' mode, a custom game twice the rooms
    and objects; where an option is at its largest, it stays.
    """
    larger = dict(options)
    if game == "cooking":
        larger["go"] = next((n for n in ROOMS_OF_COOKING if n > options["go"]), options["go"])
        larger["recipe"] = min(5, options["recipe"] + 1)
        larger["take"] = min(larger["recipe"], options["take"] + 1)
    elif game == "coin_collector":
        level = options["level"]
        within = (level - 1) % 100 + 1  # a hundred levels have the same distractors
        larger["level"] = level + min(100 - within, max(1, within // 2))
    elif game == "treasure_hunter":
        larger["level"] = min(30, options["level"] + 10)
    else:
        larger["nb_rooms"] = min(20, 2 * options["nb_rooms"])
        larger["nb_objects"] = min(50, 2 * options["nb_objects"])
    return larger


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a generated game.

    Attributes:
        game: one of `GAMES`.
        options: its complete options.
        foods: for cooking, TextWorld's own split of foods and preparations.
        seed: in [1, 2**31).
    """

    game: str
    options: Mapping[str, int]
    foods: str
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Returns the recipe as JSON data."""
        return {
            "generator": GENERATOR,
            "textworld": package_version(),
            "game": self.game,
            "options": {name: int(value) for name, value in self.options.items()},
            "foods": self.foods,
            "seed": self.seed,
        }

    @property
    def key(self) -> str:
        """Name of the game in the cache: hash of the recipe."""
        return content_id(self.to_json())
