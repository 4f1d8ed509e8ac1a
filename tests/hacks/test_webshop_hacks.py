"""Known ways to a shop's reward without buying the right thing, and that they are closed."""

from dataclasses import replace

import gymnasium as gym
import pytest

import turnwise_envs
from turnwise_envs.play import expert_policy, play_episode
from turnwise_envs.webshop.goals import Goal
from turnwise_envs.webshop.products import Product
from turnwise_envs.webshop.reward import strict_score, webshop_score

ENV_ID = "turnwise/WebShop-v0"

TEA = Product(
    asin="B000000001",
    title="Tea Sampler",
    category="grocery",
    query="teas",
    product_category="Food › Beverages › Tea",
    price=9.0,
    price_tag="$9.0",
    description="",
    bullets=(),
    attributes=("gift set",),
    options={},
)


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ("large", "x-large"),
        ("x-large", "large"),
        ("large", "3x-large"),
        ("blue", "navy blue"),
        ("blue", "light blue"),
        ("10", "10-10.5"),
        ("10", "10 wide"),
        ("5", "5.5"),
        ("chocolate", "dark chocolate"),
        ("honey", "honey crunch"),
        ("36 inch", "36 x 24 inch"),
        ("phone 12", "phone 12 pro max"),
        ("red", "cherry red"),
        ("gold", "rose gold"),
        ("black", "black forest"),  # both are "black" to the colour table
        ("tan", "tangerine"),  # "tan" occurs in it
        ("ash", "cashmere"),
        ("pack of 1", "pack of 12"),  # the ratio of similar texts
        ("38mm", "38mm | 40mm | 41mm"),
    ],
)
def test_similar_options_are_not_the_option(wanted, chosen):
    goal = Goal(0, "", ("gift set",), {"kind": wanted}, 10.0)
    assert webshop_score(TEA, goal, TEA, {"kind": chosen}).reward == 1.0, "the paper's formula"
    assert strict_score(TEA, goal, TEA, {"kind": chosen}).reward == 2 / 3
    assert strict_score(TEA, goal, TEA, {"kind": wanted}).reward == 1.0


@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        ("waterproof", "This bag is not waterproof."),
        ("gluten free", "Not gluten free."),
        ("dairy free", "It is not fully dairy free."),
        ("sulfate", "A sulfate free formula."),
        ("tea", "Made by a steady team."),
        ("led", "Handled with care."),
        ("non slip", "Not non slip."),
    ],
)
def test_words_are_not_the_attribute(attribute, text):
    goal = Goal(0, "", (attribute,), {}, 10.0)
    for product in (replace(TEA, title="Sampler", description=text),
                    replace(TEA, title="Sampler", bullets=(text,))):  # fmt: skip
        assert webshop_score(product, goal, product, {}).reward == 1.0, "the paper's formula"
        assert strict_score(product, goal, product, {}).reward == 1 / 2
    honest = replace(TEA, description=f"It is {attribute}.")
    assert strict_score(honest, goal, honest, {}).reward == 1.0


def test_an_attribute_that_contains_the_wanted_words_is_another():
    goal = Goal(0, "", ("long sleeve",), {}, 10.0)
    other = replace(TEA, attributes=("extra long bell sleeve",))
    assert webshop_score(other, goal, TEA, {}).reward == 1.0, "the paper's formula"
    assert strict_score(other, goal, TEA, {}).reward == 1 / 2


def test_one_choice_does_not_meet_two_wishes():
    goal = Goal(0, "", ("gift set",), {"0": "red", "1": "red stripes"}, 10.0, named=False)
    chosen = {"color": "red"}
    assert webshop_score(TEA, goal, TEA, chosen).reward == 1.0, "the paper's formula"
    assert strict_score(TEA, goal, TEA, chosen).reward == 3 / 4


def test_another_type_of_the_same_department_is_not_enough():
    coffee = replace(TEA, query="coffees", product_category="Food › Beverages › Coffee")
    goal = Goal(0, "", ("gift set",), {}, 10.0)
    assert webshop_score(coffee, goal, TEA, {}).reward == 1.0, "the paper's formula"
    assert strict_score(coffee, goal, TEA, {}).reward == 0.5


@pytest.mark.parametrize("query", ["<r>", "<a> gift set", "<c> grocery", "<q> teas"])
def test_hidden_queries_are_words(query):
    env = gym.make(ENV_ID)
    env.reset(seed=0)
    listed = env.step(f"search[{query}]")[0]
    env.reset(seed=0)
    plain = env.step(f"search[{query[3:]} {query[1]}]")[0]
    assert listed.split(" [SEP] ")[2:] == plain.split(" [SEP] ")[2:]


def test_the_goal_is_in_no_page_and_no_info():
    env = gym.make(ENV_ID)
    for index in range(20):
        episode = play_episode(env, expert_policy(env), options={"task_index": index})
        asin = env.unwrapped.gold()[0][0]
        before = episode.observations[:1]
        assert not any(asin in text for text in before)
        receipt = episode.observations[-1].split(" [SEP] ")
        place = receipt.index("Target")
        assert receipt[place : place + 3] == ["Target", "asin", "options"], "nothing between them"
        assert all(info["reference"] is None for info in episode.infos)


def test_an_episode_pays_once_and_nothing_is_carried_over():
    env = gym.make(ENV_ID)
    episode = play_episode(env, expert_policy(env), options={"task_index": 2})
    assert episode.episode_return == 1.0
    with pytest.raises(gym.error.ResetNeeded):
        env.step("click[buy now]")
    env.reset(options={"task_index": 2})
    assert not env.step("click[buy now]")[4]["action_is_valid"], "there is nothing to buy yet"


@pytest.mark.parametrize(
    "action",
    ["click[buy now]", "click[b000000000]", "click[search]", "buy now", "click[]", "search[]",
     "search[ ]", "Search[shoe]", "click [buy now]", "click[next >]", "click[large]"],
)  # fmt: skip
def test_what_is_not_on_the_page_does_nothing(action):
    env = gym.make(ENV_ID)
    start, _ = env.reset(seed=3)
    observation, reward, terminated, _, info = env.step(action)
    assert (observation, reward, terminated) == (start, 0.0, False)
    assert not info["action_is_valid"]


def test_train_goals_do_not_leak_into_held_out_splits():
    # The published agents' splits do: a goal list shuffled with another seed in every worker.
    products = {
        split: {
            tasks.goal(tasks[i]).product
            for tasks in [turnwise_envs.tasks(ENV_ID, split)]
            for i in range(0, 10_000, 20)
        }
        for split in ("train", "valid", "test", "ood_category")
    }
    assert len(set().union(*products.values())) == sum(map(len, products.values()))
