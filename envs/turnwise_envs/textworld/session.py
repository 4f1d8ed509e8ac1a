"""One running game: commands in, text and what is known about the state out.

Three engines are behind the same calls: games that TextWorld made (`InformSession`: the z-machine
says the text, TextWorld's own logic tracks facts, commands and the winning policy), other z-machine
games (`StorySession`, Jericho alone) and PDDL games (`PddlSession`, TextWorld's planner engine).
Every interpreter is a copy of its own in memory, so sessions do not disturb each other.
"""

from __future__ import annotations

import re
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from turnwise_envs.errors import DependencyNotInstalled

Fact = tuple[str, ...]
"""Name of the predicate, then the identifiers of its arguments."""

MAX_COMMAND_BYTES = 190  # the z-machine's input buffer holds 198

META_COMMANDS = frozenset(
    (
        *("save", "restore", "restart", "quit", "q", "undo", "again", "g", "oops"),
        *("script", "transcript", "unscript", "recording", "replay", "commands", "random"),
        *("notify", "verify", "version", "superbrief", "brief", "verbose", "normal", "pronouns"),
    )
)
"""Commands to the interpreter, not to the world: they would turn back its clock or end it."""

REFUSED = "That is not something you can do in this game."

_PROMPT = re.compile(r"\n>[^\n]*\Z")
_BLANKS = re.compile(r"\n\n\n+")
_EVENT = re.compile(r"\[([^]]+)\]\n?")
_TAG = re.compile(r"<(score|moves)>\n(.*?)</\1>", re.DOTALL)
_END = re.compile(r"\*\*\* (?:The End|You lost!) \*\*\*")
_SUCCEEDED = " - succeeded"


@dataclass(frozen=True)
class Situation:
    """What is known after a command.

    Attributes:
        text: what the game says.
        admissible: the sorted commands that do something here; None where nobody knows.
        score: points so far.
        won, lost: whether the game has ended so.
        valid: whether the command did something.
        nearer: 1, 0 or -1: whether the shortest known solution became shorter, stayed, or grew.
        plan: the next command of a solution, or None.
        facts: the facts of the world; None where nobody knows.
        events: what the parser understood and carried out, e.g. "examining cookbook".
    """

    text: str
    admissible: tuple[str, ...] | None = None
    score: int = 0
    won: bool = False
    lost: bool = False
    valid: bool = True
    nearer: int = 0
    plan: str | None = None
    facts: tuple[Fact, ...] | None = None
    events: tuple[str, ...] = ()


def clean(text: str) -> str:
    """Returns what the game says without prompt, status line and runs of blank lines."""
    text = _PROMPT.sub("", "\n" + text.rstrip())
    return _BLANKS.sub("\n\n", "\n".join(map(str.rstrip, text.split("\n")))).strip()


def spoken(command: str) -> str:
    """Returns a command as the interpreter can take it: one line, few bytes, printable ASCII."""
    line = " ".join(command.split())
    line = "".join(c if c.isascii() and c.isprintable() else "?" for c in line)
    return line[:MAX_COMMAND_BYTES]


def is_meta(line: str) -> bool:
    """Returns whether a line holds a command to the interpreter, also after a full stop."""
    for sentence in re.split(r"[.,;]|\bthen\b", line.lower()):
        first = sentence.split()[:1]
        if first and (first[0] in META_COMMANDS or first[0].startswith(("tw-", "#"))):
            return True
    return False


class Session(ABC):
    """One running game.

    Attributes:
        max_score: points of a perfect game; at least 1.
        has_facts: whether `Situation.facts` is known.
    """

    max_score = 1
    has_facts = False

    @abstractmethod
    def reset(self) -> Situation:
        """Starts the game."""

    @abstractmethod
    def step(self, command: str) -> Situation:
        """Plays one command."""

    def save(self) -> Any:
        """Returns the engine's state for `load` in this process, or None if it cannot."""
        return None

    def load(self, saved: Any) -> Situation:
        """Goes back to a saved state of the same game, perhaps of another session."""
        raise NotImplementedError(f"{type(self).__name__} saves nothing.")


