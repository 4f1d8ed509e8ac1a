"""G-RA against D-RA against the outcome alone, in the repair world, with rewards to be farmed.

python benchmarks/learning/gated_repairs.py
"""

from __future__ import annotations

import tyro
from gated_rewards import Config, World, compare

REPAIRS = World(
    title="Gated rewards in the repair world",
    name="gated_repairs",
    env_id="turnwise/SWESandbox-v0",
    env_kwargs={
        "actions": "menu",
        "max_turns": 12,
        "level_rewards": [0.5, 0.5, 1.0],
        "remember_tests": True,
    },
    sources={"test": "cost/commands", "valid action": "turn/action_is_valid"},
    shaping=(("test", 0.15), ("test", 0.3), ("valid action", 0.15), ("valid action", 0.3)),
    hacking={"tests run": "cost/commands", "turns": "turn/action_is_valid"},
)

if __name__ == "__main__":
    compare(REPAIRS, tyro.cli(Config, description=__doc__))
