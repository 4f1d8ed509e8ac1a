"""The strings of the household game: what each command looks like and what is answered.

The defaults are the game's own vocabulary, which other people's agents and prompts know; a loaded
game replaces them by those of its grammar (see `grammar.py`). A template's fields are `{o}` (an
object's name), `{r}` (a receptacle's name), `{k}` (a knife's name) and `{list}` (an enumeration).
"""

from __future__ import annotations

from dataclasses import dataclass

NOTHING_HAPPENS = "Nothing happens."


def enumeration(names: list[str]) -> str:
    """Returns "a X", "a X, and a Y", "a X, a Y, and a Z", or "nothing"."""
    if not names:
        return "nothing"
    if len(names) == 1:
        return names[0]
    return ", ".join(names[:-1]) + ", and " + names[-1]


@dataclass(frozen=True)
class Texts:
    """Every template of one version of the game."""

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
    vessel: str = "This is a normal {o}. In it, you see {list}."
    state: str = "This is a {state} {o}."
    lamp_on: str = "This {o} is on."
    lamp_off: str = "This {o} is off."
    plain: str = "There's nothing special about {o}."
    help: str = (
        "\nAvailable commands:\n"
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
