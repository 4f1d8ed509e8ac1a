"""The generator of scenes and tasks: from a layout and a task's seed to a playable game.

A *layout* says which receptacles a room has, which of them open and which stand at one place; a
*task* fills a layout with objects and asks for something. Layouts are dealt to the splits by the
hash of what an agent can see of them, so that no layout can be in two groups (`GROUPS`), and pairs
of object and goal receptacle are held out for `ood` in the same way.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from turnwise_envs.household import vocabulary as words
from turnwise_envs.household.goals import KINDS, Goal
from turnwise_envs.household.scene import Layout, Scene, State
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


class Draws:
    """Integer draws that are the same on every platform and numpy version."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)
        self._words: list[int] = []

    def below(self, n: int) -> int:
        """Returns a uniform integer in [0, n)."""
        if not self._words:
            self._words = (self._bits.random_raw(64) >> np.uint64(32)).tolist()
        return self._words.pop() * n >> 32

    def choice(self, items: list | tuple):  # type: ignore[no-untyped-def,type-arg]
        """Returns a uniformly drawn item."""
        return items[self.below(len(items))]

    def shuffled(self, items: list) -> list:  # type: ignore[type-arg]
        """Returns a shuffled copy."""
        items = list(items)
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]
        return items


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
    left = {kind: types.count(kind) for kind in set(types)}
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
    targets = sum(1 << o for o, t in enumerate(scene.types) if t == target)
    if kind == "look_at_obj_in_light":
        return Goal(kind, targets, 0, sum(1 << o for o, t in enumerate(scene.types) if t == place))
    places = sum(1 << r for r, t in enumerate(scene.layout.types) if t == place)
    return Goal(kind, targets, places)


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
    objects: list[tuple[str, int]] = []
    wanted = 2 if kind == "pick_two" else 1
    if draws.below(3) == 0:
        wanted += 1
    goal_type = "" if kind == "look_at_obj_in_light" else place
    homes = [r for r in fits.get(target, ()) if layout.types[r] != goal_type]
    if not homes:
        return None
    objects += [(target, draws.choice(homes)) for _ in range(wanted)]
    others = [o for o in sorted(room.objects) if o != target and o in fits]
    if not others:
        return None
    while len(objects) < count:
        o = draws.choice(others)
        objects.append((o, draws.choice(fits[o])))
    if room.lamps:
        lamp = place if kind == "look_at_obj_in_light" else "desklamp"
        stands = [r for r, t in enumerate(layout.types) if t in room.lamps]
        objects.append((lamp, draws.choice(stands)))
    return compile_scene(layout, objects, _sentence(draws, kind, target, place))


@lru_cache(maxsize=4096)
def _fits(layout: Layout) -> dict[str, list[int]]:
    fits: dict[str, list[int]] = {}
    for r, kind in enumerate(layout.types):
        for o in sorted(words.HOLDS[kind]):
            fits.setdefault(o, []).append(r)
    return fits


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


def compile_scene(layout: Layout, objects: list[tuple[str, int]], task: str) -> Scene:
    """Returns the scene in which each (object type, receptacle) pair is placed as it says."""
    objects = sorted(objects, key=_object_key)
    types = [o for o, _ in objects]
    of_type: dict[str, int] = {}
    contents = [0] * len(layout.names)
    object_at = {}
    movable = 0
    for o, (kind, r) in enumerate(objects):
        bit = 1 << o
        of_type[kind] = of_type.get(kind, 0) | bit
        contents[r] |= bit
        object_at[o] = 1 << layout.locations[r]
        if kind not in words.FIXED:
            movable |= bit
    holds: dict[str, int] = {}
    for kind in set(layout.types):
        allowed = words.HOLDS[kind]
        holds[kind] = sum(mask for o, mask in of_type.items() if o in allowed)
    names = numbered(types)
    content = f"{layout.names}{layout.locations}{layout.openable}{names}{contents}{task}"

    def able(flagged: frozenset[str]) -> int:
        return sum([mask for kind, mask in of_type.items() if kind in flagged])

    cleaners, heaters, coolers = _appliances(layout)
    return Scene(
        layout,
        tuple(names),
        tuple(types),
        State(layout.start, -1, 0, contents, object_at=object_at),
        tuple([holds[kind] for kind in layout.types]),
        pickupable=movable,
        cleanable=able(words.CLEANABLE),
        heatable=able(words.HEATABLE),
        coolable=able(words.COOLABLE),
        sliceable=able(words.SLICEABLE),
        toggleable=able(words.LAMPS),
        vessels=able(words.VESSELS),
        knives=able(words.KNIVES),
        cleaners=cleaners,
        heaters=heaters,
        coolers=coolers,
        task=task,
        key=hashlib.blake2b(content.encode(), digest_size=8).hexdigest(),
    )


def _object_key(item: tuple[str, int]) -> tuple[str, int]:
    return item[0] + "_bar_", item[1]


@lru_cache(maxsize=4096)
def _appliances(layout: Layout) -> tuple[int, int, int]:
    types = layout.types
    return (
        sum(1 << r for r, t in enumerate(types) if t == words.CLEANER),
        sum(1 << r for r, t in enumerate(types) if t == words.HEATER),
        sum(1 << r for r, t in enumerate(types) if t == words.COOLER),
    )
