"""G-RA: immediate rewards count only in episodes whose long-term reward is good enough.

"Stabilizing Long-term Multi-turn Reinforcement Learning with Gated Rewards", arXiv:2508.10548.

    M_k(i) = 1 if R_j(i) >= v_j for every level j of higher priority, else 0
    R(i)   = sum_k M_k(i) w_k R_k(i)                      gated reward accumulation (G-RA)
    R(i)   = sum_k w_k R_k(i)                             direct accumulation (D-RA): gate=False
    A_{i,t} = (R(i) - mean(R_g)) / (std(R_g) + eps)       credit="episode"
    A_{i,t} = (G_{i,t} - mean_g(G)) / (std_g(G) + eps)    credit="turn"

with G_{i,t} = sum_{k >= t} gamma^{k - t} r_{i,k} of the gated rewards, each at its own turn, and
mean and std over all turns of the group. Levels are lines of text, see `turnwise_agents.levels`; an
episode is gated as a whole, before anything is normalised. The same gate serves other algorithms
as a shaper, `GiGPO(config, shapers=[RewardGate(parse_levels(lines))])`.

In the paper's setting the outcome has four levels, no submission < empty patch < tests fail < tests
pass, and an empty patch, or none, shuts the stepwise rewards out:

    --env turnwise/SWESandbox-v0 --env-kwargs '{"level_rewards": [0.5, 0.5, 1.0]}'
    --algo.levels "completion+modification+resolution priority=1 threshold=1"
                  "turn/format_is_valid priority=0 weight=0.05 cap=0.1"
                  "turn/action_is_valid priority=0 weight=0.05 cap=0.1"

Deviations from the paper and from published code:

- The paper publishes no reward values, thresholds or optimiser settings, and no code. Defaults are
  ours, for any world: the grade opens the gate at 1; below it well-formed and applicable actions
  count 0.05 each (others -0.05), at most 0.2 together in an episode. The optimiser's side is that
  of `policy_gradient`.
- A level opens what is below it at its threshold, ">=", as in the paper; a third party's version
  asks for more than it, so that only solved episodes count, and adds a length penalty. For that one
  there is `rewards.OverlongPenalty`.
- A level whose own threshold is missed counts itself, if those above it are reached.
- Penalties are gated like rewards: an episode that fails is not punished for its form. What a
  closed gate hid is logged, gains and penalties apart, and stands in the channel `gate_hidden`.
- The penalty for invalid actions of the other algorithms is off; it would stand outside the gate.
- A level's value is summed exactly and reaches its threshold from 1e-9 below, so that neither the
  order of turns nor binary fractions decide.
- The pages of `grpo` and `policy_gradient` hold for the rest: failed episodes, branches, groups of
  one. `credit="turn"` gives 0 there too, and where all episodes of a group are alike.

Explanation of the logged metrics, besides those of `policy_gradient`, means over episodes:

- `rollout/completion_rate` (CR): episodes that the agent ended (submitted, answered), not a limit.
- `rollout/modification_rate` (MR): episodes in which the source `modification` is positive, where
  there is one.
- `rollout/resolution_rate` (RR): episodes that are solved.
- `gate/value/<level>`: R_k, counted or not. `gate/reached/<level>`: share of episodes that reach
  its threshold. `gate/open/<level>`: share in which it counts (with `gate=False`, would count).
- `gate/return`: what counts. `gate/hidden_gain`, `gate/hidden_penalty`: sums over an episode of the
  positive and of the negative rewards hidden by closed gates. `gate/hidden_share`: episodes from
  which something was hidden.
- `gate/unlisted_reward`: reward of the environment in components that no level names: it is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from turnwise_agents.algorithms.base import AlgorithmConfig, Metrics, Services
from turnwise_agents.algorithms.grpo import GRPO, GRPOConfig
from turnwise_agents.estimators import discounted_returns, step_advantages, zero_where_alike
from turnwise_agents.estimators.checks import expect_choice, expect_range
from turnwise_agents.estimators.returns import Floats
from turnwise_agents.estimators.table import TurnTable
from turnwise_agents.levels import RewardLevel, parse_levels
from turnwise_agents.rewards import RewardGate, RewardShaper
from turnwise_agents.types import Credit, Group, Trajectory


@dataclass(frozen=True, kw_only=True)
class GRAConfig(GRPOConfig):
    """Configuration of `GRA`."""

    levels: tuple[str, ...] = (
        "episode/score threshold=1 priority=1",
        "turn/format_is_valid weight=0.05 cap=0.1 priority=0",
        "turn/action_is_valid weight=0.05 cap=0.1 priority=0",
    )
    """Reward levels, "SOURCE[+SOURCE...] [priority=P] [threshold=V] [weight=W] [cap=C]"."""
    gate: bool = True
    """False counts every level always: D-RA, the paper's baseline."""
    credit: Literal["episode", "turn"] = "episode"
    """"episode" normalises the gated sum; "turn" what follows each turn."""
    gamma: float = 1.0
    """Discount per turn of credit="turn", in [0, 1]."""
    modification: str = ""
    """Source whose positive value counts in `rollout/modification_rate`; "" takes the component
    `modification` where a level has it."""
    invalid_action_penalty: float = 0.0
    """Subtracted at turns with an invalid action, outside the gate."""

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_choice("credit", self.credit, ("episode", "turn"))
        expect_range("gamma", self.gamma, 0.0, 1.0)
        parse_levels(self.levels)
        if self.modification:
            RewardLevel(sources=(self.modification,))


