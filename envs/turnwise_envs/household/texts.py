"""The strings of the household game: what each command looks like and what is answered.

The defaults are the game's own vocabulary, which other people's agents and prompts know; a loaded
game replaces them by those of its grammar (see `grammar.py`). A template's fields are `{o}` (an
object's name), `{r}` (a receptacle's name), `{k}` (a knife's name), `{l}` (a location's name) and
`{list}` (an enumeration).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from turnwise_envs.errors import UsageError

NOTHING_HAPPENS = "Nothing happens."


def enumeration(names: list[str]) -> str:
    """Returns "a X", "a X, and a Y", "a X, a Y, and a Z", or "nothing"."""
    if not names:
        return "nothing"
    if len(names) == 1:
        return names[0]
    return ", ".join(names[:-1]) + ", and " + names[-1]


OBJECT_CONDITIONS = frozenset(
    (
        "isreceptacleobject",
        "isclean",
        "ishot",
        "iscool",
        "issliced",
        "toggleable",
        "istoggled",
        "not_istoggled",
        "sliceable",
    )
)
"""What `Texts.object_conditions` may ask of an object."""


@dataclass(frozen=True)
class Texts:
    """Every template of one version of the game.

    `object_conditions` answers examining an object: the first entry whose conditions all hold.
    Without a text, `help` is no command.
    """

    intro: str = "-= Welcome to TextWorld, ALFRED! =-\n\n{look}\n\n{task}"
    room: str = "You are in the middle of a room. Looking quickly around you, you see {list}."
    facing: str = "You are facing the {receptacles}. Next to it, you see {list}."
    arrive: str = "You arrive at {r}. {examine}"
    open: str = "You open the {r}. {examine}"
    close: str = "You close the {r}."
    take: str = "You pick up the {o} from the {r}."
    move: str = "You move the {o} to the {r}."
    clean: str = "You clean the {o} using the {r}."
    heat: str = "You heat the {o} using the {r}."
    cool: str = "You cool the {o} using the {r}."
    use: str = "You turn on the {o}."
    slice: str = "You sliced the {o} with the {k}."
    carrying: str = "You are carrying: {list}."
    empty_handed: str = "You are not carrying anything."
    inside: str = "The {r} is open. In it, you see {list}."
    closed: str = "The {r} is closed."
    on_top: str = "On the {r}, you see {list}."
    object_conditions: tuple[tuple[tuple[str, ...], str], ...] = (
        (("isreceptacleobject",), "This is a normal {o}. In it, you see {list}."),
        (("isclean", "ishot", "issliced"), "This is a hot and clean sliced {o}."),
        (("isclean", "iscool", "issliced"), "This is a cool and clean sliced {o}."),
        (("isclean", "issliced"), "This is a clean sliced {o}."),
        (("ishot", "issliced"), "This is a hot sliced {o}."),
        (("iscool", "issliced"), "This is a cool sliced {o}."),
        (("isclean", "ishot"), "This is a hot and clean {o}."),
        (("isclean", "iscool"), "This is a cool and clean {o}."),
        (("ishot",), "This is a hot {o}."),
        (("isclean",), "This is a clean {o}."),
        (("iscool",), "This is a cold {o}."),
        (("toggleable", "istoggled"), "This {o} is on."),
        (("toggleable", "not_istoggled"), "This {o} is off."),
        (("sliceable", "issliced"), "This is a sliced {o}."),
        ((), "There's nothing special about {o}."),
    )
    help: str = (
        "Available commands:\n"
        "  look:                             look around your current location\n"
        "  inventory:                        check your current inventory\n"
        "  go to (receptacle):               move to a receptacle\n"
        "  open (receptacle):                open a receptacle\n"
        "  close (receptacle):               close a receptacle\n"
        "  take (object) from (receptacle):  take an object from a receptacle\n"
        "  move (object) to (receptacle):  place an object in or on a receptacle\n"
        "  examine (something):              examine a receptacle or an object\n"
        "  use (object):                     use an object\n"
        "  heat (object) with (receptacle):  heat an object using a receptacle\n"
        "  clean (object) with (receptacle): clean an object using a receptacle\n"
        "  cool (object) with (receptacle):  cool an object using a receptacle\n"
        "  slice (object) with (object):     slice an object using a sharp object\n"
    )
    move_command: str = "move {o} to {r}"


TEXTS = Texts()

DATA_VERSIONS: dict[str, dict[str, str]] = {
    "2.1.2": {
        "arrive": TEXTS.arrive,
        "move": TEXTS.move,
        "move_command": TEXTS.move_command,
        "help": TEXTS.help,
    },
    "2.1.1": {
        "arrive": "You arrive at {l}. {examine}",
        "move": "You put the {o} in/on the {r}.",
        "move_command": "put {o} in/on {r}",
        "help": "",
    },
}
"""What differs between the versions of ALFWorld's data: 2.1.1 is the one before December 2024."""


def in_version(texts: Texts, data_version: str) -> Texts:
    """Returns `texts` in the wording of a version of ALFWorld's data.

    Raises:
        UsageError: If there is no such version.
    """
    if data_version not in DATA_VERSIONS:
        raise UsageError(
            f"data_version must be one of {', '.join(DATA_VERSIONS)} or None, got {data_version!r}."
        )
    return replace(texts, **DATA_VERSIONS[data_version])  # type: ignore[arg-type]


def version_of(texts: Texts) -> str:
    """Returns the data version of `texts`, told by how an object is put down; else "other"."""
    for version, wording in DATA_VERSIONS.items():
        if texts.move_command == wording["move_command"]:
            return version
    return "other"
