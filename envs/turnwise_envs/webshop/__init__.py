"""The web shop: search, browse, choose options, buy."""

from turnwise_envs.webshop.env import WebShopEnv

__all__ = ["WebShopEnv"]
