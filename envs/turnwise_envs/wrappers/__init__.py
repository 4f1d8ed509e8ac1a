"""Wrappers of text environments; each travels in snapshots."""

from turnwise_envs.wrappers.base import TextWrapper
from turnwise_envs.wrappers.history import HistoryWindow
from turnwise_envs.wrappers.recorder import EpisodeRecorder

__all__ = ["EpisodeRecorder", "HistoryWindow", "TextWrapper"]
