"""An interrupted run, resumed, ends where it would have ended, bit for bit."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from short_runs import assert_same, final_state

from turnwise_agents.checkpoint import (
    CheckpointError,
    latest_checkpoint,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
)

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}

TABULAR = ["--model", "tabular", "--algorithm", "gigpo", "--num-tasks", "8"]
OPRL = ["--model", "tabular", "--algorithm", "oprl", "--num-tasks", "8"]
TINY = ["--model", "tiny", "--algorithm", "gigpo", "--no-warm-start", "--max-new-tokens", "8"]


def command(run_dir: Path, iterations: int, model: list[str]) -> list[str]:
    return [
        *[sys.executable, "-m", "turnwise_agents.cli", "train", "--run-dir", str(run_dir), *model],
        *["--env", "turnwise/HouseholdSmall-v0", "--trainer.iterations", str(iterations)],
        *["--trainer.checkpoint-every", "2", "--algo.groups-per-iteration", "4"],
        *["--algo.group-size", "4"],
    ]


def run(arguments: list[str]) -> subprocess.CompletedProcess:
    return subprocess.run(
        arguments, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False
    )


def kill_when_checkpointed(arguments: list[str], run_dir: Path) -> None:
    process = subprocess.Popen(
        arguments, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if list_checkpoints(run_dir):
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list_checkpoints(run_dir)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "iterations"), [(TABULAR, 40), (OPRL, 40), (TINY, 8)])
def test_kill_and_resume_give_the_same_final_weights(tmp_path, model, iterations):
    whole = run(command(tmp_path / "whole", iterations, model))
    assert whole.returncode == 0, whole.stderr
    kill_when_checkpointed(command(tmp_path / "cut", iterations, model), tmp_path / "cut")
    reached = latest_checkpoint(tmp_path / "cut")
    assert reached is not None
    assert reached.name != f"iteration-{iterations:06d}"
    resumed = run(
        [sys.executable, "-m", "turnwise_agents.cli", "train", "--resume", str(tmp_path / "cut")]
    )
    assert resumed.returncode == 0, resumed.stderr
    assert_same(final_state(tmp_path / "whole"), final_state(tmp_path / "cut"))
    rows = [
        json.loads(line) for line in (tmp_path / "cut" / "metrics.jsonl").read_text().splitlines()
    ]
    numbers = [row["iteration"] for row in rows]
    assert numbers == sorted(set(numbers))


@pytest.mark.slow
def test_interrupt_saves_and_says_how_to_go_on(tmp_path):
    process = subprocess.Popen(
        command(tmp_path / "run", 100_000, TABULAR),
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list_checkpoints(tmp_path / "run"):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert f"--resume {tmp_path / 'run'}" in errors
    state = final_state(tmp_path / "run")
    rows = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert state["iteration"] == json.loads(rows[-1])["iteration"]


def test_interrupted_save_leaves_the_last_checkpoint(tmp_path):
    save_checkpoint(tmp_path, 1, {"x": torch.ones(3)})
    (tmp_path / "checkpoints" / ".partial-1").mkdir()
    (tmp_path / "checkpoints" / ".partial-1" / "state.pt").write_bytes(b"half")
    path = latest_checkpoint(tmp_path)
    assert path is not None
    assert path.name == "iteration-000001"
    assert torch.equal(load_checkpoint(path)["x"], torch.ones(3))


def test_old_checkpoints_are_dropped_after_the_new_one_stands(tmp_path):
    for iteration in (1, 2, 10):
        save_checkpoint(tmp_path, iteration, {"x": iteration}, keep=2)
    assert [p.name for p in list_checkpoints(tmp_path)] == ["iteration-000002", "iteration-000010"]


def test_damaged_checkpoint_is_named(tmp_path):
    path = save_checkpoint(tmp_path, 1, {"x": 1})
    (path / "state.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match=r"could not be read.*one before"):
        load_checkpoint(path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full to play a full disk")
def test_full_disk_keeps_what_was_saved(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, 1, {"x": 1})

    def full(*args, **kwargs):
        with open("/dev/full", "wb", buffering=0) as file:
            file.write(b"x")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(CheckpointError, match=r"No space left.*last good one is"):
        save_checkpoint(tmp_path, 2, {"x": 2})
    path = latest_checkpoint(tmp_path)
    assert path is not None
    assert load_checkpoint(path)["x"] == 1
    assert not list((tmp_path / "checkpoints").glob(".partial-*"))
