"""Reward levels: what of an episode's record counts, in which order, and where the next one opens.

A level is a line of text, so that it stands on a command line and in a run's `config.json`:

    SOURCE[+SOURCE...] [priority=P] [threshold=V] [weight=W] [cap=C]

Its value R_k is the sum of its sources over the episode:

| source | at a turn |
|---|---|
| `NAME` | the reward component NAME |
| `cost/NAME` | the cost NAME |
| `metrics/NAME` | the metric NAME, where it was reported last (metrics do not add up) |
| `turn/reward` | the environment's whole reward |
| `turn/format_is_valid`, `turn/action_is_valid` | 1 where it is so, -1 where not |
| `episode/success`, `episode/score` | at the last turn: solved (0 or 1), grade in [0, 1] |
| `episode/ended` | at the last turn: the environment ended it, not a limit (0 or 1) |

Levels of higher priority gate the lower ones; without `priority=` they are in the order given.
`threshold=` is in the units of R_k, before weight and cap; it must be given where lower levels
exist (`-inf` gates nothing, `inf` all). `weight=` is 1 by default. `cap=` bounds the level's
weighted sum to [-C, C]: later turns get what is left.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from turnwise_agents.types import Trajectory, Turn
from turnwise_envs.errors import UsageError

ROUNDING = 1e-9
"""A threshold counts as reached from this much below it: 0.1 eight times is less than 0.8."""

RECORDS = ("cost", "metrics")

_TURN: dict[str, Callable[[Turn], float]] = {
    "turn/reward": lambda turn: turn.reward,
    "turn/format_is_valid": lambda turn: 1.0 if turn.format_is_valid else -1.0,
    "turn/action_is_valid": lambda turn: 1.0 if turn.action_is_valid else -1.0,
}
_EPISODE: dict[str, Callable[[Trajectory], float]] = {
    "episode/success": lambda trajectory: float(trajectory.success),
    "episode/score": lambda trajectory: trajectory.score,
    "episode/ended": lambda trajectory: float(trajectory.stop == "env"),
}


@dataclass(frozen=True, kw_only=True)
class RewardLevel:
    """One reward function of a gate.

    Attributes:
        sources: what is summed, see the module's page.
        priority: levels of higher priority gate this one.
        threshold: value from which on the lower levels count; None where there are none.
        weight: factor of the level's reward.
        cap: bound of the weighted sum over an episode, None for none.
    """

    sources: tuple[str, ...]
    priority: float = 0.0
    threshold: float | None = None
    weight: float = 1.0
    cap: float | None = None

    def __post_init__(self) -> None:
        for source in self.sources:
            _check_source(source)
        for name in ("priority", "threshold", "weight", "cap"):
            value = getattr(self, name)
            if value is not None and math.isnan(value):
                raise UsageError(f"{name} of level {self.name!r} must be a number, got {value}.")
        for name in ("priority", "weight"):
            if math.isinf(value := getattr(self, name)):
                raise UsageError(f"{name} of level {self.name!r} must be finite, got {value}.")
        if self.cap is not None and not self.cap > 0:
            raise UsageError(f"cap of level {self.name!r} must be positive, got {self.cap}.")

    @property
    def name(self) -> str:
        """The sources as they are written."""
        return "+".join(self.sources)

    def values(self, trajectory: Trajectory) -> list[float]:
        """Returns [T]: the level's value at each turn, before weight and cap."""
        rows = [source_values(trajectory, source) for source in self.sources]
        return [math.fsum(column) for column in zip(*rows, strict=True)]

    def rewards(self, values: Sequence[float]) -> list[float]:
        """Returns [T]: values times weight, their running sum held within the cap."""
        weighted = [self.weight * value for value in values]
        if self.cap is None:
            return weighted
        held, total, rewards = 0.0, 0.0, []
        for value in weighted:
            total += value
            before, held = held, min(max(total, -self.cap), self.cap)
            rewards.append(held - before)
        return rewards

    def reached(self, value: float) -> bool:
        """Returns whether an episode of this value opens the levels below."""
        return self.threshold is None or value >= self.threshold - ROUNDING


def parse_levels(lines: Sequence[str]) -> tuple[RewardLevel, ...]:
    """Returns the levels of some lines, highest priority first.

    Raises:
        UsageError: If a line cannot be read, two levels have the same sources, or a level that
            others stand below has no threshold.
    """
    levels = [_parse(line, float(len(lines) - 1 - i)) for i, line in enumerate(lines)]
    levels.sort(key=lambda level: -level.priority)
    names = [level.name for level in levels]
    if not levels or len(set(names)) != len(names):
        raise UsageError(f"levels must be one or more, of different sources, got {list(lines)}.")
    for level in levels:
        if level.threshold is None and level.priority > levels[-1].priority:
            raise UsageError(
                f"level {level.name!r} must have a threshold, because {names[-1]!r} stands below "
                "it, got none. Add threshold=V; -inf lets everything through."
            )
    return tuple(levels)


def open_levels(levels: Sequence[RewardLevel], values: Sequence[float]) -> list[bool]:
    """Returns [K]: whether every level of higher priority has reached its threshold.

        M_k = 1 if R_j >= v_j for all j with o_j > o_k, else 0

    Args:
        levels: [K].
        values: [K] the level's values R_k of one episode.
    """
    closed = [
        level.priority
        for level, value in zip(levels, values, strict=True)
        if not level.reached(value)
    ]
    highest = max(closed, default=-math.inf)
    return [level.priority >= highest for level in levels]


def source_values(trajectory: Trajectory, source: str) -> list[float]:
    """Returns [T]: what a source gives at each turn; 0 where it is not reported."""
    turns = trajectory.turns
    if source in _TURN:
        return [_TURN[source](turn) for turn in turns]
    values = [0.0] * len(turns)
    if source in _EPISODE:
        values[-1:] = [_EPISODE[source](trajectory)] * bool(turns)
        return values
    record, _, name = source.rpartition("/")
    if record == "metrics":
        for index in reversed(range(len(turns))):
            if name in turns[index].metrics:
                values[index] = turns[index].metrics[name]
                break
        return values
    key = "cost" if record == "cost" else "reward_components"
    return [getattr(turn, key).get(name, 0.0) for turn in turns]


def fixed_source(source: str) -> bool:
    """Returns whether every environment has a source."""
    return source in _TURN or source in _EPISODE


def _check_source(source: str) -> None:
    record, _, name = source.rpartition("/")
    known = fixed_source(source) or record in ("", *RECORDS)
    if not known or not name:
        raise UsageError(
            "a level's source must be a reward component, metrics/NAME, cost/NAME or one of "
            f"{', '.join((*_TURN, *_EPISODE))}, got {source!r}."
        )


def _parse(line: str, priority: float) -> RewardLevel:
    sources, *options = line.split() or [""]
    numbers = {"priority": priority}
    for option in options:
        name, _, value = option.partition("=")
        try:
            if name not in ("priority", "threshold", "weight", "cap"):
                raise ValueError(name)
            numbers[name] = float(value)
        except ValueError as error:
            raise UsageError(
                "a level must be SOURCE[+SOURCE...] [priority=P] [threshold=V] [weight=W] "
                f"[cap=C], got {line!r}. Mend {option!r}."
            ) from error
    return RewardLevel(sources=tuple(sources.split("+")), **numbers)
