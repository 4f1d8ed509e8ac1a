"""Evaluation: result files, resuming, errors apart, figures by hand."""

import json
from dataclasses import replace

import pytest

from turnwise_agents.evaluate import EvaluateConfig, Evaluation, evaluate, read_whole_lines
from turnwise_agents.results import normalised, summarise
from turnwise_agents.types import Generation, Trajectory, Turn
from turnwise_envs import UnknownTaskError, UsageError, tasks

ENV = "turnwise/HouseholdSmall-v0"


def config(tmp_path, **kwargs):
    return EvaluateConfig(**{"env": ENV, "tasks": 3, "out": tmp_path / "r.json", **kwargs})


def trajectory(task, success, stop="env", kind="heat", rewards=(0.0, 1.0)):
    generation = Generation(prompt_ids=[], completion_ids=[], sampler_logprobs=[])
    return Trajectory(
        env_id=ENV,
        task_id=task,
        group_id=task,
        trajectory_id=f"{task}.0",
        turns=[
            Turn(
                turn_index=i,
                observation="",
                generations=[generation],
                reward=r,
                action_is_valid=i > 0,
                cost={"calls": 1.0},
            )
            for i, r in enumerate(rewards)
        ],
        success=success,
        score=float(success),
        stop=stop,
        verdict="solved" if success else "wrong",
        task_kind=kind,
        error="boom" if stop == "error" else "",
    )


def test_figures_by_hand():
    played = [
        trajectory("a", True),
        trajectory("b", False, rewards=(0.0, 0.0)),
        trajectory("c", True, kind="cool"),
        trajectory("d", False, stop="error"),
    ]
    figures = summarise(played)
    # d broke: 2 of 3
    assert figures["overall"]["success_rate"]["mean"] == pytest.approx(2 / 3)
    assert figures["overall"]["return"]["mean"] == pytest.approx(2 / 3)
    assert figures["by_kind"]["heat"]["success_rate"]["mean"] == 0.5
    counts = figures["counts"]
    assert (counts["episodes"], counts["errors"], counts["turns"]) == (4, 1, 6)
    assert counts["invalid_actions"] == 3
    assert counts["verdicts"] == {"solved": 2, "wrong": 1}
    assert counts["stops"] == {"env": 3, "error": 1}
    assert counts["error_messages"] == {"boom": 1}
    assert counts["cost"] == {"calls": 6.0}
    assert summarise([trajectory("d", False, stop="error")])["overall"] is None


def test_intervals_count_tasks_not_episodes():
    once = summarise([trajectory(t, True) for t in "abcd"])["overall"]["success_rate"]
    often = summarise([trajectory(t, True) for t in "abcd"] * 5)["overall"]["success_rate"]
    assert once == often


def test_normalised():
    assert normalised(0.5, 0.0, 1.0) == 0.5
    assert normalised(0.2, 0.2, 0.6) == 0.0
    assert normalised(0.2, 0.2, 0.2) is None


def test_result_file_says_how_to_repeat_it(tmp_path):
    result = evaluate(config(tmp_path, baselines=True, env_kwargs='{"max_turns": 18}'))
    written = json.loads((tmp_path / "r.json").read_text())
    assert written == json.loads(json.dumps(result))
    setting = written["setting"]
    assert setting["split"] == "valid_seen"  # the first held-out one
    assert setting["manifest_hash"] == tasks(ENV, "valid_seen").manifest_hash
    assert setting["max_turns"] == 18
    assert setting["instruction"].startswith("You are in a house")
    assert written["overall"]["success_rate"]["mean"] == 1.0
    assert written["normalised_score"] == 1.0
    assert set(written["baselines"]) == {"null", "random", "expert"}
    assert written["provenance"]["packages"]["gymnasium"]
    records = list(read_whole_lines(tmp_path / "r.jsonl"))
    assert [t.task_id for t in records] == [tasks(ENV, "valid_seen")[i].id for i in range(3)]


