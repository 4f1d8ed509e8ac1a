"""IGPO: every turn is rewarded by how much it raised the policy's belief in the right answer.

Wang et al. 2025, "Information Gain-based Policy Optimization: A Simple and Effective Approach for
Multi-Turn LLM Agents", arXiv:2510.14967 (version 2).

    l_t     = (1 / |a|) sum_j log pi_old(a_j | prompt_t, a_{<j})     belief in the gold answer a
    IG_t    = l_{t+1} - l_t                     t < T                                 (equation 4)
    o       = F1 of the answer, or -format_penalty                   at the last turn T
    z       = (x - mean_g(x)) / std_g(x)        over the gains and over the outcomes  (equation 5)
    A_t     = z_t + gamma * A_{t+1}                                                (equations 6, 7)

and the clipped surrogate with a KL loss of `policy_gradient`. Beliefs are those of the weights that
sampled, without gradient, scored on the very prompts that the policy got: `prompt_{t+1}` holds what
turn t brought. So gains telescope to the whole episode's change of belief, in every kind of
context. It works in any world with gold answers (`expose_reference=True`) and an answer action. A
tabular policy's belief is the probability of the menu's action that answers right, read at the next
row.

Deviations from the paper and from its published code:

- A gain of exactly 0 is a gain; which turns have one is said explicitly. The code finds turns by
  reward != 0, so that such a turn leaves the statistics and melts into the next one.
- Gains are normalised, then discounted, per turn, as in the paper; the first public code did
  the reverse per token position, which its author withdrew.
- std is unbiased, as everywhere here; the code divides by N: `std="population"`. It also adds 1e-8
  to the variance before the root.
- The best of several gold answers counts at every prompt; the code takes the first: `aliases`.
- The answer is written by the world's answer action in the run's action format; the paper puts a
  sentence and `</think><answer>` before it: `answer_prefix`. Its tokens are found by their
  characters, not by counting those of the markup, which can be off by one.
- The outcome is the environment's `score` (F1 where the world grades so), or its return.
- A completion that does not parse is a turn here, and does not end the episode; the episode's
  outcome is the penalty anyway, as it is where the episode ends without an answer.
- Where the episode was cut before an answer, its last turn has a gain too, into
  `final_prompt_ids`. The paper has none there; it is a channel of its own: `credit_final_gain`.
- A belief that is not finite, or an answer that cannot be given, leaves the gain into it out of the
  statistics (ports take 0). `unanswerable="zero"` counts the latter as probability 0, so that what
  brings the answer onto a menu is a gain.
- The curriculum of weights, off in the paper's runs, is replaced by a constant `gain_weight` on
  normalised gains (a factor before the normalisation cancels if gains are normalised separately).
- The pages of `grpo` and `policy_gradient` hold for the rest: failed episodes, branches, groups of
  one.

Explanation of the logged metrics (besides those of `policy_gradient` and `rollout/...`):

- `credit/information_gain/turn_k`: mean gain of turn k (from 0, the first 16), which the paper
  plots.
- `credit/information_gain`, `credit/zero_gain_share`: mean over all turns with a gain; share of
  them that is exactly 0.
- `credit/belief_first`, `credit/belief_last`: mean belief at the first and at the last prompt.
- `credit/unscored_share`: prompts at which no gold answer could be given.
- `credit/no_answer_share`: episodes whose outcome is the penalty.
- `time/scoring_share`: share of the iteration's time that scoring took (`time/scoring_s` seconds,
  `time/scored_tokens` tokens in `time/scoring_forwards` forwards, shared beginnings once).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from turnwise_agents.algorithms.base import AlgorithmConfig, Metrics, Services
from turnwise_agents.algorithms.policy_gradient import PolicyGradient, PolicyGradientConfig
from turnwise_agents.answers import answer_beliefs
from turnwise_agents.estimators import information_gain_advantages, information_gains
from turnwise_agents.estimators.checks import expect_choice, expect_range
from turnwise_agents.estimators.group_relative import Std
from turnwise_agents.estimators.information_gain import Normalization
from turnwise_agents.estimators.returns import Floats
from turnwise_agents.estimators.table import TurnTable
from turnwise_agents.types import Credit, Group, Trajectory
from turnwise_envs.errors import UsageError

GAIN, FINAL_GAIN, BELIEF = "information_gain", "final_information_gain", "belief"
"""Channels of a turn: its gain, the gain into the final prompt, the belief before it."""

LOGGED_TURNS = 16


@dataclass(frozen=True, kw_only=True)
class IGPOConfig(PolicyGradientConfig):
    """Configuration of `IGPO`; defaults are the paper's."""

    group_size: int = 16
    """Episodes per task. Paper: 16."""
    groups_per_iteration: int = 32
    """Tasks per iteration. Paper: 32."""
    kl_coef: float = 0.001
    """Weight of the KL penalty to the initial policy. Published script: 0.001."""
    invalid_action_penalty: float = 0.0
    """Subtracted from the outcome per invalid action. The paper has the format penalty alone."""
    belief: Literal["logprob", "prob"] = "logprob"
    """"logprob" (version 2 of the paper), or "prob", its exponential (version 1)."""
    normalization: Normalization = "separate"
    """Gains and outcomes normalised each by themselves ("separate", paper) or together."""
    gain_weight: float = 1.0
    """Weight of normalised gains beside normalised outcomes; 0 leaves the outcome alone."""
    gamma: float = 1.0
    """Discount per turn, in [0, 1]. Paper: 1 in all experiments."""
    outcome: Literal["score", "return"] = "score"
    """The environment's grade in [0, 1], or its episode return."""
    format_penalty: float = 2.0
    """The outcome is minus this where the episode has no answer or a completion did not parse.
    Published code: 2."""
    unanswerable: Literal["skip", "zero"] = "skip"
    """A prompt at which the answer cannot be given (no such action on the menu) has no belief, or
    belief 0, where belief="prob"."""
    aliases: Literal["best", "first"] = "best"
    """Which of several gold answers counts."""
    answer_prefix: str = ""
    """Text before the answer's action when it is scored, for prompts that end inside a thought."""
    credit_final_gain: bool = False
    """Count the gain of the last turn where the episode was cut before an answer."""
    eps: float = 1e-6
    """Added to standard deviations."""
    std: Std = "unbiased"
    """"unbiased" (N - 1) or "population" (published code)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_choice("belief", self.belief, ("logprob", "prob"))
        expect_choice("normalization", self.normalization, ("separate", "joint"))
        expect_choice("outcome", self.outcome, ("score", "return"))
        expect_choice("unanswerable", self.unanswerable, ("skip", "zero"))
        if self.unanswerable == "zero" and self.belief != "prob":
            raise UsageError(
                f'belief must be "prob" for unanswerable="zero", got {self.belief!r}. '
                "What cannot be given has no log-probability."
            )
        expect_choice("aliases", self.aliases, ("best", "first"))
        expect_choice("std", self.std, ("unbiased", "population"))
        expect_range("gamma", self.gamma, 0.0, 1.0)


class IGPO(PolicyGradient):
    """Information-gain-based policy optimisation."""

    Config: ClassVar[type[AlgorithmConfig]] = IGPOConfig

    def __init__(self, config: Any = None, **kwargs: Any) -> None:
        super().__init__(config, **kwargs)
        self.needs = replace(
            self.needs, env=frozenset({"reference"}), services=frozenset({"answers"})
        )
        self._metrics: Metrics = {}

    def shape(self, groups: list[Group], services: Services) -> None:
        """Writes every turn's belief and gain."""
        super().shape(groups, services)
        assert services.answers is not None
        played = [t for g in groups if g.purpose == "train" for t in g.valid if t.turns]
        beliefs = answer_beliefs(
            played,
            services.scorer,
            services.answers,
            prefix=self.config.answer_prefix,
            best_alias=self.config.aliases == "best",
        )
        rows = [self.believed(row) for row in beliefs]
        for trajectory, row in zip(played, rows, strict=True):
            write_gains(trajectory, row)
        self._metrics = gain_metrics(played, rows)

    def believed(self, logprobs: list[float]) -> Floats:
        """Returns beliefs in the configured form; NaN where there is none."""
        row = np.array(logprobs, dtype=np.float64)
        if self.config.unanswerable == "skip":
            row[np.isneginf(row)] = np.nan
        return np.exp(row) if self.config.belief == "prob" else row

    def outcomes(self, table: TurnTable) -> Floats:
        """Returns [B]: the graded outcome, or minus the penalty where there is no proper answer."""
        outcomes = table.outcomes(self.config.outcome)
        proper = np.array([answered(t) for t in table.trajectories], dtype=bool)
        self._metrics["credit/no_answer_share"] = float(np.mean(~proper)) if len(proper) else 0.0
        return np.where(proper, outcomes, -self.config.format_penalty)

    def assign_credit(self, groups: list[Group]) -> list[Credit]:
        """Returns what each turn taught, and what came of it."""
        table = self.table(groups)
        names = (GAIN, FINAL_GAIN) if self.config.credit_final_gain else (GAIN,)
        gains = np.array(
            [next((t.channels[n] for n in names if n in t.channels), np.nan) for t in table.turns],
            dtype=np.float64,
        )
        own = np.array([turn.trainable for turn in table.turns], dtype=bool)
        advantages = information_gain_advantages(
            gains,
            own & ~np.isnan(gains),
            self.outcomes(table),
            table.trajectory_ids,
            table.group_ids,
            normalization=self.config.normalization,
            gain_weight=self.config.gain_weight,
            gamma=self.config.gamma,
            eps=self.config.eps,
            std=self.config.std,
        )
        return table.credits(advantages)

    def observe(self, groups: list[Group], services: Services) -> Metrics:
        """Adds the gains of this iteration."""
        return {**super().observe(groups, services), **self._metrics}


