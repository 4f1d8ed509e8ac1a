"""Runs untrusted code: commands and Python sessions, separated from the host and limited."""

from turnwise_envs.sandbox.containers import (
    Container,
    ContainerImage,
    Isolation,
    open_isolated,
)
from turnwise_envs.sandbox.core import Sandbox, best_isolation, open_sandbox
from turnwise_envs.sandbox.limits import (
    Completed,
    Limits,
    PythonResult,
    SandboxFault,
    SandboxFileError,
)
from turnwise_envs.sandbox.python_session import PythonSession

__all__ = [
    "Completed",
    "Container",
    "ContainerImage",
    "Isolation",
    "Limits",
    "PythonResult",
    "PythonSession",
    "Sandbox",
    "SandboxFault",
    "SandboxFileError",
    "best_isolation",
    "open_isolated",
    "open_sandbox",
]
