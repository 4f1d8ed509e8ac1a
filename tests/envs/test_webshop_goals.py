"""Generated goals: splits by product and category, price limits, wording."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import turnwise_envs
from turnwise_envs.webshop.dice import Dice
from turnwise_envs.webshop.generator import make_product, type_of
from turnwise_envs.webshop.goals import KINDS, NO_LIMIT, SPLITS, price_limit, split_of

ENV_ID = "turnwise/WebShop-v0"


@pytest.mark.parametrize(
    ("price", "steps"),
    [
        (9.99, {20.0, 30.0, 40.0}),  # of 10, 20, 30, 40 the larger of two is never the least
        (10.0, {30.0, 40.0, 50.0}),  # a step must exceed the price
        (10.01, {30.0, 40.0, 50.0}),
        (965.0, {980.0, 990.0}),  # 970, 980, 990 are left
        (975.0, {990.0}),
        (980.0, {NO_LIMIT}),  # one step is no choice
        (5000.0, {NO_LIMIT}),
    ],
)
def test_price_limit_is_the_larger_of_two_steps(price, steps):
    assert {price_limit(price, Dice(i)) for i in range(200)} == steps


@given(st.floats(0.01, 960.0))
def test_price_limit_admits_the_product(price):
    limit = price_limit(price, Dice(3))
    assert price < limit <= 10 * (price // 10 + 4)


def test_splits_share_no_product_and_ood_no_type():
    products, types = {}, {}
    for split in SPLITS:
        tasks = turnwise_envs.tasks(ENV_ID, split)
        assert len(tasks) == 10_000
        goals = [tasks.goal(tasks[i]) for i in range(0, 10_000, 5)]
        assert {split_of(goal.product) for goal in goals} == {split}
        products[split] = {goal.product for goal in goals}
        types[split] = {type_of(goal.product).query for goal in goals}
    assert sum(map(len, products.values())) == len(set().union(*products.values()))
    assert not types["ood_category"] & (types["train"] | types["valid"] | types["test"])
    assert types["train"] == types["valid"] == types["test"]


def test_goals_ask_for_what_their_product_is():
    tasks = turnwise_envs.tasks(ENV_ID, "valid")
    for i in range(300):
        goal = tasks.goal(tasks[i])
        product = make_product(0, goal.product)
        assert set(goal.attributes) <= set(product.attributes)
        assert all(value in product.options[name] for name, value in goal.options.items())
        assert product.price < goal.price_upper
        assert len(goal.options) == KINDS.index(tasks[i].kind)
        for words in (*goal.attributes, *goal.options.values(), f"{goal.price_upper:.2f}"):
            assert words in goal.instruction
        assert type_of(goal.product).noun in goal.instruction or product.query in goal.instruction


def test_wording_varies():
    tasks = turnwise_envs.tasks(ENV_ID, "train")
    instructions = [tasks.goal(tasks[i]).instruction for i in range(1000)]
    assert len(set(instructions)) > 990
    assert len({" ".join(text.split()[:2]) for text in instructions}) >= 5
    assert not any("  " in text or " a a" in text for text in instructions)


def test_goals_do_not_depend_on_the_process():
    code = (
        "import random; random.seed(1); import turnwise_envs; "
        f"t = turnwise_envs.tasks('{ENV_ID}', 'test'); "
        "print([t.goal(t[i]) for i in (0, 9999, 17)])"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    tasks = turnwise_envs.tasks(ENV_ID, "test")
    assert there.stdout.strip() == str([tasks.goal(tasks[i]) for i in (0, 9999, 17)]), there.stderr


def test_options_that_do_not_choose_tasks_leave_the_manifest():
    plain = turnwise_envs.tasks(ENV_ID, "test").manifest_hash
    assert turnwise_envs.tasks(ENV_ID, "test", reward="webshop").manifest_hash == plain
    assert turnwise_envs.tasks(ENV_ID, "test", num_products=2000).manifest_hash != plain
    assert turnwise_envs.tasks(ENV_ID, "test", catalogue_seed=1).manifest_hash != plain


@pytest.mark.parametrize("chosen", [("attributes",), ("option", "options"), KINDS])
def test_tasks_of_some_types_keep_their_ids(chosen):
    everything = turnwise_envs.tasks(ENV_ID, "test")
    some = turnwise_envs.tasks(ENV_ID, "test", task_types=list(chosen))
    assert list(some.ids) == [task.id for task in everything if task.kind in chosen]
    assert (some.manifest_hash == everything.manifest_hash) == (chosen == KINDS)
    task = some[7]
    theirs = everything.lookup(task.id)
    assert (some.goal(task), some.seed(task)) == (everything.goal(theirs), everything.seed(theirs))


def test_a_stream_of_some_types():
    stream = turnwise_envs.tasks(ENV_ID, "stream", task_types="option")
    assert [stream[i].id for i in range(3)] == ["stream-1", "stream-4", "stream-7"]
    assert stream.lookup("stream-7") == stream[2]
    with pytest.raises(turnwise_envs.UnknownTaskError, match="type options, which task_types"):
        stream.lookup("stream-2")
