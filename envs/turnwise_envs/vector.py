"""What vector environments do to `info`, undone; and snapshots restored inside them."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from turnwise_envs.errors import UsageError


def unbatch_info(infos: dict[str, Any], index: int) -> dict[str, Any]:
    """Returns the `info` that sub-environment `index` of a vector environment returned.

    Gymnasium turns each key into an array (or a nested dict of arrays) and a mask `_key` that says
    who has it. This turns numbers and booleans back into Python's, leaves lists and texts as they
    are, and restores empty dicts and absent keys. Under `AutoresetMode.SAME_STEP` the last step's
    `final_info` and `final_obs` come back in the same way.

    Args:
        infos: what `reset` or `step` of a vector environment returned.
        index: number of the sub-environment.

    Returns:
        A fresh dict with the keys that the sub-environment set.
    """
    info: dict[str, Any] = {}
    for key, value in infos.items():
        mask = infos.get(f"_{key}")
        if mask is None or not mask[index]:
            continue
        if isinstance(value, dict):
            info[key] = unbatch_info(value, index)
        elif value.dtype in (np.bool_, np.int64, np.float64) and value.ndim == 1:
            info[key] = value[index].item()
        elif isinstance(value[index], np.ndarray):
            info[key] = value[index].copy()
        else:
            info[key] = value[index]
    return info


def restore_vector(
    vec: gym.vector.VectorEnv[Any, Any, Any], index: int, blob: bytes, seed: int | None = None
) -> tuple[Any, dict[str, Any]]:
    """Restores a snapshot into one sub-environment; the others stay where they are.

    Args:
        vec: a synchronous or asynchronous vector of environments like the snapshot's.
        index: number of the sub-environment.
        blob: what `turnwise_envs.snapshot` returned for an environment of the same id, arguments
            and wrappers.
        seed: re-seeds what follows in that sub-environment; None continues the random stream.

    Returns:
        The batch of observations, and the restored sub-environment's own info.

    Raises:
        UsageError: If there is no such sub-environment, or the vector cannot keep the state (an
            asynchronous one without shared memory, under next-step autoreset).
        SnapshotError: If the snapshot does not fit.
    """
    if not 0 <= index < vec.num_envs:
        raise UsageError(f"index must be in [0, {vec.num_envs}), got {index}.")
    next_step = vec.metadata.get("autoreset_mode") == gym.vector.AutoresetMode.NEXT_STEP
    if next_step and getattr(vec.unwrapped, "shared_memory", True) is False:
        # Gymnasium's worker forgets that a manual reset came between and resets once more.
        raise UsageError(
            "vec must be made with shared_memory=True to restore under next-step autoreset, got "
            "False. Make it so, or use another autoreset_mode."
        )
    mask = np.zeros(vec.num_envs, dtype=np.bool_)
    mask[index] = True
    seeds: Any = [seed if i == index else None for i in range(vec.num_envs)]
    observations, infos = vec.reset(seed=seeds, options={"snapshot": blob, "reset_mask": mask})
    return observations, unbatch_info(infos, index)
