"""OPRL (iStar): an implicit reward model, learnt on-line from outcomes, rewards every step.

Liu et al. 2025, "Agentic Reinforcement Learning with Implicit Step Rewards", arXiv:2509.19199
(versions 1 and 2 say OPRL, version 3 iStar).

    r_{i,t} = beta * log( pi_phi(a_t | .) / pi_old(a_t | .) )       summed over the action's tokens
    L_phi   = -E log sigmoid( sum_t r_{+,t} - sum_t r_{-,t} )       better and worse of one task
    A^E     = (R_i - mean_g R) / std_g R                            over trajectories
    A^S     = (r_{i,t} - mean_g r) / std_g r                        over ALL steps of the group
    A_{i,t} = A^E + alpha * A^S

and the clipped surrogate with the ratio of whole actions, averaged over turns, without KL. An
iteration: rollouts, outcomes, step rewards, one update of phi, advantages, the update of theta.
pi_old is the policy that sampled, so at the start phi = theta: r = 0, A^S = 0 and L_phi = ln 2.

The comparison of two episodes spans micro-batches; `two_pass` gives its exact gradient. Before the
first rollout the run checks that the oracle's episode would be preferred to that of an agent that
says nothing: without such a difference there is nothing to learn from.

Deviations from the paper and from its published code:

- The reward model is trained. The published code detaches its log-ratios before the loss, so that
  no gradient reaches it and r pulls to the initial model.
- The step statistics hold every step; the published code's baseline holds one arbitrary step of
  each trajectory. Its default divides by the largest |r|: `step_normalization="max"`.
- Against pi_old, r falls for all that the policy has learnt and phi has not yet: but for its
  normalisation, A^S is the policy gradient of -KL(pi_old || phi) and pulls the policy to phi.
  `base="initial"` compares phi with what it was.
- The trajectory's log-ratio is the sum over its steps, as in the paper; the code takes the mean:
  `trajectory_score="mean"`. All pairs better x worse of a group count once each, of any rank.
- The paper takes step rewards from the model before its update (Algorithm 1) and after it
  (section 3.1): `rewards_from`. The code's "after" returns values from before.
- The ratio of the published code is per token: `ratio_level="token"`, `loss_aggregation="token"`.
- A^E is the paper's equation; its runs on WebShop and Sokoban take RLOO: `outcome_advantage`.
- The reward model's learning rate is the policy's times `reward_learning_rate_factor`; its gradient
  is clipped as the policy's (paper: at 10).
- log pi_old is the learner's, not the sampler's: differences of rounding between the two would
  otherwise be normalised into step advantages.
- The penalty for invalid actions enters the outcome, as in the published code, where the same
  penalty on step rewards edits a temporary.
- Groups without both kinds of outcome give no pairs; equal step rewards, a single episode, or
  episodes that are all alike, no A^S. The pages of `grpo` and `policy_gradient` hold for the rest.

Explanation of the logged metrics, besides those of `policy_gradient`:

- `reward_model/accuracy`, `margin`: share of pairs whose better episode has the higher score
  (ties count half), and mean difference of scores, both before the update, that is on episodes
  the model was not trained on. `reward_model/loss`: ln 2 says that it knows nothing.
- `reward_model/pairs`, `groups_without_pairs`: number of pairs; share of groups without spread.
- `reward_model/step_reward_std`: of all step rewards. `reward_model/grad_norm`: of its update. An
  accuracy near 1 beside a growing deviation says that the model tells long episodes from short ones
  by making all that is said in late turns unlikely: lower `reward_learning_rate_factor`. Where
  success falls back, lower `step_advantage_weight`; `model_household_step_parts.md` among the
  benchmarks shows which part of the step rewards it was in a tiny model.
- `judge/score`, `judge/void_share`: mean score; share of episodes without a sound one, which are
  void; `time/judge_s`: seconds. With outcome="judge".
- `time/scoring_share`: what the reward model's forwards and its update cost.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from turnwise_agents.algorithms.base import AlgorithmConfig, Contrast, Metrics, Services
from turnwise_agents.algorithms.grpo import GRPOConfig, TwoLevelGRPO
from turnwise_agents.estimators import (
    batch_normalized_advantages,
    leave_one_out_advantages,
    preference_pairs,
    step_reward_advantages,
    zero_where_alike,
)
from turnwise_agents.estimators.checks import expect_choice
from turnwise_agents.estimators.implicit_reward import StepNormalization
from turnwise_agents.estimators.returns import Floats
from turnwise_agents.estimators.table import TurnTable
from turnwise_agents.judge import JudgeReward
from turnwise_agents.learners.base import Learner
from turnwise_agents.losses import LossAggregation
from turnwise_agents.reward_model import ImplicitRewardModel, pair_metrics
from turnwise_agents.types import Group
from turnwise_envs.errors import UsageError

MODEL, INITIAL, CHANNEL = "reward", "ref", "implicit_reward"


@dataclass(frozen=True, kw_only=True)
class OPRLConfig(GRPOConfig):
    """Configuration of `OPRL`; defaults are the paper's."""

    ratio_level: Literal["token", "turn", "sequence"] = "turn"
    """Paper: the ratio of a turn's whole action; published code: "token"."""
    loss_aggregation: LossAggregation = "turn"
    """Paper: mean over turns, 1 / (N T); published code: "token"."""
    kl_coef: float = 0.0
    """Weight of a KL penalty to the initial policy. Paper: none."""
    ent_coef: float = 0.0
    """Weight of the entropy bonus. Paper: none."""
    beta: float = 0.05
    """Scale of the implicit reward. Paper: 0.05."""
    step_advantage_weight: float = 1.0
    """Weight alpha of the step advantage. Paper: 1."""
    outcome_advantage: Literal["grpo", "rloo", "reinforce++"] = "grpo"
    """Base of the episode's advantage; "reinforce++" is its baseline form. Paper: equation 3 and
    SOTOPIA "grpo", WebShop and Sokoban "rloo"."""
    step_normalization: StepNormalization = "std"
    """Of A^S, over all steps of a group. Paper: "std"; see `step_reward_advantages`."""
    outcome: Literal["return", "score", "judge"] = "return"
    """What episodes are compared by; "judge" asks the run's judge where nothing is verifiable."""
    success_threshold: float | None = 0.0
    """Outcomes above it are successes and preferred to the others; None prefers the higher of two.
    Paper: 0, SOTOPIA 6."""
    base: Literal["old", "initial"] = "old"
    """What the reward model is compared with: the policy that sampled (paper), or the initial one
    (PRIME, arXiv:2502.01456)."""
    trajectory_score: Literal["sum", "mean"] = "sum"
    """Of a trajectory's step rewards in the preference. Paper: sum; published code: mean."""
    rewards_from: Literal["before_update", "after_update"] = "before_update"
    """Which reward model gives this iteration's step rewards. Paper, Algorithm 1: before."""
    reward_epochs: int = 1
    """Updates of the reward model per iteration, each on all pairs."""
    reward_learning_rate_factor: float = 2.0
    """Its learning rate in units of the policy's. Paper: 1e-6 against 5e-7."""
    micro_batch_tokens: int = 16384
    """Upper limit of rows times longest row in its forwards; a matter of memory only."""

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_choice("outcome_advantage", self.outcome_advantage, ("grpo", "rloo", "reinforce++"))
        expect_choice(
            "step_normalization", self.step_normalization, ("std", "leave_one_out", "max")
        )
        expect_choice("outcome", self.outcome, ("return", "score", "judge"))
        expect_choice("base", self.base, ("old", "initial"))
        expect_choice("trajectory_score", self.trajectory_score, ("sum", "mean"))
        expect_choice("rewards_from", self.rewards_from, ("before_update", "after_update"))
        if self.group_size < 2:
            raise UsageError(f"group_size must be at least 2 for OPRL, got {self.group_size}.")


