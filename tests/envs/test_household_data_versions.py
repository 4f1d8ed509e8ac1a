"""The published versions of ALFWorld's data, rebuilt from the real kitchen, beside the original.

The release of 2021 (json_2.1.1) and that of December 2024 (json_2.1.2) differ from the `alfworld`
package's own grammar in what is replaced here.
"""

import json
import os
import random
import re
from pathlib import Path

import gymnasium as gym
import pytest

import turnwise_envs

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("TURNWISE_TEST_DATA", ROOT.parent / "shared" / "data"))
KITCHEN = DATA / "alfworld" / "real_kitchen" / "game.tw-pddl"
STEPS = 30

pytestmark = pytest.mark.skipif(
    not KITCHEN.exists(), reason=f"the real kitchen is not at {KITCHEN}: set TURNWISE_TEST_DATA"
)


def of_2024(game: dict) -> dict:
    """The text of "help" stands in its action."""
    before, _, action = game["grammar"].partition("action help {")
    text = re.search(r'"rhs": "(.*?)"', action, re.DOTALL)[1]
    action = f'action help {{\n    template :: "help";\n    feedback :: "{text}";\n}}\n'
    return {**game, "grammar": before + action}


def of_2021(game: dict) -> dict:
    """No "help", "put O in/on R", and the location is named on arrival."""
    grammar = game["grammar"].partition("action help {")[0]
    for new, old in (
        ("You arrive at {r.name}.", "You arrive at {lend.name}."),
        ("move {o} to {r}", "put {o} in/on {r}"),
        ("You move the {o.name} to the {r.name}.", "You put the {o.name} in/on the {r.name}."),
    ):
        grammar = grammar.replace(new, old)
    domain = game["pddl_domain"].partition("(:action help")[0] + ")"
    return {**game, "grammar": grammar, "pddl_domain": domain}


@pytest.fixture(params=[of_2021, of_2024], ids=["2021", "2024"])
def path(request, tmp_path) -> Path:
    file = tmp_path / "game.tw-pddl"
    file.write_text(json.dumps(request.param(json.loads(KITCHEN.read_text()))))
    return file


def test_a_version_says_what_it_is(path):
    tasks = turnwise_envs.tasks("turnwise/Household-v0", data_dir=str(path))
    env = gym.make("turnwise/Household-v0", data_dir=str(path))
    _, info = env.reset()
    arrival, *_ = env.step("go to fridge 1")
    reply, *_ = env.step("help")
    if tasks.data_version.startswith("2.1.1-"):
        assert arrival == "You arrive at loc 2. The fridge 1 is closed."
        assert reply == "Nothing happens."
        assert "help" not in info["admissible_actions"]
    else:
        assert tasks.data_version.startswith("2.1.2-")
        assert arrival == "You arrive at fridge 1. The fridge 1 is closed."
        assert reply.startswith(r"\nAvailable commands:\n  look:")


@pytest.mark.slow
def test_a_version_is_played_as_the_original_plays_it(path):
    textworld_gym = pytest.importorskip("textworld.gym", reason="needs the parity extra")
    original = pytest.importorskip(
        "alfworld.agents.environment.alfred_tw_env", reason="needs the parity extra"
    )
    from textworld import EnvInfos

    theirs = textworld_gym.make(
        textworld_gym.register_games(
            [str(path)],
            EnvInfos(admissible_commands=True),
            max_episode_steps=2 * STEPS,
            wrappers=[original.AlfredDemangler()],
        )
    )
    ours = gym.make("turnwise/Household-v0", data_dir=str(path), max_turns=2 * STEPS)
    obs, info = ours.reset()
    expected, their_info = theirs.reset()
    assert obs == expected
    rng = random.Random(0)
    terminated = False
    for step in range(STEPS):
        assert info["admissible_actions"] == their_info["admissible_commands"]
        command = rng.choice(info["admissible_actions"])
        if step % 3 == 0:
            command = ours.unwrapped.expert_action()
        if step % 10 == 9:
            command = "help"
        expected, _, done, their_info = theirs.step(command)
        obs, _, terminated, _, info = ours.step(command)
        assert (obs, terminated) == (expected, done), command
        if terminated:
            break
    theirs.close()
