"""The search world through `gym.make`: actions, grading, keys, menu, evidence, both policies."""

import random
from collections import Counter

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import turnwise_envs
from turnwise_envs.errors import SnapshotError, UsageError
from turnwise_envs.search.grading import grade, normalize_answer
from turnwise_envs.search.question import MENU_ANSWERS, MENU_QUERIES
from turnwise_envs.search.tasks import SPLITS

ID = "turnwise/MultiHopSearch-v0"


@pytest.fixture(scope="module")
def env():
    return gym.make(ID, expose_reference=True)


def play_expert(env, **reset):
    """Plays the oracle; returns (actions, last info)."""
    env.reset(**reset)
    actions, over, info = [], False, {}
    while not over:
        actions.append(env.unwrapped.expert_action())
        _, _, terminated, truncated, info = env.step(actions[-1])
        over = terminated or truncated
    return actions, info


def test_one_question_by_hand(env):
    """Task 1 of the golden transcript's split, hop by hop."""
    obs, info = env.reset(options={"task_id": "3b1e49fc2d9b7122"})
    assert obs == "Question: In which city was the founder of Stozes Line born?"
    assert info["reference"] == ["Begaixholm", *info["reference"][1:]]
    assert [fact.partition(": ")[0] for fact in info["evidence"]] == [
        "Stozes Line",
        "Wendel Hovout",
    ]
    assert info["metrics"] == {}
    obs, reward, _, _, info = env.step("search[Stozes Line founder]")
    assert "was founded by Wendel Hovout" in obs
    assert (reward, info["metrics"]["evidence_recall"], info["cost"]) == (
        0.0,
        0.5,
        {"searches": 1.0},
    )
    obs, _, _, _, info = env.step("  SEARCH [Wendel Hovout born]\n")
    assert info["metrics"]["evidence_recall"] == 1.0
    obs, reward, terminated, truncated, info = env.step("answer[begaixholm!]")
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert (info["verdict"], info["success"], info["score"]) == ("correct", True, 1.0)
    assert info["reward_components"] == {"answer": 1.0}


@pytest.mark.parametrize(
    ("reward", "said", "value", "verdict"),
    [
        ("f1", "Zubukirmouth", 0.0, "wrong"),
        ("f1", "the city of Begaixholm", 0.5, "partial"),  # 1 of 3 words right, all found
        ("em", "the city of Begaixholm", 0.0, "partial"),
        ("em", "The Begaixholm.", 1.0, "correct"),
        ("f1", "the a !?", 0.0, "no_answer"),
    ],
)
def test_rewards(reward, said, value, verdict):
    env = gym.make(ID, reward=reward)
    env.reset(options={"task_id": "3b1e49fc2d9b7122"})
    _, got, terminated, _, info = env.step(f"answer[{said}]")
    assert terminated
    assert got == pytest.approx(value)
    assert (info["verdict"], info["success"]) == (verdict, value == 1.0)
    assert info["score"] == got == sum(info["reward_components"].values())


@pytest.mark.parametrize(
    ("action", "observation"),
    [
        ("", "That is no action. Write search[query], read[title] or answer[text]."),
        ("find[x]", "That is no action. Write search[query], read[title] or answer[text]."),
        ("search[x", "That is no action. Write search[query], read[title] or answer[text]."),
        ("search[ ]", "search[] must not be empty."),
        ("answer[]", "answer[] must not be empty."),
        ("read[Atlantis]", "There is no article with the title 'Atlantis'."),
    ],
)
def test_what_cannot_be_done(env, action, observation):
    env.reset(seed=1)
    obs, reward, terminated, truncated, info = env.step(action)
    assert (obs, reward, terminated, truncated) == (observation, 0.0, False, False)
    assert not info["action_is_valid"]


def test_a_search_without_matches_is_an_answer(env):
    env.reset(seed=1)
    obs, _, _, _, info = env.step("search[qqqq zzzz]")
    assert obs == "No passage matches."
    assert info["action_is_valid"]
    assert info["cost"] == {"searches": 1.0}


def test_reading_shows_the_whole_article(env):
    env.reset(seed=1)
    passages = env.unwrapped.retriever.corpus.titled("stozes  LINE")
    obs, _, _, _, info = env.step("read[stozes  LINE]")
    assert len(passages) > 1
    assert [passage.text in obs for passage in passages] == [True] * len(passages)
    assert info["metrics"]["passages"] == info["metrics"]["new_passages"] == len(passages)
    again = env.step("read[Stozes Line]")[4]["metrics"]
    assert again["new_passages"] == 0.0


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80), st.sampled_from(["{}", "search[{}]", "read[{}]"]))
def test_any_text_is_answered(env, text, form):
    env.reset(seed=2)
    obs, reward, _, truncated, _ = env.step(form.replace("{}", text))
    assert isinstance(obs, str)
    assert not truncated
    assert 0.0 <= reward <= 1.0


@pytest.mark.parametrize("top_k", [1, 5, 50])
def test_top_k(top_k):
    env = gym.make(ID, top_k=top_k)
    env.reset(seed=0)
    info = env.step("search[city river born]")[4]
    assert info["metrics"]["passages"] == top_k