class OPRL(TwoLevelGRPO):
    """Policy optimisation with an implicit step reward learnt on-line."""

    Config: ClassVar[type[AlgorithmConfig]] = OPRLConfig

    def __init__(self, config: Any = None, **kwargs: Any) -> None:
        super().__init__(config, **kwargs)
        self._judge: JudgeReward | None = None
        if self.config.outcome == "judge":
            self._judge = JudgeReward()
            self.shapers.append(self._judge)
            self.needs = replace(self.needs, services=frozenset({"judge"}))
        else:
            contrast = Contrast(self.config.outcome, self.config.success_threshold)
            self.needs = replace(self.needs, contrast=contrast)
        self._metrics: Metrics = {}

    def setup(self, learner: Learner) -> None:
        """Adds the reward model, a trainable copy of the policy."""
        super().setup(learner)
        factor = self.config.reward_learning_rate_factor
        learner.add_model(MODEL, trainable=True, learning_rate_factor=factor)
        if self.config.base == "initial":
            learner.add_model(INITIAL)

    def shape(self, groups: list[Group], services: Services) -> None:
        """Writes the step rewards and trains the reward model."""
        super().shape(groups, services)
        table = self.table([g for g in groups if g.purpose == "train"])
        pairs = preference_pairs(
            self.outcomes(table), table.group_ids, threshold=self.config.success_threshold
        )
        model = ImplicitRewardModel(
            services,
            MODEL,
            table,
            beta=self.config.beta,
            base=INITIAL if self.config.base == "initial" else "policy",
            mean=self.config.trajectory_score == "mean",
            micro_batch_tokens=self.config.micro_batch_tokens,
        )
        log_ratios = model.log_ratios()
        self._metrics = pair_metrics(model.scores(log_ratios), pairs, table.group_ids)
        current = log_ratios
        for epoch in range(self.config.reward_epochs if len(pairs) else 0):
            current = model.log_ratios() if epoch else log_ratios
            self._metrics.update(model.update(current, pairs))
        if self.config.rewards_from == "after_update" and len(pairs):
            log_ratios = model.log_ratios()
        rewards = (self.config.beta * log_ratios).tolist()
        for turn, reward in zip(table.turns, rewards, strict=True):
            turn.channels[CHANNEL] = reward
        self._metrics["reward_model/step_reward_std"] = float(np.std(rewards)) if rewards else 0.0
        if self._judge is not None:
            self._metrics.update(self._judge.metrics)

    def outcomes(self, table: TurnTable) -> Floats:
        """Returns [B]: what episodes are compared by."""
        source = self.config.outcome
        return table.outcomes("none" if source == "judge" else source)

    def episode_advantages(self, table: TurnTable, outcomes: Floats | None = None) -> Floats:
        """Returns [B]: A^E of every trajectory."""
        outcomes = self.outcomes(table) if outcomes is None else outcomes
        base = self.config.outcome_advantage
        if base == "grpo":
            return super().episode_advantages(table, outcomes)
        if base == "rloo":
            return leave_one_out_advantages(outcomes, table.group_ids)
        tokens = self.tokens(table)
        return batch_normalized_advantages(outcomes, table.group_ids, tokens.trained_counts)

    def step_level(self, table: TurnTable) -> Floats:
        """Returns [S]: A^S of every turn, 0 for turns that were copied from a parent."""
        rewards = np.array([t.channels[CHANNEL] for t in table.turns], dtype=np.float64)
        advantages = np.zeros(len(table.turns))
        advantages[table.played] = step_reward_advantages(
            rewards[table.played],
            table.turn_group_ids[table.played],
            normalization=self.config.step_normalization,
            eps=self.config.eps,
            std=self.config.std,
        )
        return zero_where_alike(advantages, table.trajectory_ids, table.group_ids)

    def observe(self, groups: list[Group], services: Services) -> Metrics:
        """Adds how well the reward model did before this iteration's update."""
        return {**super().observe(groups, services), **self._metrics}
