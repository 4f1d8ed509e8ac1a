"""REINFORCE with a baseline: the return that follows a turn, less what was to be expected.

Williams 1992, "Simple statistical gradient-following algorithms for connectionist reinforcement
learning", Machine Learning 8, 229-256.

    G_{i,t} = sum_{k >= t} gamma^{k - t} r_{i,k}
    A_{i,t} = G_{i,t} - b

The baseline b is

- "batch": the mean of G over all turns of the iteration that are trained on;
- "task": the running mean return of the task over *earlier* iterations (the task pool's
  statistics, read when the task is planned); a task never played before uses "batch";
- "none": 0.

Deviations from the paper and from its published code:

- The surrogate is clipped and the KL and entropy terms of `policy_gradient` apply; with
  kl_coef=ent_coef=0 and one optimiser step an iteration it is the paper's rule.
- "batch" contains the turn's own return, a bias of order 1 / number of turns.
- The task's running mean is of the environment's undiscounted episode return, without shaped
  channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from turnwise_agents.algorithms.base import AlgorithmConfig, TaskPool
from turnwise_agents.algorithms.policy_gradient import PolicyGradient, PolicyGradientConfig
from turnwise_agents.estimators import discounted_returns
from turnwise_agents.estimators.checks import expect_choice, expect_range
from turnwise_agents.types import Credit, Group, RolloutSpec


@dataclass(frozen=True, kw_only=True)
class REINFORCEConfig(PolicyGradientConfig):
    """Configuration of `REINFORCE`."""

    gamma: float = 1.0
    """Discount per turn, in [0, 1]. The paper's episodic form is undiscounted."""
    baseline: Literal["batch", "task", "none"] = "batch"
    """What the return is compared with."""

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_range("gamma", self.gamma, 0.0, 1.0)
        expect_choice("baseline", self.baseline, ("batch", "task", "none"))


class REINFORCE(PolicyGradient):
    """REINFORCE with baseline, with the return that follows each turn."""

    Config: ClassVar[type[AlgorithmConfig]] = REINFORCEConfig

    def __init__(self, config: Any = None, **kwargs: Any) -> None:
        super().__init__(config, **kwargs)
        self._task_means: dict[str, float] = {}

    def plan(self, pool: TaskPool, finished: list[Group]) -> list[RolloutSpec]:
        """Notes each planned task's mean return so far."""
        specs = super().plan(pool, finished)
        if not finished:
            self._task_means = {}
        for spec in specs:
            statistics = pool.lookup(spec.env_id, spec.task_id)
            if statistics["visits"]:
                self._task_means[spec.group_id] = statistics["mean_return"]
        return specs

    def assign_credit(self, groups: list[Group]) -> list[Credit]:
        """Returns the return that follows each turn, less the baseline."""
        table = self.table(groups)
        returns = discounted_returns(table.rewards, table.trajectory_ids, gamma=self.config.gamma)
        returns = returns + table.immediate_rewards
        trained = returns[table.trainable]
        # Relative to one of them: equal returns then give exact zeros.
        batch = float(trained[0] + (trained - trained[0]).mean()) if len(trained) else 0.0
        if self.config.baseline == "none":
            return table.credits(returns)
        if self.config.baseline == "batch":
            return table.credits(returns - batch)
        means = [self._task_means.get(t.group_id, batch) for t in table.trajectories]
        return table.credits(returns - table.spread(np.array(means)))
