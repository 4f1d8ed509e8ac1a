"""`TextWorldEnv`: games of the textworld package, generated or the user's own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from turnwise_envs.core import StepResult, TextEnv, digest
from turnwise_envs.errors import UsageError
from turnwise_envs.splits import Task, TaskSet
from turnwise_envs.textworld import facts as facts_
from turnwise_envs.textworld.session import Session, Situation, open_session
from turnwise_envs.textworld.tasks import textworld_tasks

GRAMMAR = """Commands:
look
inventory
go north (or south, east, west)
examine THING
open THING
close THING
unlock THING with KEY
lock THING with KEY
take THING
take THING from PLACE
put THING on SUPPORTER
insert THING into CONTAINER
drop THING
eat THING
cook FOOD with APPLIANCE
slice (or chop, dice) FOOD with KNIFE
prepare meal"""

REWARDS = ("score", "success", "nearer")
KEPT_STATES = 256
"""Engine states that snapshots leave in this process, over all environments; the oldest go."""
REPLAY_AT_MOST = 4
"""Histories this short are replayed even where the engine's state is kept: it is as quick."""

_READ_COOKBOOK = "examine cookbook"

_kept: OrderedDict[tuple[str, str], Any] = OrderedDict()


class TextWorldEnv(TextEnv):
    """Games of the TextWorld package: cook, collect, hunt for treasure, or play your own files.

    ## Description

    TextWorld (Cote et al. 2018, "TextWorld: A Learning Environment for Text-based Games",
    arXiv:1806.11532) generates games of rooms, doors, containers and quests. Four kinds are
    generated here: `cooking` (the First TextWorld Problems: read the cookbook, find, cut and cook
    the ingredients, prepare the meal and eat it), `coin_collector`, `treasure_hunter` and `custom`.
    A user's own `.z1` to `.z8`, `.json` and `.tw-pddl` files are played with `data_dir`; stories
    that TextWorld did not make go through Jericho (Hausknecht et al. 2020, arXiv:1909.05398).

    The package (extra `turnwise[textworld]`) makes, compiles and runs the games. A generated game
    is built when it is first played, in a process of its own with a fixed hash seed (TextWorld's
    generators give other games under another one), and kept in the folder `textworld` of the cache
    (variable TURNWISE_CACHE, else the user's cache folder); content hashes are checked whenever it
    is read, and for the registered configuration compared with committed ones.
    `python -m turnwise_envs.textworld.build --processes 4` builds all splits ahead of time.

    Licence: TextWorld is under the MIT licence, as are the games it makes. Jericho is under the
    GPL-2; story files have their authors' licences. Nothing of them is shipped.

    ## Action Space

    Text, one command a turn, as the game's parser takes it: "go north", "take key from chest".
    Commands to the interpreter (save, restore, restart, undo, quit, debugging) are refused. A
    command becomes one line of at most 190 printable ASCII characters.

    With `actions="menu"`, every admissible command can be chosen; typed text is answered, too. A
    game without known commands (a story that Jericho does not know) has no menu: an error.

    ## Observation Space

    Text: what the game says, without banner, prompt and status line. The first observation is the
    objective and the first room's description.

    ## Rewards

    | `reward` | each turn |
    |---|---|
    | "score" | points gained / points of a perfect game, component `score` |
    | "success" | 1.0 for the turn that wins, component `success` |
    | "nearer" | 1, 0 or -1 as the shortest known solution shrinks, stays or grows; won 1, lost -1 |

    `metrics` holds `score` (points) and `nearer` whatever the reward; `info["score"]` is points
    over a perfect game's, `success` whether the game was won.

    ## Starting State

    `seed` draws a task; `options={"task_index": i}` or `{"task_id": id}` names one. Splits of
    generated games: `train`, `valid`, `test`, of other seeds (cooking: TextWorld's own splits of
    foods and preparations, too), and `ood`, larger games of the same kind (more rooms and
    ingredients, longer paths); each of 100 tasks, and `stream`, unbounded. With `data_dir`, folders
    named after the splits are the splits; without such folders every game is in every split.

    ## Episode End

    1. Termination: the game is won (verdict "solved") or lost ("lost").
    2. Truncation: `max_turns` turns were played; verdict "turn_limit".

    ## Info

    | key | type | meaning |
    |---|---|---|
    | `admissible_actions` | list[str] or None | sorted commands that do something; None: unknown |
    | `state_key` | str | all facts of the world and the points |
    | `belief_key` | str | facts about what was seen, what was examined, and the points |
    | `anchor_key` | str | task, room, open doors and containers there, hand and its state, points |

    Games without facts (stories) key by the history of commands instead: equal histories, equal
    keys, and `state_key_exact` is False for them. Aliasing: the share of visits whose key also
    covers visits with another best next command. Splitting: the mean number of keys over the visits
    of one `state_key`. Measured by `python benchmarks/speed/textworld.py --keys` (20 cooking games,
    8 episodes each of an expert that takes every other command at random):

    | key | aliasing | splitting |
    |---|---|---|
    | `anchor_key` | .048 | 1.00 |
    | `belief_key` | 0 | 1.77 |
    | observation text | .183 | 1.74 |

    A snapshot is the list of commands played, some hundred bytes. Restored in the process that took
    it, the engine's own saved state is used (the last 256 are kept); elsewhere the commands are
    played again. Costs: `python benchmarks/speed/textworld.py`.

    The oracle (`expert_action`) is TextWorld's winning policy; it knows the recipe and every place
    beforehand. `demonstration_action` reads the cookbook first. Stories have no oracle.

    ## Arguments

    | argument | default | meaning |
    |---|---|---|
    | `game` | "cooking" | kind of generated game |
    | `game_options` | None | its options as a dict, see below |
    | `reward` | "score" | "score", "success" or "nearer" |
    | `data_dir` | None | a game file or a folder of them instead of generated games |

    | game | options (default) |
    |---|---|
    | cooking | recipe 1-5 (1), take 0-recipe (1), go 1, 6, 9 or 12 (1), open, cook, cut, drop |
    | coin_collector | level 1-300 (5) |
    | treasure_hunter | level 1-30 (5) |
    | custom | nb_rooms (3), nb_objects (6), quest_length (3), nb_parallel_quests (1) |

    Of cooking's switches only `cook` is on by default. A `.json` is compiled on first use; a `.ulx`
    is played only through the `.json` beside it, since TextWorld 1.6 has no interpreter for it. A
    `.tw-pddl` needs `textworld[pddl]` (Fast Downward, GPL-3); ALFWorld's games are played by
    `turnwise/Household-v0` without it. Files that cannot be played are listed in
    `env.unwrapped.tasks.bad`. Further arguments: `TextEnv`.

    ## Registered Configurations

    - `turnwise/TextWorld-v0`: cooking with one ingredient in one room, 50 turns.

    ## Version History

    - v0: first version; generator "textworld-games-1".
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "valid", "test", "ood")
    default_max_turns: ClassVar[int] = 50
    reward_names: tuple[str, ...] = REWARDS
    default_instruction: ClassVar[str] = (
        "You play a text adventure with short commands, one a turn. Reach the objective that the "
        "game states at its start."
    )
    grammar = GRAMMAR

    def __init__(
        self,
        *,
        game: str = "cooking",
        game_options: Mapping[str, Any] | None = None,
        reward: str = "score",
        data_dir: str | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        if reward not in REWARDS:
            raise UsageError(f"reward must be one of {', '.join(REWARDS)}, got {reward!r}.")
        self.reward = reward
        self.reward_names = (reward,)
        self._options: dict[str, Any] = {
            "game": game,
            "game_options": None if game_options is None else dict(game_options),
            "data_dir": None if data_dir is None else str(data_dir),
        }
        if data_dir is None:
            self.task_set(self.split, **self._options)  # bad options are an error here, not later
        self._session: Session | None = None
        self._session_task = ""
        self._now = Situation("")
        self._history: list[str] = []
        self._seen: set[str] = set()
        self._visited: set[str] = set()
        self._examined: set[str] = set()

    # ---------------------------------------------------------------- tasks

    @classmethod
    def task_set(cls, split: str, **options: Any) -> TaskSet:
        """Returns the generated games of a split, or the user's."""
        return textworld_tasks(split, **options)

    def task_options(self) -> dict[str, Any]:
        """Returns the arguments that choose tasks."""
        return dict(self._options)

    def identity(self) -> dict[str, Any]:
        """Returns the arguments that a snapshot's reader must share."""
        options = {**self._options, "data_dir": self._options["data_dir"] is not None}
        return {**super().identity(), **options, "reward": self.reward}

    def __getstate__(self) -> dict[str, Any]:
        # An interpreter is memory of this process; a copy opens its own and replays.
        return {**super().__getstate__(), "_session": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.task is not None and not self._over:
            self._replay(self.task, self._history)

    # ---------------------------------------------------------------- the game

    def _open(self, task: Task) -> Session:
        """Returns the session of a task's game, started or not."""
        if self._session is None or self._session_task != task.id:
            path = self.tasks.open(task)  # type: ignore[attr-defined]
            self._session, self._session_task = open_session(path), task.id
        return self._session

    def start(self, task: Task) -> str:
        """Starts the game of `task`."""
        session = self._open(task)
        self._history, self._examined = [], set()
        self._seen, self._visited = set(), set()
        self._notice(session.reset())
        if self.actions == "menu" and self._now.admissible is None:
            raise UsageError(
                'actions="menu" needs a game whose commands are known, this one\'s are not. '
                'Use actions="text".'
            )
        return self._now.text

    def _notice(self, now: Situation) -> None:
        """Takes note of a new situation and of what it showed."""
        self._now = now
        if now.facts is not None:
            self._seen |= facts_.present(now.facts)
            self._visited.add(facts_.place_of(now.facts))
            self._examined.update(e for e in now.events if e.startswith("examining "))

    def apply(self, action: str) -> StepResult:
        """Plays one command."""
        assert self._session is not None
        before = self._now
        self._history.append(action)
        self._notice(self._session.step(action))
        now = self._now
        best = self._session.max_score
        if self.reward == "score":
            components = {"score": (now.score - before.score) / best}
        elif self.reward == "success":
            components = {"success": 1.0} if now.won else {}
        else:
            components = {"nearer": float(now.nearer)}
        return StepResult(
            now.text,
            reward_components={name: value for name, value in components.items() if value},
            terminated=now.won or now.lost,
            action_is_valid=now.valid,
            success=now.won,
            score=min(1.0, max(0.0, now.score / best)),
            verdict="solved" if now.won else "lost" if now.lost else "",
            metrics={"score": float(now.score), "nearer": float(now.nearer)},
        )

    @property
    def state_key_exact(self) -> bool:  # type: ignore[override]
        """Whether `state_key` is a function of the world's state: not for stories."""
        return self._session is None or self._session.has_facts

    def admissible_actions(self) -> list[str] | None:
        """Returns the commands that do something here, None where nobody knows them."""
        return None if self._now.admissible is None else list(self._now.admissible)

    def keys(self) -> tuple[str, str, str]:
        """Returns the digests of state, of what was shown, and of what matters for grouping."""
        assert self.task is not None
        facts, score = self._now.facts, self._now.score
        if facts is None:
            history = digest("\n".join([self.task.id, *self._history]))
            return history, history, history
        lines = facts_.lines_of(facts)
        shown = facts_.lines_of(facts_.shown(facts, self._seen, self._visited))
        return (
            digest(f"{self.task.id}\n{score}\n{lines}"),
            digest(f"{self.task.id}\n{score}\n{sorted(self._examined)}\n{shown}"),
            digest(f"{self.task.id}\n{score}\n{facts_.hand_and_place(facts)}"),
        )

    def expert_action(self) -> str | None:
        """Returns the next command of TextWorld's winning policy, None where there is none."""
        return self._now.plan

    def demonstration_action(
        self, rng: np.random.Generator, instruction: str | None = None
    ) -> str | None:
        """Returns the oracle's command, but reads the cookbook before following it."""
        can_read = _READ_COOKBOOK in (self._now.admissible or ())
        if can_read and "examining the cookbook" not in self._examined:
            return _READ_COOKBOOK
        return self._now.plan

    def random_action(self, rng: np.random.Generator) -> str:
        """Returns a uniformly drawn admissible command; one of a few usual ones in a story."""
        actions = self._now.admissible or ("look", "inventory", "north", "south", "east", "west")
        return actions[int(rng.integers(len(actions)))]

    # ---------------------------------------------------------------- snapshots

    def get_world(self) -> dict[str, Any]:
        """Returns the commands played; keeps the engine's state for `set_world` in this process."""
        assert self._session is not None
        assert self.task is not None
        if len(self._history) > REPLAY_AT_MOST:
            key = self._kept_key(self.task, self._history)
            if key not in _kept and (saved := self._session.save()) is not None:
                _kept[key] = saved
            if key in _kept:
                _kept.move_to_end(key)
            while len(_kept) > KEPT_STATES:
                _kept.popitem(last=False)
        return {
            "history": list(self._history),
            "seen": sorted(self._seen),
            "visited": sorted(self._visited),
            "examined": sorted(self._examined),
        }

    @staticmethod
    def _kept_key(task: Task, history: list[str]) -> tuple[str, str]:
        return task.id, digest("\n".join(history))

    def set_world(self, task: Task, state: Any) -> None:
        """Reverses `get_world`: by the engine's kept state, else by playing the commands again."""
        history = [str(command) for command in state["history"]]
        saved = _kept.get(self._kept_key(task, history))
        if saved is None:
            self._replay(task, history)
        else:
            self._now = self._open(task).load(saved)
        self._history = history
        self._seen, self._visited = set(state["seen"]), set(state["visited"])
        self._examined = set(state["examined"])

    def _replay(self, task: Task, history: list[str]) -> None:
        session = self._open(task)
        self._now = session.reset()
        for command in history:
            self._now = session.step(command)

    def close(self) -> None:
        """Lets go of the interpreter."""
        self._session = None
        super().close()
