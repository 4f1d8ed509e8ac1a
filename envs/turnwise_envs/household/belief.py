"""What the agent has been shown, and the three digests of a state.

Contents change only by the agent's own hand, so what was once seen stays true.

The keys:

* `state_key`: all facts of the game; two states of a task with one key answer every further
  command alike.
* `belief_key`: task, place, hand, and for every receptacle that was visited its openness and the
  objects known to be there. It uses names only, so that hidden objects cannot leak into it.
* `anchor_key`: what decides the next sensible command: task sentence, where the agent stands and
  whether that is open, whether it holds a target (and treated) or something else, which targets it
  knows of and where, how many are delivered, and the lamp. It forgets distractors, what was
  searched on the way, and the order in which it happened.
"""

from __future__ import annotations

from hashlib import blake2b

from turnwise_envs.household.engine import Action, Engine
from turnwise_envs.household.scene import bits

_ENCODING = ("utf-8", "surrogatepass")


def _hash(text: str) -> blake2b:
    return blake2b(text.encode(*_ENCODING), digest_size=8)


class Belief:
    """What the agent of one game knows.

    Attributes:
        visited: mask of the receptacles whose openness was shown.
        known: mask of the objects whose place was shown.
    """

    def __init__(self, engine: Engine, visited: int = 0, known: int = 0) -> None:
        self.engine = engine
        self.visited = visited
        self.known = known
        self._parts = ["?"] * len(engine.scene.layout.names)
        self._where: dict[int, int] = {}
        self._room = _hash(f"{engine.scene.task}|{engine.scene.layout.room}|")
        self._facts = self._shown = self._relevant = self._room
        self._hand = ""
        self._keys: tuple[str, str, str] | None = None
        if known or visited:
            for r in range(len(self._parts)):
                self._refresh(r)
        self._hash_facts()
        self._hash_knowledge()

    def __reduce__(self) -> tuple[type[Belief], tuple[Engine, int, int]]:
        # Hash objects do not pickle; everything follows from these three.
        return Belief, (self.engine, self.visited, self.known)

    def update(self, action: Action | None) -> None:
        """Takes note of what the reply to `action` showed."""
        if action is None:
            return
        verb, o, r = action
        if verb in ("look", "inventory", "help", "examine object"):
            return
        self._keys = None
        if verb == "go to" or verb == "examine":
            if self.visited >> r & 1 and not self._unseen(r):
                return
            self._see(r)
        else:
            if verb == "open" or verb == "close":
                self._see(r)
            elif verb == "take" or verb == "move":
                self.known |= 1 << o
                self._where.pop(o, None)
                self._refresh(r)
            self._hash_facts()
        self._hash_knowledge()

    def _unseen(self, r: int) -> int:
        """Returns the mask of the objects that examining `r` would show for the first time."""
        state, layout = self.engine.state, self.engine.scene.layout
        if state.opened >> r & 1 or not layout.openable >> r & 1:
            return state.contents[r] & ~self.known
        return 0

    def _see(self, r: int) -> None:
        self.visited |= 1 << r
        self.known |= self._unseen(r)
        self._refresh(r)

    def _refresh(self, r: int) -> None:
        state, scene = self.engine.state, self.engine.scene
        shown = state.contents[r] & self.known
        status = "?"
        if self.visited >> r & 1:
            status = "-"
            if scene.layout.openable >> r & 1:
                status = "o" if state.opened >> r & 1 else "c"
        names = scene.names
        self._parts[r] = status + ",".join([names[o] for o in bits(shown)])
        goal = self.engine.goal
        for o in bits(shown & (goal.targets | goal.lamps)):
            self._where[o] = r

    def _hash_facts(self) -> None:
        """Hashes the facts, but for the agent's place, which `keys` adds."""
        state, scene = self.engine.state, self.engine.scene
        # An object that was never taken counts as present where it was at the start.
        moved = [(o, gone, state.object_at[o]) for o, gone in sorted(state.not_in.items())]
        flags = (state.clean, state.hot, state.cool, state.toggled, state.on, state.sliced)
        self._facts = _hash(
            f"{scene.key} {state.held} {state.opened} {state.contents} {flags} {moved} "
        )
        names = scene.names
        hand = names[state.held] if state.held >= 0 else ""
        treated = [[names[o] for o in bits(mask & self.known)] if mask else [] for mask in flags]
        self._hand = f"{hand}|{treated}|"

    def _hash_knowledge(self) -> None:
        """Hashes what was shown and what of it matters, but for the agent's place."""
        self._shown = self._room.copy()
        self._shown.update(f"{self._hand}{'|'.join(self._parts)}|".encode(*_ENCODING))
        self._relevant = _hash(self._relevance())

    def _relevance(self) -> str:
        """Returns what the anchor holds besides the place: task, hand, known targets."""
        engine = self.engine
        scene, state, goal = engine.scene, engine.state, engine.goal
        treated = goal.treated(state)
        hand = "empty"
        if state.held >= 0:
            hand = "other"
            if goal.targets >> state.held & 1:
                hand = "ready" if treated >> state.held & 1 else "target"
        targets = []
        for o, r in self._where.items():
            ready = (state.toggled if goal.lamps >> o & 1 else treated) >> o & 1
            targets.append((scene.layout.names[r], goal.lamps >> o & 1, ready))
        targets.sort()
        return f"{scene.task}|{hand}|{targets}|"

    def keys(self) -> tuple[str, str, str]:
        """Returns (state_key, belief_key, anchor_key)."""
        if self._keys is None:
            layout, location = self.engine.scene.layout, self.engine.state.location
            here = layout.at.get(location, ())
            place = layout.names[here[0]] if here else ""
            openness = "".join([self._parts[r][0] for r in here])
            # Only the place is new where the agent merely walked: the rest is hashed already.
            facts, shown, relevant = self._facts.copy(), self._shown.copy(), self._relevant.copy()
            facts.update(b"%d" % location)
            shown.update(place.encode(*_ENCODING))
            relevant.update(f"{place}{openness}".encode(*_ENCODING))
            self._keys = (facts.hexdigest(), shown.hexdigest(), relevant.hexdigest())
        return self._keys
