"""Expert episodes as the very segments that the trainer would make of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np

from turnwise_agents.context import ContextFactory
from turnwise_agents.segments import segments
from turnwise_agents.types import Generation, RolloutSpec, Segment, Trajectory, Turn
from turnwise_envs.errors import UsageError


def begin(
    env: gym.Env[str, str], rng: np.random.Generator, num_tasks: int | None
) -> tuple[str, dict[str, Any]]:
    """Starts an episode on a task that `rng` draws, of the first `num_tasks` where given."""
    options = None if num_tasks is None else {"task_index": int(rng.integers(num_tasks))}
    return env.reset(seed=int(rng.integers(2**31)), options=options)


def demonstrate(
    env: gym.Env[str, str],
    contexts: ContextFactory,
    tokenizer: Any,
    rng: np.random.Generator,
    *,
    slip_share: float = 0.0,
    train_slips: bool = False,
    num_tasks: int | None = None,
) -> Trajectory:
    """Plays one episode by the demonstrator and records it as if a policy had sampled it.

    The task is drawn by `rng`. Prompts are the context's own, so supervision and rollouts see the
    same ids; the completion is the tokenised action and the end of turn.

    The demonstrator uses only what was shown. Slips (random admissible actions in its place) put
    the imitator where a mistake leads, and show it how to go on.

    Args:
        env: a turnwise environment.
        contexts: makes the prompts; has `stop_ids`.
        tokenizer: the model's.
        rng: draws task and slips.
        slip_share: probability of a slip, per turn.
        train_slips: whether slips are imitated too; else only what is answered to them.
        num_tasks: draw among the first so many tasks; None draws among all.

    Raises:
        UsageError: If the environment's expert has no plan for a task.
    """
    observation, info = begin(env, rng, num_tasks)
    world: Any = env.unwrapped
    task_id = info["task_id"]
    spec = RolloutSpec(env_id="", task_id=task_id, group_id=task_id, count=1)
    context = contexts.new(env, spec)
    context.begin(observation, info)
    record = Trajectory(
        env_id="", task_id=task_id, group_id=task_id, trajectory_id=task_id, turns=[]
    )
    over = False
    while not over:
        slip = rng.random() < slip_share
        action = world.random_action(rng) if slip else world.demonstration_action(rng)
        if action is None:
            raise UsageError(
                f"The environment must have an expert for its tasks, got none for {task_id}. "
                "Warm-start on generated tasks, or pass warm_start=False."
            )
        ids = tokenizer(world.action_format.render(action), add_special_tokens=False)["input_ids"]
        ids = [*ids, contexts.stop_ids[0]]  # type: ignore[attr-defined]
        generation = Generation(
            prompt_ids=context.request("act").prompt_ids,
            completion_ids=ids,
            sampler_logprobs=[0.0] * len(ids),
            trainable=train_slips or not slip,
        )
        context.add(generation)
        record.turns.append(
            Turn(turn_index=len(record.turns), observation=observation, generations=[generation])
        )
        observation, _, terminated, truncated, info = env.step(context.action_text(generation))
        context.observe(observation, info)
        over = terminated or truncated
    record.success = info["success"]
    return record


def demonstration_batches(
    envs: list[gym.Env[str, str]],
    contexts: ContextFactory,
    tokenizer: Any,
    rng: np.random.Generator,
    *,
    batch_size: int,
    distinct: int,
    slip_share: float = 0.0,
    train_slips: bool = False,
    num_tasks: int | None = None,
) -> Iterator[list[Segment]]:
    """Yields the segments of `batch_size` demonstrations, for ever.

    The first `distinct` demonstrations are fresh, environments in turn; after that they come again
    in random order, since playing one costs as much time as learning from it.
    """
    kept: list[list[Segment]] = []
    while len(kept) < distinct:
        batch = []
        for _ in range(batch_size):
            record = demonstrate(
                envs[len(kept) % len(envs)],
                contexts,
                tokenizer,
                rng,
                slip_share=slip_share,
                train_slips=train_slips,
                num_tasks=num_tasks,
            )
            kept.append(segments(record))
            batch += kept[-1]
        yield batch
    while True:
        order = rng.permutation(len(kept))
        for start in range(0, len(order) - batch_size + 1, batch_size):
            yield [s for i in order[start : start + batch_size] for s in kept[i]]


def messages(
    env: gym.Env[str, str], rng: np.random.Generator, num_tasks: int | None = None
) -> set[str]:
    """Returns every text of one episode: observations, and the admissible actions of every turn.

    One action in ten is random, so that the replies to odd commands are among the texts; worlds
    without an expert are played at random throughout.
    """
    observation, info = begin(env, rng, num_tasks)
    world: Any = env.unwrapped
    found, over = {observation}, False
    while not over:
        found.update(info["admissible_actions"] or [])
        action = None if rng.random() < 0.1 else world.demonstration_action(rng)
        action = world.random_action(rng) if action is None else action
        text = world.action_format.render(action)
        found.add(text)
        observation, _, terminated, truncated, info = env.step(text)
        found.add(observation)
        over = terminated or truncated
    return found
