"""Snapshots: a running episode as bytes, through the whole wrapper stack, and back.

A snapshot is data, never pickle: one line with a checksum, then JSON with what each layer's
`get_state` returned. The environment's part carries the header that `TextEnv` checks (schema,
id with version, arguments, task, turn).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import gymnasium as gym

from turnwise_envs.errors import SnapshotError

SNAPSHOT_SCHEMA = 1

_MAGIC = b"turnwise-snapshot "


def _checksum(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=8).hexdigest().encode()


def encode_snapshot(state: dict[str, Any]) -> bytes:
    """Encodes a snapshot's JSON data, with a checksum that shows damage."""
    # Not ensure_ascii: two lone surrogates in a row would come back as one letter.
    text = json.dumps(state, separators=(",", ":"), ensure_ascii=False)
    body = text.encode("utf-8", "surrogatepass")
    return _MAGIC + _checksum(body) + b"\n" + body


def decode_snapshot(blob: bytes) -> dict[str, Any]:
    """Reverses `encode_snapshot`; raises `SnapshotError` where the bytes are damaged."""
    if not isinstance(blob, bytes | bytearray | memoryview):
        raise SnapshotError(f"A snapshot must be bytes, got {type(blob).__name__}.")
    head, newline, body = bytes(blob).partition(b"\n")
    if not newline or head != _MAGIC + _checksum(body):
        raise SnapshotError("The snapshot is damaged or no snapshot. Take it again.")
    state: dict[str, Any] = json.loads(body.decode("utf-8", "surrogatepass"))
    return state


def stateful_wrappers(env: gym.Env[Any, Any]) -> list[str]:
    """Returns the names of the wrappers with `get_state`, from `env` inwards."""
    names: list[str] = []
    while isinstance(env, gym.Wrapper):
        if hasattr(type(env), "get_state"):
            names.append(type(env).__name__)
        env = env.env
    return names


def wrapper_state(wrapper: gym.Wrapper[Any, Any, Any, Any], blob: bytes) -> Any:
    """Returns what `wrapper.get_state()` put into a snapshot; for a wrapper's own `reset`.

    Raises:
        SnapshotError: If the snapshot was taken through other wrappers.
    """
    mine = stateful_wrappers(wrapper)
    layers = decode_snapshot(blob)["wrappers"][-len(mine) :]
    _expect_wrappers(layers, mine)
    return layers[0]["state"]


def _expect_wrappers(layers: list[dict[str, Any]], mine: list[str]) -> None:
    theirs = [layer["wrapper"] for layer in layers]
    if theirs != mine:
        raise SnapshotError(
            f"The snapshot's wrappers are {theirs}, the environment's {mine}. "
            "Wrap it in the same way."
        )


def snapshot(env: gym.Env[Any, Any]) -> bytes:
    """Returns the running episode of `env`, wrappers included, as self-contained bytes.

    Each of our wrappers contributes `get_state()`; wrappers of others must be stateless.

    Raises:
        SnapshotError: If no episode is running or the innermost environment is no `TextEnv`.
    """
    layers: list[dict[str, Any]] = []
    layer: Any = env
    while isinstance(layer, gym.Wrapper):
        if hasattr(type(layer), "get_state"):
            ours: Any = layer
            layers.append({"wrapper": type(ours).__name__, "state": ours.get_state()})
        layer = layer.env
    if not hasattr(type(layer), "get_state"):
        raise SnapshotError(f"snapshot needs a turnwise TextEnv, got {type(layer).__name__}.")
    return encode_snapshot({"wrappers": layers, "env": layer.get_state()})


def restore(
    env: gym.Env[Any, Any], blob: bytes, seed: int | None = None
) -> tuple[str, dict[str, Any]]:
    """Puts `env` (fresh or in use, of the same id and arguments) into a snapshot's state.

    It is `env.reset(seed=seed, options={"snapshot": blob})`, so it also works on the environments
    of a vector (`options={"snapshot": blob, "reset_mask": mask}`) and marks them as reset.

    Args:
        env: an environment with the same id, arguments and turnwise wrappers.
        blob: what `snapshot` returned, in this process or another.
        seed: re-seeds what follows, for branching; None continues the random stream.

    Returns:
        The snapshot's observation and info.

    Raises:
        SnapshotError: If the snapshot is damaged, or of another id, version, task or argument.
    """
    _expect_wrappers(decode_snapshot(blob)["wrappers"], stateful_wrappers(env))
    return env.reset(seed=seed, options={"snapshot": blob})
