"""What an iteration's rollouts look like, in numbers; and what every run logs.

Explanation of the logged metrics, whatever the algorithm (its own are on its page). `<...>` stands
for a name; a name without a group belongs to that of the first one on its line.

- `rollout/success_rate`, `episodic_return`, `episodic_length`: means over valid episodes, length in
  turns, those of a verification left out. In a mixture also `rollout/<env>/success_rate`,
  `rollout/<env>/episodic_return` and `rollout/<env>/episodic_length`, and wherever a world has
  kinds of tasks `rollout/<env>/<kind>/success_rate`.
- `rollout/zero_variance_share`: groups whose returns are all equal. They give outcome-based
  advantages of 0; near 1, tasks are too easy or too hard.
- `rollout/invalid_action_share`, `invalid_format_share`: turns.
- `rollout/stop_<cause>`: share of episodes that ended by env, turns, context, tokens, time, error.
- `rollout/episodes`, `groups`, `env_steps`: of all waves, discarded and verification ones too; a
  step is a turn. `chosen_groups`: those that are trained on.
- `rollout/generated_tokens`, `tokens_per_episode`: over valid episodes, sum and mean.
- `rollout/completion_length`: tokens a generation. `truncated_generation_share`: cut ones.
- `rollout/prompt_length`: tokens of an episode's last prompt, mean.
- `rollout/segments_per_trajectory`: sequences that an episode is trained as; 1 for full history.
- `rollout/cache_hit_share`, `sampler_forwards`: of a language model's sampler: share of prompt
  tokens that were in its cache; forward passes.
- `credit/advantage_mean`, `advantage_std`, `advantage_max_abs`, `advantage_zero_share`: over tokens
  where the credit is by token, else over turns. The mean is 0 only where the baseline's mean is
  over the same units; the last is the share that the policy loss does not move.
- `loss/total`: the loss, mean over optimiser steps, as all of `loss`. `trained_tokens`: of the
  iteration. `optimiser_steps`: their number.
- `loss/grad_norm`, `learning_rate`: of the policy, the norm before clipping. Of another trained
  model, and of heads, `loss/<model>/grad_norm` and `loss/<model>/learning_rate`.
- `loss/sampler_logprob_gap`: mean |log pi - log pi_sampler| before the first optimiser step: what
  sampler and learner disagree about.
- `time/rollout_s`, `credit_s`, `update_s`, `iteration_s`: seconds of the rollouts, of shaping and
  credit (scoring included), of the update, and of all. `eval_s`: of an evaluation, besides.
- `time/tokens_per_s`, `env_steps_per_s`: generated tokens and turns per second of rollout.
- `time/scoring_s`, `scoring_share`, `scored_tokens`, `scoring_forwards`: where an algorithm scores
  texts with the learner: seconds, their share of the iteration, tokens, forward passes.
- `total/env_steps`, `generated_tokens`: since the run began.
- `eval/<set>/success_rate`, `eval/<set>/episodic_return`, `eval/<set>/episodic_length`: means over
  the episodes of a held-out set; `eval/<set>/success_rate/<kind>` of a kind of tasks alone.
  `eval/<set>/errors`: episodes lost to broken infrastructure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from turnwise_agents.types import Credit, Group, Trajectory

STOPS = ("env", "turns", "context", "tokens", "time", "error")


def rollout_metrics(groups: Sequence[Group], chosen: Sequence[Group]) -> dict[str, float]:
    """Returns the metrics of an iteration's groups (all waves) and of those trained on."""
    played = [t for g in groups for t in g.trajectories]
    valid = [t for t in played if not t.failed]
    turns = [turn for t in valid for turn in t.turns if turn.trainable or not t.train]
    generations = [g for turn in turns for g in turn.generations]
    counted = max(1, len(turns))
    metrics = {
        "rollout/env_steps": float(_own_turns(played)),
        "rollout/generated_tokens": float(sum(len(g.completion_ids) for g in generations)),
        "rollout/episodes": float(len(played)),
        "rollout/groups": float(len(groups)),
        "rollout/chosen_groups": float(len(chosen)),
        "rollout/zero_variance_share": _zero_variance(groups),
        "rollout/invalid_action_share": sum(not t.action_is_valid for t in turns) / counted,
        "rollout/invalid_format_share": sum(not t.format_is_valid for t in turns) / counted,
        "rollout/completion_length": _mean([len(g.completion_ids) for g in generations]),
        "rollout/truncated_generation_share": _mean(
            [g.finish_reason == "length" for g in generations]
        ),
        "rollout/tokens_per_episode": sum(len(g.completion_ids) for g in generations)
        / max(1, len(valid)),
        "rollout/prompt_length": _mean([len(t.final_prompt_ids) for t in valid]),
    }
    for stop in STOPS:
        metrics[f"rollout/stop_{stop}"] = _mean([t.stop == stop for t in played])
    judged = [t for t in valid if t.purpose != "verify"] or valid
    metrics.update(_outcomes("rollout", judged))
    by_env: dict[str, list[Trajectory]] = defaultdict(list)
    for trajectory in judged:
        by_env[trajectory.env_id].append(trajectory)
    for env_id, members in sorted(by_env.items()):
        if len(by_env) > 1:
            metrics.update(_outcomes(f"rollout/{env_id}", members))
        by_kind: dict[str, list[Trajectory]] = defaultdict(list)
        for trajectory in members:
            by_kind[trajectory.task_kind].append(trajectory)
        for kind, same in sorted(by_kind.items()):
            if kind:
                metrics[f"rollout/{env_id}/{kind}/success_rate"] = _mean([t.success for t in same])
    return metrics


def credit_metrics(credits: Sequence[Credit]) -> dict[str, float]:
    """Returns what the advantages of an iteration look like.

    Over tokens where the credit is by token, else over turns; see the module's page.
    """
    rows = [row for credit in credits for row in (credit.token or [credit.turn])]
    values = np.array([value for row in rows for value in row], dtype=np.float64)
    if not len(values):
        values = np.zeros(1)
    return {
        "credit/advantage_mean": float(values.mean()),
        "credit/advantage_std": float(values.std()),
        "credit/advantage_max_abs": float(np.abs(values).max()),
        "credit/advantage_zero_share": float((values == 0).mean()),
    }


def _own_turns(played: Sequence[Trajectory]) -> int:
    """Number of environment steps taken: a branch's copied prefix was paid for by its parent."""
    return sum(len(t.turns) - (t.parent[1] if t.parent else 0) for t in played)


def _outcomes(prefix: str, valid: Sequence[Trajectory]) -> dict[str, float]:
    return {
        f"{prefix}/success_rate": _mean([t.success for t in valid]),
        f"{prefix}/episodic_return": _mean([t.episode_return for t in valid]),
        f"{prefix}/episodic_length": _mean([len(t.turns) for t in valid]),
    }


def _zero_variance(groups: Sequence[Group]) -> float:
    flat = [len({t.episode_return for t in g.valid}) <= 1 for g in groups if g.purpose == "train"]
    return _mean(flat)


def _mean(values: Sequence[float] | Sequence[bool] | Sequence[int]) -> float:
    return float(np.mean(values)) if len(values) else 0.0
