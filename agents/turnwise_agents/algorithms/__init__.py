"""The algorithms by their command-line names.

`load_algorithm` also takes module:Class, and inspo+NAME for either with co-evolving instructions.
"""

from __future__ import annotations

import importlib

from turnwise_agents.algorithms.base import Algorithm
from turnwise_agents.algorithms.cispo import CISPO
from turnwise_agents.algorithms.dapo import DAPO
from turnwise_agents.algorithms.dr_grpo import DrGRPO
from turnwise_agents.algorithms.gigpo import GiGPO
from turnwise_agents.algorithms.gra import GRA
from turnwise_agents.algorithms.grpo import GRPO
from turnwise_agents.algorithms.gspo import GSPO
from turnwise_agents.algorithms.igpo import IGPO
from turnwise_agents.algorithms.inspo import INSPO, with_instructions
from turnwise_agents.algorithms.loop import LOOP
from turnwise_agents.algorithms.oprl import OPRL
from turnwise_agents.algorithms.ppo import PPO
from turnwise_agents.algorithms.reinforce import REINFORCE
from turnwise_agents.algorithms.reinforce_plus_plus import (
    REINFORCEPlusPlus,
    REINFORCEPlusPlusBaseline,
)
from turnwise_agents.algorithms.rloo import RLOO
from turnwise_agents.algorithms.sapo import SAPO
from turnwise_agents.algorithms.vespo import VESPO
from turnwise_envs.errors import UsageError

ALGORITHMS: dict[str, type[Algorithm]] = {
    "reinforce": REINFORCE,
    "rloo": RLOO,
    "grpo": GRPO,
    "gigpo": GiGPO,
    "igpo": IGPO,
    "oprl": OPRL,
    "inspo": INSPO,
    "gra": GRA,
    "ppo": PPO,
    "reinforce_plus_plus": REINFORCEPlusPlus,
    "reinforce_plus_plus_baseline": REINFORCEPlusPlusBaseline,
    "dr_grpo": DrGRPO,
    "dapo": DAPO,
    "gspo": GSPO,
    "cispo": CISPO,
    "sapo": SAPO,
    "vespo": VESPO,
    "loop": LOOP,
}


def load_algorithm(name: str) -> type[Algorithm]:
    """Returns the class of a name in `ALGORITHMS`, of "module:Class", or of "inspo+" and either.

    Raises:
        UsageError: If there is no such name, module or class, or the class is no `Algorithm`.
    """
    if name.startswith("inspo+"):
        return with_instructions(load_algorithm(name.removeprefix("inspo+")))
    if ":" not in name:
        if name not in ALGORITHMS:
            raise UsageError(
                f"algorithm must be one of {', '.join(ALGORITHMS)} or module:Class, got {name!r}."
            )
        return ALGORITHMS[name]
    module_name, _, class_name = name.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"algorithm {name!r} must name an importable class, got {error}. "
            "Write it as package.module:Class, with the module on PYTHONPATH."
        ) from error
    if not (isinstance(found, type) and issubclass(found, Algorithm)):
        raise UsageError(f"algorithm {name!r} must be a subclass of Algorithm, got {found!r}.")
    return found
