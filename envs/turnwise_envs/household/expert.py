"""The oracle: a shortest plan from any state, in closed form.

A plan is a short list of stages, each at one receptacle: put down what is in the way, take the
object, treat it, deliver it. Between stages the agent walks (one command unless it stands there
already) and opens what is closed (one command). Every stage list worth considering is enumerated
and costed; the cheapest gives the next command. Nothing else can be shorter: walking takes one
command between any two places, opening costs the same whenever it is done, and nothing needs to be
closed again.
"""

from __future__ import annotations

from collections.abc import Iterator

from turnwise_envs.household.goals import Goal
from turnwise_envs.household.scene import Scene, State, bits

Stage = tuple[str, int, int]
"""(verb, object or -1, receptacle); the verb "stand" only asks to be there."""

_NEEDS_ACCESS = frozenset({"take", "move"})


class Expert:
    """Plans for one scene and goal."""

    def __init__(self, scene: Scene, goal: Goal) -> None:
        self.scene = scene
        self.goal = goal

    def next_command(self, state: State) -> str | None:
        """Returns the first command of a shortest plan; None if there is none or all is done."""
        plan = self.plan(state)
        if not plan:
            return None
        layout, names = self.scene.layout, self.scene.names
        verb, o, r = plan[0]
        place = layout.names[r]
        if state.location != layout.locations[r]:
            return f"go to {place}"
        if verb in _NEEDS_ACCESS and self._closed(state) >> r & 1:
            return f"open {place}"
        if verb == "take":
            return f"take {names[o]} from {place}"
        if verb == "move":
            return self.scene.texts.move_command.format(o=names[o], r=place)
        if verb == "use":
            return f"use {names[o]}"
        return f"{verb} {names[o]} with {place}"

    def plan(self, state: State) -> list[Stage] | None:
        """Returns the stages of a shortest plan, [] if the goal holds, None if it cannot."""
        if self.goal.holds(self.scene, state):
            return []
        best: list[Stage] | None = None
        least = 10**9
        for stages in self._candidates(state):
            cost = self._cost(state, stages)
            if cost < least:
                least, best = cost, stages
        if best and best[-1][0] == "stand" and len(best) > 1 and best[0][0] == "stand":
            best = best[1:]
        return best

    def plan_length(self, state: State) -> int | None:
        """Returns the number of commands of a shortest plan, None if there is none."""
        plan = self.plan(state)
        return None if plan is None else self._cost(state, plan)

    def _closed(self, state: State) -> int:
        return self.scene.layout.openable & ~state.opened

    def _cost(self, state: State, stages: list[Stage]) -> int:
        locations = self.scene.layout.locations
        place, closed, cost = state.location, self._closed(state), 0
        for verb, _, r in stages:
            if locations[r] != place:
                place = locations[r]
                cost += 1
            if verb == "stand":
                continue
            if verb in _NEEDS_ACCESS and closed >> r & 1:
                closed ^= 1 << r
                cost += 1
            cost += 1
        return cost

    # ---------------------------------------------------------------- what is worth trying

    def _candidates(self, state: State) -> Iterator[list[Stage]]:
        kind = self.goal.kind
        if kind == "look_at_obj_in_light":
            yield from self._looks(state)
        elif kind == "pick_two":
            yield from self._pairs(state)
        else:
            for o, r in self._sources(state):
                for fetch in self._fetches(state, o, r, self._ends(state, {o})):
                    for treat in self._treatments(state, o):
                        for end in self._ends(state, {o}):
                            if not self.scene.holders[o] >> end & 1:
                                continue
                            yield [*fetch, *treat, ("move", o, end)]

    def _sources(self, state: State) -> list[tuple[int, int]]:
        """Returns (target, receptacle it is in); -1 for the hand."""
        found = []
        if state.held >= 0 and self.goal.targets >> state.held & 1:
            found.append((state.held, -1))
        targets = self.goal.targets & self.scene.pickupable
        for r, contents in enumerate(state.contents):
            found += [(o, r) for o in bits(contents & targets)]
        return found

    def _treatments(self, state: State, o: int) -> list[list[Stage]]:
        scene, kind = self.scene, self.goal.kind
        if kind not in ("clean", "heat", "cool") or self.goal.treated(state) >> o & 1:
            return [[]]
        able, stations = {
            "clean": (scene.cleanable, scene.cleaners),
            "heat": (scene.heatable, scene.heaters),
            "cool": (scene.coolable, scene.coolers),
        }[kind]
        return [[(kind, o, r)] for r in bits(stations)] if able >> o & 1 else []

    def _fetches(self, state: State, o: int, r: int, ends: list[int]) -> list[list[Stage]]:
        """Returns the ways to have `o` in hand, putting down first what is in the way."""
        if r < 0:
            return [[]]
        take: Stage = ("take", o, r)
        if state.held < 0:
            return [[take]]
        return [[("move", state.held, d), take] for d in self._drops(state, r, ends)]

    def _drops(self, state: State, source: int, ends: list[int]) -> list[int]:
        """Returns receptacles to put the held object into, one of each useful sort.

        Useful sorts: at the agent's place, at the source's place, the source itself, an end, and
        anywhere; of each the open one if there is one.
        """
        held = state.held
        locations, closed = self.scene.layout.locations, self._closed(state)
        sorts: dict[object, int] = {}
        for r in bits(self.scene.holders[held]):
            shut = closed >> r & 1
            if r == source or r in ends:
                sorts[r] = r
            here = locations[r] == state.location
            there = locations[r] == locations[source]
            sorts.setdefault((here, there, shut), r)
        return list(sorts.values())

    def _ends(self, state: State, objects: set[int]) -> list[int]:
        """Returns the goal's receptacles, one of each useful sort."""
        scene, goal = self.scene, self.goal
        locations, closed = scene.layout.locations, self._closed(state)
        special = {state.location}
        marked: set[int] = set()
        for r, contents in enumerate(state.contents):
            if contents & goal.targets:
                special.add(locations[r])
                marked.add(r)
        for r in bits(scene.cleaners | scene.heaters | scene.coolers):
            special.add(locations[r])
        sorts: dict[object, int] = {}
        for r in bits(goal.places):
            if r in marked:
                sorts[r] = r
                continue
            place = locations[r] if locations[r] in special else -1
            shared = len(scene.layout.at[locations[r]]) > 1
            sorts.setdefault((place, closed >> r & 1, r if shared else -1), r)
        return list(sorts.values())

    # ---------------------------------------------------------------- two objects; the lamp

    def _pairs(self, state: State) -> Iterator[list[Stage]]:
        sources = self._sources(state)
        ends = self._ends(state, set())
        fits, targets = self.scene.holders, self.goal.targets
        for end in ends:
            if state.contents[end] & targets:
                for o, r in sources:
                    if r != end and fits[o] >> end & 1:
                        for fetch in self._fetches(state, o, r, ends):
                            yield [*fetch, ("move", o, end)]
            for o, r in sources:
                if r == end or not fits[o] >> end & 1:
                    continue
                for p, s in sources:
                    if p == o or s == end or s < 0 or not fits[p] >> end & 1:
                        continue
                    tail: list[Stage] = [("move", o, end), ("take", p, s), ("move", p, end)]
                    for fetch in self._fetches(state, o, r, ends):
                        yield [*fetch, *tail]

    def _looks(self, state: State) -> Iterator[list[Stage]]:
        lamps = self.goal.lamps
        shown = [(o, r) for r, c in enumerate(state.contents) for o in bits(c & lamps)]
        for o, r in self._sources(state):
            for fetch in self._fetches(state, o, r, [lamp_r for _, lamp_r in shown]):
                for lamp, stand in shown:
                    if state.toggled >> lamp & 1:
                        yield [*fetch, ("stand", lamp, stand)]
                    elif self.scene.toggleable >> lamp & 1:
                        yield [*fetch, ("use", lamp, stand)]
                        yield [("use", lamp, stand), *fetch, ("stand", lamp, stand)]
