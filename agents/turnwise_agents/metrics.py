"""What an iteration's rollouts look like, in numbers.

Logged metrics:

- `rollout/success_rate`, `episodic_return`, `episodic_length`: means over valid episodes, those of
  a verification left out; also per environment (`rollout/<env>/…`) and per task type
  (`rollout/<env>/<kind>/…`).
- `rollout/zero_variance_share`: groups whose returns are all equal. They give outcome-based
  advantages of 0; near 1, tasks are too easy or too hard.
- `rollout/invalid_action_share`, `invalid_format_share`: turns.
- `rollout/stop_<cause>`: share of episodes that ended by env, turns, context, tokens, time, error.
- `rollout/env_steps`: all waves, discarded and verification ones too.
- `credit/advantage_...`: see `credit_metrics`.
- `rollout/completion_length`: tokens a generation; `rollout/truncated_generation_share`: cut ones.
  `rollout/tokens_per_episode`: generated ones, over valid episodes.
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

    Over tokens where the credit is by token, else over turns: `credit/advantage_mean` (0 only where
    the baseline's mean is over the same units), `credit/advantage_std`, `credit/advantage_max_abs`,
    and `credit/advantage_zero_share`: units that the policy loss does not move.
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