def write_gains(trajectory: Trajectory, beliefs: Floats) -> None:
    """Writes the channels of one episode; unknown values are left out.

    Args:
        trajectory: the episode.
        beliefs: [T], or [T + 1] where the episode was cut before an answer.
    """
    last = len(trajectory.turns) - 1
    for turn, belief in zip(trajectory.turns, beliefs.tolist(), strict=False):
        if not np.isnan(belief):
            turn.channels[BELIEF] = belief
    gains = information_gains(beliefs).tolist()
    for turn, gain in zip(trajectory.turns, gains, strict=False):
        if not np.isnan(gain):
            turn.channels[GAIN if turn.turn_index < last else FINAL_GAIN] = gain


def answered(trajectory: Trajectory) -> bool:
    """Returns whether the episode ended with an answer and all its completions parsed."""
    return trajectory.stop == "env" and all(turn.format_is_valid for turn in trajectory.turns)


def gain_metrics(trajectories: list[Trajectory], beliefs: list[Floats]) -> Metrics:
    """Returns means of beliefs and gains; see the module's page."""
    if not trajectories:
        return {}
    every = np.concatenate(beliefs)
    by_turn: dict[int, list[float]] = {}
    for turn in (turn for t in trajectories for turn in t.turns):
        if isinstance(gain := turn.channels.get(GAIN), float):
            by_turn.setdefault(turn.turn_index, []).append(gain)
    gains = [value for values in by_turn.values() for value in values]
    metrics = {
        "credit/unscored_share": float(np.isnan(every).mean()),
        "credit/information_gain": float(np.mean(gains)) if gains else 0.0,
        "credit/zero_gain_share": gains.count(0.0) / max(1, len(gains)),
    }
    for name, at in (("first", 0), ("last", -1)):
        values = [row[at] for row in beliefs if not np.isnan(row[at])]
        if values:
            metrics[f"credit/belief_{name}"] = float(np.mean(values))
    for index in sorted(by_turn)[:LOGGED_TURNS]:
        metrics[f"credit/information_gain/turn_{index}"] = float(np.mean(by_turn[index]))
    return metrics
