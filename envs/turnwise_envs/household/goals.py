"""Goals: the six task types as fast tests, and general PDDL goal formulas."""

from __future__ import annotations

from dataclasses import dataclass

from turnwise_envs.household.scene import Scene, State, bits

KINDS = (
    "pick_and_place",
    "look_at_obj_in_light",
    "clean",
    "heat",
    "cool",
    "pick_two",
)
"""The six task types, in the order in which they are dealt to generated tasks."""


_DECISIVE = frozenset(("move", "clean", "heat", "cool"))


@dataclass(frozen=True)
class Goal:
    """One of the six task types over a scene.

    Attributes:
        kind: one of `KINDS`.
        targets: mask of the objects that would do.
        places: mask of the receptacles that would do (0 for looking).
        lamps: mask of the lamps that would do (0 otherwise).
    """

    kind: str
    targets: int
    places: int
    lamps: int = 0

    def may_follow(self, verb: str) -> bool:
        """Returns whether an action with this verb can be the one that reaches the goal."""
        return verb in _DECISIVE or self.kind in ("look_at_obj_in_light", "other")

    def treated(self, state: State) -> int:
        """Returns the mask of the targets that are clean, hot or cool as asked."""
        kind = self.kind
        if kind == "clean":
            return self.targets & state.clean
        if kind == "heat":
            return self.targets & state.hot
        if kind == "cool":
            return self.targets & state.cool
        return self.targets

    def holds(self, scene: Scene, state: State) -> bool:
        """Returns whether the goal is reached."""
        if self.kind == "look_at_obj_in_light":
            if state.held < 0 or not self.targets >> state.held & 1:
                return False
            lit = self.lamps & state.toggled
            return any(state.contents[r] & lit for r in scene.layout.at.get(state.location, ()))
        ready = self.treated(state)
        wanted = 2 if self.kind == "pick_two" else 1
        contents = state.contents
        return any((contents[r] & ready).bit_count() >= wanted for r in bits(self.places))
