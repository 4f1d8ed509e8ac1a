"""The last turns, repeated in the observation."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from turnwise_envs.errors import UsageError
from turnwise_envs.spaces import MAX_OBSERVATION_CHARS, cut_middle
from turnwise_envs.wrappers.base import TextWrapper


class HistoryWindow(TextWrapper):
    """Shows the last `length` turns before the current observation.

    For agents without a memory of their own (one prompt per turn). The first observation of an
    episode is unchanged; later ones read

        Turn 3: You are in the kitchen. What do you do?
        Your action: open fridge 1
        Turn 4: The fridge 1 is open. In it, you see an apple 1.

    where the last line is the current observation. The action is the parsed one, or the start of
    the completion where it did not parse. The whole is cut in the middle at 65,536 characters.

    Args:
        env: a text environment.
        length: number of earlier turns shown, at least 1.
    """

    def __init__(self, env: gym.Env[str, str], length: int = 3) -> None:
        if type(length) is not int or length < 1:
            raise UsageError(f"length must be a positive integer, got {length!r}.")
        RecordConstructorArgs.__init__(self, length=length)
        super().__init__(env)
        self.length = length
        self._turns: list[list[str]] = []
        self._turn = 0
        self._current = ""

    def begin(
        self, observation: str, info: dict[str, Any], seed: int | None
    ) -> tuple[str, dict[str, Any]]:
        """Forgets the last episode."""
        self._turns, self._turn, self._current = [], 0, observation
        return self._text(), info

    def resume(self, observation: str, info: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Shows the restored window."""
        return self._text(), info

    def step(self, action: str) -> tuple[str, Any, bool, bool, dict[str, Any]]:
        """Plays one turn and adds it to the window."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        said = info["action"] if info["format_is_valid"] else cut_middle(action.strip(), 200)
        self._turns = [*self._turns, [self._current, said]][-self.length :]
        self._turn += 1
        self._current = observation
        return self._text(), reward, terminated, truncated, info

    def _text(self) -> str:
        if not self._turns:
            return self._current
        first = self._turn - len(self._turns) + 1
        lines = [
            f"Turn {number}: {observation}\nYour action: {action}"
            for number, (observation, action) in enumerate(self._turns, first)
        ]
        lines.append(f"Turn {self._turn + 1}: {self._current}")
        return cut_middle("\n".join(lines), MAX_OBSERVATION_CHARS)

    def get_state(self) -> dict[str, Any]:
        """Returns the window."""
        return {
            "turns": [list(t) for t in self._turns],
            "turn": self._turn,
            "current": self._current,
        }

    def set_state(self, state: Any) -> None:
        """Restores the window."""
        self._turns = [list(turn) for turn in state["turns"]]
        self._turn, self._current = state["turn"], state["current"]
