"""The registered environments, one row per id, and what an id tells without being made."""

from __future__ import annotations

import difflib
import inspect
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, load_env_creator

from turnwise_envs.errors import UsageError
from turnwise_envs.splits import TaskSet, shared_task_set

ENVIRONMENTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("turnwise/Household-v0", "turnwise_envs.household:HouseholdEnv", {}),
    (
        "turnwise/HouseholdSmall-v0",
        "turnwise_envs.household:HouseholdEnv",
        {"size": "small", "max_turns": 20},
    ),
    ("turnwise/TextWorld-v0", "turnwise_envs.textworld:TextWorldEnv", {}),
    ("turnwise/WebShop-v0", "turnwise_envs.webshop:WebShopEnv", {}),
    ("turnwise/MultiHopSearch-v0", "turnwise_envs.search:MultiHopSearchEnv", {}),
    ("turnwise/MathVerifier-v0", "turnwise_envs.math:MathVerifierEnv", {}),
    ("turnwise/SWESandbox-v0", "turnwise_envs.swe:SWESandboxEnv", {}),
)
"""(id, entry point, default arguments); entry points are strings, so nothing is imported yet."""


def register_environments() -> None:
    """Registers every row of `ENVIRONMENTS` with Gymnasium (once)."""
    for env_id, entry_point, kwargs in ENVIRONMENTS:
        if env_id not in gym.registry:
            # Gymnasium's passive checker costs more than a step of ours; `check_text_env` checks
            # far more, once.
            gym.register(env_id, entry_point, kwargs=kwargs, disable_env_checker=True)


def env_ids() -> tuple[str, ...]:
    """Returns the ids that turnwise registers, in the table's order."""
    return tuple(row[0] for row in ENVIRONMENTS)


def env_spec(env_id: str | EnvSpec) -> EnvSpec:
    """Returns Gymnasium's spec of an id, also in the `module:id` form; a spec as it is.

    Raises:
        UsageError: If the id is not registered; names the ids that look like it.
    """
    if isinstance(env_id, EnvSpec):
        return env_id
    try:
        return gym.spec(env_id)
    except (gym.error.Error, ModuleNotFoundError) as error:
        close = difflib.get_close_matches(env_id.rpartition(":")[2], list(gym.registry), n=3)
        hint = f"Did you mean {' or '.join(close)}?" if close else f"turnwise has {env_ids()}."
        raise UsageError(f"env_id must be a registered id, got {env_id!r}. {hint}") from error


def env_class(env_id: str | EnvSpec) -> Any:
    """Returns the environment class of an id (imports its module)."""
    entry_point = env_spec(env_id).entry_point
    return load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point


def tasks(env_id: str | EnvSpec, split: str = "train", **kwargs: Any) -> TaskSet:
    """Returns the tasks of a split without building an environment.

    Args:
        env_id: registered id (or spec) of a `TextEnv`, ours or another's.
        split: one of the environment's splits, or "stream".
        **kwargs: arguments as `gym.make` takes them; those in `COMMON_ARGUMENTS` are ignored.

    Returns:
        The task set, shared by everybody in this process who asks for the same one.

    Raises:
        UsageError: If the id is unknown or its class has no tasks.
        UnknownTaskError: If the environment has no such split.
    """
    from turnwise_envs.core import COMMON_ARGUMENTS, TextEnv

    spec = env_spec(env_id)
    cls = env_class(env_id)
    if not (isinstance(cls, type) and issubclass(cls, TextEnv)):
        raise UsageError(f"env_id must name a turnwise TextEnv, got {env_id!r} ({cls!r}).")
    # The constructor's defaults too, so that the same tasks have the same options, hence ids.
    parameters = inspect.signature(cls).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    arguments = {**defaults, **spec.kwargs, **kwargs}
    options = {name: value for name, value in arguments.items() if name not in COMMON_ARGUMENTS}
    return shared_task_set(cls, split, options)