@pytest.mark.parametrize("size", [16_384, 60_000])
def test_huge_queries_are_searched(env, size):
    env.reset(seed=0)
    obs, _, _, _, info = env.step(f"search[{'born city ' * (size // 10)}")
    assert obs
    assert not info["action_is_valid"]  # no bracket at its end
    obs = env.step(f"search[{'born city ' * 1600}]")[0]
    assert obs.startswith("[1]")


def test_keys_tell_what_matters():
    env, other = gym.make(ID), gym.make(ID)
    _, first = env.reset(options={"task_index": 0})
    other.reset(options={"task_index": 0})
    a, b = "search[Stozes Line founder]", "search[Wendel Hovout born]"
    one = [env.step(action)[4] for action in (a, b)]
    two = [other.step(action)[4] for action in (b, a)]
    for key in ("state_key", "belief_key", "anchor_key"):
        assert one[-1][key] == two[-1][key]  # the order does not matter
        assert len({first[key], one[0][key], two[0][key], one[1][key]}) == 4
    repeated = env.step(a)[4]
    said = env.step("nothing of the kind")[4]
    assert repeated["state_key"] == said["state_key"] == one[-1]["state_key"]
    answered = env.step("answer[x]")[4]
    assert answered["state_key"] != said["state_key"]
    assert answered["belief_key"] == said["belief_key"]
    _, elsewhere = env.reset(options={"task_index": 7})
    assert elsewhere["state_key"] != first["state_key"]


