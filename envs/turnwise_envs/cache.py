"""Where this package keeps what it can compute again: indices of data sets, generated games.

The folder is the variable TURNWISE_CACHE, else `turnwise` in the user's cache folder. Nothing in it
is needed: it may be deleted at any time, and who cannot write there goes without.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

CACHE_VARIABLE = "TURNWISE_CACHE"


def cache_folder() -> Path:
    """Returns the cache folder, which need not exist.

    Raises:
        OSError: If neither the variable is set nor a home folder known.
    """
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE]).expanduser()
    try:
        home = Path.home()
    except RuntimeError as error:
        raise OSError(f"{error} Set {CACHE_VARIABLE}.") from None
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "turnwise"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home)) / "turnwise" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "turnwise"


def write_whole(path: Path, text: str) -> None:
    """Writes a file whole or not at all, also where several processes write it at once.

    Raises:
        OSError: If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".partial")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise
