"""turnwise environments: Gymnasium environments for language agents.

Importing this package registers its ids; `gym.make("turnwise_envs:turnwise/Household-v0")` imports
and makes in one call, as worker processes need it.
"""

from turnwise_envs.core import StepResult, TextEnv
from turnwise_envs.errors import (
    DataError,
    DependencyNotInstalled,
    EnvironmentFault,
    SnapshotError,
    TurnwiseError,
    UnknownTaskError,
    UsageError,
)
from turnwise_envs.registration import env_ids, register_environments, tasks
from turnwise_envs.snapshots import restore, snapshot
from turnwise_envs.splits import Task, TaskSet
from turnwise_envs.vector import restore_vector, unbatch_info

__all__ = [
    "DataError",
    "DependencyNotInstalled",
    "EnvironmentFault",
    "SnapshotError",
    "StepResult",
    "Task",
    "TaskSet",
    "TextEnv",
    "TurnwiseError",
    "UnknownTaskError",
    "UsageError",
    "env_ids",
    "register_environments",
    "restore",
    "restore_vector",
    "snapshot",
    "tasks",
    "unbatch_info",
]

register_environments()
