"""The command: fast, clear in its errors, usable in pipes."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from turnwise_agents import cli
from turnwise_agents.cli_train import parse
from turnwise_agents.play_terminal import Game, PlayConfig
from turnwise_envs import UsageError

ENV = "turnwise/HouseholdSmall-v0"
WITHOUT = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1].split(","):
            raise ImportError(f"{name} must not be imported here")
sys.meta_path.insert(0, Block())
from turnwise_agents.cli import main
sys.exit(main(sys.argv[2:]))
"""


def without_torch(*words, stdin="", cwd=None, blocked="torch,transformers"):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, blocked, *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
    )


def test_evaluate_and_view_without_torch(tmp_path):
    done = without_torch(
        *("evaluate", "--env", ENV, "--policy", "expert", "--tasks", "6"), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "100.0" in done.stdout
    out = tmp_path / "evaluations" / "HouseholdSmall-v0-valid_seen-expert.json"
    assert json.loads(out.read_text())["overall"]["success_rate"]["mean"] == 1.0
    assert cli.main(["view", str(out), "-o", str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "page.html").stat().st_size > 10_000


def test_tables_are_trained_without_transformers(tmp_path):
    """Most of the time that a short run needs would go into importing it."""
    words = "train --env turnwise/HouseholdSmall-v0 --model tabular --algorithm gigpo"
    sizes = "--trainer.iterations 1 --algo.groups-per-iteration 1 --num-tasks 1"
    done = without_torch(*words.split(), *sizes.split(), cwd=tmp_path, blocked="transformers")
    assert done.returncode == 0, done.stderr


def test_play_in_a_pipe_without_torch():
    done = without_torch("play", ENV, "--hints", stdin="look\n:undo\n:actions\n")
    assert done.returncode == 0, done.stderr
    assert "Your task is to" in done.stdout
    assert "The expert: " in done.stdout
    assert "1/20 > look" in done.stdout
    assert "Left before the end" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("script", ["train", "evaluate", "play", "view"])
def test_scripts_are_the_commands(script):
    text = (Path(__file__).parents[2] / "scripts" / f"{script}.py").read_text()
    assert f'main(["{script}", *sys.argv[1:]])' in text
    assert script in cli.COMMANDS


def test_usage_and_version(capsys):
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in cli.COMMANDS)
    assert cli.main([]) == 2
    assert cli.main(["--version"]) == 0
    assert "turnwise 0." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dance"], "command must be one of"),
        (["evaluate", "--env", "turnwise/Huosehold-v0"], "Did you mean"),
        (["evaluate", "--env", ENV, "--env-kwargs", '{"colour": 1}'], "'colour'"),
        (["play", "turnwise/Nothing-v0"], "env_id must be a registered id"),
        (["play", ENV, "--split", "nowhere"], "split must be one of"),
        (["play", ENV, "--task-index", "1", "--task-id", "x"], "must not be given both"),
        (["view", "/nonexistent/file.jsonl"], "must exist"),
        (["envs", "--all"], "takes no options"),
        (["train", "--resume", "/nonexistent"], "no config.json"),
        (["train", "--resume", "x", "--seed", "1"], "takes a run's folder"),
        (["train", "--resume"], "must be followed"),
        (["train", "--algorithm", "magic"], "algorithm must be one of"),
    ],
)
def test_errors_are_one_line(words, message, capsys):
    assert cli.main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("turnwise: error: ")
    assert error.count("\n") == 1
    assert message in error


def test_unknown_option_exits_2():
    with pytest.raises(SystemExit) as ended:
        cli.main(["play", ENV, "--colour", "red"])
    assert ended.value.code == 2


def test_traceback_on_request(monkeypatch):
    with pytest.raises(UsageError):
        cli.main(["view", "/nonexistent", "--traceback"])
    monkeypatch.setenv("TURNWISE_TRACEBACK", "1")
    with pytest.raises(UsageError):
        cli.main(["view", "/nonexistent"])


def test_interrupt_leaves_cleanly(monkeypatch, capsys):
    def interrupted(name, words):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", interrupted)
    assert cli.main(["play", ENV]) == 130
    assert "Interrupted" in capsys.readouterr().err


def test_envs(capsys):
    assert cli.main(["envs"]) == 0
    assert ENV in capsys.readouterr().out


def play(lines, **config):
    out = io.StringIO()
    queue = iter(lines)

    def read():
        try:
            return next(queue)
        except StopIteration:
            raise EOFError from None

    game = Game(PlayConfig(env=ENV, **config), Console(file=out, width=100), read)
    game.run()
    return game, out.getvalue()


def test_expert_by_hand_then_undo():
    class Follow:
        """Types what the expert says, and takes the last turn back once."""

        def __init__(self):
            self.game, self.undone = None, False

        def __call__(self):
            if not self.game.over:
                return self.game.world.expert_action()
            if self.undone:
                return ":quit"
            self.undone = True
            return ":undo"

    follow, out = Follow(), io.StringIO()
    config = PlayConfig(env=ENV, task_index=3, env_kwargs='{"action_format": "xml"}')
    follow.game = Game(config, Console(file=out, width=100), follow)
    follow.game.run()
    assert follow.game.over
    assert follow.game.episode_return == 1.0
    assert out.getvalue().count("Success: solved") == 2


def test_colon_commands():
    game, shown = play([":help", ":hint", ":undo", ":actions", ":what", "", "[b]x[/b]", ":quit"])
    for text in ("Commands:", "The expert: ", "no turn to take back", "go to ", "no :what"):
        assert text in shown
    assert game.world.turn == 1
    assert "Left before the end" in shown


def test_train_options_follow_algorithm_and_model():
    config, dry = parse(["--algorithm", "rloo", "--model=tabular", "--dry-run"])
    assert dry
    assert type(config.learner).__name__ == "TabularLearnerConfig"
    assert not hasattr(config, "dry_run")
    with pytest.raises(SystemExit):
        parse(["--algorithm", "rloo", "--algo.step-advantage-weight", "1"])


@pytest.mark.slow
def test_train_evaluate_view_end_to_end(tmp_path):
    def run(*words):
        done = subprocess.run(
            [sys.executable, "-m", "turnwise_agents.cli", *words],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    options = ["--model", "tabular", "--run-dir", "run", "--num-tasks", "4"]
    options += ["--trainer.iterations", "2", "--algo.groups-per-iteration", "2"]
    shown = run("train", *options)
    assert "success" in shown
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 2
    again = subprocess.run(
        [sys.executable, "-m", "turnwise_agents.cli", "train", *options],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert again.returncode == 2
    assert "holds a run already" in again.stderr
    run("evaluate", "--policy", "run", "--env", ENV, "--tasks", "2", "--out", "r.json")
    run("view", "run", "-o", "page.html")