class GRA(GRPO):
    """Gated reward accumulation."""

    Config: ClassVar[type[AlgorithmConfig]] = GRAConfig

    def __init__(self, config: Any = None, shapers: Sequence[RewardShaper] = ()) -> None:
        config = config if config is not None else self.Config()
        self.gate = RewardGate(parse_levels(config.levels), gated=config.gate)
        super().__init__(config, shapers=[self.gate, *shapers])
        named = "modification" if "modification" in self.gate.sources else ""
        self.modification: str = config.modification or named
        wanted = self.needs.rewards | ({self.modification} if self.modification else set())
        self.needs = replace(self.needs, rewards=wanted)
        self._rates: Metrics = {}

    def shape(self, groups: list[Group], services: Services) -> None:
        """Gates every episode, then lets the other shapers write."""
        super().shape(groups, services)
        played = [t for g in groups if g.purpose == "train" for t in g.valid if t.turns]
        self._rates = repair_rates(played, self.modification)

    def turn_advantages(self, table: TurnTable) -> Floats:
        """Returns [S]: the normalised return from each turn on, 0 where all episodes are alike."""
        returns = discounted_returns(table.rewards, table.trajectory_ids, gamma=self.config.gamma)
        returns = returns + table.immediate_rewards
        advantages = np.zeros(len(table.turns))
        advantages[table.played] = step_advantages(
            returns[table.played],
            table.turn_group_ids[table.played],
            normalize_std=self.config.normalize_std,
            eps=self.config.eps,
            std=self.config.std,
        )
        return zero_where_alike(advantages, table.trajectory_ids, table.group_ids)

    def assign_credit(self, groups: list[Group]) -> list[Credit]:
        """Returns what the gated rewards say of each episode, or of each turn."""
        if self.config.credit == "episode":
            return super().assign_credit(groups)
        table = self.table(groups)
        return table.credits(self.turn_advantages(table))

    def observe(self, groups: list[Group], services: Services) -> Metrics:
        """Adds the paper's rates."""
        return {**super().observe(groups, services), **self._rates}


def repair_rates(trajectories: Sequence[Trajectory], modification: str) -> Metrics:
    """Returns the paper's completion, modification and resolution rates, over episodes.

    Args:
        trajectories: episodes of at least one turn.
        modification: source whose positive value is a modification, "" for none.
    """
    rates = {
        "completion": [t.stop == "env" for t in trajectories],
        "resolution": [t.success for t in trajectories],
    }
    if modification:
        level = RewardLevel(sources=(modification,))
        rates["modification"] = [sum(level.values(t)) > 0 for t in trajectories]
    return {f"rollout/{name}_rate": float(np.mean(row)) for name, row in rates.items() if row}
