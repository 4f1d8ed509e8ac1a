"""Games of the textworld package: `TextWorldEnv` and what it is made of."""

from turnwise_envs.textworld.env import TextWorldEnv

__all__ = ["TextWorldEnv"]
