"""WebShop's own files: real rows as the original's engine has them, goals, and what is wrong."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import pytest

import turnwise_envs
from turnwise_envs import DataError, UsageError
from turnwise_envs.data import check_data
from turnwise_envs.play import expert_policy, play_episode
from turnwise_envs.webshop import loader
from turnwise_envs.webshop.files import find_files, make_product, raw_products
from turnwise_envs.webshop.goals import NO_LIMIT, SPLITS
from turnwise_envs.webshop.search import tokenize

ENV_ID = "turnwise/WebShop-v0"
DATA = Path(os.environ.get("TURNWISE_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
REAL = DATA / "webshop"
ROWS = REAL / "products_50_documents.jsonl"
needs_rows = pytest.mark.skipif(
    not ROWS.exists(), reason=f"no WebShop rows at {REAL}: set TURNWISE_TEST_DATA"
)


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    """Keeps the process's cache of loaded data and the user's cache folder out of the tests."""
    monkeypatch.setenv("TURNWISE_CACHE", str(tmp_path / "cache"))
    loader.load.cache_clear()
    yield
    loader.load.cache_clear()


def entry(number, **changes):
    """Returns a product as `items_shuffle*.json` has it."""
    return {
        "asin": f"b00000000{number}",
        "name": f"Alder Shirt {number}",
        "category": "fashion",
        "query": f"Shirts {number % 3}",
        "product_category": "Clothing › Men › Shirts",
        "pricing": "$10.50 - $20.50",
        "full_description": "A shirt.",
        "small_description": ["machine wash", "slim fit"],
        "customization_options": {
            "Size": [{"value": "Large"}, {"value": "X-Large"}],
            "Color": [{"value": "Red/Blue"}, {"value": "Green\n"}],
        },
        **changes,
    }


def write(folder, entries, instructions=True, human=False):
    """Writes a data set of these products, each with an instruction; returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "items_shuffle.json").write_text(json.dumps(entries))
    asins = [e["asin"] for e in entries if isinstance(e, dict) and isinstance(e.get("asin"), str)]
    wish = {"instruction": "Find me slim fit shirts", "instruction_attributes": ["slim fit"]}
    if instructions:
        known = {asin: {"attributes": ["slim fit", "long sleeve"], **wish} for asin in asins}
        (folder / "items_ins_v2.json").write_text(json.dumps(known))
    if human:
        wish |= {"instruction": "i want a large slim shirt.", "instruction_options": ["large"]}
        (folder / "items_human_ins.json").write_text(json.dumps({asin: [wish] for asin in asins}))
    return folder


def first_split(folder, **arguments):
    """Returns an environment on the first split that has goals."""
    for split in SPLITS:
        try:
            return gym.make(ENV_ID, data_dir=str(folder), split=split, **arguments)
        except DataError:
            continue
    raise AssertionError("no split has goals")


# -------------------------------------------------------------------- real rows


@needs_rows
def test_real_products_are_what_the_original_s_engine_has():
    attributes = json.loads((REAL / "items_ins_50.json").read_text())
    rows = [json.loads(line) for line in ROWS.read_text().splitlines()]
    products = [
        make_product(raw, attributes[raw["asin"]])
        for _, raw in raw_products(find_files(REAL).products)
    ]
    assert len(products) == len(rows) == 50
    for product, row in zip(products, rows, strict=True):
        theirs = row["product"]
        assert product.asin == theirs["asin"]
        assert product.title == theirs["Title"].strip()
        assert product.description == theirs["Description"].strip()
        assert product.bullets == tuple(t for t in map(str.strip, theirs["BulletPoints"]) if t)
        assert product.query == theirs["query"].lower().strip()
        assert product.rating == theirs["Rating"]
        assert product.price_tag == theirs["Price"]
        assert {name: list(v) for name, v in product.options.items()} == theirs["options"]
        assert list(product.attributes) == theirs["Attributes"]
        assert tokenize(product.document) == tokenize(row["contents"]), "the text that is searched"


