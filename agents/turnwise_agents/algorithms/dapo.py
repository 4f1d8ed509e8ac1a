"""DAPO: GRPO that samples until its groups are informative and clips rising ratios less.

Yu et al. 2025, "DAPO: An Open-Source LLM Reinforcement Learning System at Scale", arXiv:2503.14476.
Four changes to GRPO:

1. Clip-higher: clip(rho, 1 - 0.2, 1 + 0.28), so that improbable good tokens can grow.
2. Dynamic sampling: a group whose members all have the same outcome has advantage 0 everywhere. It
   is dropped and another task is played in its place, wave by wave, until `groups_per_iteration`
   informative groups are there. Every dropped episode counts as environment steps.
3. The loss is a mean over the tokens of the batch (equation 8), not over sequences.
4. Overlong episodes: a soft punishment near the token limit (equation 13,
   `rewards.OverlongPenalty`), and, as an option (`mask_truncated`), episodes that a limit cut are
   left out of the update.

No KL penalty. The advantage is GRPO's.

Deviations from the paper and from its published code:

- A wave draws as many tasks as groups are missing; the paper draws whole batches and cuts off what
  is too much.
- At most `max_waves` waves (the published recipe, and GiGPO's dynamic variant: 10). What is
  informative by then is trained on, be it nothing.
- Outcomes are compared by the environment's episode return, before shaped channels
  (`dynamic_metric`). The paper compares correctness, which is the same where it is the only reward.
- Length counts the tokens of the whole episode, all turns together.
- The published recipe clips dually (verl's default 3) although the paper does not: off.
- The penalty for invalid actions is the shared one, see `policy_gradient`.

Explanation of the logged metrics, besides those of `policy_gradient`:

- `credit/waves`: waves of the iteration. `credit/discarded_share`: groups that were played and not
  trained on; `credit/discarded_step_share`: environment steps spent on them, the price of dynamic
  sampling.
- `credit/overlong_penalty`: mean soft punishment of an episode.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from turnwise_agents.algorithms.base import AlgorithmConfig, Metrics, Services, TaskPool
from turnwise_agents.algorithms.grpo import GRPO, GRPOConfig
from turnwise_agents.estimators.checks import expect_choice, expect_range
from turnwise_agents.rewards import OverlongPenalty, RewardShaper
from turnwise_agents.types import Group, RolloutSpec
from turnwise_envs.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class DAPOConfig(GRPOConfig):
    """Configuration of `DAPO`."""

    group_size: int = 16
    """Episodes per task. Paper: 16."""
    clip_ratio_high: float = 0.28
    """Upper clip. Paper: 0.28."""
    dual_clip: float | None = None
    """None: the paper has no dual clip."""
    kl_coef: float = 0.0
    """Weight of the KL penalty. Paper: none."""
    ent_coef: float = 0.0
    """Weight of the entropy bonus. Paper: none."""
    dynamic_sampling: bool = True
    """Replace groups whose members all have the same outcome."""
    dynamic_metric: Literal["episode_return", "success"] = "episode_return"
    """The outcome that must differ within a group."""
    max_waves: int = 10
    """Waves of rollouts an iteration may take, from 1 to 63."""
    overlong_penalty: float = 1.0
    """Soft punishment of an episode at the token limit, in units of reward; 0 for none. Paper: 1,
    which is the size of its reward for a right answer."""
    overlong_max_tokens: int = 20480
    """Generated tokens of an episode at which the punishment is whole. Paper: 20,480."""
    overlong_cache_tokens: int = 4096
    """Tokens below that limit over which it grows. Paper: 4,096."""

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_choice("dynamic_metric", self.dynamic_metric, ("episode_return", "success"))
        expect_range("max_waves", self.max_waves, 1, 63)
        if not 0 < self.overlong_cache_tokens <= self.overlong_max_tokens:
            raise UsageError(
                "overlong_cache_tokens must be positive and at most overlong_max_tokens "
                f"({self.overlong_max_tokens}), got {self.overlong_cache_tokens}."
            )


class DAPO(GRPO):
    """GRPO with clip-higher, dynamic sampling, token mean and overlong punishment."""

    Config: ClassVar[type[AlgorithmConfig]] = DAPOConfig

    def __init__(self, config: Any = None, shapers: Sequence[RewardShaper] = ()) -> None:
        chosen: Any = config if config is not None else self.Config()
        own: list[RewardShaper] = []
        if chosen.overlong_penalty:
            own.append(
                OverlongPenalty(
                    chosen.overlong_max_tokens,
                    chosen.overlong_cache_tokens,
                    chosen.overlong_penalty,
                )
            )
        super().__init__(chosen, [*own, *shapers])
        self._waves = 0

    def informative(self, group: Group) -> bool:
        """Returns whether the outcomes of a group's valid members differ."""
        return len({getattr(t, self.config.dynamic_metric) for t in group.valid}) > 1

    def plan(self, pool: TaskPool, finished: list[Group]) -> list[RolloutSpec]:
        """Returns the first wave, or as many new groups as informative ones are missing."""
        if not finished:
            self._waves = 1
            return super().plan(pool, finished)
        found = sum(self.informative(g) for g in finished)
        missing = self.config.groups_per_iteration - found
        if not self.config.dynamic_sampling or missing <= 0:
            return []
        if self._waves == self.config.max_waves:
            return []
        self._waves += 1
        return self.draw_groups(pool, missing, first=len(finished))

    def select(self, groups: list[Group]) -> list[Group]:
        """Drops the groups that teach nothing."""
        groups = super().select(groups)
        if not self.config.dynamic_sampling:
            return groups
        return [g for g in groups if self.informative(g)]

    def observe(self, groups: list[Group], services: Services) -> Metrics:
        """Adds what dynamic sampling cost."""
        metrics = super().observe(groups, services)
        kept = {g.group_id for g in self.select(groups)}
        steps = {g.group_id: sum(len(t.turns) for t in g.trajectories) for g in groups}
        spent = sum(steps.values())
        metrics["credit/waves"] = float(self._waves)
        metrics["credit/discarded_share"] = 1.0 - len(kept) / max(1, len(groups))
        metrics["credit/discarded_step_share"] = sum(
            count for name, count in steps.items() if name not in kept
        ) / max(1, spent)
        played = [t for g in groups for t in g.valid]
        penalties = [np.sum(u.channels.get("overlong", 0.0)) for t in played for u in t.turns]
        metrics["credit/overlong_penalty"] = float(sum(penalties)) / max(1, len(played))
        return metrics
