"""Runs a command as nobody: `python as_nobody.py COMMAND...`, by root.

In a mount namespace of its own, where folders closed to nobody above the interpreter and this
repository (a home of root's, say) are replaced by ones that show those two alone; with a temporary
folder of its own.
"""

import os
import sys
from pathlib import Path

from turnwise_envs.sandbox.inside import kernel

_NOBODY = 65534
_SEARCHABLE = 0o001


def main(command: list[str]) -> None:
    """Becomes the command."""
    shown = {Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parents[2]}
    closed: dict[Path, list[Path]] = {}
    for path in sorted(shown):
        for above in reversed(path.parents):
            if not above.stat().st_mode & _SEARCHABLE:
                closed.setdefault(above, []).append(path)
                break
    kernel.unshare(kernel.NEWNS)
    kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
    for above, paths in closed.items():
        held = [os.open(path, os.O_PATH) for path in paths]
        kernel.mount("tmpfs", str(above), "tmpfs", 0, "mode=755")
        for path, descriptor in zip(paths, held, strict=True):
            path.mkdir(parents=True)
            kernel.mount(f"/proc/self/fd/{descriptor}", str(path), "", kernel.MS_BIND)
            os.close(descriptor)
    kernel.mount("tmpfs", "/mnt", "tmpfs", 0, "mode=1777")
    os.environ["TMPDIR"] = os.environ["HOME"] = "/mnt"
    os.chdir(Path(__file__).parents[2])
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
