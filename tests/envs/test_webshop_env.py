"""The visit: what actions do, menus, oracles, floors, keys and snapshots."""

import json
import subprocess
import sys
from collections import defaultdict

import gymnasium as gym
import numpy as np
import pytest

import turnwise_envs
from turnwise_envs.play import expert_policy, play_episode, random_policy
from turnwise_envs.webshop.goals import SPLITS
from turnwise_envs.webshop.pages import PER_PAGE

ENV_ID = "turnwise/WebShop-v0"


@pytest.fixture
def env():
    env = gym.make(ENV_ID)
    env.reset(options={"task_index": 2})
    return env


def shop(env):
    return env.unwrapped._shop


def target(env):
    return env.unwrapped.gold()[0][0].lower()


def test_browsing(env):
    first = env.step("search[Shampoos]")[0]
    assert "Page 1 (Total results: " in first
    second = env.step("click[next >]")[0]
    assert "Page 2" in second
    shown = [shop(env).catalogue.product(n).asin for n in shop(env).shown]
    assert len(shown) == PER_PAGE
    item = env.step(f"click[{shown[3]}]")[0]
    assert "Buy Now" in item
    assert env.step("click[Features]")[4]["action_is_valid"]
    assert env.step("click[description]")[4]["action_is_valid"] is False, "one goes back first"
    assert env.step("click[< Prev]")[0] == item
    value = next(iter(shop(env).product.options.values()))[0]
    env.step(f"click[{value}]")
    assert list(shop(env).chosen.values()) == [value]
    env.step("click[reviews]")
    env.step("click[< prev]")
    assert list(shop(env).chosen.values()) == [value], "sub pages keep what is chosen"
    assert env.step("click[< prev]")[0] == second
    env.step(f"click[{shown[3]}]")
    assert shop(env).chosen == {}, "leaving an article forgets what was chosen"
    start = env.step("click[back to search]")[0]
    assert start.startswith("WebShop [SEP] Instruction:")


def test_search_is_possible_everywhere_and_ignores_case(env):
    listed = env.step("search[Hair Masks]")[0]
    env.step(f"click[{shop(env).catalogue.product(shop(env).shown[0]).asin}]")
    assert env.step("search[HAIR   masks]")[0] == listed
    assert "Total results: 0" in env.step("search[zzzz]")[0]


def test_a_choice_replaces_the_last_of_its_option(env):
    env.step("search[women's dresses]")
    env.step(f"click[{shop(env).catalogue.product(shop(env).shown[0]).asin}]")
    colors = shop(env).product.options["color"]
    env.step(f"click[{colors[0]}]")
    env.step(f"click[{colors[1]}]")
    assert shop(env).chosen == {"color": colors[1]}


def test_rich_text_marks_what_was_clicked():
    env = gym.make(ENV_ID, observation="text_rich")
    env.reset(options={"task_index": 2})
    env.step("search[women's dresses]")
    asin = shop(env).catalogue.product(shop(env).shown[0]).asin
    env.step(f"click[{asin}]")
    color = shop(env).product.options["color"][0]
    page = env.step(f"click[{color}]")[0]
    assert page.startswith(f"You have clicked {color}.\n")
    listed = env.step("click[< prev]")[0]
    assert f"\n[clicked button] {asin} [clicked button_]\n" in listed
    env.step("click[back to search]")
    again = env.step("search[women's dresses]")[0]
    assert f"\n[button] {asin} [button_]\n" in again, "the start page forgets"


def test_a_purchase_by_halves(env):
    goal = shop(env).goal
    env.step(f"search[{' '.join(shop(env).wanted.title.split())}]")
    env.step(f"click[{target(env)}]")
    _, reward, terminated, _, info = env.step("click[buy now]")
    assert terminated
    assert info["verdict"] == "partial"
    assert not info["success"]
    assert reward == info["score"] == (goal.parts - len(goal.options)) / goal.parts
    assert info["reward_components"]["options"] == 0.0
    assert info["metrics"]["type_factor"] == 1.0
    assert info["cost"] == {"dollars": shop(env).wanted.price}


def test_the_paper_s_reward_is_an_option():
    rewards = {}
    for name in ("strict", "webshop"):
        env = gym.make(ENV_ID, reward=name)
        env.reset(options={"task_index": 2})
        env.step("search[tablet stands gluten free]")
        env.step(f"click[{shop(env).catalogue.product(shop(env).shown[0]).asin}]")
        rewards[name] = env.step("click[buy now]")[1]
    assert 0.0 <= rewards["strict"] <= rewards["webshop"] < 1.0


# -------------------------------------------------------------------- oracles and floors


def expert_solves(split, count, **kwargs):
    env = gym.make(ENV_ID, split=split, actions="menu", **kwargs)
    size = len(env.unwrapped.tasks)
    for place in range(count):
        options = {"task_index": place * size // count}
        _, info = env.reset(options=options)
        terminated = truncated = False
        while not (terminated or truncated):
            action = env.unwrapped.expert_action()
            assert action in info["admissible_actions"], (options, action)
            _, reward, terminated, truncated, info = env.step(action)
        assert info["success"], options
        assert reward == 1.0


@pytest.mark.parametrize("split", SPLITS)
def test_expert_buys_the_right_item_from_the_menu(split):
    expert_solves(split, 50)


@pytest.mark.slow
@pytest.mark.parametrize("reward", ["strict", "webshop"])
@pytest.mark.parametrize("split", SPLITS)
def test_expert_buys_the_right_item_from_the_menu_at_length(split, reward):
    expert_solves(split, 1000, reward=reward)


def test_random_policy_rarely_succeeds():
    env = gym.make(ENV_ID, actions="menu")
    found = defaultdict(list)
    for index in range(450):
        episode = play_episode(env, random_policy(env, seed=index), options={"task_index": index})
        found[env.unwrapped.task.kind].append(episode.success)
    assert sorted(found) == ["attributes", "option", "options"]
    assert all(np.mean(outcomes) < 0.1 for outcomes in found.values())


def test_demonstrator_mostly_succeeds_and_opens_before_it_buys():
    env = gym.make(ENV_ID, split="valid")
    rng = np.random.default_rng(0)

    def act(observation, info):
        return env.unwrapped.demonstration_action(rng)

    successes = [play_episode(env, act, options={"task_index": i}).success for i in range(120)]
    assert 0.85 < np.mean(successes) < 1.0


def test_menu_holds_a_right_query_and_wrong_ones():
    env = gym.make(ENV_ID, actions="menu")
    places = []
    for index in range(60):
        _, info = env.reset(options={"task_index": index})
        menu = info["admissible_actions"]
        assert len(menu) == len(set(menu)) == 6
        finds = [
            shop(env).goal.product in shop(env).catalogue.search(action[7:-1]) for action in menu
        ]
        assert any(finds)
        assert sum(finds) <= 3
        places.append(finds.index(True))
    assert len(set(places)) >= 4, "its place says nothing"


# -------------------------------------------------------------------- keys and snapshots


def test_keys(env):
    def keys(*actions):
        _, info = env.reset(options={"task_index": 2})
        for action in actions:
            *_, info = env.step(action)
        return {name: info[name] for name in ("state_key", "belief_key", "anchor_key")}

    listed = keys("search[dress]")
    asin = shop(env).catalogue.product(shop(env).shown[0]).asin
    other = keys("search[women's dress dress]")
    assert listed["state_key"] != other["state_key"], "back from an article leads elsewhere"
    back = keys("search[dress]", f"click[{asin}]", "click[< prev]")
    assert back["state_key"] == listed["state_key"]
    assert back["anchor_key"] == listed["anchor_key"]
    assert back["belief_key"] != listed["belief_key"], "an article was seen"
    assert keys("search[dress]", "click[none]") == listed


def test_snapshots_are_small_and_go_on_in_another_process(env):
    env.step("search[dress]")
    env.step("click[next >]")
    asin = shop(env).catalogue.product(shop(env).shown[2]).asin
    expected = env.step(f"click[{asin}]")[0]
    blob = turnwise_envs.snapshot(env)
    assert len(blob) < 4000
    code = (
        "import sys, gymnasium as gym, turnwise_envs as t;"
        f"env = gym.make('{ENV_ID}');"
        "o, i = t.restore(env, bytes.fromhex(sys.stdin.read()));"
        "print(repr([o, env.step('click[< prev]')[0]]))"
    )
    there = subprocess.run(
        [sys.executable, "-c", code], input=blob.hex(), capture_output=True, text=True
    )
    assert there.stdout.strip() == repr([expected, env.step("click[< prev]")[0]]), there.stderr


def test_a_snapshot_of_the_end_says_nothing_can_be_done(env):
    play_episode(env, expert_policy(env), options={"task_index": 2})
    other = gym.make(ENV_ID)
    _, info = turnwise_envs.restore(other, turnwise_envs.snapshot(env))
    assert info["admissible_actions"] == []
    assert other.unwrapped.expert_action() is None


def test_environments_share_the_catalogue():
    one, two = gym.make(ENV_ID), gym.make(ENV_ID, reward="webshop", observation="html")
    one.reset(seed=0)
    two.reset(seed=0)
    assert shop(one).catalogue is shop(two).catalogue
    assert len(json.dumps(shop(two).to_json())) < 300


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"observation": "url"}, "observation must be one of text, text_rich, html, got 'url'"),
        ({"reward": "raw"}, "reward must be one of strict, webshop, got 'raw'"),
        ({"num_products": 10}, r"num_products must be an integer in \[200, 1000000\], got 10"),
        ({"catalogue_seed": "x"}, "catalogue_seed must be an integer"),
        ({"task_types": "price"}, "Choose from attributes, option, options.$"),
    ],
)
def test_arguments_are_checked_at_once(arguments, message):
    with pytest.raises(turnwise_envs.UsageError, match=message):
        gym.make(ENV_ID, **arguments)
