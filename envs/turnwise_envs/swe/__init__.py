"""Software engineering: repair packages in sandboxes that cannot be cheated."""

from turnwise_envs.swe.env import SWESandboxEnv

__all__ = ["SWESandboxEnv"]
