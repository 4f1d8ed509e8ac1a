"""Every registered id keeps the whole contract."""

import subprocess
import sys

import gymnasium as gym
import pytest
import two_rooms

import turnwise_envs
from turnwise_envs.registration import env_class
from turnwise_envs.testing import CHECKS, check_text_env
from turnwise_envs.transcripts import Subject

SECTIONS = (
    "Description",
    "Action Space",
    "Observation Space",
    "Rewards",
    "Starting State",
    "Episode End",
    "Info",
    "Arguments",
    "Registered Configurations",
    "Version History",
)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("env_id", [two_rooms.ENV_ID, *turnwise_envs.env_ids()])
def test_contract(env_id, check):
    CHECKS[check](Subject(gym.spec(env_id), episodes=2, seed=11))


def test_check_text_env_is_one_call():
    check_text_env(gym.make(two_rooms.ENV_ID), skip=("vector", "other_process"))
    with pytest.raises(turnwise_envs.UsageError, match="skip must be among"):
        check_text_env(two_rooms.ENV_ID, skip=("vectors",))


@pytest.mark.parametrize("env_id", turnwise_envs.env_ids())
def test_docstring_is_the_documentation_page(env_id):
    page = env_class(env_id).__doc__
    missing = [name for name in SECTIONS if f"## {name}" not in page]
    assert not missing
    assert env_id in page.partition("## Registered Configurations")[2]


BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "transformers", "turnwise_agents", "trl", "peft"}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Block())
import gymnasium as gym
import turnwise_envs, turnwise_envs.testing, turnwise_envs.wrappers, turnwise_envs.play as play
for env_id in turnwise_envs.env_ids():
    env = gym.make("turnwise_envs:" + env_id)
    assert play.play_episode(env, play.expert_policy(env), seed=0).success
assert not {"torch", "transformers", "turnwise_agents"} & set(sys.modules)
"""


def test_plays_without_torch():
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


def test_module_form_registers():
    code = (
        "import gymnasium as g; print(g.make('turnwise_envs:turnwise/HouseholdSmall-v0').spec.id)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "turnwise/HouseholdSmall-v0", done.stderr


def test_unknown_ids_and_splits_name_what_exists():
    with pytest.raises(turnwise_envs.UsageError, match="Did you mean turnwise/Household-v0"):
        turnwise_envs.tasks("turnwise/Houshold-v0", "train")
    with pytest.raises(turnwise_envs.UnknownTaskError, match="train, valid, test, stream"):
        turnwise_envs.tasks(two_rooms.ENV_ID, "validation")
    with pytest.raises(turnwise_envs.UsageError, match="must name a turnwise TextEnv"):
        turnwise_envs.tasks("CartPole-v1", "train")


def test_tasks_are_shared_with_environments_and_depend_on_their_arguments():
    env = gym.make(two_rooms.ENV_ID, split="valid", max_turns=3)
    assert turnwise_envs.tasks(two_rooms.ENV_ID, "valid", lamps=3) is env.unwrapped.tasks
    other = turnwise_envs.tasks(two_rooms.ENV_ID, "valid", lamps=4)
    assert other.manifest_hash != env.unwrapped.tasks.manifest_hash


def test_stream_is_unbounded():
    env = gym.make(two_rooms.ENV_ID, split="stream")
    _, info = env.reset(seed=3)
    _, again = env.reset(options={"task_id": info["task_id"]})
    assert again["task_id"] == info["task_id"]
    assert not env.unwrapped.tasks.finite
