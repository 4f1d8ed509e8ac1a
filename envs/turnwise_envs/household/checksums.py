"""The committed checksums of the registered tasks: 4 bytes a task, checked when one is built.

    python -m turnwise_envs.household.checksums        # writes the table anew

A task's id says how it was made, not what it is. The table says what came out when this version
of the generator was released, so that a changed generator, library or platform is an error instead
of silently different tasks.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from turnwise_envs.errors import EnvironmentFault

if TYPE_CHECKING:
    from turnwise_envs.household.generator import SceneOptions

TABLE = Path(__file__).with_name("checksums.bin")
TABLED_SIZES = ("full", "small")
TABLED_SPLITS = ("train", "valid_seen", "valid_unseen", "ood")


@lru_cache(maxsize=1)
def _table() -> dict[tuple[SceneOptions, str], bytes]:
    from turnwise_envs.household.tasks import SIZES, TASKS_PER_SPLIT

    data = TABLE.read_bytes() if TABLE.exists() else b""
    rows = [(SIZES[size], split) for size in TABLED_SIZES for split in TABLED_SPLITS]
    width = 4 * TASKS_PER_SPLIT
    if len(data) != width * len(rows):
        raise EnvironmentFault(
            f"{TABLE.name} must have {width * len(rows)} bytes, got {len(data)}. "
            "Reinstall turnwise; after a change of the generator, run this module."
        )
    return {row: data[i * width : (i + 1) * width] for i, row in enumerate(rows)}


def entry(scene_key: str) -> bytes:
    """Returns the 4 bytes kept of a scene's content hash."""
    return bytes.fromhex(scene_key[:8])


def check(options: SceneOptions, split: str, index: int, scene_key: str) -> None:
    """Compares a built scene with the table, where the table has its options.

    Raises:
        EnvironmentFault: If they differ.
    """
    row = _table().get((options, split))
    if row is not None and row[4 * index : 4 * index + 4] != entry(scene_key):
        raise EnvironmentFault(
            f"Task {index} of split {split!r} must be the scene that this version of the generator "
            "was released with, but another came out: the generator differs. Reinstall turnwise; "
            "if you changed the generator, change GENERATOR and run "
            "python -m turnwise_envs.household.checksums."
        )


def write() -> int:
    """Builds every tabled task and writes the table; returns its CRC-32."""
    from turnwise_envs.household.tasks import SIZES, HouseholdTasks

    rows = []
    for size in TABLED_SIZES:
        for split in TABLED_SPLITS:
            tasks = HouseholdTasks(split, SIZES[size])
            rows.append(b"".join(entry(tasks.build(task).scene.key) for task in tasks))
    data = b"".join(rows)
    TABLE.write_bytes(data)
    return zlib.crc32(data)


if __name__ == "__main__":
    print(f"{TABLE.name}: CRC-32 {write():08x}")
