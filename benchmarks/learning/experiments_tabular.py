"""Tabular experiments: GRPO, RLOO, PPO, GiGPO and OPRL; IGPO against GRPO."""

from __future__ import annotations

from comparison import Arm, Experiment

TUNING_SEEDS = tuple(range(5))
SEEDS = tuple(range(100, 120))

COMMON = """
--model tabular --trainer.trajectories-every 0 --trainer.checkpoint-every 0
--algo.kl-coef 0
"""


def rates(*values: float, words: str = "") -> tuple[str, ...]:
    """Returns a grid of learning rates."""
    return tuple(f"--learner.learning-rate {value:g} {words}".strip() for value in values)


HOUSEHOLD = Experiment(
    name="tabular_household_steps",
    title="GRPO, RLOO, PPO, GiGPO and OPRL on Household, tables",
    words=COMMON
    + """
    --env turnwise/HouseholdSmall-v0 --num-tasks 4
    --env-kwargs '{"max_turns": 50, "num_receptacles": [7, 7], "num_objects": [3, 4],
    "task_types": ["pick_and_place", "look_at_obj_in_light"]}'
    --algo.group-size 8 --algo.groups-per-iteration 4 --algo.ent-coef 0
    """,
    arms={
        "grpo": Arm(words="--algorithm grpo", settings=rates(0.6, 1.2, 2.4, 4.8)),
        "rloo": Arm(words="--algorithm rloo", settings=rates(0.6, 1.2, 2.4, 4.8)),
        "ppo": Arm(
            words="--algorithm ppo --algo.level turn --learner.head-learning-rate 0.03",
            settings=(*rates(1.2, 2.4, 4.8), *rates(2.4, words="--algo.gamma 0.95")),
        ),
        "gigpo": Arm(words="--algorithm gigpo", settings=rates(0.6, 1.2, 2.4, 4.8)),
        "oprl": Arm(
            words="--algorithm oprl",
            settings=(
                *rates(1.2, 2.4, 4.8, words="--algo.step-advantage-weight 0.3"),
                *rates(2.4),
            ),
        ),
    },
    budget=14_000,
    tuning_seeds=TUNING_SEEDS,
    seeds=SEEDS,
    extras=("rollout/episodic_length", "rollout/zero_variance_share", "credit/merge_rate"),
    notes="""
Small scenes and the two kinds of task in which uniform play succeeds now and then (in a twentieth
to a third of episodes of 50 turns); in the other kinds all algorithms wait for the first success,
and their comparison says nothing of how they learn from it. A table cannot generalise: success is
on the four training tasks. Rows are beliefs, some thousands a task; GiGPO compares steps by
`anchor_key`, which is coarser.
""",
)

EXPERIMENTS: tuple[Experiment, ...] = (HOUSEHOLD,)
