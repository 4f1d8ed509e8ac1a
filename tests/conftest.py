"""Makes `tests/support` importable, and keeps caches out of the user's own folder."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))


@pytest.fixture(autouse=True, scope="session")
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    base = tmp_path_factory.getbasetemp()
    # The workers of one run share the cache: building a TextWorld game takes seconds.
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    os.environ["TURNWISE_CACHE"] = str(shared / "cache")
