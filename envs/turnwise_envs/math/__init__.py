"""Mathematics: the verifier of answers, and the environment that stands on it."""

from turnwise_envs.math.env import MathVerifierEnv
from turnwise_envs.math.extract import Extraction, extract
from turnwise_envs.math.pool import WorkerPool
from turnwise_envs.math.verifier import Verdict, verify, verify_async, verify_batch

__all__ = [
    "Extraction",
    "MathVerifierEnv",
    "Verdict",
    "WorkerPool",
    "extract",
    "verify",
    "verify_async",
    "verify_batch",
]
