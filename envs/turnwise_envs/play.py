"""Whole episodes without torch: `play_episode`, three policies, and expert demonstrations."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from turnwise_envs.errors import UsageError
from turnwise_envs.registration import env_spec

Agent = Callable[[str, dict[str, Any]], str]
"""(observation, info) -> the raw completion for `env.step`."""


@dataclass(slots=True)
class Episode:
    """One played episode of T turns.

    Attributes:
        observations: [T + 1] texts, the first from `reset`.
        completions: [T] what the agent said.
        rewards: [T] reward of each turn.
        infos: [T + 1] infos, the first from `reset`.
        terminated: whether the task ended; otherwise the turn limit cut it.
    """

    observations: list[str]
    infos: list[dict[str, Any]]
    completions: list[str] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    terminated: bool = False

    @property
    def episode_return(self) -> float:
        """Undiscounted sum of the rewards."""
        return sum(self.rewards)

    @property
    def success(self) -> bool:
        """Whether the task was solved."""
        return bool(self.infos[-1]["success"])


def play_episode(
    env: gym.Env[str, str],
    agent: Agent,
    seed: int | None = None,
    options: dict[str, Any] | None = None,
) -> Episode:
    """Plays one episode.

    Args:
        env: a text environment.
        agent: called with the observation and `info`; returns the raw completion.
        seed: passed to `reset`.
        options: passed to `reset`, such as `{"task_index": 3}`.
    """
    observation, info = env.reset(seed=seed, options=options)
    episode = Episode([observation], [info])
    truncated = False
    while not (episode.terminated or truncated):
        episode.completions.append(agent(observation, info))
        observation, reward, episode.terminated, truncated, info = env.step(episode.completions[-1])
        episode.observations.append(observation)
        episode.rewards.append(float(reward))
        episode.infos.append(info)
    return episode


def expert_policy(env: gym.Env[str, str]) -> Agent:
    """Returns the agent that says, in the environment's action format, what its oracle would do.

    It raises `UsageError` where there is no plan.
    """
    inner: Any = env.unwrapped
    return _planned(inner, inner.expert_action)


def demonstrator_policy(env: gym.Env[str, str], seed: int = 0) -> Agent:
    """Returns the agent of `env.demonstration_action`, with a random stream of its own.

    It raises `UsageError` where there is no plan.
    """
    inner: Any = env.unwrapped
    rng = np.random.default_rng(seed)
    return _planned(inner, lambda: inner.demonstration_action(rng))


def _planned(inner: Any, plan: Callable[[], str | None]) -> Agent:
    def act(observation: str, info: dict[str, Any]) -> str:
        action = plan()
        if action is None:
            raise UsageError(
                f"task_id must be a task with a known plan, got {info['task_id']!r}. "
                "Play it with another agent."
            )
        return str(inner.action_format.render(action))

    return act


def random_policy(env: gym.Env[str, str], seed: int = 0) -> Agent:
    """Returns the agent of `env.random_action`, with a random stream of its own."""
    inner: Any = env.unwrapped
    rng = np.random.default_rng(seed)
    return lambda observation, info: inner.action_format.render(inner.random_action(rng))


def null_policy(env: gym.Env[str, str]) -> Agent:
    """Returns the agent that says nothing at all."""
    return lambda observation, info: ""


def system_prompt(env: gym.Env[str, str]) -> str:
    """Returns instruction, the world's grammar and the format's, as a system message has them."""
    inner: Any = env.unwrapped
    parts = [inner.instruction, inner.grammar]
    if inner.action_format.grammar not in inner.grammar:
        parts.append(inner.action_format.grammar)
    return "\n\n".join(part for part in parts if part)


def export_demonstrations(
    env_id: str,
    split: str,
    count: int,
    path: str | Path,
    *,
    first: int = 0,
    oracle: bool = False,
    **kwargs: Any,
) -> int:
    """Writes demonstrations as chat JSON lines, for supervised warm starts.

    The demonstrator uses only what it was shown, and may fail; imitating the oracle, which knows
    what is hidden, teaches guessing.

    A line is `{"messages": [system, user, assistant, ...], "env_id", "split", "task_id"}`, with
    `"tools"` where the action format has them. The file appears whole or not at all.

    Args:
        env_id: registered id.
        split: whose tasks to play.
        count: number of tasks.
        path: the file, replaced where it exists.
        first: index of the first task.
        oracle: let the oracle play (`env.expert_action`).
        **kwargs: further arguments of `gym.make`, such as `action_format="tool_json"`.

    Returns:
        The number of assistant messages written.

    Raises:
        UsageError: If the split has too few tasks, or a task no known plan.
    """
    env = gym.make(env_spec(env_id), split=split, **kwargs)
    inner: Any = env.unwrapped
    if count < 1 or (inner.tasks.finite and first + count > len(inner.tasks)):
        size = len(inner.tasks) if inner.tasks.finite else "unbounded"
        raise UsageError(
            f"first + count must lie in the split's {size} tasks, got {first + count}."
        )
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + f".{os.getpid()}.part")
    turns = 0
    try:
        with open(draft, "w", encoding="ascii") as file:
            for index in range(first, first + count):
                player = expert_policy(env) if oracle else demonstrator_policy(env, index)
                episode = play_episode(env, player, options={"task_index": index})
                turns += len(episode.completions)
                file.write(json.dumps(_chat(env, env_id, episode)) + "\n")
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
        env.close()
    return turns


def _chat(env: gym.Env[str, str], env_id: str, episode: Episode) -> dict[str, Any]:
    inner: Any = env.unwrapped
    messages = [{"role": "system", "content": system_prompt(env)}]
    for observation, completion in zip(episode.observations, episode.completions, strict=False):
        messages.append({"role": "user", "content": observation})
        messages.append({"role": "assistant", "content": completion})
    chat: dict[str, Any] = {
        "messages": messages,
        "env_id": env_id,
        "split": inner.split,
        "task_id": episode.infos[0]["task_id"],
    }
    if inner.action_format.tools:
        chat["tools"] = inner.action_format.tools
    return chat