def _frotz(path: Path) -> Any:
    try:
        import jericho
    except ImportError as error:
        raise DependencyNotInstalled(
            f"Playing {path.name} needs jericho ({error}). Install turnwise[textworld]."
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jericho.UnsupportedGameWarning)
        return jericho.FrotzEnv(str(path), seed=1)


class StorySession(Session):
    """A z-machine game that TextWorld did not make, through Jericho.

    Points, victory and valid commands are known for the games that Jericho knows; for any other
    the text is all there is.
    """

    def __init__(self, path: Path) -> None:
        self._frotz = _frotz(path)
        self._known = bool(self._frotz.is_fully_supported)
        self.max_score = max(1, self._frotz.get_max_score())

    def reset(self) -> Situation:
        """Starts the game."""
        return self._situation(self._frotz.reset()[0], changed=True)

    def step(self, command: str) -> Situation:
        """Plays one command."""
        line = spoken(command)
        if is_meta(line):
            return replace(self._last, text=REFUSED, valid=False, nearer=0)
        text = self._frotz.step(line)[0]
        return self._situation(text, changed=not self._known or self._frotz._world_changed())

    def _situation(self, text: str, changed: bool) -> Situation:
        frotz = self._frotz
        self._last = Situation(
            clean(text),
            tuple(sorted(set(frotz.get_valid_actions()))) if self._known else None,
            frotz.get_score(),
            frotz.victory(),
            frotz.game_over() and not frotz.victory(),
            valid=changed,
        )
        return self._last

    def save(self) -> Any:
        """Returns the interpreter's state."""
        return self._frotz.get_state(), self._last

    def load(self, saved: Any) -> Situation:
        """Goes back to a saved state."""
        state, self._last = saved
        self._frotz.set_state(state)
        return self._last


class InformSession(Session):
    """A game that TextWorld made: `game.z8` with `game.json` beside it.

    What TextWorld's own stack of wrappers asks of the interpreter at every step is asked here too;
    restarting goes back to the saved first state instead of running the game's start again.
    """

    has_facts = True

    def __init__(self, path: Path) -> None:
        from textworld.generator.game import Game
        from textworld.generator.inform7 import Inform7Game

        self._game = Game.load(str(path.with_suffix(".json")))
        self._inform = Inform7Game(self._game)
        self._frotz = _frotz(path)
        self._first: Any = None
        self.max_score = max(1, self._game.max_score)
        self.objective: str = self._game.objective

    def reset(self) -> Situation:
        """Starts the game."""
        if self._first is None:
            self._start()
        return self.load(self._first)

    def _start(self) -> None:
        from textworld.generator.game import GameProgression

        text, _ = self._frotz.reset()
        self._frotz.step("tw-trace-actions")
        self._frotz.step("tw-extra-infos score")
        self._progression = GameProgression(self._game, track_quests=True)
        self._policy = self._progression.winning_policy
        # The banner is in front of the objective.
        _, objective, rest = text.partition(self.objective)
        text = objective + rest if objective else text.partition("\n-= ")[1].lstrip("\n") + text
        self._last = self._situation(text, score=0)
        self._first = self.save()

    def step(self, command: str) -> Situation:
        """Plays one command."""
        line = spoken(command)
        if is_meta(line):
            self._last = replace(self._last, text=REFUSED, valid=False, nearer=0, events=())
            return self._last
        text = self._frotz.step(line)[0]
        score = self._last.score
        tags = dict(_TAG.findall(text))
        if "score" in tags:
            score = int(_EVENT.sub("", tags["score"]).split()[0])
        text = _TAG.sub("", text)
        events = [e.partition(_SUCCEEDED)[0] for e in _EVENT.findall(text) if _SUCCEEDED in e]
        text = _EVENT.sub("", text)
        valid = bool(events) or line in (self._last.admissible or ())
        before, changed = self._policy, False
        for event in events:
            if "(" in event or ")" in event:
                continue  # a rule within an action
            action = self._inform.detect_action(event, self._progression.valid_actions)
            if action is not None:
                self._progression.update(action)
                changed = True
        if changed:
            self._policy = self._progression.winning_policy
        gained = len(before or ()) - len(self._policy or ())
        nearer = 0 if before is None or self._policy is None else (gained > 0) - (gained < 0)
        self._last = replace(
            self._situation(text, score) if changed else self._told(self._last, text, score),
            valid=valid,
            events=tuple(events),
        )
        if not (self._last.won or self._last.lost):
            self._last = replace(self._last, nearer=nearer)
        return self._last

    def _situation(self, text: str, score: int) -> Situation:
        """Returns what holds in the world as it is now."""
        commands = self._inform.gen_commands_from_actions(self._progression.valid_actions)
        plan = self._inform.gen_commands_from_actions((self._policy or ())[:1])
        world = Situation(
            "",
            admissible=tuple(sorted(set(commands))),
            plan=plan[0] if plan else None,
            facts=tuple(
                (fact.name, *[argument.name for argument in fact.arguments])
                for fact in self._progression.state.facts
            ),
        )
        return self._told(world, text, score)

    @staticmethod
    def _told(world: Situation, text: str, score: int) -> Situation:
        """Returns a situation with a reply, in which the game may have ended."""
        won, lost = "*** The End ***" in text, "*** You lost! ***" in text
        text = clean(_until_the_end(text))
        return replace(world, text=text, score=score, won=won, lost=lost, nearer=int(won) - lost)

    def save(self) -> Any:
        """Returns the interpreter's state and that of TextWorld's logic."""
        return self._frotz.get_state(), self._progression.copy(), self._policy, self._last

    def load(self, saved: Any) -> Situation:
        """Goes back to a saved state."""
        state, progression, self._policy, self._last = saved
        self._frotz.set_state(state)
        self._progression = progression.copy()
        return self._last


