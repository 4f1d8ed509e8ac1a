"""Whole episodes, policies, and demonstrations as chats."""

import json

import gymnasium as gym
import pytest
import two_rooms

from turnwise_envs.errors import UsageError
from turnwise_envs.play import (
    expert_policy,
    export_demonstrations,
    null_policy,
    play_episode,
    random_policy,
    system_prompt,
)


def test_play_episode_by_hand():
    env = gym.make(two_rooms.ENV_ID)
    # Task 1: far (odd), 1 // 2 = 0: the left lever; walk, then pull.
    episode = play_episode(env, expert_policy(env), seed=0, options={"task_index": 1})
    assert episode.completions == ["walk", "pull left"]
    assert episode.rewards == [0.0, 1.0]
    assert len(episode.observations) == len(episode.infos) == 3
    assert episode.terminated
    assert episode.success
    assert episode.episode_return == 1.0


def test_policies():
    env = gym.make(two_rooms.ENV_ID)
    silent = play_episode(env, null_policy(env), seed=0)
    assert (silent.success, silent.terminated, len(silent.rewards)) == (False, False, 8)
    one = play_episode(env, random_policy(env, seed=5), seed=0)
    two = play_episode(env, random_policy(env, seed=5), seed=0)
    assert one == two


class NoPlanEnv(two_rooms.TwoRoomsEnv):
    def expert_action(self):
        return None


def test_no_known_plan_is_a_clear_error():
    env = NoPlanEnv()
    with pytest.raises(UsageError, match="with a known plan"):
        play_episode(env, expert_policy(env), seed=0)


@pytest.mark.parametrize("action_format", ["plain", "xml", "tool_json"])
def test_demonstrations_are_chats_that_replay(tmp_path, action_format):
    path = tmp_path / "new" / "chats.jsonl"
    kwargs = {"action_format": action_format}
    turns = export_demonstrations(two_rooms.ENV_ID, "valid", 5, path, first=2, **kwargs)
    chats = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(chats) == 5
    assert list(path.parent.iterdir()) == [path]
    env = gym.make(two_rooms.ENV_ID, split="valid", **kwargs)
    said = 0
    for chat in chats:
        assert chat["messages"][0] == {"role": "system", "content": system_prompt(env)}
        assert ("tools" in chat) == (action_format == "tool_json")
        env.reset(options={"task_id": chat["task_id"]})
        for message in chat["messages"]:
            if message["role"] == "assistant":
                said += 1
                *_, info = env.step(message["content"])
        assert info["success"]
    assert said == turns


class HintEnv(two_rooms.TwoRoomsEnv):
    def demonstration_action(self, rng):
        return "look" if self.turn == 0 else self.expert_action()


def test_demonstrations_are_the_demonstrators_unless_the_oracle_is_asked_for(tmp_path):
    gym.register("HintEnv-v0", HintEnv, disable_env_checker=True)
    try:
        paths = [tmp_path / name for name in ("shown", "oracle")]
        for path, oracle in zip(paths, (False, True), strict=True):
            export_demonstrations("HintEnv-v0", "valid", 1, path, oracle=oracle)
    finally:
        del gym.registry["HintEnv-v0"]
    said = [
        [m["content"] for m in json.loads(path.read_text())["messages"] if m["role"] == "assistant"]
        for path in paths
    ]
    assert said[0][0] == "look"
    assert said[1] == said[0][1:]


def test_demonstrations_know_the_size_of_the_split(tmp_path):
    with pytest.raises(UsageError, match="split's 8 tasks, got 9"):
        export_demonstrations(two_rooms.ENV_ID, "valid", 9, tmp_path / "chats.jsonl")
    assert not list(tmp_path.iterdir())
