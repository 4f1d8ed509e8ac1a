"""A demonstrator that knows only what the agent was shown, and heeds what it was told.

The oracle walks straight to objects that nobody has seen yet; imitating it teaches guessing. The
explorer looks into the receptacles that were not visited yet, in random order, until what it needs
has been seen, and takes the oracle's steps from there. Every command it gives could have been
given by an agent without hidden knowledge.

Some sentences of an instruction change what it does (`HABITS`); others it overlooks. A policy that
learns from its episodes under many instructions learns to heed these sentences.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from turnwise_envs.household.belief import Belief
from turnwise_envs.household.engine import Engine
from turnwise_envs.household.scene import bits

HABITS = {
    "Begin at the place that the task names.": "goal",
    "Look for the object in the likeliest places first.": "likely",
    "Search what stands open before you open anything.": "open",
    "Search closed receptacles before open ones.": "closed",
    "Look into every receptacle before you take anything.": "survey",
}
"""Sentence -> habit: where the search begins, in the order in which they are applied, and whether
it ends before everything was seen. "likely" are the receptacles that can hold the object, but for
those where it is wanted. Of "open" and "closed" the first holds."""


def explore(
    engine: Engine,
    belief: Belief,
    planned: str | None,
    rng: np.random.Generator,
    instruction: str = "",
) -> str | None:
    """Returns the explorer's command where the oracle's would be `planned`.

    Args:
        engine: the game.
        belief: what was shown.
        planned: the first command of a shortest plan, None if there is none.
        rng: draws the next place to search.
        instruction: what the explorer was told.
    """
    state, goal, layout = engine.state, engine.goal, engine.scene.layout
    habits = {habit for sentence, habit in HABITS.items() if sentence in instruction}
    unseen = [r for r in range(len(layout.names)) if not belief.visited >> r & 1]
    surveying = bool("survey" in habits and state.held < 0 and unseen)
    if planned is None or not (surveying or planned.startswith("go to ")):
        return planned
    if state.held < 0:
        wanted = goal.targets
        for r in bits(goal.places):
            wanted &= ~state.contents[r]
    elif goal.kind == "look_at_obj_in_light" and goal.targets >> state.held & 1:
        wanted = goal.lamps
    else:
        return planned  # receptacles are listed in the opening; carrying needs no search
    for r, contents in enumerate(state.contents):
        if contents & wanted & belief.known and not surveying:
            return f"go to {layout.names[r]}"
    for r in layout.at.get(state.location, ()):
        if layout.openable >> r & 1 and not state.opened >> r & 1:
            return f"open {layout.names[r]}"
    if not unseen:
        return planned
    for prefers in _preferences(engine, wanted, habits):
        unseen = [r for r in unseen if prefers(r)] or unseen
    return f"go to {layout.names[unseen[int(rng.integers(len(unseen)))]]}"


def _preferences(engine: Engine, wanted: int, habits: set[str]) -> list[Callable[[int], int]]:
    """Returns tests of a receptacle, most important first; where none passes, a test is void."""
    fitting = 0
    for o in bits(wanted & engine.scene.pickupable):
        fitting |= engine.scene.holders[o]
    likely, openable = fitting & ~engine.goal.places, engine.scene.layout.openable
    tests: dict[str, Callable[[int], int]] = {
        "goal": lambda r: engine.goal.places >> r & 1,
        "likely": lambda r: likely >> r & 1,
        "open": lambda r: not openable >> r & 1,
        "closed": lambda r: openable >> r & 1,
    }
    return [tests[habit] for habit in HABITS.values() if habit in habits and habit in tests]
