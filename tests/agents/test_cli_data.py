"""`turnwise data check`, and the data version in results and runs."""

import json
import os
import shutil

import pytest
import tiny_game
from alfworld_folder import TYPES, add, add_left_out, fill, game

from turnwise_agents.cli import main
from turnwise_envs import tasks
from turnwise_envs.data import CHECKERS, check_data
from turnwise_envs.household import data as household_data
from turnwise_envs.splits import _shared

ID = "turnwise/Household-v0"


def check(capsys, *words) -> tuple[int, str]:
    status = main(["data", "check", *map(str, words)])
    done = capsys.readouterr()
    return status, done.out + done.err


def test_a_sound_folder(tmp_path, capsys):
    fill(tmp_path, 3)
    fill(tmp_path, 1, "valid_unseen")
    add(tmp_path, "t/trial_1", game("clean", 9), TYPES["clean"], "valid_train")
    add_left_out(tmp_path)
    status, shown = check(capsys, tmp_path)
    assert status == 0
    version = tasks(ID, "train", data_dir=str(tmp_path)).data_version
    for part in (
        "ALFWorld games in ",
        "Usable games: 16, version ",
        f"12 (clean 3, look_at_obj_in_light 3, pick_and_place 3, pick_two 3), version {version}",
        '"move O to R" (ALFWorld since December 2024)',
        '2 "movable" or "Sliced" in the path',
        "is no split; data_dir=",
        "No problems.",
        f'gym.make("turnwise/Household-v0", split="train", data_dir="{tmp_path}")',
    ):
        assert part in shown, shown


def test_problems_are_listed_and_the_rest_is_usable(tmp_path, capsys):
    fill(tmp_path, 1)
    bad = add(tmp_path, "bad/trial_1", "{", TYPES["clean"])
    odd = add(tmp_path, "odd/trial_1", game("clean", 7), TYPES["pick_two"])
    add(tmp_path, "odd/trial_2", game("clean", 7), TYPES["clean"])
    status, shown = check(capsys, tmp_path)
    assert status == 1
    assert "2 problems:" in shown
    assert f"{bad}: cannot be read as JSON" in shown
    assert f"{odd}: its goal is of the type 'clean'" in shown
    assert "1 games have the content of another" in shown
    status, shown = check(capsys, tmp_path, "--json")
    assert status == 1
    whole = json.loads(shown)
    (report,) = whole["reports"]
    assert (report["kind"], report["count"], report["unit"]) == ("ALFWorld games", 6, "games")
    assert len(report["problems"]) == 2
    assert len(report["version"]) == 16


def test_many_problems_are_cut(tmp_path, capsys):
    for number in range(60):
        tiny_game.write(tmp_path / str(number) / "game.tw-pddl", "{")
    status, shown = check(capsys, tmp_path)
    assert status == 1
    assert "Usable games: 0\n" in shown
    assert "60 problems:" in shown
    assert "and 10 more; --json has all." in shown
    assert "Load it with" not in shown


def test_single_files(tmp_path, capsys):
    path = tiny_game.write(tmp_path / "game.tw-pddl", tiny_game.game("clean"))
    status, shown = check(capsys, path)
    assert (status, "Usable games: 1" in shown) == (0, True)
    tiny_game.write(path, tiny_game.game("heat"))
    status, shown = check(capsys, path)
    assert status == 1
    assert f"{path}: pddl_problem, :goal: no plan reaches the goal. Leave the game out." in shown


@pytest.mark.parametrize("kind", ["nothing", "empty", "other", "other pddl"])
def test_what_nobody_knows(tmp_path, capsys, kind):
    if kind != "nothing":
        (tmp_path / "x").mkdir()
    if kind == "other":
        (tmp_path / "x" / "notes.txt").write_text("hello")
    if kind == "other pddl":
        domain = "(define (domain chess))"
        data = tiny_game.game(pddl_domain=domain)
        tiny_game.write(tmp_path / "x" / "chess.tw-pddl", data)
        assert household_data.check(tmp_path / "x" / "chess.tw-pddl") is None
    if kind == "nothing":
        status, shown = check(capsys, tmp_path / "x")
        assert status == 2
        assert "is not there" in shown
    else:
        assert household_data.check(tmp_path / "x") is None


