"""The harness of `benchmarks/learning/compare.py`: measures by hand, selection, continuation."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from short_runs import make_config, start

from turnwise_agents.run import Run, load_config
from turnwise_envs import UsageError

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "learning"))

import compare
import comparison
import comparison_report
from comparison import Arm, Experiment

WORDS = (
    "--model tabular --env turnwise/HouseholdSmall-v0 --num-tasks 2 --trainer.checkpoint-every 0 "
    "--trainer.trajectories-every 0 --algo.group-size 2 --algo.groups-per-iteration 2"
)


def experiment(**changes):
    rates = ("--learner.learning-rate 1", "--learner.learning-rate 2")
    arms = {a: Arm(words=f"--algorithm {a}", settings=rates) for a in ("grpo", "rloo")}
    first = Experiment(
        name="example",
        title="An example",
        words=WORDS,
        arms=arms,
        budget=100,
        tuning_seeds=(0, 1),
        seeds=(100, 101, 102),
    )
    return replace(first, **changes)


def row(success, env_steps=(40, 80, 120), job=None, **fields):
    made = {"budget": 100, "error": "", "success": list(success), "env_steps": list(env_steps)}
    made["rollout/episodic_return"] = list(success)
    if job is not None:
        made |= {"stage": job.stage, "arm": job.arm, "setting": job.setting, "seed": job.seed}
        made |= {"words": job.words, "commit": "abc"}
    return made | fields


def oracle(of):
    words = " ".join(of.words.split())
    return row((), (), comparison.Job("oracle", "oracle", 0, 0, words)) | {
        "success_rate": 1.0,
        "turns": 5.0,
        "tasks": 2,
    }


def test_curves_are_cut_at_the_budget():
    # Iterations cover (0, 40], (40, 80], (80, 120]; of the last one, 20 steps count.
    made = row([0.0, 0.5, 1.0])
    assert comparison.area(made) == pytest.approx((40 * 0 + 40 * 0.5 + 20 * 1) / 100)
    assert comparison.final(made) == 1.0
    assert comparison.mean_between(made, 70, 90) == pytest.approx(0.75)
    # A run that takes its steps in larger portions, with the same success at the same steps.
    assert comparison.area(row([0.25, 1.0], (80, 160))) == pytest.approx(comparison.area(made))


def test_steps_to_a_level_want_the_mean_of_a_window():
    assert comparison.steps_to(row([0.0, 0.5, 1.0]), 0.5) == 80
    # Reached within the last iteration: counted at the budget, not behind it.
    assert comparison.steps_to(row([0.0, 0.5, 1.0]), 0.8) == 100
    assert comparison.steps_to(row([0.0, 0.5, 0.7]), 0.8) is None
    # The window is 5 steps: an iteration of 2 steps with success 1 gives (2 * 1 + 3 * 0) / 5.
    assert comparison.steps_to(row([0.0, 1.0, 0.0], (40, 42, 120)), 0.5) is None
    assert comparison.steps_to(row([0.0, 1.0, 0.0], (40, 42, 120)), 0.4) == 42
    # Before a whole window there is no mean.
    assert comparison.steps_to(row([1.0, 1.0], (2, 100)), 0.5) == 100


def test_a_failed_run_counts_as_success_0():
    failed = row([1.0], (100,), error="ValueError: no")
    assert (comparison.area(failed), comparison.final(failed)) == (0.0, 0.0)
    assert comparison.steps_to(failed, 0.1) is None


def tuned(of, better):
    """Tuning rows in which setting `better[arm]` has the higher mean."""
    return [
        row([0.6 if job.setting == better[job.arm] else 0.5 + 0.05 * job.seed] * 3, job=job)
        for job in comparison.tuning_jobs(of)
    ]


def test_each_arm_gets_its_best_setting_and_ties_go_to_the_first():
    example = experiment()
    rows = tuned(example, {"grpo": 1, "rloo": 0})
    assert comparison.choose(example, rows) == {"grpo": 1, "rloo": 0}
    level = [row([0.5] * 3, job=job) for job in comparison.tuning_jobs(example)]
    assert comparison.choose(example, level) == {"grpo": 0, "rloo": 0}
    jobs = comparison.confirmatory_jobs(example, rows)
    assert [(j.arm, j.seed) for j in jobs[:3]] == [("grpo", 100), ("rloo", 100), ("grpo", 101)]
    assert "--learner.learning-rate 2 " in jobs[0].words
    assert "--learner.learning-rate 1 " in jobs[1].words


def test_confirmatory_runs_want_complete_tuning():
    example = experiment()
    rows = tuned(example, {"grpo": 1, "rloo": 0})
    with pytest.raises(UsageError, match="1 runs are missing"):
        comparison.confirmatory_jobs(example, rows[:-1])


def test_rows_are_continued_and_never_made_twice(tmp_path):
    example, file = experiment(), tmp_path / "example.jsonl"
    rows = tuned(example, {"grpo": 1, "rloo": 0})
    for made in rows[:3]:
        comparison.append_row(file, made)
    with file.open("a") as cut:
        cut.write('{"stage": "tu')
    assert comparison.read_rows(file) == rows[:3]
    jobs = comparison.tuning_jobs(example)
    assert comparison.missing(jobs, comparison.read_rows(file)) == jobs[3:]
    comparison.append_row(file, rows[3])
    assert comparison.read_rows(file) == rows[:4]
    changed = experiment(budget=200)
    with pytest.raises(UsageError, match="definition with rows is not changed"):
        comparison.missing(comparison.tuning_jobs(changed), rows)


def test_definitions_are_checked():
    with pytest.raises(UsageError, match="equally many"):
        experiment(arms={"grpo": Arm(settings=("", "x")), "rloo": Arm(settings=("",))})
    with pytest.raises(UsageError, match="baseline"):
        experiment(baseline="ppo")
    with pytest.raises(UsageError, match="fresh"):
        experiment(seeds=(1, 2))


def test_curves_of_a_run_that_evaluates_now_and_then():
    lines = [
        {"eval/test/success_rate": 0.0},
        {"total/env_steps": 50.0, "time/iteration_s": 1.0},
        {"total/env_steps": 101.0, "time/iteration_s": 2.0, "eval/test/success_rate": 0.4},
    ]
    example = experiment(success="eval/test/success_rate", extras=())
    made = comparison.curves_of(example, lines)
    assert made == {"env_steps": [0, 101], "success": [0.0, 0.4], "seconds": 3.0}
    with pytest.raises(UsageError, match="100 environment steps, got 50"):
        comparison.curves_of(example, lines[:2])


def test_report_lists_everything(tmp_path):
    example = experiment()
    rows = [oracle(example), *tuned(example, {"grpo": 1, "rloo": 0})]
    figures = {"grpo": (0.5, 0.5, 0.9), "rloo": (0.9, 0.5, 0.7)}
    for job in comparison.confirmatory_jobs(example, rows):
        rows.append(row([0.0, figures[job.arm][job.seed - 100]], (60, 120), job))
    page = comparison_report.write_report(example, rows, tmp_path)
    assert (tmp_path / "example.md").read_text() == page
    assert (tmp_path / "example.png").stat().st_size > 1000
    # Differences of final success .4, 0, -.2: mean .067, 1 better and 1 worse.
    assert "| rloo | +0.067 [-0.200, +0.400], 1 : 1 |" in page
    # Means over training are 40 / 100 of those.
    assert "+0.027 [-0.080, +0.160], 1 : 1" in page
    # Level .8 of the oracle's 1.0: grpo reaches it on seed 102 only, at the budget.
    assert "| 1 of 3 |" in page
    assert page.count("chosen |") == 2
    with pytest.raises(UsageError, match="1 are missing"):
        comparison_report.write_report(example, rows[:-1], tmp_path)


def test_the_trainer_stops_at_its_environment_steps(tmp_path):
    limits = {"iterations": 50, "max_env_steps": 100}
    env = "turnwise/HouseholdSmall-v0"
    run = start(make_config(tmp_path, "grpo", "tabular", env, num_tasks=4, trainer=limits))
    run.train()
    steps = [
        json.loads(line)["total/env_steps"]
        for line in (tmp_path / "metrics.jsonl").read_text().splitlines()
    ]
    assert steps[-1] >= 100 > ([0, *steps])[-2]
    assert run.trainer.finished
    assert run.trainer.iteration == len(steps) < 50
    # It is finished for a resumed run too.
    assert Run(load_config(tmp_path), resume=True).trainer.finished


@pytest.mark.slow
def test_real_runs_through_the_command(tmp_path):
    example = experiment()
    job = comparison.tuning_jobs(example)[0]
    made = comparison.run_job(example, job, tmp_path)
    assert made["error"] == ""
    assert made["env_steps"][-1] >= 100 > made["env_steps"][-2]
    broken = comparison.run_job(example, replace(job, words=job.words + " --env turnwise/No-v0"))
    assert broken["error"].startswith("UsageError: env_id must be a registered id")
    assert comparison.area(broken) == 0.0
    compare.check_words([job])
    with pytest.raises(SystemExit):
        compare.check_words([replace(job, words=job.words + " --nonsense")])
    assert comparison.oracle_row(example)["success_rate"] == 1.0


def test_the_committed_definitions_can_be_read():
    for found in compare.load_experiments().values():
        assert len(comparison.tuning_jobs(found)) >= len(found.tuning_seeds)
