"""Trackers: lines that survive kills and resumes, a readable terminal, hints in words."""

import io
import json

import pytest
from rich.console import Console

from turnwise_agents.tracking import (
    ConsoleTracker,
    JSONLTracker,
    MultiTracker,
    TrackingError,
    diagnose,
    make_tracker,
)


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_jsonl_appends_and_truncates_to_the_checkpoint(tmp_path):
    path = tmp_path / "run" / "metrics.jsonl"
    tracker = JSONLTracker(path)
    for iteration in range(5):
        tracker.log(iteration, {"loss/total": iteration / 2, "loss/bad": float("nan")})
    assert read(path)[4] == {"iteration": 4, "loss/total": 2.0, "loss/bad": None}
    tracker.close()

    with path.open("a") as file:
        file.write('{"iteration": 5, "lo')  # killed while writing
    resumed = JSONLTracker(path)
    resumed.truncate(3)
    resumed.log(4, {"loss/total": 9.0})
    resumed.close()
    assert [row["iteration"] for row in read(path)] == [0, 1, 2, 3, 4]
    assert read(path)[4]["loss/total"] == 9.0


def test_truncating_before_the_first_checkpoint_keeps_nothing(tmp_path):
    tracker = JSONLTracker(tmp_path / "metrics.jsonl")
    tracker.log(0, {"eval/a/success_rate": 0.5})
    tracker.log(1, {})
    tracker.truncate(0)
    tracker.close()
    assert read(tmp_path / "metrics.jsonl") == []


def test_unwritable_place_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrackingError, match=r"must be writable.*--resume"):
        JSONLTracker(tmp_path / "file" / "metrics.jsonl")


def test_full_disk_is_one_clear_error():
    from pathlib import Path

    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    tracker = JSONLTracker.__new__(JSONLTracker)
    tracker.path = Path("/dev/full")
    tracker._file = tracker.path.open("w")
    with pytest.raises(TrackingError, match="No space left"):
        tracker.log(0, {"a": 1.0})


METRICS = {
    "rollout/success_rate": 0.25,
    "rollout/episodic_return": 1.5,
    "rollout/episodic_length": 12.0,
    "rollout/invalid_action_share": 0.4,
    "loss/total": -0.01,
    "time/tokens_per_s": 12345.0,
    "time/rollout_s": 1.0,
    "time/credit_s": 0.1,
    "time/update_s": 0.5,
    "time/iteration_s": 1.7,
}


def test_console_prints_whole_plain_lines_into_a_pipe():
    out = io.StringIO()
    tracker = ConsoleTracker(Console(file=out, width=40), patience=2)
    tracker.log(0, {"eval/valid_seen/success_rate": 0.125, "eval/valid_seen/errors": 2.0})
    tracker.log(1, METRICS)
    for iteration in (2, 3):
        tracker.log(iteration, METRICS)
    tracker.log(4, {**METRICS, "time/scoring_share": 0.124})
    lines = out.getvalue().splitlines()
    assert "\x1b" not in out.getvalue()
    assert " ".join(lines[0].split()) == "0 evaluation valid_seen: success 12.5%, 2 ERRORS"
    assert lines[1].split()[:3] == ["iter", "success", "return"]
    assert lines[2].split()[:5] == ["1", "25%", "1.50", "12.0", "40%"]
    assert "12.3k" in lines[2]
    assert lines[2].endswith("1.7 (1.0+0.1+0.5)")
    assert lines[-1].endswith("1.7 (1.0+0.1+0.5) 12% scoring")
    assert "Invalid actions: 40%" in lines[4]  # after two iterations, and once
    assert len(lines) == 7


def test_diagnose_says_what_stands_out_and_nothing_else():
    assert diagnose({"rollout/success_rate": 0.5, "loss/entropy": 0.6}) == []
    hints = diagnose(
        {
            "rollout/zero_variance_share": 0.9,
            "rollout/invalid_action_share": 0.5,
            "rollout/invalid_format_share": 0.5,
            "rollout/stop_turns": 0.9,
            "rollout/stop_context": 0.2,
            "rollout/stop_tokens": 0.2,
            "rollout/stop_error": 0.01,
            "gigpo/merge_rate": 0.0,
            "loss/sampler_logprob_gap": 0.2,
            "loss/entropy": 0.001,
            "rollout/segments_per_trajectory": 9.0,
            "rollout/cache_hit_share": 0.0,
            "loss/total": float("nan"),
        }
    )
    names = [hint.partition(":")[0] for hint in hints]
    assert names[0] == "No contrast"
    assert names[-1] == "Not finite"
    assert len(set(names)) == 13


def test_make_tracker_writes_lines_and_events(tmp_path):
    tracker = make_tracker(tmp_path, console=Console(file=io.StringIO()))
    assert isinstance(tracker, MultiTracker)
    tracker.log(1, {"loss/total": 1.0})
    tracker.close()
    assert read(tmp_path / "metrics.jsonl") == [{"iteration": 1, "loss/total": 1.0}]
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss/total")] == [(1, 1.0)]
