"""The household world: `HouseholdEnv` and what it is made of."""

from turnwise_envs.household.env import HouseholdEnv

__all__ = ["HouseholdEnv"]
