"""Pure functions from returns to advantages; each docstring has its recurrence and its paper."""

from turnwise_agents.estimators.gigpo import (
    anchor_groups,
    anchor_statistics,
    similar_anchor_groups,
    step_advantages,
)
from turnwise_agents.estimators.group_relative import (
    batch_normalized_advantages,
    encode_ids,
    group_relative_advantages,
    leave_one_out_advantages,
    whiten,
    zero_variance_share,
    zero_where_alike,
)
from turnwise_agents.estimators.implicit_reward import preference_pairs, step_reward_advantages
from turnwise_agents.estimators.information_gain import (
    information_gain_advantages,
    information_gains,
)
from turnwise_agents.estimators.returns import discounted_returns, explained_variance, gae

__all__ = [
    "anchor_groups",
    "anchor_statistics",
    "batch_normalized_advantages",
    "discounted_returns",
    "encode_ids",
    "explained_variance",
    "gae",
    "group_relative_advantages",
    "information_gain_advantages",
    "information_gains",
    "leave_one_out_advantages",
    "preference_pairs",
    "similar_anchor_groups",
    "step_advantages",
    "step_reward_advantages",
    "whiten",
    "zero_variance_share",
    "zero_where_alike",
]
