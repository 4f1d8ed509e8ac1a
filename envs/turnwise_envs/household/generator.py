"""The generator of scenes and tasks: from a layout and a task's seed to a playable game.

A *layout* says which receptacles a room has, which of them open and which stand at one place; a
*task* fills a layout with objects and asks for something. Layouts are dealt to the splits by the
hash of what an agent can see of them, so that no layout can be in two groups (`GROUPS`), and pairs
of object and goal receptacle are held out for `ood` in the same way.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from turnwise_envs.household import vocabulary as words
from turnwise_envs.household.goals import KINDS, Goal
from turnwise_envs.household.scene import Layout, Scene, State, mask_of
from turnwise_envs.household.vocabulary import ROOMS, Room

GENERATOR = "household-1"
"""Name and version; any change of what is generated changes the version."""

SPLIT_GROUP = {
    "train": "train",
    "valid_seen": "train",
    "valid_unseen": "unseen",
    "ood": "ood",
    "stream": "stream",
}
"""Which group of layouts each split draws from."""

_GROUP_OF_HASH = ("train",) * 10 + ("unseen",) * 3 + ("ood",) * 4 + ("stream",) * 3
LAYOUTS_PER_ROOM = {"train": 128, "unseen": 64, "ood": 64, "stream": 128}
"""Layouts of each kind of room in each group (of small worlds, some coincide)."""

_OOD_SHARE = 5  # one pair of object and goal receptacle in so many is kept for ood


T = TypeVar("T")
_UNPACK_WORDS = struct.Struct("<16I").unpack


class Draws:
    """A stream of integers from a hash in counter mode: the same in every process and version."""

    def __init__(self, seed: int) -> None:
        self._seed = b"%d " % seed
        self._block = 0
        self._words: list[int] = []

    def below(self, n: int) -> int:
        """Returns a uniform integer in [0, n)."""
        if not self._words:
            raw = hashlib.blake2b(self._seed + b"%d" % self._block).digest()
            self._words = list(_UNPACK_WORDS(raw))
            self._block += 1
        return self._words.pop() * n >> 32

    def choice(self, items: Sequence[T]) -> T:
        """Returns a uniformly drawn item."""
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """Returns a shuffled copy."""
        shuffled = list(items)
        for i in range(len(shuffled) - 1, 0, -1):
            j = self.below(i + 1)
            shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
        return shuffled


def seed_of(*parts: object) -> int:
    """Returns a 63-bit seed that is a hash of the parts."""
    raw = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(raw, "little") >> 1


@dataclass(frozen=True)
class SceneOptions:
    """How large generated scenes are.

    Attributes:
        size: vocabulary, "full" or "small".
        num_receptacles: least and most receptacles of a scene.
        num_objects: least and most objects of a scene, the lamp not counted.
    """

    size: str = "full"
    num_receptacles: tuple[int, int] = (14, 26)
    num_objects: tuple[int, int] = (16, 32)


@lru_cache(maxsize=4096)
def held_out(target: str, place: str) -> bool:
    """Returns whether this pair of object type and goal receptacle (or lamp) is kept for ood."""
    return seed_of("pair", target, place) % _OOD_SHARE == 0


@lru_cache(maxsize=2048)
def layout_of(options: SceneOptions, room: Room, group: str, number: int) -> Layout:
    """Returns layout `number` of a room in a group; draws again until the hash says the group."""
    attempt = 0
    while True:
        draws = Draws(seed_of(GENERATOR, "layout", options, room.name, group, number, attempt))
        layout = _draw_layout(options, room, draws)
        if _GROUP_OF_HASH[seed_of(layout_signature(layout)) % len(_GROUP_OF_HASH)] == group:
            return layout
        attempt += 1


def layout_signature(layout: Layout) -> str:
    """Returns what an agent can find out about a layout, as text; equal layouts, equal texts."""
    places: dict[int, int] = {}
    for location in layout.locations:
        places.setdefault(location, len(places))
    return " ".join(
        f"{name}@{places[location]}{'+' if layout.openable >> r & 1 else ''}"
        for r, (name, location) in enumerate(zip(layout.names, layout.locations, strict=True))
    )


def _draw_layout(options: SceneOptions, room: Room, draws: Draws) -> Layout:
    low, high = options.num_receptacles
    count = low + draws.below(high - low + 1)
    extra = [kind for kind, most in sorted(room.optional.items()) for _ in range(most)]
    extra = draws.shuffled(extra)[: max(0, count - len(room.required))]
    types = sorted([*room.required, *extra], key=words.order_key)
    names = numbered(types)
    openable = 0
    for r, kind in enumerate(types):
        # A quarter of the cabinets are open shelves, as in the original's scenes.
        if kind in words.OPENABLE and not (kind == "cabinet" and draws.below(4) == 0):
            openable |= 1 << r
    locations = list(range(1, len(types) + 1))
    if options.size != "small":
        for r in range(1, len(types)):
            if types[r] == types[r - 1] and draws.below(8) == 0:
                locations[r] = locations[r - 1]
    return Layout(tuple(names), tuple(types), tuple(locations), openable, start=0)


def numbered(types: list[str]) -> list[str]:
    """Returns the display names of sorted types; numbers fall within a type ("x 2", "x 1")."""
    left: dict[str, int] = {}
    for kind in types:
        left[kind] = left.get(kind, 0) + 1
    names = []
    for kind in types:
        names.append(f"{kind} {left[kind]}")
        left[kind] -= 1
    return names


def rooms_of(options: SceneOptions, kind: str) -> list[Room]:
    """Returns the rooms in which a task type can be set."""
    rooms = ROOMS[options.size]
    if kind in ("heat", "cool"):
        return [room for room in rooms if "fridge" in room.required]
    if kind == "clean":
        return [room for room in rooms if "sinkbasin" in room.required]
    if kind == "look_at_obj_in_light":
        return [room for room in rooms if room.lamps]
    return list(rooms)


def goal_pairs(room: Room, layout: Layout, kind: str, ood: bool) -> list[tuple[str, str]]:
    """Returns the (object type, goal receptacle or lamp type) pairs that a split may ask for."""
    able: frozenset[str] | None = None
    if kind in ("clean", "heat", "cool"):
        able = {"clean": words.CLEANABLE, "heat": words.HEATABLE, "cool": words.COOLABLE}[kind]
    objects = [o for o in sorted(room.objects) if able is None or o in able]
    if kind == "look_at_obj_in_light":
        lamps = ("desklamp", "floorlamp") if room.name == "livingroom" else ("desklamp",)
        pairs = [(o, lamp) for o in objects for lamp in lamps]
    else:
        appliance = {"clean": words.CLEANER, "heat": words.HEATER, "cool": words.COOLER}.get(kind)
        pairs = [
            (o, place)
            for place in sorted(set(layout.types))
            for o in objects
            if o in words.HOLDS[place] and place != appliance
        ]
    return [pair for pair in pairs if held_out(*pair) == ood]


@lru_cache(maxsize=8192)
def _pairs(
    options: SceneOptions, room: Room, group: str, number: int, kind: str
) -> tuple[Layout, list[tuple[str, str]]]:
    layout = layout_of(options, room, group, number)
    return layout, goal_pairs(room, layout, kind, ood=group == "ood")


@dataclass
class GeneratedTask:
    """A built task.

    Attributes:
        scene: the scene at its start.
        goal: what is asked for.
        kind, target, place: task type, object type, goal receptacle (or lamp) type.
        layout_id: "room/group/number".
    """

    scene: Scene
    goal: Goal
    kind: str
    target: str
    place: str
    layout_id: str


def build(options: SceneOptions, split: str, kind: str, seed: int) -> GeneratedTask:
    """Builds the task of a seed.

    Args:
        options: size of the scene.
        split: split whose layouts and goal pairs are used.
        kind: task type, one of `KINDS`.
        seed: the task's seed.
    """
    assert kind in KINDS
    group = SPLIT_GROUP[split]
    draws = Draws(seed)
    while True:
        room = draws.choice(rooms_of(options, kind))
        number = draws.below(LAYOUTS_PER_ROOM[group])
        layout, pairs = _pairs(options, room, group, number, kind)
        if not pairs:
            continue
        target, place = draws.choice(pairs)
        scene = _fill(options, room, layout, draws, kind, target, place)
        if scene is not None:
            break
    goal = _goal(scene, kind, target, place)
    return GeneratedTask(scene, goal, kind, target, place, f"{room.name}/{group}/{number}")


def _goal(scene: Scene, kind: str, target: str, place: str) -> Goal:
    targets = mask_of([o for o, t in enumerate(scene.types) if t == target])
    if kind == "look_at_obj_in_light":
        return Goal(kind, targets, 0, mask_of([o for o, t in enumerate(scene.types) if t == place]))
    return Goal(kind, targets, mask_of([r for r, t in enumerate(scene.layout.types) if t == place]))


def _fill(
    options: SceneOptions,
    room: Room,
    layout: Layout,
    draws: Draws,
    kind: str,
    target: str,
    place: str,
) -> Scene | None:
    """Puts objects into a layout; None where the target fits nowhere but at the goal."""
    fits = _fits(layout)
    low, high = options.num_objects
    count = low + draws.below(high - low + 1)
    wanted = 2 if kind == "pick_two" else 1
    if draws.below(3) == 0:
        wanted += 1
    goal_type = "" if kind == "look_at_obj_in_light" else place
    homes = [r for r in fits.get(target, ()) if layout.types[r] != goal_type]
    pool = _pool(layout, room)
    if not homes or len(pool) < 2:
        return None
    objects = [(target, draws.choice(homes)) for _ in range(wanted)]
    while len(objects) < count:
        o = draws.choice(pool)
        if o != target:
            objects.append((o, draws.choice(fits[o])))
    if room.lamps:
        lamp = place if kind == "look_at_obj_in_light" else "desklamp"
        stands = [r for r, t in enumerate(layout.types) if t in room.lamps]
        objects.append((lamp, draws.choice(stands)))
    return compile_scene(layout, objects, _sentence(draws, kind, target, place))


@lru_cache(maxsize=2048)
def _fits(layout: Layout) -> dict[str, list[int]]:
    """Returns the receptacles of a layout that each object type fits into."""
    fits: dict[str, list[int]] = {}
    for r, kind in enumerate(layout.types):
        for o in words.HOLDS[kind]:
            fits.setdefault(o, []).append(r)
    return fits


@lru_cache(maxsize=2048)
def _pool(layout: Layout, room: Room) -> list[str]:
    """Returns the object types that a room's scenes are filled with, where they fit anywhere."""
    return [o for o in sorted(room.objects) if o in _fits(layout)]


