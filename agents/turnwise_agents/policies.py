"""Policies that answer in text: what `turnwise evaluate --policy` names besides models.

    expert | random | null          oracle, floor and empty replies; no model, no torch
    module:Class | module:function  your own
    openai:MODEL@BASE_URL           an OpenAI-compatible endpoint

A `Policy` is shared by all episodes; it hands out one `Actor` per episode, which keeps what it
wants of the conversation.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Callable
from typing import Any, Protocol

import gymnasium as gym
import numpy as np

from turnwise_envs import TurnwiseError, UsageError

Env = gym.Env[str, str]


class PolicyFault(TurnwiseError, RuntimeError):
    """A policy's machinery broke (an endpoint that stays away); the episode is void, not failed."""


class Actor(Protocol):
    """Plays one episode. It may set `cost` (dict of floats) to what its last answer took."""

    def act(self, observation: str, info: dict[str, Any], env: Env) -> str:
        """Returns the raw completion that goes to `env.step`."""
        ...


class Policy(Protocol):
    """Makes one actor per episode. `concurrent` says that episodes may run in parallel threads."""

    concurrent: bool

    def new_episode(self, env: Env, *, key: str, seed: int) -> Actor:
        """Returns the actor of an episode.

        Args:
            env: the episode's environment, after `reset`.
            key: names the episode; equal in every run of the same evaluation.
            seed: of the episode's randomness.
        """
        ...


def keyed_seed(*parts: object) -> int:
    """Returns a 63-bit seed, a hash of `parts` and equal in every process."""
    raw = hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(raw, "little") >> 1


class ExpertPolicy:
    """Plays the world's oracle, rendered in the environment's action format."""

    concurrent = False

    def new_episode(self, env: Env, *, key: str, seed: int) -> ExpertPolicy:
        """Returns itself: the environment knows the plan."""
        return self

    def act(self, observation: str, info: dict[str, Any], env: Env) -> str:
        """Returns the oracle's action.

        Raises:
            PolicyFault: If the world knows no plan here.
        """
        world: Any = env.unwrapped
        action = world.expert_action()
        if action is None:
            raise PolicyFault(f"{world.spec.id if world.spec else world} knows no plan here.")
        return str(world.action_format.render(action))


class RandomPolicy:
    """Plays the world's floor policy, with a random stream of its own per episode."""

    concurrent = False

    def new_episode(self, env: Env, *, key: str, seed: int) -> Actor:
        """Returns an actor with the episode's random stream."""
        return _RandomActor(np.random.default_rng(keyed_seed("random", seed, key)))


class _RandomActor:
    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def act(self, observation: str, info: dict[str, Any], env: Env) -> str:
        world: Any = env.unwrapped
        return str(world.action_format.render(world.random_action(self.rng)))


class NullPolicy:
    """Answers nothing."""

    concurrent = False

    def new_episode(self, env: Env, *, key: str, seed: int) -> NullPolicy:
        """Returns itself."""
        return self

    def act(self, observation: str, info: dict[str, Any], env: Env) -> str:
        """Returns an empty completion."""
        return ""


class ImportedPolicy:
    """A class with `act(observation, info, env)`, made once per episode, or such a function.

    Args:
        name: "module:attribute"; the working directory is searched first.

    Raises:
        UsageError: If it cannot be imported, or is neither.
    """

    def __init__(self, name: str) -> None:
        target = import_object(name)
        self.concurrent = bool(getattr(target, "concurrent", False))
        self._make: Callable[[Env, str, int], Actor]
        if isinstance(target, type):
            if hasattr(target, "new_episode"):
                shared = target()
                self._make = lambda env, key, seed: shared.new_episode(env, key=key, seed=seed)
                return
            if not hasattr(target, "act"):
                raise UsageError(
                    f"policy {name} must have a method act(observation, info, env) -> str, "
                    f"got {target!r}."
                )
            self._make = lambda env, key, seed: target()
        elif callable(target):
            self._make = lambda env, key, seed: _FunctionActor(target)
        else:
            raise UsageError(f"policy {name} must be a class or a function, got {target!r}.")

    def new_episode(self, env: Env, *, key: str, seed: int) -> Actor:
        """Returns a new instance of the class, or the function."""
        return self._make(env, key, seed)


class _FunctionActor:
    def __init__(self, function: Callable[[str, dict[str, Any], Env], str]) -> None:
        self.act = function


def import_object(name: str) -> Any:
    """Returns the attribute that "module:attribute" names.

    Raises:
        UsageError: If module or attribute does not exist. An error inside the module is its own.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise UsageError(f"name must look like module:attribute, got {name!r}.")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise
        raise UsageError(
            f"module {module_name!r} must be importable, got: {error}. "
            "Run in its folder, or install it."
        ) from error
    if not hasattr(module, attribute):
        public = [n for n in vars(module) if not n.startswith("_")]
        raise UsageError(
            f"module {module_name!r} must have {attribute!r}, got only {', '.join(public[:12])}."
        )
    return getattr(module, attribute)


SIMPLE: dict[str, type[ExpertPolicy] | type[RandomPolicy] | type[NullPolicy]] = {
    "expert": ExpertPolicy,
    "random": RandomPolicy,
    "null": NullPolicy,
}


def is_text_policy(name: str) -> bool:
    """Returns whether `name` is a policy of this module rather than a model."""
    if name in SIMPLE or name.startswith("openai:"):
        return True
    head, colon, tail = name.partition(":")
    return bool(colon) and tail.isidentifier() and all(p.isidentifier() for p in head.split("."))
