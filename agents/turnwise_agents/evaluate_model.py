"""Evaluation of models: Hugging Face folders and hub ids, and tabular policies, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnwise_agents.context import ChatContexts, ContextConfig, ContextFactory
from turnwise_agents.rollout import EnvPool, Rollout
from turnwise_agents.samplers.base import Sampler
from turnwise_agents.tabular import POLICY_FILE, load_policy
from turnwise_agents.text_rollout import Job
from turnwise_agents.threads import use_threads
from turnwise_agents.types import RolloutSpec, Sampling, Trajectory

if TYPE_CHECKING:
    from turnwise_agents.evaluate import EvaluateConfig


def play_with_model(
    config: EvaluateConfig, jobs: Sequence[Job], env_kwargs: Mapping[str, Any]
) -> Iterator[Trajectory]:
    """Yields the jobs' episodes, `config.concurrency` at a time.

    Args:
        config: policy, decoding and context.
        jobs: what to play.
        env_kwargs: arguments of `gym.make`.

    Raises:
        UsageError: If there is no such model.
    """
    kwargs = dict(env_kwargs)
    if (Path(config.policy) / POLICY_FILE).exists():
        kwargs.setdefault("actions", "menu")
    sampler, contexts = load_model(config)
    for seed, members in groupby(jobs, key=lambda job: job.seed):
        rollout = Rollout(
            sampler=sampler,
            contexts=contexts,
            envs=EnvPool({config.env: kwargs}),
            sampling=Sampling(
                temperature=config.temperature,
                top_p=config.top_p,
                max_new_tokens=config.max_new_tokens or 64,
            ),
            seed=seed,
            max_concurrent=config.concurrency,
        )
        for portion in portions(list(members), config.concurrency):
            offsets: dict[str, int] = {}
            for job in portion:
                offsets.setdefault(job.group_id, job.episode)
            specs = [_spec(config.env, job) for job in portion]
            kinds = {(config.env, job.task.id): job.task.kind for job in portion}
            yield from rollout.run(specs, 0, offsets=offsets, kinds=kinds)
        rollout.envs.close()


def portions(jobs: Sequence[Job], size: int) -> Iterator[list[Job]]:
    """Cuts jobs into lists of at most `size` in which a group's episodes are consecutive numbers.

    A resumed evaluation may lack episodes 0 and 2 of a task; they cannot share a list, because a
    rollout numbers a group's episodes one after the other.
    """
    portion: list[Job] = []
    following: dict[str, int] = {}
    for job in jobs:
        if len(portion) == size or following.get(job.group_id, job.episode) != job.episode:
            yield portion
            portion, following = [], {}
        portion.append(job)
        following[job.group_id] = job.episode + 1
    if portion:
        yield portion


def load_model(config: EvaluateConfig) -> tuple[Sampler, ContextFactory]:
    """Returns the sampler of `config.policy` and its contexts."""
    use_threads(config.model.num_threads)
    folder = Path(config.policy)
    if (folder / POLICY_FILE).exists():
        _, tabular, tabular_contexts = load_policy(folder)
        return tabular, tabular_contexts
    from turnwise_agents.learners.loading import load_model_and_tokenizer
    from turnwise_agents.samplers.hf import HFSampler

    options = config.model
    model, tokenizer = load_model_and_tokenizer(
        config.policy, dtype=options.dtype, device=options.device
    )
    contexts = ChatContexts(
        tokenizer,
        ContextConfig(
            kind="window" if options.context == "window" else "full",
            window=options.window,
            show_admissible=options.show_admissible,
            system_prompt=options.system_prompt,
            max_context_tokens=options.max_context_tokens,
        ),
    )
    return HFSampler(model, stop_ids=contexts.stop_ids), contexts


def _spec(env_id: str, job: Job) -> RolloutSpec:
    return RolloutSpec(
        env_id=env_id,
        task_id=job.task.id,
        group_id=job.group_id,
        count=1,
        train=False,
        purpose="probe",
    )
