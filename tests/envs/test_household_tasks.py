"""Generated tasks: splits, layouts, checksums, determinism."""

import subprocess
import sys
from dataclasses import replace

import pytest

import turnwise_envs
from turnwise_envs.household import checksums, generator
from turnwise_envs.household.generator import held_out, layout_of, layout_signature
from turnwise_envs.household.goals import KINDS
from turnwise_envs.household.tasks import SIZES, HouseholdTasks
from turnwise_envs.household.vocabulary import HOLDS, ROOMS

SPLITS = ("train", "valid_seen", "valid_unseen", "ood", "stream")
IDS = {"full": "turnwise/Household-v0", "small": "turnwise/HouseholdSmall-v0"}


def sample(split: str, size: str, count: int = 300):
    tasks = HouseholdTasks(split, SIZES[size])
    return [tasks.build(tasks[index]) for index in range(count)]


@pytest.mark.parametrize("size", ["full", "small"])
def test_no_layout_is_in_two_groups(size):
    options = SIZES[size]
    signatures = {
        group: {
            layout_signature(layout_of(options, room, group, number))
            for room in ROOMS[options.size]
            for number in range(generator.LAYOUTS_PER_ROOM[group])
        }
        for group in ("train", "unseen", "ood", "stream")
    }
    groups = list(signatures)
    for i, one in enumerate(groups):
        assert len(signatures[one]) > 20
        for other in groups[i + 1 :]:
            assert not signatures[one] & signatures[other]


@pytest.mark.parametrize("size", ["full", "small"])
def test_splits_share_layouts_and_goal_pairs_as_promised(size):
    built = {split: sample(split, size) for split in SPLITS}
    layouts = {s: {layout_signature(t.scene.layout) for t in built[s]} for s in SPLITS}
    scenes = {s: {t.scene.key for t in built[s]} for s in SPLITS}
    for i, one in enumerate(SPLITS):
        for other in SPLITS[i + 1 :]:
            assert not scenes[one] & scenes[other]
            shared = layouts[one] & layouts[other]
            assert bool(shared) == ({one, other} == {"train", "valid_seen"})
    for split in SPLITS:
        assert {held_out(t.target, t.place) for t in built[split]} == {split == "ood"}
        assert {t.kind for t in built[split]} == set(KINDS)


@pytest.mark.parametrize("size", list(SIZES))
def test_scenes_are_legal_and_of_the_promised_size(size):
    options = SIZES[size]
    for task in sample("train", size, 120):
        scene, layout = task.scene, task.scene.layout
        assert options.num_receptacles[0] <= len(layout.names) <= options.num_receptacles[1]
        lamps = scene.toggleable.bit_count()
        count = len(scene.names) - lamps
        assert options.num_objects[0] <= count <= options.num_objects[1]
        assert len(set(scene.names)) == len(scene.names)
        for r, contents in enumerate(scene.initial.contents):
            for o, kind in enumerate(scene.types):
                if contents >> o & 1 and kind != "floorlamp":
                    assert kind in HOLDS[layout.types[r]]
        assert not task.goal.holds(scene, scene.initial)
        assert task.target in scene.task
        assert task.place in scene.task


def test_small_worlds_keep_their_vocabulary_small():
    words = set()
    for split in SPLITS:
        for task in sample(split, "small", 60):
            words |= set(task.scene.names) | set(task.scene.layout.names)
    assert len(words) < 80


def test_some_targets_are_hidden():
    hidden = 0
    for task in sample("train", "small", 120):
        scene = task.scene
        shut = [c for r, c in enumerate(scene.initial.contents) if scene.layout.openable >> r & 1]
        hidden += any(contents & task.goal.targets for contents in shut)
    assert 20 < hidden < 110


@pytest.mark.parametrize("size", ["full", "small"])
def test_tasks_are_enumerable_without_an_environment(size):
    tasks = turnwise_envs.tasks(IDS[size], "train")
    assert len(tasks) == 10_000
    assert len(set(tasks.ids)) == 10_000
    assert tasks.lookup(tasks.ids[4711]).index == 4711
    assert tasks.manifest_hash != turnwise_envs.tasks(IDS[size], "valid_seen").manifest_hash
    stream = turnwise_envs.tasks(IDS[size], "stream")
    assert not stream.finite
    assert stream[10**15].kind == KINDS[10**15 % 6]


@pytest.mark.parametrize("size", ["full", "small"])
@pytest.mark.parametrize("split", checksums.TABLED_SPLITS)
def test_checksums_of_sampled_tasks(size, split):
    tasks = HouseholdTasks(split, SIZES[size])
    for index in range(0, 10_000, 199):
        tasks.game(tasks[index])


def test_another_generator_is_noticed():
    tasks = HouseholdTasks("train", SIZES["small"])
    key = tasks.build(tasks[0]).scene.key
    checksums.check(SIZES["small"], "train", 0, key)
    with pytest.raises(turnwise_envs.EnvironmentFault, match="generator differs"):
        checksums.check(SIZES["small"], "train", 1, key)
    # Scenes with other options have no table and are not checked.
    checksums.check(replace(SIZES["small"], num_objects=(4, 5)), "train", 1, key)


def test_another_process_builds_the_same():
    program = (
        "from turnwise_envs.household.tasks import *\n"
        "tasks = HouseholdTasks('ood', SIZES['full'])\n"
        "print(*[tasks.build(tasks[i]).scene.key for i in range(20)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    tasks = HouseholdTasks("ood", SIZES["full"])
    assert done.stdout.split() == [tasks.build(tasks[i]).scene.key for i in range(20)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": "huge"}, "size must be one of"),
        ({"num_objects": (9, 3)}, "num_objects must be"),
        ({"num_receptacles": 9}, "num_receptacles must be"),
        ({"data_dir": 3}, "data_dir must be"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(turnwise_envs.UsageError, match=message):
        turnwise_envs.tasks("turnwise/Household-v0", "train", **options)
