"""`RulePolicy`: a scripted baseline that reads what the agent reads, and nothing else."""

from __future__ import annotations

import re
from typing import Any

import gymnasium as gym

from turnwise_envs.webshop import pages

_BUTTONS = frozenset(
    f"click[{label.lower()}]"
    for label in (pages.BACK_TO_SEARCH, pages.PREVIOUS, pages.NEXT, *pages.SUB_PAGES)
)
_BUY = f"click[{pages.BUY.lower()}]"
_PRICE = re.compile(r",? (?:and price lower than|for less than|under) [\d.]+ dollars$")


class RulePolicy:
    """Searches for the instruction, opens the first result, chooses what is named, and buys.

    The rule baseline of Yao et al. 2022 (section 4.1) buys the first result without any options;
    this one also clicks the option values that the instruction contains word for word. It is a
    policy of `turnwise evaluate --policy turnwise_envs.webshop.rule:RulePolicy`.
    """

    def __init__(self) -> None:
        self._wish = ""
        self._clicked: set[str] = set()

    def act(self, observation: str, info: dict[str, Any], env: gym.Env[str, str]) -> str:
        """Returns the next action, in the environment's action format."""
        world: Any = env.unwrapped
        return str(world.action_format.render(self._act(observation, info["admissible_actions"])))

    def _act(self, observation: str, clicks: list[str] | None) -> str:
        if clicks is None or clicks[0].startswith("search["):
            self._wish = _PRICE.sub("", _instruction(observation)).lower()
            return f"search[{self._wish}]"
        if _BUY not in clicks:
            fresh = [click for click in clicks if click not in _BUTTONS]
            return fresh[0] if fresh else f"search[{self._wish.rpartition(' with ')[0]}]"
        for click in clicks[clicks.index(_BUY) + 1 :]:
            value = re.escape(click[6:-1])
            named = re.search(rf"(?<!\w){value}(?!\w)", self._wish)
            if named and click not in self._clicked:
                self._clicked.add(click)
                return click
        return _BUY


def _instruction(observation: str) -> str:
    """Returns the instruction on the start page, in any of the observation's modes."""
    text = re.sub(r"<[^>]+>|\n+", " [SEP] ", observation)
    parts = [part for part in re.split(r"(?:\s*\[SEP\]\s*)+", text) if part]
    return parts[parts.index("Instruction:") + 1]
