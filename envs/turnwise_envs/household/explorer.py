"""A demonstrator that knows only what the agent was shown.

The oracle walks straight to objects that nobody has seen yet; imitating it teaches guessing. The
explorer looks into the receptacles that were not visited yet, in random order, until what it needs
has been seen, and takes the oracle's steps from there. Every command it gives could have been
given by an agent without hidden knowledge.
"""

from __future__ import annotations

import numpy as np

from turnwise_envs.household.belief import Belief
from turnwise_envs.household.engine import Engine
from turnwise_envs.household.scene import bits


def explore(
    engine: Engine, belief: Belief, planned: str | None, rng: np.random.Generator
) -> str | None:
    """Returns the explorer's command where the oracle's would be `planned`.

    Args:
        engine: the game.
        belief: what was shown.
        planned: the first command of a shortest plan, None if there is none.
        rng: draws the next place to search.
    """
    state, goal, layout = engine.state, engine.goal, engine.scene.layout
    if planned is None or not planned.startswith("go to "):
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
        if contents & wanted & belief.known:
            return f"go to {layout.names[r]}"
    for r in layout.at.get(state.location, ()):
        if layout.openable >> r & 1 and not state.opened >> r & 1:
            return f"open {layout.names[r]}"
    unseen = [r for r in range(len(layout.names)) if not belief.visited >> r & 1]
    if not unseen:
        return planned
    return f"go to {layout.names[unseen[int(rng.integers(len(unseen)))]]}"