@lru_cache(maxsize=2048)
def _fit_masks(layout: Layout) -> dict[str, int]:
    return {o: mask_of(rs) for o, rs in _fits(layout).items()}


_SENTENCES = {
    "pick_and_place": ("put a {o} in {r}", "put some {o} on {r}"),
    "look_at_obj_in_light": ("look at {o} under the {r}", "examine the {o} with the {r}"),
    "clean": ("put a clean {o} in {r}", "clean some {o} and put it in {r}"),
    "heat": ("put a hot {o} in {r}", "heat some {o} and put it in {r}"),
    "cool": ("put a cool {o} in {r}", "cool some {o} and put it in {r}"),
    "pick_two": ("put two {o} in {r}", "find two {o} and put them in {r}"),
}


def _sentence(draws: Draws, kind: str, target: str, place: str) -> str:
    sentence = draws.choice(_SENTENCES[kind]).format(o=target, r=place)
    return f"Your task is to: {sentence}."


_ABLE = (
    words.CLEANABLE,
    words.HEATABLE,
    words.COOLABLE,
    words.SLICEABLE,
    words.LAMPS,
    words.VESSELS,
    words.KNIVES,
)


@lru_cache(maxsize=256)
def _abilities(kind: str) -> tuple[int, ...]:
    """Returns which of `_ABLE` an object type is in."""
    return tuple(i for i, members in enumerate(_ABLE) if kind in members)


