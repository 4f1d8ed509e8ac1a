"""The wheel holds what it must, and its environments play from another directory."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_wheel_plays_elsewhere(tmp_path):
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(ROOT)], check=True, cwd=tmp_path
    )
    (wheel,) = tmp_path.glob("turnwise-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for name in (
        "turnwise_envs/py.typed",
        "turnwise_agents/py.typed",
        "turnwise_envs/household/checksums.bin",
        "turnwise_agents/view.html",
    ):
        assert name in names
    assert not [n for n in names if n.startswith(("tests/", "benchmarks/", "scripts/"))]
    venv.create(tmp_path / "venv", system_site_packages=True, with_pip=False)
    site = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    zipfile.ZipFile(wheel).extractall(site)
    parent = [p for p in sys.path if p.endswith("site-packages")]
    program = (
        "import gymnasium as gym, turnwise_envs, turnwise_agents.cli as cli;"
        "env = gym.make('turnwise/Household-v0'); env.reset(seed=0);"
        "print(env.step('look')[0], cli.main(['envs']), turnwise_envs.__file__)"
    )
    done = subprocess.run(
        [str(tmp_path / "venv" / "bin" / "python"), "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *parent])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(site) in done.stdout
