"""The repair world: episodes, observations, rewards, snapshots, what is left behind."""

import pickle

import gymnasium as gym
import numpy as np
import pytest
from sandboxes import CONTAINED, break_from_outside, why_not

from turnwise_envs import restore, snapshot
from turnwise_envs.errors import UsageError
from turnwise_envs.sandbox import Completed, SandboxFault
from turnwise_envs.swe.env import LEVELS, SWESandboxEnv
from turnwise_envs.swe.grading import run_tests
from turnwise_envs.swe.workspace import DummyWorkspace, SandboxWorkspace

pytestmark = pytest.mark.skipif(
    all(why_not(name) for name in CONTAINED), reason="no isolation works here"
)


def make(**arguments: object) -> SWESandboxEnv:
    env = gym.make("turnwise/SWESandbox-v0", **{"split": "valid", **arguments}).unwrapped
    assert isinstance(env, SWESandboxEnv)
    return env


def finish(env: SWESandboxEnv) -> tuple[float, dict[str, object]]:
    while True:
        action = env.expert_action()
        assert action is not None
        _, reward, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            return reward, info


def test_the_expert_repairs() -> None:
    env = make()
    for index in (0, 17, 34):
        _, info = env.reset(options={"task_index": index})
        assert info["admissible_actions"] is None
        reward, info = finish(env)
        assert (reward, info["verdict"], info["success"]) == (1.0, "resolved", True)
        assert info["metrics"] == {"fixed": 1.0, "broken": 0.0}
    env.close()


def test_the_expert_repairs_what_somebody_else_has_spoiled() -> None:
    env = make()
    env.reset(options={"task_index": 3})
    for action in ("create spans/sets.py\nx = 1", "create spans/more.py\n", "shell rm -r tests"):
        assert env.step(action)[4]["action_is_valid"]
    assert finish(env)[0] == 1.0
    env.close()


@pytest.mark.parametrize(
    ("actions", "reached", "verdict"),
    [
        (["submit"], (1, 0, 0), "empty_patch"),
        (
            ["create tests/test_sets.py\n", "create conftest.py\nx", "submit"],
            (1, 0, 0),
            "empty_patch",
        ),
        (["create spans/sets.py\n", "submit"], (1, 1, 0), "tests_failed"),
    ],
)
def test_levels_are_weighted(actions: list[str], reached: tuple[int, ...], verdict: str) -> None:
    env = make(level_rewards=(0.25, 0.5, 1.0))
    env.reset(options={"task_index": 0})
    for action in actions:
        _, reward, terminated, _, info = env.step(action)
    assert terminated
    components = {n: w * r for n, w, r in zip(LEVELS, (0.25, 0.5, 1.0), reached, strict=True)}
    assert info["reward_components"] == components
    assert reward == sum(components.values())
    assert (info["verdict"], info["success"]) == (verdict, False)


def test_a_shell_in_the_work_tree() -> None:
    env = make()
    env.reset(options={"task_index": 0})

    def said(action: str) -> str:
        return env.step(action)[0]

    assert said("shell ls; exit 3") == "exit code 3\nspans\ntests"
    assert said("shell echo text > new.txt; echo kept > /tmp/kept") == "exit code 0"
    assert said("shell cat new.txt; cat /tmp/kept").startswith("exit code 1\ntext\ncat: /tmp/kept")
    assert said("search text").endswith("new.txt:1: text")
    assert said("create script.py\nprint(6 * 7)") == "script.py was changed."
    assert said("shell python script.py && rm new.txt") == "exit code 0\n42"
    assert "new.txt" not in said("view .")
    assert said("shell rm -r *; ls") == "exit code 0"
    assert said("view .").startswith("There is no file")
    env.close()


def test_long_output_and_limits_are_observations() -> None:
    env = make(max_turns=99)
    env.reset(seed=1)
    observation, _, _, _, info = env.step("shell yes | head -c 3000000")
    assert len(observation) <= 8000
    assert "characters left out" in observation
    assert info["metrics"] == {}
    observation, _, _, _, info = env.step("shell head -c 17000000 /dev/zero > big")
    assert info["action_is_valid"]
    observation, _, _, _, info = env.step("shell python -c 'x = [0]\nwhile True: x += x'")
    assert "MemoryError" in observation or "killed" in observation
    observation, _, _, _, info = env.step("shell for i in 1 2 3 4 5 6; do cp big big$i; done")
    assert env.step("shell echo still; rm big*")[0].endswith("still")
    env.close()


def test_tests_are_run_the_same_way_twice() -> None:
    env = make()
    env.reset(options={"task_index": 0})
    first, *_, info = env.step("test")
    assert first.startswith("exit code 1\n")
    assert " in 0." not in first
    assert info["cost"] == {"commands": 1.0}
    second, *_, again = env.step("test")
    assert first == second
    assert info["belief_key"] == again["belief_key"]
    env.close()


def test_keys_say_what_they_should() -> None:
    env = make()
    _, begin = env.reset(options={"task_index": 0})
    viewed = env.step("view spans/sets.py")[4]
    assert viewed["state_key"] == begin["state_key"]
    assert viewed["anchor_key"] == begin["anchor_key"]
    assert viewed["belief_key"] != begin["belief_key"]
    changed = env.step("create notes.txt\nx")[4]
    assert changed["state_key"] != begin["state_key"]
    assert changed["anchor_key"] == begin["anchor_key"]
    back = env.step("shell rm notes.txt")[4]
    assert back["state_key"] == begin["state_key"]


