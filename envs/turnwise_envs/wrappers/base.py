"""The base of our wrappers: state that snapshots carry."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from turnwise_envs.snapshots import wrapper_state


class TextWrapper(gym.Wrapper[str, str, str, str], RecordConstructorArgs):
    """A wrapper of a text environment whose state travels in snapshots.

    Subclasses call `RecordConstructorArgs.__init__(self, ...)` with their arguments (so that
    `spec.to_json` can make them again), then `super().__init__(env)`.
    """

    def __init__(self, env: gym.Env[str, str]) -> None:
        gym.Wrapper.__init__(self, env)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Starts an episode, or goes on from `options={"snapshot": blob}`."""
        blob = (options or {}).get("snapshot")
        # Read before the environment moves: a snapshot that does not fit changes nothing here.
        state = None if blob is None else wrapper_state(self, blob)
        self.before_reset()
        observation, info = self.env.reset(seed=seed, options=options)
        if blob is not None:
            self.set_state(state)
            return self.resume(observation, info)
        return self.begin(observation, info, seed)

    def before_reset(self) -> None:
        """Called before every reset, while the last episode is still at hand."""

    @abstractmethod
    def begin(
        self, observation: str, info: dict[str, Any], seed: int | None
    ) -> tuple[str, dict[str, Any]]:
        """Starts the wrapper's episode; returns what `reset` returns."""

    def resume(self, observation: str, info: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Goes on after `set_state`; returns what `reset` returns."""
        return observation, info

    @abstractmethod
    def get_state(self) -> Any:
        """Returns the wrapper's state as JSON data."""

    @abstractmethod
    def set_state(self, state: Any) -> None:
        """Puts the wrapper into what `get_state` returned."""
