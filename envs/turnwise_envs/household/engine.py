"""The rules of the game: which commands apply in a state, what they change, what is answered.

The rules are those of the ALFRED PDDL domain, with the two habits of the original stack that show:
an operator without any effect is no command (going to where one is), and the reply is rendered
after the effects. See `scene.py` for the representation of facts.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable

from turnwise_envs.household.goals import Goal
from turnwise_envs.household.scene import Scene, State, bits
from turnwise_envs.household.texts import NOTHING_HAPPENS, enumeration

Action = tuple[str, int, int]
"""(verb, object or -1, receptacle or -1); for slicing (verb, object, knife)."""

ACTING_VERBS = frozenset({"take", "move", "open", "close", "clean", "heat", "cool", "use", "slice"})
_CACHE_SIZE = 64


class Commands:
    """The applicable commands of one situation.

    Attributes:
        local: every applicable command but "go to", with its meaning.
        admissible: all applicable commands, sorted.
    """

    __slots__ = ("_goto", "_menu", "admissible", "local")

    def __init__(self, local: dict[str, Action], goto: tuple[str, ...]) -> None:
        self.local = local
        self._goto = goto
        self._menu: list[str] | None = None
        self.admissible = _sorted_around(local, goto)

    @property
    def menu(self) -> list[str]:
        """Those that change the state."""
        if self._menu is None:
            acting = [name for name, action in self.local.items() if action[0] in ACTING_VERBS]
            self._menu = _sorted_around(acting, self._goto)
        return self._menu


def _sorted_around(local: Iterable[str], goto: tuple[str, ...]) -> list[str]:
    """Merges local commands with the sorted "go to" commands, which sort as one block."""
    names = sorted(local)
    split = bisect(names, "go to")
    return [*names[:split], *goto, *names[split:]]


class Engine:
    """One running game.

    Args:
        scene: the unchanging facts.
        goal: what ends the game.
    """

    def __init__(self, scene: Scene, goal: Goal) -> None:
        self.scene = scene
        self.goal = goal
        self.state = scene.initial.copy()
        self._cache: dict[tuple[int, ...], Commands] = {}
        self._now: Commands | None = None
        self._arrivals: dict[tuple[int, int, int], str] = {}

    def put_into(self, state: State) -> None:
        """Goes on from another state of the same scene."""
        self.state = state
        self._now = None

    # ---------------------------------------------------------------- what can be done

    def commands(self) -> Commands:
        """Returns the applicable commands (cached by what they depend on)."""
        if self._now is not None:
            return self._now
        scene, state = self.scene, self.state
        layout = scene.layout
        location = state.location
        here = layout.at.get(location, ())
        contents = state.contents
        key = (
            location,
            state.held,
            state.opened & layout.masks_at.get(location, 0),
            *[contents[r] for r in here],
        )
        if state.held >= 0 and scene.knives >> state.held & 1:
            key = (*key, *self._sliceable_here())
        cached = self._cache.get(key)
        if cached is None:
            if len(self._cache) >= _CACHE_SIZE:
                self._cache.clear()
            cached = Commands(self._local_actions(here), layout.goto_from[location])
            self._cache[key] = cached
        self._now = cached
        return cached

    def _local_actions(self, here: tuple[int, ...]) -> dict[str, Action]:
        scene, state = self.scene, self.state
        names, places = scene.names, scene.layout.names
        held = state.held
        actions: dict[str, Action] = {
            "look": ("look", -1, -1),
            "inventory": ("inventory", -1, -1),
        }
        if scene.texts.help:
            actions["help"] = ("help", -1, -1)
        if held >= 0:
            actions[f"examine {names[held]}"] = ("examine object", held, -1)
            if scene.knives >> held & 1:
                self._add_slices(actions)
        for r in here:
            place = places[r]
            openable = scene.layout.openable >> r & 1
            opened = state.opened >> r & 1
            contents = state.contents[r]
            actions[f"examine {place}"] = ("examine", -1, r)
            if openable:
                verb = "close" if opened else "open"
                actions[f"{verb} {place}"] = (verb, -1, r)
            for o in bits(contents & scene.toggleable):
                actions[f"use {names[o]}"] = ("use", o, r)
            if opened or not openable:
                for o in bits(contents):
                    name = names[o]
                    if scene.examine_in_place:
                        actions[f"examine {name}"] = ("examine object", o, -1)
                    if held < 0 and scene.pickupable >> o & 1:
                        actions[f"take {name} from {place}"] = ("take", o, r)
                if held >= 0 and scene.holders[held] >> r & 1:
                    command = scene.texts.move_command.format(o=names[held], r=place)
                    actions[command] = ("move", held, r)
            if held >= 0:
                if scene.cleaners >> r & scene.cleanable >> held & 1:
                    actions[f"clean {names[held]} with {place}"] = ("clean", held, r)
                if scene.heaters >> r & scene.heatable >> held & 1:
                    actions[f"heat {names[held]} with {place}"] = ("heat", held, r)
                if scene.coolers >> r & scene.coolable >> held & 1:
                    actions[f"cool {names[held]} with {place}"] = ("cool", held, r)
        return actions

    def _add_slices(self, actions: dict[str, Action]) -> None:
        names, held = self.scene.names, self.state.held
        for o in self._sliceable_here():
            actions[f"slice {names[o]} with {names[held]}"] = ("slice", o, held)

    def _sliceable_here(self) -> list[int]:
        present, here = self.state.object_at, 1 << self.state.location
        return [o for o in bits(self.scene.sliceable) if present.get(o, 0) & here]

    def parse(self, command: str) -> Action | None:
        """Returns what `command` means here, None where it is unknown or inapplicable."""
        command = command.strip()
        layout = self.scene.layout
        r = layout.goto.get(command)
        if r is not None:
            return None if layout.locations[r] == self.state.location else ("go to", -1, r)
        local = self.commands().local
        return local.get(command)

    # ---------------------------------------------------------------- doing it

    def step(self, command: str) -> tuple[str, Action | None]:
        """Plays a command.

        Returns:
            The reply, and what was done (None: nothing).
        """
        action = self.parse(command)
        if action is None:
            return NOTHING_HAPPENS, None
        return self.perform(action), action

    def perform(self, action: Action) -> str:
        """Carries out an applicable action and returns the reply."""
        verb, o, r = action
        scene, state = self.scene, self.state
        texts = scene.texts
        if verb == "go to" or verb in ACTING_VERBS:
            self._now = None
        if verb == "go to":
            state.location = scene.layout.locations[r]
            return self._arrival(r)
        if verb == "take":
            state.contents[r] &= ~(1 << o)
            state.held = o
            self._leave(o, r)
            return texts.take.format(o=scene.names[o], r=scene.layout.names[r])
        if verb == "move":
            state.contents[r] |= 1 << o
            state.held = -1
            self._arrive(o, r)
            return texts.move.format(o=scene.names[o], r=scene.layout.names[r])
        if verb == "open":
            state.opened |= 1 << r
            return texts.open.format(r=scene.layout.names[r], examine=self.contents_text(r))
        if verb == "close":
            state.opened &= ~(1 << r)
            return texts.close.format(r=scene.layout.names[r])
        return self._treat(verb, o, r) if o >= 0 else self._inform(verb, r)

    def _leave(self, o: int, r: int) -> None:
        state = self.state
        state.not_in[o] = state.not_in.get(o, 0) | 1 << r
        state.object_at[o] = state.object_at.get(o, 0) & ~(1 << state.location)

    def _arrive(self, o: int, r: int) -> None:
        state = self.state
        state.not_in[o] = state.not_in.get(o, 0) & ~(1 << r)
        state.object_at[o] = state.object_at.get(o, 0) | 1 << state.location

    def _treat(self, verb: str, o: int, r: int) -> str:
        scene, state, bit = self.scene, self.state, 1 << o
        name = scene.names[o]
        if verb == "examine object":
            return self.object_text(o)
        if verb == "slice":
            state.sliced |= bit
            return scene.texts.slice.format(o=name, k=scene.names[r])
        if verb == "use":
            state.on ^= bit
            state.toggled |= bit
            return scene.texts.use.format(o=name)
        if verb == "clean":
            state.clean |= bit
            reply = scene.texts.clean
        elif verb == "heat":
            state.hot |= bit
            state.cool &= ~bit
            reply = scene.texts.heat
        else:
            state.cool |= bit
            state.hot &= ~bit
            reply = scene.texts.cool
        return reply.format(o=name, r=scene.layout.names[r])

    def _inform(self, verb: str, r: int) -> str:
        scene, held = self.scene, self.state.held
        if verb == "examine":
            return self.contents_text(r)
        if verb == "look":
            return self.look_text()
        if verb == "inventory":
            if held < 0:
                return scene.texts.empty_handed
            return scene.texts.carrying.format(list="a " + scene.names[held])
        assert scene.texts.help is not None
        return scene.texts.help

    # ---------------------------------------------------------------- texts

    def intro(self) -> str:
        """Returns the first observation."""
        return self.scene.texts.intro.format(
            look=self.look_text(arriving=True), task=self.scene.task
        )

    def look_text(self, *, arriving: bool = False) -> str:
        """Returns what "look" shows; on arriving in the room, that is all its receptacles.

        The original lists the receptacles at the agent's location, which the first observation
        does not bind; so looking again in the middle of the room shows nothing.
        """
        scene, state = self.scene, self.state
        here = scene.layout.at.get(state.location)
        if here is None:
            return scene.texts.room.format(list=scene.layout.room if arriving else "nothing")
        facing = [scene.layout.names[r] for r in here]
        bit, mask = 1 << state.location, scene.layout.masks_at[state.location]
        # The original lists an object once per receptacle here that it has been taken from.
        stray = [
            "a " + scene.names[o]
            for o in sorted(state.not_in)
            if state.object_at.get(o, 0) & bit
            for _ in bits(state.not_in[o] & mask)
        ]
        return scene.texts.facing.format(receptacles=enumeration(facing), list=enumeration(stray))

    def _arrival(self, r: int) -> str:
        key = (r, self.state.contents[r], self.state.opened >> r & 1)
        text = self._arrivals.get(key)
        if text is None:
            if len(self._arrivals) >= _CACHE_SIZE:
                self._arrivals.clear()
            name = self.scene.layout.names[r]
            layout = self.scene.layout
            text = self.scene.texts.arrive.format(
                r=name,
                l=layout.location_names[layout.locations[r]],
                examine=self.contents_text(r),
            )
            self._arrivals[key] = text
        return text

    def contents_text(self, r: int) -> str:
        """Returns what examining receptacle `r` shows."""
        scene, state = self.scene, self.state
        name = scene.layout.names[r]
        if not scene.layout.openable >> r & 1:
            return scene.texts.on_top.format(r=name, list=scene.listed(state.contents[r]))
        if state.opened >> r & 1:
            return scene.texts.inside.format(r=name, list=scene.listed(state.contents[r]))
        return scene.texts.closed.format(r=name)

    def object_text(self, o: int) -> str:
        """Returns what examining object `o` shows."""
        scene, state, bit = self.scene, self.state, 1 << o
        # "not_istoggled" never holds: it asks for a withdrawn fact, and no command withdraws it.
        facts = {
            "isreceptacleobject": scene.vessels & bit,
            "isclean": state.clean & bit,
            "ishot": state.hot & bit,
            "iscool": state.cool & bit,
            "issliced": state.sliced & bit,
            "toggleable": scene.toggleable & bit,
            "istoggled": state.toggled & bit,
            "sliceable": scene.sliceable & bit,
        }
        for conditions, template in scene.texts.object_conditions:
            if all(facts.get(condition) for condition in conditions):
                inner = enumeration(["a " + scene.names[i] for i in scene.inner.get(o, ())])
                return template.format(o=scene.names[o], list=inner)
        raise AssertionError("The last condition always holds.")
