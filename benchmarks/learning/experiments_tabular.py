"""Tabular experiments: GRPO, RLOO, PPO, GiGPO and OPRL; IGPO against GRPO."""

from __future__ import annotations

from comparison import Experiment

EXPERIMENTS: tuple[Experiment, ...] = ()