def _until_the_end(text: str) -> str:
    """Cuts what follows the end of the game: the final score and the question whether to quit."""
    found = _END.search(text)
    return f"{text[: found.start()].rstrip()}\n\n{found.group()}" if found else text


class PddlSession(Session):
    """A PDDL game (`.tw-pddl`) through TextWorld's engine, which needs Fast Downward."""

    has_facts = True

    def __init__(self, path: Path) -> None:
        import textworld
        from textworld.envs.pddl import pddl

        if pddl.fast_downward_missing:
            raise DependencyNotInstalled(
                f"Playing {path.name} needs Fast Downward. Install textworld[pddl]; ALFWorld's "
                "games are played by turnwise/Household-v0 without it."
            )
        infos = textworld.EnvInfos(admissible_commands=True, policy_commands=True, won=True)
        self._env = textworld.start(str(path), infos)
        self._plan: list[str] = []

    def reset(self) -> Situation:
        """Starts the game."""
        return self._situation(self._env.reset(), valid=True, before=None)

    def step(self, command: str) -> Situation:
        """Plays one command."""
        before, admissible = len(self._plan), self._last.admissible or ()
        state, _, _ = self._env.step(command)
        return self._situation(state, valid=command.strip() in admissible, before=before)

    def _situation(self, state: Any, valid: bool, before: int | None) -> Situation:
        self._plan = list(state.policy_commands or ())
        gained = 0 if before is None else before - len(self._plan)
        self._last = Situation(
            clean(state.feedback),
            tuple(state.admissible_commands),
            int(state.won),
            state.won,
            False,
            valid,
            1 if state.won else (gained > 0) - (gained < 0),
            self._plan[0] if self._plan else None,
            tuple(
                (fact.name, *[argument.name for argument in fact.arguments])
                for fact in state["_facts"]
            ),
        )
        return self._last


def open_session(path: Path) -> Session:
    """Returns a session of a playable file: `.z*`, with or without `.json`, or `.tw-pddl`."""
    if path.name.endswith(".tw-pddl"):
        return PddlSession(path)
    if path.with_suffix(".json").exists():
        return InformSession(path)
    return StorySession(path)