def test_an_episode_goes_on_from_a_snapshot() -> None:
    env, other = make(), make()
    env.reset(options={"task_index": 3})
    for action in ("view spans/sets.py", "shell mkdir a && printf '\\377' > a/b; rm spans/sets.py"):
        env.step(action)
    blob = snapshot(env)
    restore(other, blob)
    for action in ("view .", "shell od -c a/b; ls spans", "test", "submit"):
        (a, *rest), (b, *others) = env.step(action), other.step(action)
        assert (a, rest) == (b, others)
    copy = pickle.loads(pickle.dumps(env))
    assert copy.reset(options={"task_index": 3})[0] == env.reset(options={"task_index": 3})[0]


def test_the_menu_has_the_repair_and_can_be_drawn_from() -> None:
    env = make(actions="menu")
    for index in range(0, 60, 12):
        _, info = env.reset(options={"task_index": index})
        menu = info["admissible_actions"]
        assert {"test", "submit", "view spans/sets.py"} <= set(menu)
        assert env.expert_action() in menu
        assert env.random_action(np.random.default_rng(0)) in menu
        edit = next(action for action in menu if action.startswith("replace"))
        assert env.step(edit)[4]["action_is_valid"]
        assert edit not in env.step("view .")[4]["admissible_actions"]


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(UsageError, match="level_rewards must be three numbers"):
        make(level_rewards=(1, 2))


def test_the_reference_is_only_for_who_asks() -> None:
    _, info = make(expose_reference=True).reset(options={"task_index": 0})
    assert all(edit.startswith("replace spans/") for edit in info["reference"])
    assert all("::test_" in name for name in info["evidence"])
    assert make().reset(options={"task_index": 0})[1]["reference"] is None


def test_a_broken_sandbox_is_a_fault() -> None:
    env = make()
    env.reset(seed=0)
    env.step("shell true")
    assert isinstance(env._workspace, SandboxWorkspace)
    assert env._workspace._sandbox is not None
    break_from_outside(env._workspace._sandbox)
    with pytest.raises(SandboxFault):
        env.step("shell true")


def test_a_scripted_workspace_answers_commands() -> None:
    done = Completed(
        returncode=0, stdout="hi\n", stderr="", killed_by=None,
        wall_s=0.0, cpu_s=0.0, peak_memory_mb=0.0, truncated=False,
    )  # fmt: skip
    dummy = DummyWorkspace({"hi": done, "touch a": lambda tree: (done, {**tree, "a": b""})})
    assert dummy.run("hi", {"b": b""}) == (done, {"b": b""})
    assert dummy.run("touch a", {}) == (done, {"a": b""})


def test_grading_needs_tests_and_roots() -> None:
    for tests, roots in (({}, ["a"]), ({"test_a.py": b""}, []), ({"other.py": b""}, ["a"])):
        with pytest.raises(UsageError, match="tests and roots must not be empty"):
            run_tests({}, tests, roots=roots)


def test_tests_see_data_and_stand_ins() -> None:
    code = b"""
class Kept(ValueError):
    def __init__(self, code):
        super().__init__(f"code {code}")
        self.code = code

class Shelf:
    size = 3
    def __init__(self): self.items = []
    def put(self, *items, front=False):
        if None in items: raise Kept(7)
        self.items = [*items, *self.items] if front else [*self.items, *items]
        return self
    def __len__(self): return len(self.items)
    def __getitem__(self, i): return self.items[i]
    def __iter__(self): return iter(self.items)
    def __eq__(self, other): return self.items == other.items
    def __hash__(self): return 5

def counted(n):
    yield from range(n)

def twice(f, x): return f(f(x))
def fill(x): x.append(1); x.sort()
calls = []
"""
    tests = b"""
import pytest
import kept_code
from kept_code import Kept, Shelf, counted, fill, twice

def test_objects():
    shelf = Shelf().put(1, (2, "x"), front=True)
    assert isinstance(shelf, Shelf)
    assert (len(shelf), shelf[0], list(shelf)) == (2, 1, [1, (2, "x")])
    assert shelf == Shelf().put(1, (2, "x")) and shelf != Shelf()
    assert hash(shelf) == 5 and (2, "x") in shelf
    shelf.size = 4
    assert (shelf.size, Shelf.size, kept_code.Shelf.size) == (4, 3, 3)

def test_errors():
    with pytest.raises(Kept, match="code 7") as caught:
        Shelf().put(None)
    assert caught.value.code == 7
    with pytest.raises(ValueError):
        Shelf().put(None)
    with pytest.raises(IndexError):
        Shelf()[0]
    with pytest.raises(AttributeError):
        kept_code.missing

def test_functions_and_changes():
    assert list(counted(3)) == [0, 1, 2]
    assert twice(lambda x: x + [0], [1]) == [1, 0, 0]
    numbers = [3, 2]
    fill(numbers)
    assert numbers == [1, 2, 3]

@pytest.mark.parametrize("n", [1, 2])
def test_each_test_has_fresh_modules(n):
    kept_code.Shelf.size = 10
    assert twice(lambda x: x * n, 2) == 2 * n * n

def test_as_before():
    assert Shelf.size == 3
"""
    report = run_tests({"kept_code.py": code}, {"test_it.py": tests}, roots=["kept_code"])
    assert (report.failed, report.exit_code, len(report.passed)) == ({}, 0, 6), report.output
