"""The multi-hop search world: `MultiHopSearchEnv` and what it is made of."""

from turnwise_envs.search.env import MultiHopSearchEnv

__all__ = ["MultiHopSearchEnv"]