@pytest.mark.parametrize("split", SPLITS)
def test_menus_hold_the_way_and_one_right_answer(split):
    env = gym.make(ID, split=split, actions="menu", expose_reference=True)
    tasks = turnwise_envs.tasks(ID, split)
    places = Counter()
    for index in range(42):
        _, info = env.reset(options={"task_index": index})
        menu = info["admissible_actions"]
        answers = [action[7:-1] for action in menu if action.startswith("answer[")]
        right = [grade(answer, info["reference"]).em for answer in answers]
        assert len(menu) == len(set(menu))
        assert len(answers) == MENU_ANSWERS
        assert sum(right) == 1
        assert len(menu) - len(answers) >= MENU_QUERIES
        places[right.index(1.0) // 5] += 1
        for support in tasks.question(tasks[index]).supports:
            assert any(support.title in action for action in menu)
        over = False
        while not over:
            action = env.unwrapped.expert_action()
            assert action in menu
            _, _, over, _, info = env.step(action)
        assert info["success"]
    assert len(places) == 4  # the right answer's place tells nothing


def solve(split, count, env):
    """Returns the tasks among `count` of a split that the oracle does not solve."""
    failed = []
    for index in random.Random(split).sample(range(10_000), count):
        _, info = play_expert(env, options={"task_index": index})
        if info["score"] != 1.0 or info["metrics"]["evidence_recall"] != 1.0:
            failed.append((split, index, info["verdict"]))
    return failed


def test_a_menu_of_what_was_read_offers_no_unread_answer():
    env = gym.make(ID, actions="menu", menu_answers="read", expose_reference=True)
    full = gym.make(ID, actions="menu")
    offered_at_once = 0
    for index in range(14):
        _, info = env.reset(options={"task_index": index})
        whole = full.reset(options={"task_index": index})[1]["admissible_actions"]
        gold, over, read = env.unwrapped.gold()[0][0], False, env.unwrapped._question.text
        searches = [a for a in whole if a.startswith("search[")]
        offered_at_once += f"answer[{gold}]" in info["admissible_actions"]
        while not over:
            menu = info["admissible_actions"]
            assert set(menu) <= set(whole)
            assert [a for a in menu if a.startswith("search[")] == searches
            for action in set(menu) - set(searches):
                answer = action[len("answer[") : -1]
                # The right answer may have been read under another name.
                assert (
                    answer in (gold, "yes", "no")
                    or answer.isdigit()
                    or normalize_answer(answer) in normalize_answer(read)
                )
            obs, _, terminated, truncated, info = env.step(env.unwrapped.expert_action())
            read, over = f"{read}\n{obs}", terminated or truncated
        assert info["success"]
        assert info["action"] in menu
    # Two of seven types ask for yes, no or a number, and a comparison names its answers.
    assert 6 <= offered_at_once < 10
    with pytest.raises(UsageError, match='must be "all" or "read"'):
        gym.make(ID, menu_answers="some")


@pytest.mark.parametrize("split", SPLITS)
def test_the_expert_searches_and_solves(split):
    env = gym.make(ID, split=split, expose_reference=True)
    assert solve(split, 60, env) == []
    actions, _ = play_expert(env, options={"task_index": 1})
    assert actions[0].startswith("search[")
    assert actions[-1].startswith("answer[")


def test_the_demonstrator_asks_for_nothing_that_it_was_not_shown():
    env = gym.make(ID, top_k=1, difficulty="easy", expose_reference=True)
    rng = np.random.default_rng(0)
    solved = 0
    for index in range(70):
        _, info = env.reset(options={"task_index": index})
        facts = [fact.partition(": ")[2] for fact in info["evidence"]]
        over = False
        while not over:
            action = env.unwrapped.demonstration_action(rng)
            assert action.startswith("answer[") or not any(fact in action for fact in facts)
            _, _, terminated, truncated, info = env.step(action)
            over = terminated or truncated
        solved += info["success"]
    assert solved >= 65  # long counts run out of turns


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("difficulty", ["easy", "normal", "hard"])
def test_the_expert_solves_a_thousand_of_every_split(split, difficulty):
    env = gym.make(ID, split=split, difficulty=difficulty, expose_reference=True)
    assert solve(split, 1_000, env) == []


def random_success(split, episodes):
    """Returns (successes, episodes) of the random policy for every type of question."""
    env = gym.make(ID, split=split)
    rng = np.random.default_rng(0)
    wins, counts = Counter(), Counter()
    for index in range(episodes):
        env.reset(options={"task_index": index})
        over = False
        while not over:
            action = env.unwrapped.random_action(rng)
            _, _, terminated, truncated, info = env.step(action)
            over = terminated or truncated
        kind = env.unwrapped.task.kind
        counts[kind] += 1
        wins[kind] += info["success"]
    return {kind: (wins[kind], counts[kind]) for kind in counts}


def test_random_is_below_a_tenth():
    shares = random_success("train", 700)
    assert len(shares) == 7
    assert all(wins / count < 0.15 for wins, count in shares.values())  # 100 episodes each
    assert sum(w for w, _ in shares.values()) / 700 < 0.08


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
def test_random_is_below_a_tenth_on_every_type(split):
    for kind, (wins, count) in random_success(split, 3_000).items():
        assert count >= 400
        assert wins / count < 0.10, kind


def test_snapshots_keep_what_was_found():
    env, twin = gym.make(ID, expose_reference=True), gym.make(ID, expose_reference=True)
    env.reset(seed=5)
    env.step(env.unwrapped.expert_action())
    blob = turnwise_envs.snapshot(env)
    turnwise_envs.restore(twin, blob)
    while env.unwrapped.expert_action() is not None:
        action = env.unwrapped.expert_action()
        assert action == twin.unwrapped.expert_action()
        one, two = env.step(action), twin.step(action)
        assert one == two
        if one[2]:
            break
    assert one[4]["success"]
    elsewhere = gym.make(ID, top_k=4, expose_reference=True)
    with pytest.raises(SnapshotError, match=r"top_k was \[3\], here \[4\]"):
        turnwise_envs.restore(elsewhere, blob)


def test_search_r1_tags():
    env = gym.make(ID, action_format="search_r1")
    env.reset(options={"task_id": "3b1e49fc2d9b7122"})
    obs, _, _, _, info = env.step("<think>who?</think>\n<search> Stozes Line founder </search>")
    assert info["action"] == "search[Stozes Line founder]"
    assert obs.startswith("<information>Doc 1(Title: Stozes Line)")
    assert obs.endswith("</information>")
    obs, _, _, _, info = env.step("I would say Begaixholm")
    assert not info["format_is_valid"]
    assert "Write one block" in obs
    _, reward, _, _, _ = env.step("<answer>Begaixholm</answer>")
    assert reward == 1.0
    assert "<search>query</search>" in env.unwrapped.grammar


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(["search", "read", "answer"]),
    st.text(max_size=60)
    | st.sampled_from(["<answer>x</answer>", "&lt;answer>", "a</search>b", "&"]),
    st.text(alphabet="ab <>/&", max_size=20),
)
def test_tags_say_every_action(env, verb, text, thought):
    tagged = gym.make(ID, action_format="search_r1").unwrapped.action_format
    for action in (f"{verb}[{text}]", text):
        assert tagged.parse(tagged.render(action)).action.strip() == action.strip()


def one_search(arguments):
    env = gym.make(ID, **arguments)
    env.reset(seed=0)
    env.step("search[x]")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reward": "bleu"}, 'reward must be "f1" or "em"'),
        ({"top_k": 0}, r"top_k must be an integer in \[1, 50\], got 0"),
        ({"top_k": True}, "top_k must be an integer"),
        ({"retriever": "google"}, "retriever must be one of bm25, dense, remote, got 'google'"),
        ({"retriever": "remote"}, r"retriever='remote' must have retriever_options"),
        ({"retriever_options": 3}, "retriever_options must be a dict or None"),
        ({"retriever_options": {"k1": 2}}, "retriever_options must be arguments of the bm25"),
        ({"data_dir": 7}, "data_dir must be a path or None, got 7"),
        ({"data_dir": "/no/such/file"}, "data_dir must be a file or folder"),
        ({"action_format": "yaml"}, "action_format"),
        ({"split": "dev"}, "split"),
    ],
)
def test_arguments_that_cannot_be(arguments, message):
    with pytest.raises(turnwise_envs.TurnwiseError, match=message):
        one_search(arguments)