def compile_scene(layout: Layout, objects: list[tuple[str, int]], task: str) -> Scene:
    """Returns the scene in which each (object type, receptacle) pair is placed as it says."""
    objects = sorted(objects)
    types = [kind for kind, _ in objects]
    contents = [0] * len(layout.names)
    object_at = {}
    fixed = 0
    able = [0] * len(_ABLE)
    for o, (kind, r) in enumerate(objects):
        bit = 1 << o
        contents[r] |= bit
        object_at[o] = 1 << layout.locations[r]
        for i in _abilities(kind):
            able[i] |= bit
        if kind in words.FIXED:
            fixed |= bit
    fits = _fit_masks(layout)
    names = numbered(types)
    content = f"{layout.names}{layout.locations}{layout.openable}{names}{contents}{task}"
    cleaners, heaters, coolers = _appliances(layout)
    return Scene(
        layout,
        tuple(names),
        tuple(types),
        State(layout.start, -1, 0, contents, object_at=object_at),
        tuple([fits.get(kind, 0) for kind in types]),
        pickupable=(1 << len(types)) - 1 & ~fixed,
        cleanable=able[0],
        heatable=able[1],
        coolable=able[2],
        sliceable=able[3],
        toggleable=able[4],
        vessels=able[5],
        knives=able[6],
        cleaners=cleaners,
        heaters=heaters,
        coolers=coolers,
        task=task,
        key=hashlib.blake2b(content.encode(), digest_size=8).hexdigest(),
    )


@lru_cache(maxsize=2048)
def _appliances(layout: Layout) -> tuple[int, int, int]:
    """Returns the masks of sink basins, microwaves and fridges."""

    def mask(kind: str) -> int:
        return mask_of(r for r, its in enumerate(layout.types) if its == kind)

    return mask(words.CLEANER), mask(words.HEATER), mask(words.COOLER)