@needs_rows
@pytest.mark.parametrize("reward", ["strict", "webshop"])
def test_expert_buys_the_right_item_for_every_real_goal(reward):
    products, ids = {}, set()
    for split in SPLITS:
        env = gym.make(ENV_ID, data_dir=str(REAL), split=split, reward=reward)
        tasks = env.unwrapped.tasks
        products[split] = {tasks.goal(task).product for task in tasks}
        for index, task in enumerate(tasks):
            episode = play_episode(env, expert_policy(env), options={"task_index": index})
            assert episode.success, (split, index)
            ids.add(task.id)
    assert len(ids) == 207, "an id for every combination of options, none twice"
    assert sum(map(len, products.values())) == len(set().union(*products.values())) == 20


@needs_rows
def test_real_goals_are_the_same_in_another_process():
    code = (
        "import turnwise_envs as t;"
        f"s = t.tasks('{ENV_ID}', 'train', data_dir={str(REAL)!r});"
        "print(s.manifest_hash, s.goal(s[7]))"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    tasks = turnwise_envs.tasks(ENV_ID, "train", data_dir=str(REAL))
    assert there.stdout.strip() == f"{tasks.manifest_hash} {tasks.goal(tasks[7])}", there.stderr
    limit = tasks.goal(tasks[7]).price_upper
    price = tasks.catalogue.product(tasks.goal(tasks[7]).product).price
    assert limit == NO_LIMIT or price < limit <= price + 40


@needs_rows
@pytest.mark.parametrize("path", [REAL, ROWS])
def test_check_of_the_real_rows(path):
    (report,) = check_data(path)
    assert (report.kind, report.count, report.problems) == ("WebShop products and goals", 207, ())
    assert report.facts["products"] == "50"
    assert len(report.version) == 16
    assert report.version == turnwise_envs.tasks(ENV_ID, "test", data_dir=str(path)).data_version
    assert report.usage == f'"turnwise/WebShop-v0", split="train", data_dir="{path}"'


@needs_rows
@pytest.mark.parametrize("name", ["human_goals_300.json", "reward_cases_12.jsonl"])
def test_check_does_not_mistake_other_files(name):
    with pytest.raises(DataError, match="must be data of a known form"):
        check_data(REAL / name)


@needs_rows
def test_check_of_instructions_alone_names_what_to_pass():
    (report,) = check_data(REAL / "items_ins_50.json")
    assert report.count == 0
    assert (
        "must be a product file (items_shuffle*.json or *.jsonl). Pass its folder."
        in (report.problems[0])
    )


# -------------------------------------------------------------------- goals


def test_machine_goals_are_all_combinations_of_options(tmp_path):
    env = first_split(write(tmp_path / "d", [entry(1)]))
    tasks = env.unwrapped.tasks
    goals = [tasks.goal(task) for task in tasks]
    assert [goal.options for goal in goals] == [
        {"color": color, "size": size}
        for color in ("red | blue", "green")
        for size in ("large", "x-large")
    ]
    assert goals[0].instruction.startswith(
        "Find me slim fit shirts with color: red | blue, and size: large, and price lower than "
    )
    assert all(goal.price_upper in (20.0, 30.0, 40.0, 50.0, 60.0) for goal in goals)
    assert {task.kind for task in tasks} == {"options"}


def test_people_s_goals(tmp_path):
    folder = write(tmp_path / "d", [entry(1)], human=True)
    env = first_split(folder, goals="human")
    _, info = env.reset(options={"task_index": 0})
    goal = env.unwrapped.tasks.goal(env.unwrapped.task)
    assert goal.instruction.startswith("i want a large slim shirt, and price lower than ")
    assert (goal.options, goal.named) == ({"0": "large"}, False)
    assert play_episode(env, expert_policy(env), options={"task_index": 0}).success
    assert info["task_id"] == env.unwrapped.tasks[0].id


def test_data_may_be_named_by_a_variable(tmp_path, monkeypatch):
    folder = write(tmp_path / "d", [entry(n) for n in range(9)])
    monkeypatch.setenv("WEBSHOP_DATA", str(folder))
    sizes = [len(turnwise_envs.tasks(ENV_ID, s, data_dir=True)) for s in ("train",)]
    assert sizes[0] > 0
    monkeypatch.delenv("WEBSHOP_DATA")
    with pytest.raises(UsageError, match="variable WEBSHOP_DATA, it is not set"):
        gym.make(ENV_ID, data_dir=True)


def test_large_files_are_kept_mapped_and_read_once(tmp_path, monkeypatch):
    folder = write(tmp_path / "d", [*[entry(n) for n in range(9)], entry(3), "no product"])
    small = loader.load(folder, "synthetic")
    monkeypatch.setattr(loader, "_SPOOL_BYTES", 10)
    for _ in range(2):
        loader.load.cache_clear()
        mapped = loader.load(folder, "synthetic")
        assert mapped.bad == small.bad
        assert len(mapped.bad) == 2
        assert mapped.instructions == small.instructions
        assert mapped.catalogue.number("B000000004") == 4
        assert mapped.catalogue.number("B00000000X") is None
        assert [mapped.catalogue.product(n) for n in range(9)] == [
            small.catalogue.product(n) for n in range(9)
        ]
        assert mapped.catalogue.search("shirt 4") == small.catalogue.search("shirt 4")
        monkeypatch.setattr(loader, "_read", None)  # the second time nothing is read again
    assert len(list((tmp_path / "cache" / "webshop").iterdir())) == 1, "no drafts are left"


# -------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"asin": None}, "must have asin"),
        ({"name": "", "query": None}, "must have name, query"),
        ({"asin": "nan"}, "asin must be an id of at most 10 letters and digits, got 'NAN'"),
        ({"asin": "B" * 11}, "asin must be an id of at most 10 letters and digits"),
        ({"asin": "b000000001"}, "asin must be unique, got B000000001 again"),
    ],
)
def test_an_entry_that_cannot_be_used_is_left_out_and_reported(tmp_path, change, problem):
    folder = write(tmp_path / "d", [entry(1), entry(2, **change), entry(4)])
    with pytest.warns(UserWarning, match="1 entries of .* are left out"):
        env = first_split(folder)
    assert len(env.unwrapped.tasks.catalogue) == 2
    (place,) = env.unwrapped.tasks.bad
    assert place == "items_shuffle.json, entry 1"
    assert problem in env.unwrapped.tasks.bad[place]
    (report,) = check_data(folder)
    assert report.facts["products"] == "2"
    assert any(problem in line for line in report.problems)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be a JSON list of products, got ''"),
        (b'{"asin": 1}', "must be a JSON list of products, got '{"),
        (b"[]", "must hold products, got none that can be used: the list is empty"),
        (b"[1, 2]", "none that can be used: must be an object, got int"),
        (b'[{"asin": "B1", "name"', "its end or entry 0 is broken"),
        (b'[{"asin": 1}, nonsense]', "its end or entry 1 is broken"),
        ('[{"name": "caf\xe9"}]'.encode("latin-1"), "must be UTF-8 text, got .*iconv"),
        ('[{"name": "cafe"}]'.encode("utf-16"), "must be UTF-8 text, got .*iconv"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, content, message):
    folder = write(tmp_path / "d", [entry(1)])
    (folder / "items_shuffle.json").write_bytes(content)
    with pytest.raises(DataError, match=message):
        gym.make(ENV_ID, data_dir=str(folder))
    (report,) = check_data(folder)
    assert report.count == 0
    assert len(report.problems) >= 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[]", "must be a JSON object by asin, got a list"),
        (b"{", "must be JSON, got .*Download it again"),
        (b"\xff\xfe\x00", "must be UTF-8 text"),
    ],
)
def test_instructions_that_cannot_be_used(tmp_path, content, message):
    folder = write(tmp_path / "d", [entry(1)])
    (folder / "items_ins_v2.json").write_bytes(content)
    with pytest.raises(DataError, match=message):
        gym.make(ENV_ID, data_dir=str(folder))
    assert check_data(folder)[0].problems


