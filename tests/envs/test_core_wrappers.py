"""Wrappers: what they show and write, and that snapshots carry them."""

import json
import os
import pickle
import subprocess
import sys

import gymnasium as gym
import pytest
import two_rooms

import turnwise_envs
from turnwise_envs.errors import RecordingError, SnapshotError, UsageError
from turnwise_envs.play import expert_policy, play_episode
from turnwise_envs.wrappers import EpisodeRecorder, HistoryWindow

ACTIONS = ("walk", "dance", "pull left")


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def wrapped(path, length=2):
    return HistoryWindow(EpisodeRecorder(gym.make(two_rooms.ENV_ID), str(path)), length)


def test_history_window_by_hand():
    env = HistoryWindow(gym.make(two_rooms.ENV_ID, action_format="xml"), 2)
    plain = gym.make(two_rooms.ENV_ID, action_format="xml")
    first = plain.reset(seed=1)[0]
    assert env.reset(seed=1)[0] == first
    second = plain.step("<action>walk</action>")[0]
    assert env.step("<action>walk</action>")[0] == (
        f"Turn 1: {first}\nYour action: walk\nTurn 2: {second}"
    )
    third = plain.step("no tags")[0]
    env.step("no tags")
    fourth = plain.step("<action>walk</action>")[0]
    assert env.step("<action>walk</action>")[0] == (
        f"Turn 2: {second}\nYour action: no tags\nTurn 3: {third}\nYour action: walk\n"
        f"Turn 4: {fourth}"
    )
    with pytest.raises(UsageError, match="positive integer"):
        HistoryWindow(plain, 0)


def test_a_snapshot_goes_through_the_stack(tmp_path):
    env, other = wrapped(tmp_path / "one"), wrapped(tmp_path / "two")
    env.reset(seed=2)
    env.step("walk")
    env.step("dance")
    blob = turnwise_envs.snapshot(env)
    shown, _ = turnwise_envs.restore(other, blob)
    assert shown.startswith("Turn 1: ")
    assert "Your action: dance\nTurn 3: Nothing happens." in shown
    assert env.step("walk") == other.step("walk")
    env.close()
    other.close()
    assert lines_of(tmp_path / "one") == lines_of(tmp_path / "two")  # recorded whole
    with pytest.raises(SnapshotError, match=r"\['HistoryWindow', 'EpisodeRecorder'\]"):
        turnwise_envs.restore(gym.make(two_rooms.ENV_ID), blob)
    with pytest.raises(SnapshotError, match="Wrap it in the same way"):
        HistoryWindow(gym.make(two_rooms.ENV_ID)).reset(options={"snapshot": blob})


def test_two_wrappers_of_one_kind_keep_their_own_state():
    def make():
        return HistoryWindow(HistoryWindow(gym.make(two_rooms.ENV_ID), 1), 2)

    env, other = make(), make()
    env.reset(seed=2)
    for action in ACTIONS[:2]:
        env.step(action)
    turnwise_envs.restore(other, turnwise_envs.snapshot(env))
    assert env.step("walk") == other.step("walk")


def test_wrappers_keep_spec_and_pickle(tmp_path):
    env = wrapped(tmp_path / "one")
    again = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert again.length == 2
    assert again.env.path == tmp_path / "one"
    env.reset(seed=0)
    env.step("walk")
    assert pickle.loads(pickle.dumps(env)).step("walk") == env.step("walk")


def test_recorder_writes_whole_episodes(tmp_path):
    path = tmp_path / "folder" / "episodes.jsonl"
    env = EpisodeRecorder(gym.make(two_rooms.ENV_ID, expose_reference=True), str(path))
    episode = play_episode(env, expert_policy(env), seed=7)
    env.reset(seed=8)  # an episode without turns leaves no line
    env.reset(seed=9)
    env.step("\ud800")
    env.close()
    env.close()
    done, cut = lines_of(path)
    assert done["env_id"] == two_rooms.ENV_ID
    assert done["kwargs"] == {"expose_reference": True}
    assert done["split"] == "train"
    assert done["manifest_hash"] == turnwise_envs.tasks(two_rooms.ENV_ID, "train").manifest_hash
    assert done["task_id"] == episode.infos[0]["task_id"]
    assert (done["seed"], done["complete"], done["success"]) == (7, True, True)
    assert done["episode_return"] == episode.episode_return
    shown = [done["observation"], *[turn["observation"] for turn in done["turns"]]]
    assert shown == episode.observations
    assert [turn["completion"] for turn in done["turns"]] == episode.completions
    assert done["turns"][-1]["reward_components"] == {"goal": 1.0}
    assert done["turns"][-1]["state_key"] == episode.infos[-1]["state_key"]
    assert (cut["seed"], cut["complete"], len(cut["turns"])) == (9, False, 1)
    assert cut["turns"][0]["completion"] == "\ud800"
    assert not {"reference", "evidence"} & {*done, *done["turns"][0]}
    gold = episode.infos[0]["evidence"]
    assert gold in (["near room"], ["far room"])
    assert json.dumps(gold) not in path.read_text()


def test_a_torn_line_spoils_no_other(tmp_path):
    path = tmp_path / "episodes.jsonl"
    path.write_text('{"torn": ')
    env = EpisodeRecorder(gym.make(two_rooms.ENV_ID), str(path))
    play_episode(env, expert_policy(env), seed=7)
    assert json.loads(path.read_text().splitlines()[1])["complete"]


FULL_DISK = """
import resource, signal, sys
sys.path.insert(0, {support!r})
import gymnasium as gym, two_rooms
from turnwise_envs.errors import RecordingError
from turnwise_envs.play import expert_policy, play_episode
from turnwise_envs.wrappers import EpisodeRecorder
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
env = EpisodeRecorder(gym.make(two_rooms.ENV_ID), {path!r})
play_episode(env, expert_policy(env), seed=1)
size = open({path!r}).read()
resource.setrlimit(resource.RLIMIT_FSIZE, (len(size) + 100, resource.RLIM_INFINITY))
try:
    play_episode(env, expert_policy(env), seed=2)
except RecordingError as error:
    assert "Earlier lines are intact" in str(error), error
else:
    raise SystemExit("no error")
assert open({path!r}).read() == size
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
env.flush()
assert open({path!r}).read().count("\\n") == 2
"""


def test_a_full_disk_is_one_clear_error_and_loses_nothing(tmp_path):
    support = os.path.dirname(two_rooms.__file__)
    code = FULL_DISK.format(support=support, path=str(tmp_path / "episodes.jsonl"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(lines_of(tmp_path / "episodes.jsonl")) == 2


def test_a_path_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    env = EpisodeRecorder(gym.make(two_rooms.ENV_ID), str(tmp_path / "file" / "episodes.jsonl"))
    with pytest.raises(RecordingError, match="must be writable"):
        play_episode(env, expert_policy(env), seed=7)
