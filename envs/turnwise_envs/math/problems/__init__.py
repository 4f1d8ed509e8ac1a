"""Generated problems: seven topics, five levels, each with its answer, likely slips and a check."""

from turnwise_envs.math.problems.bank import GENERATOR, TOPICS, build
from turnwise_envs.math.problems.problem import Problem

__all__ = ["GENERATOR", "TOPICS", "Problem", "build"]