def test_missing_and_ambiguous_files(tmp_path):
    with pytest.raises(DataError, match="is not there"):
        gym.make(ENV_ID, data_dir=str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"must hold one product file .* got none"):
        gym.make(ENV_ID, data_dir=str(tmp_path / "empty"))
    folder = write(tmp_path / "bare", [entry(1)], instructions=False)
    with pytest.raises(DataError, match=r"must hold items_ins\*.json beside"):
        gym.make(ENV_ID, data_dir=str(folder))
    with pytest.raises(DataError, match=r"must hold items_human_ins\*.json beside"):
        gym.make(ENV_ID, data_dir=str(write(tmp_path / "d", [entry(1)])), goals="human")
    shutil.copy(tmp_path / "d" / "items_shuffle.json", tmp_path / "d" / "items_shuffle_1000.json")
    with pytest.raises(DataError, match=r"got items_shuffle\.json, items_shuffle_1000\.json"):
        gym.make(ENV_ID, data_dir=str(tmp_path / "d"))
    assert "must hold one product file" in check_data(tmp_path / "d")[0].problems[0]
    shutil.copy(tmp_path / "d" / "items_ins_v2.json", tmp_path / "d" / "items_ins_v2_1000.json")
    env = first_split(tmp_path / "d" / "items_shuffle_1000.json")
    assert len(env.unwrapped.tasks) == 4, "of two companions, the one with the same number"


