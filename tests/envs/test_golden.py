"""Golden transcripts: nothing that an environment says changes by accident."""

from pathlib import Path

import pytest

import turnwise_envs
from turnwise_envs.transcripts import golden_text

FOLDER = Path(__file__).parent.parent / "golden"


@pytest.mark.parametrize("env_id", turnwise_envs.env_ids())
def test_golden(env_id):
    path = FOLDER / (env_id.replace("/", "_") + ".txt")
    assert path.exists(), f"{env_id} has no golden transcript; run scripts/make_golden.py {env_id}"
    assert golden_text(env_id) == path.read_text(encoding="utf-8")
