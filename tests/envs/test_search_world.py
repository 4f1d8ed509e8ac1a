"""The generated world: what is asked is stated, has one answer, and is asked in one split only."""

import json
import subprocess
import sys

import pytest

import turnwise_envs
from turnwise_envs.errors import EnvironmentFault, UsageError
from turnwise_envs.search import checksums
from turnwise_envs.search.articles import render
from turnwise_envs.search.expert import states
from turnwise_envs.search.grading import normalize_answer
from turnwise_envs.search.questions import as_number
from turnwise_envs.search.schema import BY_NAME, COMPARED, COUNTED, RELATIONS
from turnwise_envs.search.tasks import SPLITS, SearchTasks, shared_world
from turnwise_envs.search.world import DIFFICULTIES, GROUP_SHARES, World, WorldOptions

ID = "turnwise/MultiHopSearch-v0"
DEFAULT = WorldOptions()
WORLD = shared_world(DEFAULT).world


def tasks_of(split, hops=(1, 3), **options):
    return SearchTasks(split, hops, WorldOptions(**options))


def specs(split, kind):
    tasks = tasks_of(split)
    space = tasks.shared.space(split, kind, -(-10_000 // len(tasks.kinds)))
    return [(space.specs[i], space.question(i)) for i in range(0, len(space.specs), 7)]


def follow(start, names):
    """Returns what a chain of relations leads to, read off the world."""
    for name in names:
        start = WORLD.things[start].facts[name]
    return WORLD.says(start)


@pytest.mark.parametrize("split", SPLITS)
def test_every_supporting_fact_stands_in_the_corpus(split):
    tasks = tasks_of(split)
    for index in range(0, 10_000, 67):
        for support in tasks.question(tasks[index]).supports:
            assert any(states(support, passage) for passage in tasks.corpus.titled(support.title))


@pytest.mark.parametrize(
    ("split", "kind"),
    [("train", "single"), ("valid", "bridge_2"), ("test", "bridge_3"), ("ood_hops", "bridge_4")],
)
def test_chains_lead_to_their_answer(split, kind):
    for spec, question in specs(split, kind):
        assert follow(spec[0], spec[1:]) == question.answer
        hops = 1 if kind == "single" else int(kind.removeprefix("bridge_"))
        assert len(question.supports) == len(spec) - 1 == hops


def test_comparisons_name_the_right_side():
    for spec, question in specs("train", "comparison"):
        attribute, via, *starts = spec
        ends = [follow(n, [via]) if via else WORLD.says(n) for n in starts]
        values = {}
        for start, end in zip(starts, ends, strict=True):
            number = WORLD.things[start].facts[via] if via else start
            values[end] = as_number(WORLD.things[number].facts[attribute])
        greater = f" {COMPARED[attribute][2]}" in question.text
        assert question.answer == (max if greater else min)(values, key=values.get)


def test_same_questions_are_balanced_and_right():
    yes = 0
    asked = specs("train", "yes_no")
    for (name, one, other), question in asked:
        same = follow(one, [name]) == follow(other, [name])
        assert question.answer == ("yes" if same else "no")
        yes += same
    assert 0.35 < yes / len(asked) < 0.65


def test_intersections_and_counts_by_brute_force():
    for (answer, one, other), question in specs("valid", "intersection"):
        facts = WORLD.things[answer].facts
        both = [
            thing.title
            for thing in WORLD.things
            if thing.facts.get(one) == facts[one] and thing.facts.get(other) == facts[other]
        ]
        assert both == [question.answer]
    for (name, target, when, year), question in specs("valid", "counting"):
        members = [thing for thing in WORLD.things if thing.facts.get(name) == target]
        years = [int(thing.facts[COUNTED[name][1]]) for thing in members]
        count = sum(y < year if when == "before" else y > year for y in years)
        assert question.answer == str(count)


def test_no_thing_is_asked_about_in_two_splits():
    """Nothing in a question, on its way, in its answer or in its evidence is shared."""
    groups = {split: set() for split in GROUP_SHARES}
    for split, kinds in WORLD.groups.items():
        for numbers in kinds.values():
            groups[split].update(numbers)
    names = list(groups)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            assert not groups[one] & groups[other]
    for numbers in groups.values():
        for number in numbers:  # no fact leads out of its group
            targets = {t for t in WORLD.things[number].facts.values() if isinstance(t, int)}
            assert targets <= numbers
    titles = {split: {WORLD.things[n].title for n in numbers} for split, numbers in groups.items()}
    for split in (*SPLITS, "stream"):
        tasks = tasks_of(split)
        for index in range(0, 10_000, 211):
            question = tasks.question(tasks.task(index))
            assert {support.title for support in question.supports} <= titles[split]


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_has_ten_thousand_different_questions(split):
    tasks = tasks_of(split)
    assert len(tasks) == 10_000
    assert len({tasks.build(tasks[i]).text for i in range(0, 10_000, 9)}) == 1_112


def test_held_out_relations_and_hops():
    held_out = {relation.name for relation in RELATIONS if relation.held_out}
    for split in ("train", "valid", "test"):
        for kind in ("single", "bridge_2", "bridge_3"):
            assert not any(held_out & set(spec[1:]) for spec, _ in specs(split, kind))
    for kind in ("bridge_2", "bridge_3"):
        assert all(held_out & set(spec[1:]) for spec, _ in specs("ood_relations", kind))
    assert tasks_of("ood_hops", hops=(2, 3)).kinds == ("bridge_4",)
    assert tasks_of("train", hops=(1, 1)).kinds == ("single",)
    assert "bridge_4" in tasks_of("train", hops=(1, 4)).kinds


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_difficulty_changes_how_the_same_kind_of_fact_is_told(difficulty):
    options = WorldOptions(num_articles=1_200, difficulty=difficulty)
    shared = shared_world(options)
    says = {relation.name: relation.says for relation in RELATIONS}
    aliases = {thing.alias for thing in shared.world.things if thing.alias}
    used = 0
    for number, thing in enumerate(shared.world.things):
        for name, sentence in render(shared.world, number).sentences.items():
            if name in says and isinstance(thing.facts[name], int):
                target = shared.world.things[thing.facts[name]]
                assert target.title in sentence or target.alias in sentence
                used += target.title not in sentence
    assert aliases
    assert (used > 0) == (difficulty == "hard")
    tasks = SearchTasks("train", (1, 3), options)
    assert len(shared.corpus) > 1.5 * 1_200
    for index in range(40):
        question = tasks.question(tasks[index])
        assert question.references


def test_names_are_unique_and_kinds_complete():
    keys = [normalize_answer(thing.title) for thing in WORLD.things]
    keys += [normalize_answer(thing.alias) for thing in WORLD.things if thing.alias]
    assert len(keys) == len(set(keys))
    for thing in WORLD.things:
        missing = {r.name for r in RELATIONS if r.subject == thing.kind} - set(thing.facts)
        assert missing <= {"spouse", "mentor"}
        assert all(BY_NAME[name].subject == thing.kind for name in thing.facts)


def test_the_same_world_in_another_process():
    tasks = tasks_of("valid", num_articles=1_300)
    code = (
        "import json; from turnwise_envs.search.tasks import SearchTasks;"
        "from turnwise_envs.search.world import WorldOptions;"
        "t = SearchTasks('valid', (1, 3), WorldOptions(1_300));"
        "print(json.dumps([t.corpus.digest, t.manifest_hash, t.question(t[5]).text]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = [tasks.corpus.digest, tasks.manifest_hash, tasks.question(tasks[5]).text]
    assert json.loads(done.stdout) == ours


def test_the_table_of_checksums_is_asked(tmp_path, monkeypatch):
    tasks = turnwise_envs.tasks(ID, "train")
    damaged = bytearray(checksums.TABLE.read_bytes())
    damaged[8] ^= 1  # the first question
    table = tmp_path / "checksums.bin"
    table.write_bytes(damaged)
    monkeypatch.setattr(checksums, "TABLE", table)
    checksums._table.cache_clear()
    try:
        assert tasks.question(tasks[1]).text
        with pytest.raises(EnvironmentFault, match=r"Question 0 of the default world must be"):
            tasks.question(tasks[0])
        table.write_bytes(b"")
        checksums._table.cache_clear()
        with pytest.raises(EnvironmentFault, match="The corpus of the default world"):
            _ = tasks.corpus
    finally:
        monkeypatch.undo()
        checksums._table.cache_clear()


def test_another_world_needs_no_table():
    tasks = tasks_of("train", num_articles=1_200)
    assert tasks.question(tasks[0]).text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"num_articles": 1_199},
            r"num_articles must be an integer in \[1200, 2000000\], got 1199",
        ),
        ({"num_articles": 5e3}, "num_articles must be an integer"),
        ({"difficulty": "brutal"}, "difficulty must be one of easy, normal, hard, got 'brutal'"),
        ({"hops": (0, 2)}, "1 <= least <= most <= 4, got"),
        ({"hops": (3, 2)}, "1 <= least <= most <= 4, got"),
        ({"hops": (1, 5)}, "1 <= least <= most <= 4, got"),
        ({"hops": 2}, "1 <= least <= most <= 4, got 2"),
        ({"hops": "12"}, "1 <= least <= most <= 4, got"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(UsageError, match=message):
        turnwise_envs.tasks(ID, "train", **options)


def test_a_world_is_made_from_its_options_alone():
    one, other = World(WorldOptions(1_200)), World(WorldOptions(1_200))
    assert [thing.facts for thing in one.things] == [thing.facts for thing in other.things]
    assert World(WorldOptions(1_201)).seed != one.seed