def test_usage(capsys):
    assert main(["data", "--help"]) == 0
    assert main(["data"]) == 2
    assert "check" in capsys.readouterr().out
    assert main(["data", "fetch"]) == 2
    error = capsys.readouterr().err
    assert "turnwise data must be followed by check or export, got 'fetch'" in error
    assert "turnwise_envs.household.data:check" in CHECKERS


def test_check_reads_every_byte(tmp_path):
    (name, *_) = fill(tmp_path, 1)
    path = tmp_path / "json_2.1.1" / "train" / name / "game.tw-pddl"
    long_ago = (1_600_000_000, 1_600_000_000)
    os.utime(path, long_ago)
    (before,) = check_data(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"(isToggled ?ot)", b"(isToggled ?oh)"))
    os.utime(path, long_ago)
    (after,) = check_data(tmp_path)
    assert (before.count, after.count) == (4, 3)
    assert "unbound variable '?oh'" in after.problems[0]
    assert before.version != after.version


# ------------------------------------------------------------------ results and runs


def test_the_data_version_is_in_results(tmp_path, capsys):
    fill(tmp_path / "data", 1, "valid_seen")
    version = tasks(ID, "valid_seen", data_dir=str(tmp_path / "data")).data_version
    kwargs = json.dumps({"data_dir": str(tmp_path / "data"), "task_types": ["clean", 6]})
    out = tmp_path / "result.json"
    words = ["evaluate", "--policy", "expert", "--env", ID, "--env-kwargs", kwargs]
    assert main([*words, "--out", str(out)]) == 0
    assert f"data version {version}" in " ".join(capsys.readouterr().out.split())
    result = json.loads(out.read_text())
    assert result["setting"]["data_version"] == version
    assert sorted(result["by_kind"]) == ["clean", "pick_two"]
    # An evaluation of other data is not continued.
    add(tmp_path / "data", "t/trial_1", game("clean", 9), TYPES["clean"], "valid_seen")
    _shared.clear()  # as in another process
    assert main([*words, "--out", str(out), "--resume"]) == 2
    assert "must be as in the interrupted evaluation" in capsys.readouterr().err


def test_generated_tasks_have_no_data_version(tmp_path):
    out = tmp_path / "result.json"
    words = ["evaluate", "--policy", "expert", "--env", ID, "--tasks", "2", "--out", str(out)]
    assert main(words) == 0
    assert json.loads(out.read_text())["setting"]["data_version"] is None


def test_a_run_keeps_its_data_version_and_is_not_resumed_on_other_data(tmp_path, capsys):
    fill(tmp_path / "data", 1)
    fill(tmp_path / "data", 1, "valid_seen")
    kwargs = json.dumps({"data_dir": str(tmp_path / "data"), "max_turns": 8})
    run = tmp_path / "run"
    words = ["train", "--model", "tabular", "--env", ID, "--env-kwargs", kwargs]
    words += ["--run-dir", str(run), "--trainer.iterations", "1", "--eval-splits", "valid_seen"]
    words += ["--algo.groups-per-iteration", "1", "--algo.group-size", "2"]
    assert main(words) == 0
    recorded = json.loads((run / "tasks.json").read_text())
    assert {name: row["data_version"] for name, row in recorded.items()} == {
        f"{ID}/{split}": tasks(ID, split, data_dir=str(tmp_path / "data")).data_version
        for split in ("train", "valid_seen")
    }
    assert main(["train", "--resume", str(run)]) == 0
    gone = "pick_two_obj_and_place-Mug-None-Desk-300"
    shutil.rmtree(tmp_path / "data" / "json_2.1.1" / "valid_seen" / gone)
    _shared.clear()  # as in another process
    capsys.readouterr()
    assert main(["train", "--resume", str(run)]) == 2
    error = capsys.readouterr().err
    assert f"the tasks of {ID}/valid_seen must be those that the run began with" in error


def test_generated_tasks_are_exported_as_games(tmp_path, capsys):
    source = tiny_game.write(tmp_path / "game.tw-pddl", tiny_game.game("clean"))
    words = ["data", "export", str(tmp_path / "out"), "--split", "ood", "--tasks", "3"]
    assert main([*words, "--source", str(source)]) == 0
    assert capsys.readouterr().out.startswith("3 games below ")
    loaded = tasks(ID, "train", data_dir=str(tmp_path / "out" / "json_2.1.1" / "ood"))
    assert [task.kind for task in loaded] == ["look_at_obj_in_light", "pick_and_place", "clean"]
