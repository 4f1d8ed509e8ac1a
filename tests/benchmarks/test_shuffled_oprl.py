"""The controls of OPRL's step rewards."""

import sys
from pathlib import Path

import numpy as np
import pytest
from records import group, outcome

from turnwise_agents.algorithms.oprl import CHANNEL, OPRL

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "learning"))

from shuffled_oprl import ShuffledOPRL, TurnCentredOPRL, TurnShuffledOPRL


@pytest.fixture
def rewards(monkeypatch):
    """Returns what a class makes of the step rewards 0, 1, 2, ...: [2 groups, 4 episodes, 5]."""

    def count(self, groups, services):
        turns = [turn for g in groups for e in g.trajectories for turn in e.turns]
        for number, turn in enumerate(turns):
            turn.channels[CHANNEL] = float(number)

    def made_by(kind):
        groups = [
            group(*(outcome(f"{g}{i}", i % 2, turns=5, group=f"{g}") for i in range(4)))
            for g in range(2)
        ]
        kind().shape(groups, None)
        return np.array(
            [[[t.channels[CHANNEL] for t in e.turns] for e in g.trajectories] for g in groups]
        )

    monkeypatch.setattr(OPRL, "shape", count)
    return made_by


def test_shuffled_ones_stay_in_their_group(rewards):
    made = rewards(ShuffledOPRL)
    assert (made != rewards(OPRL)).any()
    assert np.sort(made.reshape(2, -1)).tolist() == rewards(OPRL).reshape(2, -1).tolist()
    assert (made == rewards(ShuffledOPRL)).all()


def test_those_shuffled_within_turns_stay_in_their_turn(rewards):
    made = rewards(TurnShuffledOPRL)
    assert (made != rewards(OPRL)).any()
    assert np.sort(made, axis=1).tolist() == rewards(OPRL).tolist()


def test_centred_ones_say_nothing_of_the_turn(rewards):
    made = rewards(TurnCentredOPRL)
    assert made.mean(axis=1).tolist() == np.zeros((2, 5)).tolist()
    assert made[0, :, 0].tolist() == [-7.5, -2.5, 2.5, 7.5]
