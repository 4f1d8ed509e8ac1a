"""The control of OPRL's step rewards."""

import sys
from pathlib import Path

from records import group, outcome

from turnwise_agents.algorithms.oprl import CHANNEL, OPRL

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "learning"))

from shuffled_oprl import ShuffledOPRL


def test_step_rewards_change_places_within_their_group(monkeypatch):
    def groups():
        return [
            group(*(outcome(f"{g}{i}", i % 2, turns=5, group=f"{g}") for i in range(4)))
            for g in range(2)
        ]

    def rewarded(groups, shape):
        numbers = [[t for e in g.trajectories for t in e.turns] for g in groups]
        shape(groups)
        return [[turn.channels[CHANNEL] for turn in turns] for turns in numbers]

    def count(self, groups, services):
        turns = [turn for g in groups for e in g.trajectories for turn in e.turns]
        for number, turn in enumerate(turns):
            turn.channels[CHANNEL] = float(number)

    monkeypatch.setattr(OPRL, "shape", count)
    straight = rewarded(groups(), lambda found: OPRL().shape(found, None))
    shuffled = rewarded(groups(), lambda found: ShuffledOPRL().shape(found, None))
    assert shuffled != straight
    assert [sorted(rewards) for rewards in shuffled] == straight
    assert shuffled == rewarded(groups(), lambda found: ShuffledOPRL().shape(found, None))
