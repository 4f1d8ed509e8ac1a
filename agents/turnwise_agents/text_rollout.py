"""Episodes of policies that answer in text, played and recorded without torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import local
from typing import Any

import gymnasium as gym

from turnwise_agents.policies import Env, Policy, PolicyFault, keyed_seed
from turnwise_agents.types import Generation, Trajectory, Turn
from turnwise_envs import EnvironmentFault, Task, UsageError
from turnwise_envs.registration import env_class


@dataclass(frozen=True)
class Job:
    """One episode to play."""

    task: Task
    seed: int
    episode: int

    @property
    def group_id(self) -> str:
        """Episodes of one task and seed form a group."""
        return f"{self.task.id}.s{self.seed}"

    @property
    def trajectory_id(self) -> str:
        """Unique within the evaluation."""
        return f"{self.group_id}.{self.episode}"


def make_env(env_id: str, **kwargs: Any) -> Env:
    """Is `gym.make` with an error that names what an environment does not take.

    Raises:
        UsageError: If the id or an argument is unknown.
    """
    env_class(env_id)
    try:
        return gym.make(env_id, **kwargs)
    except TypeError as error:
        found = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        if found is None:
            raise
        raise UsageError(
            f"env_kwargs must be arguments of {env_id}, got {found[1]!r}. "
            "The class's documentation lists them."
        ) from error


def play_jobs(
    policy: Policy,
    jobs: Sequence[Job],
    *,
    env_id: str,
    env_kwargs: Mapping[str, Any],
    concurrency: int = 1,
) -> Iterator[Trajectory]:
    """Yields episodes as they end; in threads where the policy allows it, else in order.

    Args:
        policy: plays them.
        jobs: what to play.
        env_id: registered id.
        env_kwargs: arguments of `gym.make`.
        concurrency: most threads.
    """
    mine = local()

    def play(job: Job) -> Trajectory:
        if not hasattr(mine, "env"):
            mine.env = make_env(env_id, **env_kwargs)
        trajectory = play_text_episode(policy, mine.env, env_id, job)
        if trajectory.stop == "error":
            mine.env.close()
            del mine.env
        return trajectory

    if not policy.concurrent:
        yield from map(play, jobs)
        return
    waiting: set[Future[Trajectory]] = set()
    queue = iter(jobs)
    with ThreadPoolExecutor(concurrency, thread_name_prefix="episode") as pool:
        try:
            # Few are submitted at a time, so that an error or Ctrl-C leaves little to wait for.
            for job in queue:
                waiting.add(pool.submit(play, job))
                if len(waiting) >= concurrency:
                    finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in finished)
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in finished)
        except BaseException:
            for future in waiting:
                future.cancel()
            raise


def play_text_episode(policy: Policy, env: Env, env_id: str, job: Job) -> Trajectory:
    """Plays one episode and returns its record; broken machinery gives stop="error"."""
    record = Trajectory(
        env_id=env_id,
        task_id=job.task.id,
        group_id=job.group_id,
        trajectory_id=job.trajectory_id,
        turns=[],
        task_kind=job.task.kind,
        purpose="probe",
        train=False,
    )
    try:
        observation, info = env.reset(
            seed=keyed_seed("world", job.seed, job.task.id) >> 32,
            options={"task_id": job.task.id},
        )
        actor = policy.new_episode(env, key=job.trajectory_id, seed=job.seed)
        over = False
        while not over:
            completion = actor.act(observation, info, env)
            before, seen = info, observation
            observation, reward, terminated, truncated, info = env.step(completion)
            record.turns.append(_turn(record, actor, completion, seen, before, info, float(reward)))
            over = terminated or truncated
            record.stop = "turns" if truncated else "env"
        record.success, record.score = info["success"], info["score"]
        record.verdict = info["verdict"] or record.stop
        record.final_observation = observation
        record.final_anchor_key = info["anchor_key"]
    except (EnvironmentFault, PolicyFault) as fault:
        record.stop, record.verdict = "error", "error"
        record.error = f"{type(fault).__name__}: {fault}"
    return record


def _turn(
    record: Trajectory,
    actor: Any,
    completion: str,
    observation: str,
    before: dict[str, Any],
    after: dict[str, Any],
    reward: float,
) -> Turn:
    generation = Generation(
        prompt_ids=[],
        completion_ids=[],
        sampler_logprobs=[],
        finish_reason=getattr(actor, "finish_reason", "stop"),
        trainable=False,
        text=completion,
    )
    return Turn(
        turn_index=len(record.turns),
        observation=observation,
        generations=[generation],
        action=after["action"],
        state_key=before["state_key"],
        belief_key=before["belief_key"],
        anchor_key=before["anchor_key"],
        format_is_valid=after["format_is_valid"],
        action_is_valid=after["action_is_valid"],
        reward=reward,
        reward_components=after["reward_components"],
        metrics=after["metrics"],
        cost={**after["cost"], **getattr(actor, "cost", {})},
    )
