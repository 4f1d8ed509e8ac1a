"""G-RA against D-RA against the outcome alone, in the repair world, with rewards to be farmed.

    python benchmarks/learning/gated_repairs.py

The world is `turnwise/SWESandbox-v0` itself, through its menu (view a file, make one of the edits
among which the right one is, run the tests, submit), twelve turns, with a tabular policy on the
first three training tasks, one bug each. Tests and grades are those of the sandboxes; each is run
once for a work tree (`remember_tests`). The outcome is 0 without a submission, 0.5 with an empty
patch, 1 with a wrong one, 2 with a repair; a non-empty submitted patch opens the gate.

Three shaping rewards are compared, each added up (D-RA) and gated (G-RA): 0.3 and 0.6 for every run
of the tests, whatever they say, and 0.3 for every valid action, as in the paper; all actions of a
menu are valid, so that it pays for turns. Playing to the turn limit is the farm. A repair with the
shaping reward collected before it is worth more than the farm in every arm.

What is fixed before the reported runs: arms, seeds 0 to 9, the learning rates 0.3, 0.6 and 1.2 for
every arm, compared by mean success over all iterations on the seeds 1000 and 1001, 8 episodes of
each task in each of 60 iterations, no KL, no entropy bonus; success, submitted and modified rates,
tests run and turns an episode, over training and as means of the last five iterations, with 95 %
bootstrap intervals over seeds, G-RA minus D-RA paired by seed. The number of tasks and the worths
were chosen on the seeds 1000 and 1001, with a stand-in for the sandboxes that compares the code
with the known repair.
"""

from __future__ import annotations

import tyro
from gated_rewards import Config, World, compare

REPAIRS = World(
    title="Gated rewards in the repair world",
    name="gated_repairs",
    env_id="turnwise/SWESandbox-v0",
    env_kwargs={
        "actions": "menu",
        "max_turns": 12,
        "level_rewards": [0.5, 0.5, 1.0],
        "remember_tests": True,
    },
    sources={"test": "cost/commands", "valid action": "turn/action_is_valid"},
    shaping=(("test", 0.3), ("test", 0.6), ("valid action", 0.3)),
    hacking={"tests run": "cost/commands", "turns": "turn/action_is_valid"},
)

if __name__ == "__main__":
    compare(REPAIRS, tyro.cli(Config, default=Config(tasks=3), description=__doc__))
