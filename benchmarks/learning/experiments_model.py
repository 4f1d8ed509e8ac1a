"""Language-model experiments with the tiny preset: GiGPO and OPRL, IGPO, against GRPO.

The models that they start from are made by `warm_starts.py`.
"""

from __future__ import annotations

from comparison import Arm, Experiment
from warm_starts import STARTS

COMMON = (
    "--algo.group-size 8 --algo.groups-per-iteration 8 --max-concurrent 256 "
    "--trainer.num-minibatches 2 --trainer.micro-batch-tokens 8192 "
    "--trainer.checkpoint-every 0 --trainer.trajectories-every 0 "
    "--algo.clip-ratio-high 0.28 --learner.warmup-steps 16"
)
SLOW, FAST = "--learner.learning-rate 1e-3", "--learner.learning-rate 2e-3"
EAGER = (
    "--algo.trajectory-score mean --algo.reward-learning-rate-factor 4 "
    "--algo.step-advantage-weight 0.5"
)
"""A reward model that keeps up with the policy; OPRL's third setting is the paper's."""
EXTRAS = (
    "rollout/episodic_return",
    "rollout/episodic_length",
    "credit/merge_rate",
    "reward_model/accuracy",
    "time/scoring_share",
)

HOUSEHOLD = Experiment(
    name="model_household",
    title="Tiny language model in HouseholdSmall",
    words=f"{STARTS['household'].words('household')} {COMMON}",
    arms={
        "grpo": Arm(
            words="--algorithm grpo",
            settings=(SLOW, FAST, f"{SLOW} --algo.no-normalize-std"),
        ),
        "gigpo": Arm(
            words="--algorithm gigpo",
            settings=(SLOW, FAST, f"{SLOW} --algo.step-advantage-weight 0.5"),
        ),
        "oprl": Arm(
            words="--algorithm oprl",
            settings=(f"{SLOW} {EAGER}", f"{FAST} {EAGER}", SLOW),
        ),
    },
    budget=20_000,
    tuning_seeds=(0, 1),
    seeds=(100, 101, 102, 103, 104),
    extras=EXTRAS,
    notes="""
Success is that of the episodes played in training: each task is drawn from 10,000 and played before
it is trained on, 8 episodes a task. All runs start from one warm start, whose second phase taught
it sloppy habits; a seed varies tasks, rollouts and updates.
""",
)

EXPERIMENTS: tuple[Experiment, ...] = (HOUSEHOLD,)
