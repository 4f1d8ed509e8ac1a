"""Keys from facts: what decides the future, what the agent was shown, what matters for grouping.

TextWorld's logic has a fact for everything: `at(P, r_1)`, `in(f_0, c_2)`, `open(d_0)`. The player
is "P", its hands "I". Only the player changes anything, so a fact seen once stays as it was seen
until the player is back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from turnwise_envs.textworld.session import Fact

_PLAYER, _HANDS = "P", "I"
_DOORS = ("open", "closed", "locked")
_DIRECTIONS = ("north_of", "south_of", "east_of", "west_of")


def lines_of(facts: Iterable[Fact]) -> str:
    """Returns facts as sorted lines, equal for equal sets."""
    return "\n".join(sorted(" ".join(fact) for fact in facts))


def place_of(facts: Iterable[Fact]) -> str:
    """Returns the identifier of the room the player is in, "" where no fact says it."""
    return next((fact[2] for fact in facts if fact[0] == "at" and fact[1] == _PLAYER), "")


def present(facts: Sequence[Fact]) -> set[str]:
    """Returns the identifiers of what the player can see: the room, its doors and what is in it.

    What lies on a supporter is seen with it, what is in a container where that is open.
    """
    place = place_of(facts)
    opened = {fact[1] for fact in facts if fact[0] == "open"}
    seen = {_PLAYER, _HANDS, place}
    for fact in facts:
        if fact[0] == "link" and fact[1] == place:
            seen.add(fact[2])
    within: dict[str, list[Fact]] = {}
    for fact in facts:
        if fact[0] in ("at", "on", "in"):
            within.setdefault(fact[2], []).append(fact)
    waiting = [place, _HANDS]
    while waiting:
        for name, thing, holder in within.get(waiting.pop(), ()):
            if thing not in seen and (name != "in" or holder == _HANDS or holder in opened):
                seen.add(thing)
                waiting.append(thing)
    return seen


def shown(facts: Sequence[Fact], seen: set[str], visited: set[str]) -> list[Fact]:
    """Returns the facts that the agent was shown.

    Args:
        facts: all facts.
        seen: identifiers that the player has ever seen.
        visited: rooms that the player has been in; their exits were shown.
    """
    return [
        fact
        for fact in facts
        if (fact[2] in visited if fact[0] in _DIRECTIONS else seen.issuperset(fact[1:]))
    ]


def hand_and_place(facts: Sequence[Fact]) -> str:
    """Returns what the anchor key is of, as text: the room, its doors and containers, the hand.

    Of doors and containers it tells whether they are open, of things in hand all facts.
    """
    place = place_of(facts)
    held = {fact[1] for fact in facts if fact[0] == "in" and fact[2] == _HANDS}
    near = {fact[2] for fact in facts if fact[0] == "link" and fact[1] == place}
    near |= {fact[1] for fact in facts if fact[0] == "at" and fact[2] == place}
    about = [
        fact
        for fact in facts
        if len(fact) == 2 and (fact[1] in held or (fact[0] in _DOORS and fact[1] in near))
    ]
    return f"{place}\n{sorted(held)}\n{lines_of(about)}"