def test_wrong_arguments(tmp_path):
    folder = str(write(tmp_path / "d", [entry(1)]))
    with pytest.raises(UsageError, match="goals must be one of synthetic, human, got 'mine'"):
        gym.make(ENV_ID, data_dir=folder, goals="mine")
    with pytest.raises(UsageError, match="data_dir must be a path, True or None, got 3"):
        gym.make(ENV_ID, data_dir=3)
    with pytest.raises(turnwise_envs.UnknownTaskError, match="split of loaded goals must be one"):
        gym.make(ENV_ID, data_dir=folder, split="stream")
    filled = {task.split for split in SPLITS for task in _tasks_or_none(folder, split)}
    empty = next(split for split in SPLITS if split not in filled)
    with pytest.raises(DataError, match=f"must hold goals for split '{empty}'.*another split"):
        gym.make(ENV_ID, data_dir=folder, split=empty)


def _tasks_or_none(folder, split):
    try:
        return list(turnwise_envs.tasks(ENV_ID, split, data_dir=folder))
    except DataError:
        return []


def test_strange_but_usable_entries(tmp_path):
    text = "<script>alert(1)</script> [SEP] " + "long " * 200_000
    strange = entry(
        1,
        full_description=text,
        small_description=None,
        pricing="",
        customization_options={
            "size": None,
            "x": [{"value": ""}, {}, 7],
            "Farbe": [{"value": "Grün"}],
        },
        Reviews=[{"title": "ok", "score": "5.0", "body": "fine"}, 3, {"stars": "many"}],
    )
    env = first_split(write(tmp_path / "d", [strange, entry(2)]))
    product = env.unwrapped.tasks.catalogue.product(0)
    assert (product.price, product.price_tag, product.bullets) == (100.0, "$100.0", ())
    assert product.options == {"x": ("7",), "farbe": ("grün",)}
    assert [review.score for review in product.reviews] == [5, 0]
    env.reset(options={"task_index": 0})
    env.step("search[alder shirt]")
    env.step("click[b000000001]")
    assert len(env.step("click[description]")[0]) <= 65_536
    html = first_split(tmp_path / "d", observation="html")
    html.reset(options={"task_index": 0})
    html.step("search[alder shirt]")
    html.step("click[b000000001]")
    assert "<script>" not in html.step("click[description]")[0]


def test_loaded_goals_of_some_types(tmp_path):
    plain = [entry(number, customization_options={}) for number in range(4)]
    folder = write(tmp_path / "d", [*plain, *(entry(number) for number in range(4, 8))])
    everything, some = (
        [
            task
            for split in SPLITS
            for task in tasks_or_none(split, data_dir=str(folder), task_types=types)
        ]
        for types in (None, ["options"])
    )
    # Of two options with two values each.
    assert [task.kind for task in everything].count("options") == 16
    assert {task.id for task in some} == {t.id for t in everything if t.kind == "options"}
    with pytest.raises(DataError, match=r"must hold goals of the types option for split 'train'"):
        turnwise_envs.tasks(ENV_ID, "train", data_dir=str(folder), task_types=["option"])


def tasks_or_none(split, **arguments):
    """Returns a split's tasks; none where it has none."""
    try:
        return list(turnwise_envs.tasks(ENV_ID, split, **arguments))
    except DataError:
        return []
