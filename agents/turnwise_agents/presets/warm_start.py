"""A supervised start, so that reinforcement learning has something to improve.

Two phases, both on episodes made on the fly:

1. expert episodes, until the policy solves `competent` of the training tasks when it samples;
2. sloppy ones (random admissible actions mixed in), until only `target` of them are left.

What phase 1 teaches (reading names, the order of things) stays; what phase 2 adds are habits that
cost reward, which is what a policy gradient can remove. A start that is low because it stopped
early, instead, cannot copy names, and climbs slowly. On this suite more supervision is cheaper than
any reinforcement learning: the preset exists to show the trainers at work.

Everything is counted in optimiser steps, so equal seeds give equal weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

import turnwise_envs
from turnwise_agents.context import ChatContexts
from turnwise_agents.learners.hf import HFLearner, HFLearnerConfig
from turnwise_agents.presets.demonstrations import demonstration_batches
from turnwise_agents.rollout import EnvPool, Rollout, stream_key
from turnwise_agents.samplers.hf import HFSampler
from turnwise_agents.segments import microbatches
from turnwise_agents.types import RolloutSpec, Sampling, Segment


@dataclass(frozen=True, kw_only=True)
class WarmStartConfig:
    """How long and on what."""

    batch_size: int = 16
    """Episodes per optimiser step."""
    demonstrations: int = 4096
    """Distinct episodes of a phase; more are drawn from these."""
    learning_rate: float = 5e-3
    """Of AdamW, with 20 steps of warm-up."""
    max_steps: int = 1500
    """Optimiser steps of phase 1 at most."""
    competent: float = 0.5
    """Sampled success on training tasks that ends phase 1; 1 runs all `max_steps`."""
    slip_share: float = 0.05
    """Share of random actions in phase 1; not imitated, only recovered from."""
    max_sloppy_steps: int = 200
    """Optimiser steps of phase 2 at most; 0 leaves it out."""
    sloppiness: float = 0.3
    """Share of random actions in phase 2."""
    sloppy_learning_rate: float = 5e-4
    """Of phase 2: gentle, so that what was learnt stays."""
    target: float = 0.2
    """Sampled success that ends phase 2."""
    check_every: int = 100
    """Steps between checks of phase 1; phase 2, which is quick, is checked 20 times as often."""
    check_episodes: int = 128
    """Training tasks played in a check."""
    max_new_tokens: int = 16
    """Limit of one completion in a check."""


@dataclass
class WarmStart:
    """What a warm start did.

    Attributes:
        curve: (optimiser step, sampled success) of every check.
        steps: optimiser steps of the two phases.
        tokens: tokens seen, prompts included.
    """

    curve: list[tuple[int, float]]
    steps: tuple[int, int] = (0, 0)
    tokens: int = 0

    @property
    def success_rate(self) -> float:
        """Of the last check; 0 before the first."""
        return self.curve[-1][1] if self.curve else 0.0


def warm_start(
    model: Any,
    tokenizer: Any,
    contexts: ChatContexts,
    env_ids: Sequence[str],
    env_kwargs: dict[str, Any],
    *,
    config: WarmStartConfig | None = None,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
    num_tasks: int | None = None,
    instructions: Sequence[str] = (),
) -> WarmStart:
    """Trains `model` in place.

    Args:
        model: a causal language model.
        tokenizer: its tokenizer.
        contexts: makes the prompts, as in the run to come.
        env_ids: environments to learn, in turn.
        env_kwargs: their arguments.
        config: phases and sizes.
        seed: of the episodes.
        progress: told the success rate after every check.
        num_tasks: learn the first so many tasks only; None takes all.
        instructions: the demonstrators are told one of these, in turn; the default is the worlds'
            own.
    """
    config = config or WarmStartConfig()
    told = [{"instruction": text} for text in instructions] or [{}]
    envs = [gym.make(env_id, **{**env_kwargs, **own}) for own in told for env_id in env_ids]
    check = _Check(model, contexts, env_ids, env_kwargs, config, num_tasks, instructions)
    done = WarmStart([])

    def phase(number: int, steps: int, every: int, learning_rate: float, over: Any) -> int:
        learner = HFLearner(
            model, HFLearnerConfig(learning_rate=learning_rate, warmup_steps=20, device="cpu")
        )
        batches = demonstration_batches(
            envs,
            contexts,
            tokenizer,
            np.random.default_rng([seed, number]),
            batch_size=config.batch_size,
            distinct=config.demonstrations,
            slip_share=config.sloppiness if number == 2 else config.slip_share,
            train_slips=number == 2,
            num_tasks=num_tasks,
        )
        for step in range(1, steps + 1):
            batch = next(batches)
            done.tokens += sum(len(s.input_ids) for s in batch)
            supervise(learner, batch)
            if step % every == 0 or step == steps:
                rate = check.success_rate(stream_key(seed, number, step))
                done.curve.append((step + done.steps[0], rate))
                if progress is not None:
                    progress(f"warm start, phase {number}, step {step}: success {rate:.2f}")
                if over(rate):
                    return step
        return steps

    first = phase(
        1, config.max_steps, config.check_every, config.learning_rate, config.competent.__le__
    )
    done.steps = (first, 0)
    if config.max_sloppy_steps and done.success_rate > config.target:
        second = phase(
            2,
            config.max_sloppy_steps,
            max(1, config.check_every // 20),
            config.sloppy_learning_rate,
            config.target.__ge__,
        )
        done.steps = (first, second)
    for env in envs:
        env.close()
    check.close()
    return done


def supervise(
    learner: HFLearner, batch: Sequence[Segment], micro_batch_tokens: int = 4096
) -> float:
    """Takes one step of maximum likelihood on the tokens under the loss mask; returns the loss."""
    total = max(1, sum(segment.num_tokens for segment in batch))
    loss_sum = 0.0
    for micro in microbatches(batch, micro_batch_tokens, whole_groups=False):
        # Positions outside the mask hold a logprob of 0.
        loss = -learner.forward(micro).logprobs.sum() / total
        learner.backward(loss)
        loss_sum += float(loss.detach())
    learner.step()
    return loss_sum


class _Check:
    """Sampled success on the first tasks of the training split."""

    def __init__(
        self,
        model: Any,
        contexts: ChatContexts,
        env_ids: Sequence[str],
        env_kwargs: dict[str, Any],
        config: WarmStartConfig,
        num_tasks: int | None,
        instructions: Sequence[str],
    ) -> None:
        self.sampler = HFSampler(model, stop_ids=contexts.stop_ids)
        self.pool = EnvPool({env_id: env_kwargs for env_id in env_ids})
        share = max(1, config.check_episodes // len(env_ids))
        share = share if num_tasks is None else min(share, num_tasks)
        self.specs = [
            RolloutSpec(
                env_id=env_id,
                task_id=tasks[i].id,
                group_id=f"{env_id}.{i}",
                count=1,
                train=False,
                instruction=instructions[i % len(instructions)] if instructions else None,
            )
            for env_id in env_ids
            for tasks in [turnwise_envs.tasks(env_id, **env_kwargs)]
            for i in range(min(share, len(tasks) if tasks.finite else share))
        ]
        self.rollout = Rollout(
            sampler=self.sampler,
            contexts=contexts,
            envs=self.pool,
            sampling=Sampling(max_new_tokens=config.max_new_tokens),
        )

    def success_rate(self, key: int) -> float:
        """Plays every task once; `key` names the random streams."""
        # The weights changed in place, which the sampler cannot see.
        self.sampler.load(self.sampler.model, self.sampler.version + 1)
        played = self.rollout.run(self.specs, key)
        return float(np.mean([t.success for t in played]))

    def close(self) -> None:
        """Closes the environments."""
        self.pool.close()
