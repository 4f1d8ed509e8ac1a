"""Caches of a limited size: least recently used, least often used, and with an age limit."""

from caches.expiring import ExpiringCache
from caches.frequent import FrequentCache
from caches.layered import LayeredCache
from caches.recent import RecentCache

__all__ = ["ExpiringCache", "FrequentCache", "LayeredCache", "RecentCache"]
