"""A scene: the facts of one household game that never change, compiled into indices and bit masks.

Receptacle `r`, object `o` and location `l` are small integers in the order of their identifiers,
which is also the order of every enumeration in the game's texts. A set of objects (or of
receptacles) is an integer whose bit `i` says whether `i` is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from turnwise_envs.household.texts import TEXTS, Texts, enumeration


def bits(mask: int) -> Iterator[int]:
    """Yields the indices of the set bits of `mask`, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def mask_of(indices: Iterable[int]) -> int:
    """Returns the bit mask with the given indices set."""
    mask = 0
    for index in indices:
        mask |= 1 << index
    return mask


@dataclass(frozen=True, eq=False)
class Layout:
    """The receptacles of a scene: which there are, and which stand where.

    Attributes:
        names: [R] display names ("cabinet 2"), in identifier order.
        types: [R] lower-case types ("cabinet").
        locations: [R] location of each receptacle.
        openable: mask of receptacles that can be opened.
        start: location of the agent at the start; no receptacle need be there.
        place_names: [L] display names of the locations, which an older grammar mentions.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    locations: tuple[int, ...]
    openable: int
    start: int
    place_names: tuple[str, ...] = ()

    @cached_property
    def at(self) -> dict[int, tuple[int, ...]]:
        """Receptacles at each location."""
        found: dict[int, tuple[int, ...]] = {}
        for r, location in enumerate(self.locations):
            found[location] = (*found.get(location, ()), r)
        return found

    @cached_property
    def masks_at(self) -> dict[int, int]:
        """The same as masks."""
        return {location: mask_of(rs) for location, rs in self.at.items()}

    @cached_property
    def index(self) -> dict[str, int]:
        """Receptacle of each name."""
        return {name: r for r, name in enumerate(self.names)}

    @cached_property
    def goto(self) -> dict[str, int]:
        """Receptacle of each "go to" command."""
        return {f"go to {name}": r for r, name in enumerate(self.names)}

    @cached_property
    def room(self) -> str:
        """Enumeration of all receptacles, as seen from the middle of the room."""
        return enumeration([f"a {name}" for name in self.names])

    @cached_property
    def goto_from(self) -> dict[int, tuple[str, ...]]:
        """Sorted "go to" commands that lead away from each location."""
        places = {*self.locations, self.start}
        return {
            place: tuple(
                sorted(f"go to {n}" for r, n in enumerate(self.names) if self.locations[r] != place)
            )
            for place in places
        }


@dataclass(eq=False)
class Scene:
    """The unchanging facts of one game.

    Attributes:
        layout: the receptacles.
        names: [O] display names of the objects ("apple 1"), in identifier order.
        types: [O] their lower-case types.
        initial: the facts that change, at the start.
        holders: [O] mask of the receptacles that each object may be put into.
        pickupable, cleanable, heatable, coolable, sliceable, toggleable, vessels, knives: masks
            of objects; vessels are the objects that can contain others.
        cleaners, heaters, coolers: masks of receptacles (sink basins, microwaves, fridges).
        inner: objects inside vessels (this fact never changes in the game).
        task: the sentence that states the task ("Your task is to: ...").
        texts: templates of commands and replies.
        examine_in_place: whether objects can be examined where they lie. False is what ALFWorld
            plays: a stray comma in its domain leaves objects in hand only.
        key: bytes that identify the scene's content.
    """

    layout: Layout
    names: tuple[str, ...]
    types: tuple[str, ...]
    initial: State
    holders: tuple[int, ...]
    pickupable: int
    cleanable: int
    heatable: int
    coolable: int
    sliceable: int
    toggleable: int
    vessels: int
    knives: int
    cleaners: int
    heaters: int
    coolers: int
    task: str
    key: str
    inner: dict[int, tuple[int, ...]] = field(default_factory=dict)
    texts: Texts = TEXTS
    examine_in_place: bool = False

    def listed(self, mask: int) -> str:
        """Returns the enumeration of a set of objects."""
        names = self.names
        return enumeration(["a " + names[o] for o in bits(mask)])


@dataclass(eq=False, slots=True)
class State:
    """The facts that change.

    Attributes:
        location: where the agent is.
        held: the object in hand, -1 for none.
        opened: mask of open receptacles.
        contents: [R] mask of the objects in or on each receptacle.
        clean, hot, cool, toggled, on, sliced: masks of objects.
        object_at: locations (mask) at which an object counts as present, by object; what slicing
            asks for. The game leaves it behind when an object is taken from elsewhere.
        not_in: receptacles (mask) that an object is known not to be in any more; what "Next to it,
            you see" asks for.
    """

    location: int
    held: int
    opened: int
    contents: list[int]
    clean: int = 0
    hot: int = 0
    cool: int = 0
    toggled: int = 0
    on: int = 0
    sliced: int = 0
    object_at: dict[int, int] = field(default_factory=dict)
    not_in: dict[int, int] = field(default_factory=dict)

    def copy(self) -> State:
        """Returns an independent copy."""
        return State(
            self.location,
            self.held,
            self.opened,
            self.contents.copy(),
            self.clean,
            self.hot,
            self.cool,
            self.toggled,
            self.on,
            self.sliced,
            self.object_at.copy(),
            self.not_in.copy(),
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the facts as JSON data."""
        data: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        data["contents"] = list(self.contents)
        for name in ("object_at", "not_in"):
            data[name] = sorted(data[name].items())
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> State:
        """Reverses `to_json`."""
        lists = {"contents": list(data["contents"])}
        return cls(**{**data, **lists, **{n: dict(data[n]) for n in ("object_at", "not_in")}})