def test_resume_keeps_finished_episodes_and_repeats_errors(tmp_path):
    whole = evaluate(config(tmp_path, policy="random", episodes=2, seeds=(0, 1)))
    lines = (tmp_path / "r.jsonl").read_text().splitlines(keepends=True)
    assert len(lines) == 12
    broken = json.loads(lines[3])
    broken["stop"], broken["error"] = "error", "boom"
    (tmp_path / "r.jsonl").write_text(
        "".join(lines[:3]) + json.dumps(broken) + "\n" + lines[5] + lines[6][:100]
    )
    with pytest.raises(UsageError, match="exists already"):
        evaluate(config(tmp_path, policy="random", episodes=2, seeds=(0, 1)))
    with pytest.raises(UsageError, match="seeds must be as in the interrupted evaluation"):
        evaluate(config(tmp_path, policy="random", episodes=2, resume=True))
    again = evaluate(config(tmp_path, policy="random", episodes=2, seeds=(0, 1), resume=True))
    assert again["resumed_episodes"] == 4
    assert again["overall"] == whole["overall"]
    assert sorted((tmp_path / "r.jsonl").read_text().splitlines(keepends=True)) == sorted(lines)


def test_overwrite_and_chosen_tasks(tmp_path):
    evaluate(config(tmp_path))
    chosen = tasks(ENV, "valid_unseen")[7].id
    new = config(tmp_path, overwrite=True, split="valid_unseen", task_ids=(chosen,))
    result = evaluate(new)
    assert result["counts"]["episodes"] == 1
    assert [t.task_id for t in read_whole_lines(tmp_path / "r.jsonl")] == [chosen]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"env": "turnwise/Nothing-v0"}, "env_id must be"),
        ({"split": "nowhere"}, "split"),
        ({"task_ids": ("x",)}, "task_id 'x'"),
        ({"tasks": -1}, "tasks must be at least 0"),
        ({"episodes": 0}, "episodes must be"),
        ({"seeds": (1, 1)}, "seeds must be different"),
        ({"temperature": -1.0}, "temperature must"),
        ({"env_kwargs": "[1]"}, "env_kwargs must be a JSON object"),
        ({"env_kwargs": "{"}, "env_kwargs must be a JSON object"),
        ({"action_format": "yaml"}, "action_format must be"),
        ({"split": "stream", "tasks": 0}, "unbounded"),
    ],
)
def test_bad_input_is_named(tmp_path, change, message):
    with pytest.raises((UsageError, UnknownTaskError), match=message):
        Evaluation(replace(config(tmp_path), **change))
    assert not list(tmp_path.iterdir())


def test_unfinished_run_is_named(tmp_path):
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    with pytest.raises(UsageError, match="--resume"):
        Evaluation(config(tmp_path, policy=str(tmp_path / "run")))


def test_portions_keep_a_groups_episodes_consecutive():
    from turnwise_agents.evaluate_model import portions
    from turnwise_agents.text_rollout import Job

    a, b = tasks(ENV, "valid_seen")[0], tasks(ENV, "valid_seen")[1]
    jobs = [Job(a, 0, 0), Job(a, 0, 2), Job(a, 0, 3), Job(b, 0, 0), Job(b, 0, 1)]
    cut = [[(j.task is b, j.episode) for j in p] for p in portions(jobs, 3)]
    assert cut == [[(False, 0)], [(False, 2), (False, 3), (True, 0)], [(True, 1)]]


def test_tabular_policy_resumes_to_the_same_result(tmp_path):
    from turnwise_agents.learners.tabular import TabularLearnerConfig
    from turnwise_agents.tabular import build_tabular, save_policy

    save_policy(build_tabular(TabularLearnerConfig())[0], tmp_path / "policy")
    settings = config(tmp_path, policy=str(tmp_path / "policy"), tasks=2, episodes=3, concurrency=4)
    whole = evaluate(settings)
    lines = (tmp_path / "r.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "r.jsonl").write_text("".join([lines[0], lines[2]]))
    again = evaluate(replace(settings, resume=True))
    assert again["resumed_episodes"] == 2
    assert again["overall"] == whole["overall"]


def test_missing_model_leaves_nothing_to_overwrite(tmp_path):
    for _ in range(2):
        with pytest.raises(UsageError, match="no such folder"):
            evaluate(config(tmp_path, policy=str(tmp_path / "nothing")))
