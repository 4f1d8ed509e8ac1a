"""The repair world's memory: tests run once a work tree, menus searched once a task."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from sandboxes import CONTAINED, why_not

import turnwise_envs
from turnwise_envs import restore, snapshot
from turnwise_envs.sandbox import Completed
from turnwise_envs.swe import menus, tools, workspace
from turnwise_envs.swe.env import SWESandboxEnv
from turnwise_envs.swe.menus import EditMenu, edit_menu
from turnwise_envs.swe.workspace import DummyWorkspace, RememberingWorkspace, Tree, tree_digest

contained = pytest.mark.skipif(
    all(why_not(name) for name in CONTAINED), reason="no isolation works here"
)


def make(**arguments: Any) -> SWESandboxEnv:
    env = gym.make("turnwise/SWESandbox-v0", **{"actions": "menu", **arguments}).unwrapped
    assert isinstance(env, SWESandboxEnv)
    return env


def done(text: str, killed_by: str | None = None) -> Completed:
    return Completed(
        returncode=0, stdout=text, stderr="", killed_by=killed_by,
        wall_s=0.0, cpu_s=0.0, peak_memory_mb=0.0, truncated=False,
    )  # fmt: skip


class Counted:
    """A scripted workspace that answers with the number of commands it has run."""

    def __init__(self, killed_by: str | None = None) -> None:
        self.count = 0
        self.killed_by = killed_by
        self.workspace = DummyWorkspace(dict.fromkeys(("test", "other"), self.answer))

    def answer(self, tree: Tree) -> tuple[Completed, Tree]:
        self.count += 1
        return done(str(self.count), self.killed_by), {**tree, "log": b"written"}


def test_a_command_runs_once_in_each_work_tree() -> None:
    counted, tree = Counted(), {"a": b"1"}
    remembering = RememberingWorkspace(counted.workspace, ["test"])
    first = remembering.run("test", tree)
    assert first == (done("1"), {"a": b"1", "log": b"written"})
    first[1]["a"] = b"spoiled"
    assert remembering.run("test", {"a": b"1"}) == (done("1"), {"a": b"1", "log": b"written"})
    assert remembering.run("test", {"a": b"2"})[0] == done("2")
    assert remembering.run("test", {"b": b"1"})[0] == done("3")
    unchanged = {"a": b"1", "log": b"written"}
    for _ in range(2):
        assert remembering.run("test", unchanged) == (done("4"), unchanged)


def test_after_another_command_everything_runs_until_it_is_closed() -> None:
    counted, tree = Counted(), {"a": b"1"}
    remembering = RememberingWorkspace(counted.workspace, ["test"])
    said = [
        remembering.run(name, tree)[0].stdout for name in ("test", "test", "other", "test", "test")
    ]
    assert said == ["1", "1", "2", "3", "4"]
    remembering.close()
    assert remembering.run("test", tree)[0].stdout == "1"


def test_a_memory_is_shared_and_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "_MOST_REMEMBERED", 2)
    counted = Counted()
    memory: workspace.Completions = {}
    one, other = (RememberingWorkspace(counted.workspace, ["test"], memory) for _ in range(2))
    for name in "abc":
        one.run("test", {name: b""})
    assert len(memory) == 2
    assert [other.run("test", {name: b""})[0].stdout for name in "bca"] == ["2", "3", "4"]


def test_what_a_limit_struck_runs_again() -> None:
    remembering = RememberingWorkspace(Counted("wall").workspace, ["test"])
    assert [remembering.run("test", {})[0].stdout for _ in range(2)] == ["1", "2"]


def test_work_trees_that_differ_have_other_digests() -> None:
    trees: list[Tree] = [{}, {"a": b""}, {"a": b"b"}, {"ab": b""}, {"a": b"", "b": b""}]
    trees += [{"a": b"1 0 b"}, {"a\udcff": b""}, {"a": b"0", "b": b"1"}, {"a": b"1", "b": b"0"}]
    assert len({tree_digest(tree) for tree in trees}) == len(trees)
    assert tree_digest({"a": b"1", "b": b"2"}) == tree_digest({"b": b"2", "a": b"1"})


@contained
def test_answers_are_the_same_with_memory() -> None:
    plain, remembering = make(), make(remember_tests=True)
    actions = ["test", "view .", "test", "shell echo 1 > a; mkdir b", "test", "shell ls", "test"]
    for episode in range(2):
        seen = []
        for env in (plain, remembering):
            _, info = env.reset(options={"task_index": 0})
            edits = [a for a in info["admissible_actions"] if a.startswith("replace")]
            walk = [edits[1], "test", "test", edits[-1], *(actions if episode else ["test"])]
            seen.append([env.step(action) for action in walk])
        assert seen[0] == seen[1]
    plain.close()
    remembering.close()


@contained
def test_what_is_remembered_needs_no_sandbox() -> None:
    said = []
    for _ in range(2):
        env = make(remember_tests=True)
        env.reset(options={"task_index": 1})
        said.append(env.step("test"))
        assert isinstance(env._workspace, RememberingWorkspace)
    assert said[0] == said[1]
    assert env._workspace._workspace._sandbox is None  # type: ignore[attr-defined]


def test_a_menu_offers_what_can_be_replaced() -> None:
    env, rng = make(), np.random.default_rng(0)
    for index in (0, 7, 12):
        _, info = env.reset(options={"task_index": index})
        edits = [a for a in info["admissible_actions"] if a.startswith("replace")]
        for _ in range(5):
            answers = {}
            blob = snapshot(env)
            for edit in edits:
                answers[edit] = env.step(edit)[4]["action_is_valid"]
                info = restore(env, blob)[1]
            offered = [a for a in info["admissible_actions"] if a.startswith("replace")]
            assert offered == [edit for edit in edits if answers[edit]]
            if not offered:
                break
            env.step(offered[int(rng.integers(len(offered)))])


def test_tasks_and_their_menus_are_shared() -> None:
    tasks = turnwise_envs.tasks("turnwise/SWESandbox-v0", "train")
    task = tasks[5]
    repair = tasks.repair(task)  # type: ignore[attr-defined]
    assert tasks.repair(task) is repair  # type: ignore[attr-defined]
    assert edit_menu(repair, task.id) is edit_menu(repair, task.id)


@pytest.mark.parametrize("most", [1, 1024])
def test_possible_edits_by_hand(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(menus, "_MOST_KNOWN", most)
    one, two = tools.render_replace("f", "a", "b"), tools.render_replace("g", "c", "d")
    menu = EditMenu([two, one, two])
    for _ in range(2):
        assert menu.possible({"f": b"a\n", "g": b"c"}) == [one, two]
        assert menu.possible({"f": b"b\n", "g": b"c"}) == [two]
        assert menu.possible({"f": b"a\na\n"}) == []


def test_keys_do_not_depend_on_the_way() -> None:
    env, other, rng = make(), make(), np.random.default_rng(1)
    for index in (0, 3, 0):
        env.reset(options={"task_index": index})
        for _ in range(6):
            menu = env.admissible_actions()
            assert menu is not None
            action = menu[int(rng.integers(len(menu) - 2))]
            info = env.step(action)[4]
            restored = restore(other, snapshot(env))[1]
            for key in ("state_key", "belief_key", "anchor_key", "admissible_actions"):
                assert info[key] == restored[key]
