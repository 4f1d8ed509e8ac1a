"""Makes `tests/support` importable, and keeps caches out of the user's own folder."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))


@pytest.fixture(autouse=True, scope="session")
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["TURNWISE_CACHE"] = str(tmp_path_factory.mktemp("cache"))
