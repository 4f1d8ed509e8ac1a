"""Side by side with the original: the same game, the same commands, ours against ALFWorld's stack.

    python -m turnwise_envs.household.parity path/to/game.tw-pddl --commands 500

plays a mixture of random, expert and malformed commands through both and prints every difference.
The original (TextWorld's PDDL engine over Fast Downward, with ALFWorld's name demangler) comes with
the extra `turnwise[parity]`; it takes seconds to load a game and 20 to 100 ms a command.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from turnwise_envs.core import TextEnv
from turnwise_envs.errors import DependencyNotInstalled
from turnwise_envs.household.env import HouseholdEnv

EPISODE_COMMANDS = 120
"""Commands after which a walk starts over, solved or not."""


@dataclass(frozen=True)
class Reply:
    """What one side answered.

    Attributes:
        observation: the text.
        admissible: the admissible commands, in order.
        reward: of this command.
        done: whether the game has ended.
    """

    observation: str
    admissible: tuple[str, ...]
    reward: float
    done: bool


class Original:
    """One game in the original stack.

    Args:
        path: a `game.tw-pddl`.

    Raises:
        DependencyNotInstalled: If the original stack is not installed.
    """

    def __init__(self, path: str | Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                import textworld.gym
                from alfworld.agents.environment.alfred_tw_env import AlfredDemangler
            except ImportError as error:
                raise DependencyNotInstalled(
                    f"Comparing with the original needs it ({error}). Install turnwise[parity]."
                ) from error
            infos = textworld.EnvInfos(won=True, admissible_commands=True)
            env_id = textworld.gym.register_games(
                [str(path)], infos, max_episode_steps=10**6, wrappers=[AlfredDemangler()]
            )
            self._env = textworld.gym.make(env_id)
        self._score = 0.0

    def reset(self) -> Reply:
        """Starts the game."""
        observation, infos = self._env.reset()
        self._score = 0.0
        return Reply(observation, tuple(infos["admissible_commands"]), 0.0, bool(infos["won"]))

    def step(self, command: str) -> Reply:
        """Plays a command."""
        observation, score, done, infos = self._env.step(command)
        reward, self._score = score - self._score, score
        return Reply(observation, tuple(infos["admissible_commands"]), reward, bool(done))

    def close(self) -> None:
        """Closes the game."""
        self._env.close()


class Ours:
    """One task of a `HouseholdEnv` behind the same calls.

    Args:
        env: the environment, wrapped or not.
        options: the options of its `reset`.
    """

    def __init__(self, env: Any, options: dict[str, Any] | None = None) -> None:
        self.env: TextEnv = env.unwrapped
        self._options = options

    def reset(self) -> Reply:
        """Starts the game."""
        observation, info = self.env.reset(seed=0, options=self._options)
        return Reply(observation, tuple(info["admissible_actions"]), 0.0, False)

    def step(self, command: str) -> Reply:
        """Plays a command."""
        observation, reward, terminated, _, info = self.env.step(command)
        return Reply(observation, tuple(info["admissible_actions"]), reward, terminated)


@dataclass(frozen=True)
class Difference:
    """One command that was answered differently.

    Attributes:
        commands: what was played since the start of the episode; the last one differed.
        part: "observation", "admissible", "reward" or "done".
        original, ours: the two answers.
    """

    commands: tuple[str, ...]
    part: str
    original: Any
    ours: Any


@dataclass
class Walk:
    """What a walk found.

    Attributes:
        commands: number of commands played.
        valid: how many of them the original carried out.
        solved: number of episodes that ended solved.
        differences: where a side differed; a walk stops at its first.
    """

    commands: int = 0
    valid: int = 0
    solved: int = 0
    differences: list[Difference] = field(default_factory=list)


def side_by_side(original: Original, ours: Sequence[Ours], commands: int, seed: int) -> Walk:
    """Plays the same commands through the original and every one of ours.

    Args:
        original: the reference.
        ours: environments at the same task; the first chooses (and knows the expert).
        commands: how many to play; what is left of the last episode is played by the expert.
        seed: of the mixture.

    Returns:
        What was found.
    """
    walk, rng = Walk(), np.random.default_rng(seed)
    while True:
        finishing = walk.commands >= commands
        reference = original.reset()
        played: list[str] = []
        if _differs(walk, played, reference, [side.reset() for side in ours]):
            return walk
        while not reference.done and (finishing or walk.commands < commands):
            if len(played) >= EPISODE_COMMANDS and not finishing:
                break
            planned = ours[0].env.expert_action() or "look"
            command = planned if finishing else draw_command(reference.admissible, planned, rng)
            reference = original.step(command)
            played.append(command)
            walk.commands += 1
            walk.valid += reference.observation != "Nothing happens."
            if _differs(walk, played, reference, [side.step(command) for side in ours]):
                return walk
        walk.solved += reference.done
        if finishing:
            return walk


def _differs(walk: Walk, played: list[str], reference: Reply, answers: list[Reply]) -> bool:
    for answer in answers:
        for part in ("observation", "admissible", "reward", "done"):
            theirs, mine = getattr(reference, part), getattr(answer, part)
            if theirs != mine:
                walk.differences.append(Difference(tuple(played), part, theirs, mine))
    return bool(walk.differences)


_TREATING = ("heat", "cool", "clean", "slice", "use")


def draw_command(admissible: Sequence[str], planned: str, rng: np.random.Generator) -> str:
    """Returns a command of the mixture: malformed, expert, or admissible, the rarer verbs often.

    Args:
        admissible: the admissible commands.
        planned: the expert's command.
        rng: source of the draws.
    """
    u = rng.random()
    if u < 0.1:
        return _malformed(admissible, rng)
    if u < 0.2:
        return planned
    by_verb: dict[str, list[str]] = {}
    for command in admissible:
        by_verb.setdefault(command.split()[0], []).append(command)
    if u < 0.35 and (treating := [c for verb in _TREATING for c in by_verb.get(verb, ())]):
        return _draw(treating, rng)
    if u < 0.8:
        return _draw(by_verb[_draw(sorted(by_verb), rng)], rng)
    return _draw(admissible, rng)


def _draw(items: Sequence[str], rng: np.random.Generator) -> str:
    return items[int(rng.integers(len(items)))]


def _malformed(admissible: Sequence[str], rng: np.random.Generator) -> str:
    """Returns a spoiled admissible command, or one that no state admits."""
    command = _draw(admissible, rng)
    spoiled = (
        f"  {command} \n",
        command.upper(),
        command.replace(" ", "  "),
        command[:-1],
        command + " now",
        command.partition(" ")[0],
        command.replace("1", "9"),
        command.replace("go to", "goto").replace("move", "put").replace(" from", " off"),
        "",
        "fly to the moon",
        "go to",
        "examine agent1",
        "go to loc 1",
        "take apple 1",
        "Öffne die Tür \N{DOOR}",
    )
    return _draw(spoiled, rng)


def games_below(path: Path) -> Iterator[Path]:
    """Yields the game itself, or the games of a folder in the order of their paths."""
    if path.is_dir():
        yield from sorted(path.rglob("*.tw-pddl"))
    else:
        yield path


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the comparison from the command line; returns 1 if anything differs."""
    parser = argparse.ArgumentParser(prog="python -m turnwise_envs.household.parity")
    parser.add_argument("path", type=Path, help="a game.tw-pddl, or a folder of them")
    parser.add_argument("--commands", type=int, default=200, help="per game")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    total = Walk()
    games = 0
    for path in games_below(given.path):
        original = Original(path)
        env = HouseholdEnv(data_dir=str(path), max_turns=10**9)
        walk = side_by_side(original, [Ours(env)], given.commands, given.seed)
        original.close()
        games += 1
        total.commands += walk.commands
        total.valid += walk.valid
        total.solved += walk.solved
        for difference in walk.differences:
            total.differences.append(difference)
            print(f"{path}: {difference.part} differs after {list(difference.commands)}")
            print(f"  original: {difference.original!r}\n  ours:     {difference.ours!r}")
    print(
        f"{games} games, {total.commands} commands ({total.valid} valid), {total.solved} episodes "
        f"solved, {len(total.differences)} differences"
    )
    return 1 if total.differences else 0


if __name__ == "__main__":
    raise SystemExit(main())
