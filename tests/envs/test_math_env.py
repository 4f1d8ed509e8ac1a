"""MathVerifier through `gym.make`: one turn, the Python tool, keys, snapshots, training."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

import turnwise_envs
from turnwise_envs.math import verifier
from turnwise_envs.math.problems import TOPICS
from turnwise_envs.play import expert_policy, play_episode
from turnwise_envs.sandbox import SandboxFault, best_isolation
from turnwise_envs.testing import check_text_env

ID = "turnwise/MathVerifier-v0"
DATA = Path(os.environ.get("TURNWISE_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


def _isolation():
    try:
        return best_isolation()
    except SandboxFault as error:
        return f"none: {error}"


needs_sandbox = pytest.mark.skipif(
    _isolation().startswith("none"), reason=f"no sandbox can be had here ({_isolation()})"
)


def block(code):
    return f"Let me compute.\n```python\n{code}\n```"


@pytest.fixture
def tool():
    env = gym.make(ID, tool="python", expose_reference=True)
    env.reset(options={"task_index": 0})
    yield env
    env.close()


# ------------------------------------------------------------------ one turn


def test_one_turn():
    env = gym.make(ID, expose_reference=True)
    obs, info = env.reset(options={"task_index": 3})
    assert (env.unwrapped.max_turns, info["admissible_actions"]) == (1, None)
    (answer,) = info["reference"]
    assert answer not in obs
    obs, reward, terminated, truncated, info = env.step(f"Hence it is \\boxed{{{answer}}}.")
    assert (obs, reward, terminated, truncated) == ("Correct.", 1.0, True, False)
    assert (info["verdict"], info["success"], info["score"]) == ("correct", True, 1.0)
    env.reset(options={"task_index": 3})
    obs, reward, terminated, truncated, info = env.step("\\boxed{-123456}")
    assert (obs, reward, terminated, info["verdict"]) == ("Not correct.", 0.0, True, "wrong")


def test_no_answer_is_no_wrong_answer():
    env = gym.make(ID)
    env.reset(seed=0)
    obs, reward, terminated, truncated, info = env.step("I do not know how to do this, sorry.")
    assert "no answer in your reply" in obs
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert (info["verdict"], info["action_is_valid"]) == ("no_answer", False)
    env = gym.make(ID, max_turns=2)
    env.reset(seed=0)
    assert env.step("I do not know how to do this, sorry.")[4]["verdict"] == ""
    assert env.step(env.unwrapped.expert_action())[1] == 1.0


def test_the_random_policy_is_rarely_right_on_every_topic():
    env = gym.make(ID)
    rng = np.random.default_rng(0)
    right = dict.fromkeys(TOPICS, 0)
    for index in range(7 * 60):
        env.reset(options={"task_index": index})
        inner = env.unwrapped
        right[inner.task.kind] += inner.random_action(rng) == inner.expert_action()
    # A right guess has probability 1/16; 60 tries give more than 12 with probability 0.0002.
    assert max(right.values()) <= 12
    assert 10 <= sum(right.values()) <= 45


def test_a_fault_of_the_verifier_is_an_exception(monkeypatch):
    monkeypatch.setattr(verifier, "_shared", None)
    monkeypatch.setattr(sys, "executable", "/no/python")
    env = gym.make(ID)
    env.reset(options={"task_index": 3})
    with pytest.raises(turnwise_envs.EnvironmentFault, match="could not be started"):
        env.step(r"\boxed{\sqrt{17}}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tool": "bash"}, 'tool must be "python" or None'),
        ({"timeout_s": 0}, "timeout_s must be positive"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(turnwise_envs.UsageError, match=message):
        gym.make(ID, **arguments)


# ------------------------------------------------------------------ the tool


@needs_sandbox
def test_the_expert_computes_and_answers(tool):
    episode = play_episode(tool, expert_policy(tool), options={"task_index": 0})
    assert episode.success
    assert len(episode.completions) == 2
    assert episode.infos[1]["cost"] == {"tool_calls": 1.0}
    assert episode.rewards == [0.0, 1.0]


@needs_sandbox
def test_state_is_kept_and_errors_are_shown(tool):
    assert tool.step(block("x = 20"))[0] == "(no output)"
    assert tool.step(block("x + 1"))[0] == "21"
    assert "ZeroDivisionError" in tool.step(block("print(x)\nx / 0"))[0]
    obs, *_, info = tool.step("```python\nx")
    assert "not closed" in obs
    assert not info["action_is_valid"]
    assert tool.step(block("1") + "\n" + block("print(x)"))[0] == "20"  # the last block counts


@needs_sandbox
def test_a_program_and_an_answer_in_one_reply_is_a_program(tool):
    answer = tool.unwrapped.expert_action
    right = tool.unwrapped.gold()[0][0]
    obs, reward, terminated, *_ = tool.step(f"\\boxed{{{right}}}\n" + block("print(5)"))
    assert (obs, reward, terminated) == ("5", 0.0, False)
    assert tool.step(answer())[1] == 1.0


@needs_sandbox
def test_turns_are_limited_to_eight():
    env = gym.make(ID, tool="python")
    env.reset(seed=0)
    for turn in range(8):
        *_, truncated, info = env.step(block(str(turn)))
    assert truncated
    assert info["verdict"] == "turn_limit"
    env.close()


@needs_sandbox
def test_keys_follow_question_code_and_output(tool):
    start = tool.unwrapped._info()
    first = tool.step(block("print(6)"))[4]
    for key in ("state_key", "belief_key", "anchor_key"):
        assert first[key] != start[key]
    _, again = tool.reset(options={"task_index": 0})
    assert again["state_key"] == start["state_key"]
    other = tool.step(block("print(2 * 3)"))[4]
    assert other["anchor_key"] == first["anchor_key"]
    assert other["belief_key"] != first["belief_key"]


@needs_sandbox
def test_snapshots_and_copies_have_the_variables(tool):
    tool.step(block("x = [1, 2]"))
    blob = turnwise_envs.snapshot(tool)
    twin = gym.make(ID, tool="python", expose_reference=True)
    turnwise_envs.restore(twin, blob)
    copy = pickle.loads(pickle.dumps(tool))
    for env in (tool, twin, copy):
        assert env.step(block("x.append(3); print(x)"))[0] == "[1, 2, 3]"
        env.close()
        env.close()


@needs_sandbox
@pytest.mark.slow
def test_the_tool_keeps_the_contract():
    env = gym.make(ID, tool="python")
    check_text_env(env, episodes=1)


# ------------------------------------------------------------------ training and evaluation


def turnwise(*arguments, timeout_s=900):
    code = "import sys; from turnwise_agents.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def success_curve(run_dir):
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [row["rollout/success_rate"] for row in rows if "rollout/success_rate" in row]


@pytest.mark.slow
def test_a_tabular_policy_learns_seven_tasks(tmp_path):
    pytest.importorskip("torch")
    arguments = ["--env", ID, "--model", "tabular", "--algorithm", "grpo", "--num-tasks", 7]
    arguments += ["--env-kwargs", '{"actions": "menu"}', "--run-dir", tmp_path / "run"]
    turnwise("train", *arguments, "--trainer.iterations", 12)
    curve = success_curve(tmp_path / "run")
    assert curve[0] < 0.2
    assert curve[-1] > 0.8


@pytest.mark.slow
def test_the_tiny_preset_trains(tmp_path):
    pytest.importorskip("torch")
    arguments = ["--env", ID, "--model", "tiny", "--algorithm", "grpo", "--num-tasks", 8]
    arguments += ["--env-kwargs", '{"topics": ["arithmetic"], "levels": [1, 1]}']
    turnwise("train", *arguments, "--run-dir", tmp_path / "run", "--trainer.iterations", 2)
    assert len(success_curve(tmp_path / "run")) == 2


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "math").is_dir(), reason=f"{DATA / 'math'} is not there")
@pytest.mark.parametrize(("policy", "low", "high"), [("expert", 1.0, 1.0), ("random", 0.0, 0.2)])
def test_policies_are_evaluated_on_real_rows(tmp_path, policy, low, high):
    pytest.importorskip("torch")
    kwargs = json.dumps({"data_dir": str(DATA / "math" / "gsm8k_train_200.jsonl")})
    out = tmp_path / "result.json"
    arguments = ["--policy", policy, "--env", ID, "--env-kwargs", kwargs, "--tasks", 100]
    turnwise("evaluate", *arguments, "--out", out)
    rate = json.loads(out.read_text())["overall"]["success_rate"]["mean"]
    assert low <= rate <= high
