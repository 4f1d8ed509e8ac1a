"""Time of one iteration's credit: 128 trajectories of 50 turns, grouping and records included.

    python benchmarks/speed/credit.py

Prints the median over repeats of `assign_credit` for GRPO and GiGPO (16 groups of 8, anchors met
by several trajectories), the time of a plain-loop GiGPO in the same run, and the ratio of the
processor times. The limit is 10 ms; wall time says more about what else the machine does.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tyro

from turnwise_agents.algorithms.gigpo import GiGPO
from turnwise_agents.algorithms.grpo import GRPO
from turnwise_agents.types import Credit, Generation, Group, Trajectory, Turn


@dataclass
class Config:
    """What to measure."""

    groups: int = 16
    """Task groups."""
    group_size: int = 8
    """Trajectories of a group."""
    turns: int = 50
    """Turns of a trajectory."""
    states: int = 60
    """Different anchors in a group."""
    repeats: int = 51
    """Measurements of each; their median is printed."""


def make_groups(config: Config) -> list[Group]:
    """Returns random records of the asked size."""
    rng = np.random.default_rng(0)
    groups = []
    for g in range(config.groups):
        members = []
        for i in range(config.group_size):
            states = rng.integers(config.states, size=config.turns)
            rewards = np.zeros(config.turns)
            rewards[-1] = rng.integers(2)
            turns = [
                Turn(
                    turn_index=t,
                    observation="",
                    generations=[
                        Generation(prompt_ids=[0], completion_ids=[0], sampler_logprobs=[0.0])
                    ],
                    anchor_key=f"{g:08x}{states[t]:08x}",
                    reward=float(rewards[t]),
                    channels={"invalid_action": 0.0},
                )
                for t in range(config.turns)
            ]
            members.append(
                Trajectory(
                    env_id="e",
                    task_id=str(g),
                    group_id=str(g),
                    trajectory_id=f"{g}.{i}",
                    turns=turns,
                )
            )
        groups.append(Group(group_id=str(g), env_id="e", task_id=str(g), trajectories=members))
    return groups


def _normalise(values: list[float]) -> list[float]:
    if len(values) < 2:
        return [0.0] * len(values)
    mean = sum(values) / len(values)
    std = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
    return [(v - mean) / (std + 1e-6) for v in values]


def loop_gigpo(groups: list[Group], gamma: float = 0.95) -> list[Credit]:
    """GiGPO by plain loops: the reference, in value and in time."""
    credits = []
    for group in groups:
        episodes = _normalise([t.episode_return for t in group.valid])
        buckets: dict[str, list[tuple[int, int]]] = {}
        returns = []
        for i, trajectory in enumerate(group.valid):
            value, row = 0.0, [0.0] * len(trajectory.turns)
            for turn in reversed(trajectory.turns):
                value = turn.reward + gamma * value
                row[turn.turn_index] = value
            returns.append(row)
            for turn in trajectory.turns:
                buckets.setdefault(turn.anchor_key, []).append((i, turn.turn_index))
        advantages = [[a] * len(row) for a, row in zip(episodes, returns, strict=True)]
        for members in buckets.values():
            scaled = _normalise([returns[i][t] for i, t in members])
            for (i, t), step in zip(members, scaled, strict=True):
                advantages[i][t] += step
        credits += [
            Credit(trajectory_id=t.trajectory_id, turn=row)
            for t, row in zip(group.valid, advantages, strict=True)
        ]
    return credits


def median_ms(
    function: Callable[[list[Group]], list[Credit]], groups: list[Group], n: int
) -> tuple[float, float]:
    """Returns the median (processor, wall) time of a call in milliseconds, after a warm-up."""
    function(groups)
    cpu, wall = [], []
    for _ in range(n):
        starts = time.process_time(), time.perf_counter()
        function(groups)
        cpu.append(1e3 * (time.process_time() - starts[0]))
        wall.append(1e3 * (time.perf_counter() - starts[1]))
    return statistics.median(cpu), statistics.median(wall)


def main(config: Config) -> None:
    groups = make_groups(config)
    fast = GiGPO().assign_credit(groups)
    for mine, reference in zip(fast, loop_gigpo(groups), strict=True):
        np.testing.assert_allclose(mine.turn, reference.turn, atol=1e-6)
    count = config.groups * config.group_size
    print(f"{count} trajectories of {config.turns} turns, median of {config.repeats} calls")
    print(f"{'':<16}{'processor':>12}{'wall':>12}{'against loops':>16}")
    loop = median_ms(loop_gigpo, groups, config.repeats)
    rows = [("GRPO", GRPO().assign_credit), ("GiGPO", GiGPO().assign_credit)]
    for name, function in rows:
        cpu, wall = median_ms(function, groups, config.repeats)
        print(f"{name:<16}{cpu:9.2f} ms{wall:9.2f} ms{loop[0] / cpu:15.2f}x")
    print(f"{'GiGPO by loops':<16}{loop[0]:9.2f} ms{loop[1]:9.2f} ms")


if __name__ == "__main__":
    main(tyro.cli(Config))
