"""The environment contract as a test, for our environments and everybody's.

    import gymnasium as gym
    from turnwise_envs.testing import check_text_env

    gym.register("me/MyWorld-v0", "my_package.world:MyWorld", disable_env_checker=True)
    check_text_env("me/MyWorld-v0")                     # raises AssertionError saying what is wrong
    check_text_env("me/MyWorld-v0", skip=("vector",))   # leaves a part out

Every `check_*` function below takes a `Subject` and tests one promise; `CHECKS` names them all.
Plain asserts, no pytest: run it in any test framework, or in none.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

from turnwise_envs.core import INFO_KEYS, TextEnv
from turnwise_envs.errors import SnapshotError, TurnwiseError, UnknownTaskError, UsageError
from turnwise_envs.play import expert_policy, null_policy, play_episode
from turnwise_envs.registration import env_spec
from turnwise_envs.registration import tasks as list_tasks
from turnwise_envs.snapshots import restore, snapshot
from turnwise_envs.spaces import TextSpace
from turnwise_envs.transcripts import (
    AFTER_RESET,
    INFO_TYPES,
    JUNK,
    ODD_TEXTS,
    Subject,
    Transcript,
    expect_raises,
    expect_same,
    half,
    record,
    script,
)
from turnwise_envs.vector import restore_vector, unbatch_info


def check_text_env(
    env: str | gym.Env[str, str] | EnvSpec,
    *,
    episodes: int = 2,
    seed: int = 0,
    skip: Iterable[str] = (),
) -> None:
    """Tests the whole contract of `TextEnv` on a registered environment.

    Args:
        env: a registered id, a spec, or an environment made by `gym.make` (its spec is used). The
            entry point must be importable, because some checks run in another process.
        episodes: number of episodes or tasks that each sampling check plays.
        seed: of the first episode.
        skip: names of `CHECKS` to leave out, such as "vector" or "other_process".

    Raises:
        AssertionError: If a promise is broken; the message begins with the check's name.
        UsageError: If `skip` names no check or `env` has no spec.
    """
    skipped = set(skip)
    if unknown := skipped - CHECKS.keys():
        raise UsageError(f"skip must be among {', '.join(CHECKS)}, got {sorted(unknown)}.")
    spec = env_spec(env) if isinstance(env, str | EnvSpec) else env.spec
    if spec is None:
        raise UsageError("env must be made by gym.make, got one without a spec. Register it first.")
    subject = Subject(spec, episodes, seed)
    for name, check in CHECKS.items():
        if name not in skipped:
            try:
                check(subject)
            except AssertionError as error:
                raise AssertionError(f"{spec.id}, {name}: {error}") from error


def check_gymnasium(subject: Subject) -> None:
    """Gymnasium's own checker passes, without a warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        env = subject.spec.make(disable_env_checker=True)
        check_env(env.unwrapped)
        env.close()
    ours = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    assert not ours, f"check_env must not warn, got {ours}."
    inner = env.unwrapped
    assert isinstance(inner, TextEnv), f"must be a TextEnv, got {type(inner).__name__}."
    for space in (inner.observation_space, inner.action_space):
        assert isinstance(space, TextSpace), f"spaces must be TextSpace, got {space!r}."


def check_info(subject: Subject) -> None:
    """`info` has every key, with its type, on reset and step; the reward is its parts' sum."""
    env = subject.make()
    inner: Any = env.unwrapped
    for seed in subject.seeds:
        for turn, line in enumerate(record(env, script(subject, seed), seed=seed)):
            observation, info = line[0], line[-1]
            assert observation in env.observation_space, "observation must be in its space."
            missing, extra = set(INFO_KEYS) - set(info), set(info) - set(INFO_KEYS)
            assert not missing, f"info must have every key, lacks {missing} in turn {turn}."
            assert not extra, f"info must have no other keys, has {extra}; use metrics."
            for key, types in INFO_TYPES.items():
                kind = type(info[key])
                assert kind in types, f"info[{key!r}] must be {types}, got {kind} in turn {turn}."
            for key in ("reward_components", "metrics", "cost"):
                bad = {k: v for k, v in info[key].items() if type(v) is not float}
                assert not bad, f"info[{key!r}] must hold floats, got {bad} in turn {turn}."
            for key in ("admissible_actions", "reference", "evidence"):
                items = info[key] or []
                assert all(type(x) is str for x in items), f"info[{key!r}] must hold texts."
            assert 0.0 <= info["score"] <= 1.0, f"score must be in [0, 1], got {info['score']}."
            assert info["task_id"] == inner.task.id, "task_id must be the running task's."
            assert inner.tasks.lookup(info["task_id"]) == inner.task, "lookup must find the task."
            if turn == 0:
                got = {key: info[key] for key in AFTER_RESET}
                assert got == AFTER_RESET, f"info after reset must be {AFTER_RESET}, got {got}."
            else:
                total = sum(info["reward_components"].values())
                assert line[1] == total, f"reward must be its parts' sum {total}, got {line[1]}."
                given = set(info["reward_components"])
                if any("/" in name for name in inner.reward_names):
                    given |= {f"{r}/{name}" for r in ("metrics", "cost") for name in info[r]}
                unnamed = given.difference(inner.reward_names)
                assert not (inner.reward_names and unnamed), f"reward_names lacks {unnamed}."
                for part, kind in zip(line[1:4], (float, bool, bool), strict=True):
                    assert type(part) is kind, f"{part!r} must be a {kind.__name__} in {line[1:4]}."
    env.close()


def check_freshness(subject: Subject) -> None:
    """Changing what `info` holds changes nothing that comes later."""
    completions = script(subject, subject.seed)
    expected = record(subject.make(), completions, seed=subject.seed)
    env = subject.make()
    got: Transcript = []
    line: list[Any] = list(env.reset(seed=subject.seed))
    for completion in [*completions, None]:
        got.append(json.loads(json.dumps(line)))
        for value in line[-1].values():
            if isinstance(value, dict):
                value["spoilt"] = 1.0
            elif isinstance(value, list):
                value.append("spoilt")
        if completion is not None:
            line = list(env.step(completion))
    expect_same(json.loads(json.dumps(expected)), got, "after changing earlier infos")


def check_determinism(subject: Subject) -> None:
    """Same seed, same actions: the same bytes, again in this environment and in a fresh one."""
    env = subject.make()
    for seed in subject.seeds:
        completions = script(subject, seed)
        first = record(env, completions, seed=seed)
        expect_same(first, record(env, completions, seed=seed), "the same environment, reset again")
        expect_same(first, record(subject.make(), completions, seed=seed), "a fresh environment")


def check_selection(subject: Subject) -> None:
    """A seed selects the task; options name one; everything unknown is a clear error."""
    env = subject.make()
    inner: Any = env.unwrapped
    env.reset(seed=subject.seed)
    task = inner.task
    start = env.reset(seed=subject.seed, options={"task_id": task.id})[1]
    assert start["task_id"] == task.id, "options task_id must select the task."
    start = env.reset(options={"task_index": task.index})[1]
    assert start["task_id"] == task.id, "options task_index must select the task."
    expect_raises(
        UnknownTaskError, lambda: env.reset(options={"task_id": "none"}), "unknown task_id"
    )
    expect_raises(UnknownTaskError, lambda: env.reset(options={"task_index": -1}), "task_index -1")
    expect_raises(UsageError, lambda: env.reset(options={"task": 1}), "an unknown option")
    expect_raises(gym.error.ResetNeeded, lambda: env.step(""), "step after a failed reset")
    expect_raises(TurnwiseError, lambda: subject.make(split="no such split"), "an unknown split")
    expect_raises(gym.error.ResetNeeded, lambda: subject.make().step(""), "step before reset")
    env.reset(seed=subject.seed)
    expect_raises(TypeError, lambda: env.step(None), "an action that is no text")  # type: ignore[arg-type]


def check_any_text(subject: Subject) -> None:
    """Any text at all is answered, in every action format."""
    for action_format in ("plain", "xml", "tool_json"):
        env = subject.make(action_format=action_format)
        env.reset(seed=subject.seed)
        for text in ODD_TEXTS:
            observation, _, terminated, truncated, info = env.step(text)
            shown = repr(text[:20])
            assert observation in env.observation_space, f"the answer to {shown} must be text."
            assert info["action"] in env.action_space, f"the action of {shown} must be short."
            if terminated or truncated:
                env.reset()


def check_formats(subject: Subject) -> None:
    """A parse failure is a turn with an observation; rendered actions parse to themselves."""
    for action_format in ("plain", "xml", "tool_json"):
        env = subject.make(action_format=action_format, max_turns=2)
        inner: Any = env.unwrapped
        env.reset(seed=subject.seed)
        if action_format != "plain":
            observation, reward, _, _, info = env.step(JUNK)
            assert observation, f"a reply that is no {action_format} must be answered."
            assert not info["format_is_valid"], "format_is_valid must be False for junk."
            assert not info["action_is_valid"], "action_is_valid must be False for junk."
            assert inner.turn == 1, "a parse failure must count as a turn."
            assert float(reward) <= 0.0, f"a parse failure must not be rewarded, got {reward}."
        action = inner.expert_action() or inner.random_action(np.random.default_rng(0))
        info = env.step(inner.action_format.render(action))[-1]
        assert info["format_is_valid"], f"render must give what {action_format} parses."
        assert info["action"] == action.strip(), f"must parse {action!r}, got {info['action']!r}."


def check_truncation(subject: Subject) -> None:
    """The environment counts its turns, across a restore too."""
    env = subject.make(max_turns=3)
    env.reset(seed=subject.seed)
    for turn in (1, 2):
        _, _, terminated, truncated, _ = env.step(JUNK)
        assert not terminated, f"junk must not end the task, it did in turn {turn}."
        assert not truncated, f"max_turns=3 must not truncate in turn {turn}."
    other = subject.make(max_turns=3)
    restore(other, snapshot(env))
    for name, one in (("the environment", env), ("the restored one", other)):
        _, _, terminated, truncated, info = one.step(JUNK)
        assert truncated, f"{name} must truncate in turn 3."
        assert not terminated, f"{name} must not terminate in turn 3."
        assert info["verdict"], f"{name} must give a verdict at the end."
        expect_raises(gym.error.ResetNeeded, partial(one.step, ""), "step after the end")


def check_snapshots(subject: Subject) -> None:
    """A snapshot goes on alike, here and in a fresh environment; `seed` branches."""
    for seed in subject.seeds:
        before, after = half(script(subject, seed))
        env = subject.make()
        start = record(env, before, seed=seed)
        blob = snapshot(env)
        assert blob == snapshot(env), "two snapshots of one state must be equal."
        expected = record(env, after, reset=False)
        for name, other in (("itself", env), ("a fresh environment", subject.make())):
            observation, info = restore(other, blob)
            assert observation == start[-1][0], f"{name} must restore the observation."
            assert info == start[-1][-1], f"{name} must restore info."
            assert snapshot(other) == blob, f"{name} must give the same snapshot again."
            expect_same(expected, record(other, after, reset=False), f"{name}, restored")
        branches = []
        for _ in range(2):
            restore(env, blob, seed=seed + 1)
            branches.append(record(env, after, reset=False))
        expect_same(branches[0], branches[1], "two branches of one seed")
    end = subject.make(max_turns=1)
    record(end, [JUNK], seed=subject.seed)
    over = subject.make(max_turns=1)
    restore(over, snapshot(end))
    expect_raises(
        gym.error.ResetNeeded, lambda: over.step(""), "step after restoring an ended episode"
    )
    damaged = blob[:-9] + bytes([blob[-9] ^ 1]) + blob[-8:]
    for name, bad in (
        ("damaged", damaged),
        ("cut", blob[:-1]),
        ("empty", b""),
        ("other", b"x\n{}"),
    ):
        expect_raises(SnapshotError, partial(restore, env, bad), f"a snapshot that is {name}")  # type: ignore[misc]
    other = subject.make(max_turns=env.unwrapped.max_turns + 1)  # type: ignore[attr-defined]
    expect_raises(SnapshotError, lambda: restore(other, blob), "a snapshot with other arguments")
    expect_raises(SnapshotError, lambda: snapshot(subject.make()), "a snapshot before reset")


def check_pickling(subject: Subject) -> None:
    """An environment pickles in mid-episode, and its spec survives JSON."""
    before, after = half(script(subject, subject.seed))
    env = subject.make()
    record(env, before, seed=subject.seed)
    twin = pickle.loads(pickle.dumps(env))
    expect_same(record(env, after, reset=False), record(twin, after, reset=False), "a pickled copy")
    assert env.spec is not None
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    script_ = before + after
    expect_same(
        record(env, script_, seed=subject.seed),
        record(again, script_, seed=subject.seed),
        "one made from spec.to_json()",
    )


def check_other_process(subject: Subject) -> None:
    """Another process says the same bytes, and goes on from a snapshot alike."""
    completions = script(subject, subject.seed)
    before, after = half(completions)
    env = subject.make()
    start = record(env, before, seed=subject.seed)
    blob = snapshot(env)
    expected = start + record(env, after, reset=False)
    entry = subject.spec.entry_point
    if not isinstance(entry, str):
        entry = f"{entry.__module__}:{getattr(entry, '__qualname__', '')}"
    job = {
        "entry": entry,
        "id": subject.spec.id,
        "kwargs": subject.spec.kwargs,
        "seed": subject.seed,
        "completions": completions,
        "after": after,
        "blob": blob.hex(),
    }
    done = subprocess.run(
        [sys.executable, "-c", "from turnwise_envs.transcripts import serve; serve()"],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        check=False,
    )
    assert not done.returncode, f"the other process failed: {done.stderr[-2000:]}"
    replayed, restored = json.loads(done.stdout)
    here = json.loads(json.dumps(expected))
    expect_same(here, replayed, "another process")
    expect_same(here[len(start) :], restored, "another process, restored")


def check_menu(subject: Subject) -> None:
    """`actions="menu"` offers a finite set, all of it applicable, wherever one stands."""
    for kwargs in ({"actions": "menu"}, {}):
        env = subject.make(**kwargs)
        inner: Any = env.unwrapped
        for seed in subject.seeds:
            line: list[Any] = list(env.reset(seed=seed))
            for completion in [*script(subject, seed, limit=4, **kwargs), None]:
                menu = line[-1]["admissible_actions"]
                if kwargs:
                    assert menu, "the menu must not be empty while an episode runs."
                if menu is None:
                    break
                assert len(set(menu)) == len(menu), "no action may be offered twice."
                blob = snapshot(env)
                for action in menu:
                    info = env.step(inner.action_format.render(action))[-1]
                    assert info["action_is_valid"], f"the offered {action!r} must be applicable."
                    restore(env, blob)
                if completion is not None:
                    line = list(env.step(completion))
                    if line[2] or line[3]:
                        break


def check_oracle(subject: Subject) -> None:
    """The expert solves tasks of every split; saying nothing solves none and earns no more."""
    for split in _splits(subject):
        env = subject.make(split=split)
        inner: Any = env.unwrapped
        size = len(inner.tasks)
        for place in range(min(subject.episodes, size)):
            options = {"task_index": place * size // subject.episodes}
            floor = play_episode(env, null_policy(env), options=options)
            assert not floor.success, f"saying nothing must not solve task {options} of {split}."
            env.reset(options=options)
            if inner.expert_action() is None:
                continue
            best = play_episode(env, expert_policy(env), options=options)
            assert best.success, f"the expert must solve task {options} of {split}."
            assert best.infos[-1]["score"] == 1.0, "a solved task's score must be 1."
            assert floor.episode_return < best.episode_return, (
                f"the expert must earn more than silence on task {options} of {split}, got "
                f"{best.episode_return} and {floor.episode_return}."
            )


def check_splits(subject: Subject) -> None:
    """Splits share no task; ids are unique and stable."""
    seen: dict[str, str] = {}
    for split in _splits(subject):
        env: Any = subject.make(split=split).unwrapped
        tasks = env.tasks
        assert len(set(tasks.ids)) == len(tasks), f"the ids of {split} must be unique."
        for task_id in tasks.ids:
            assert task_id not in seen, f"{task_id} is in {split} and in {seen[task_id]}."
            seen[task_id] = split
        fresh = type(env).task_set(split, **env.task_options())
        assert fresh.manifest_hash == tasks.manifest_hash, f"{split} must have one manifest hash."
        listed = list_tasks(subject.spec, split)
        assert listed.manifest_hash == tasks.manifest_hash, f"tasks() must list those of {split}."
        middle = tasks[len(tasks) // 2]
        assert fresh.lookup(middle.id) == middle, f"lookup must find the tasks of {split}."


def _splits(subject: Subject) -> list[str]:
    env: Any = subject.make().unwrapped
    return [s for s in env.splits if type(env).task_set(s, **env.task_options()).finite]


def check_gold(subject: Subject) -> None:
    """Gold is in `info` only where asked for, and changes nothing else (it may add metrics)."""
    for seed in subject.seeds:
        completions = script(subject, seed)
        plain = record(subject.make(), completions, seed=seed)
        exposed = record(subject.make(expose_reference=True), completions, seed=seed)
        for key in ("reference", "evidence"):
            given = [line[-1][key] for line in plain if line[-1][key] is not None]
            assert not given, f"{key} must be None without expose_reference, got {given}."
            for line in exposed:
                line[-1][key] = None
        for line, public in zip(exposed, plain, strict=True):
            kept = public[-1]["metrics"]
            line[-1]["metrics"] = {k: v for k, v in line[-1]["metrics"].items() if k in kept}
        expect_same(plain, exposed, "with and without expose_reference")


def check_render(subject: Subject) -> None:
    """`render_mode="ansi"` renders text."""
    env: Any = subject.make(render_mode="ansi")
    observation, _ = env.reset(seed=subject.seed)
    assert observation in env.render(), "render after reset must show the observation."
    observation = env.step(JUNK)[0]
    assert observation in env.render(), "render after step must show the observation."
    env.close()
    env.close()


def check_vector(subject: Subject) -> None:
    """Synchronous and asynchronous vectors say what single environments say, in all modes."""
    completions = script(subject, subject.seed, limit=4)

    for mode in ("sync", "async"):
        for autoreset in gym.vector.AutoresetMode:
            vec = gym.make_vec(
                subject.spec,
                num_envs=2,
                vectorization_mode=mode,
                vector_kwargs={"autoreset_mode": autoreset},
                max_turns=len(completions) + 1,
            )
            try:
                _check_vector(subject, vec, completions)
            except AssertionError as error:
                raise AssertionError(f"{mode}, {autoreset.value}: {error}") from error
            finally:
                vec.close()


def _check_vector(subject: Subject, vec: Any, completions: list[str]) -> None:
    single = subject.make(max_turns=len(completions) + 1)
    expected = record(single, completions, seed=subject.seed + 1)
    blob = snapshot(single)
    observations, infos = vec.reset(seed=[subject.seed, subject.seed + 1])
    got: Transcript = [[observations[1], unbatch_info(infos, 1)]]
    for completion in completions[: len(expected) - 1]:
        observations, rewards, terminated, truncated, infos = vec.step([JUNK, completion])
        if terminated[1] or truncated[1]:
            break  # where the next episode starts depends on the mode
        line = [observations[1], rewards[1].item(), False, False, unbatch_info(infos, 1)]
        got.append(line)
    expect_same(expected[: len(got)], got, "in a vector")
    if len(got) == len(expected):
        observations, info = restore_vector(vec, 0, blob)
        assert observations[0] == expected[-1][0], "restore_vector must restore the observation."
        assert info == expected[-1][-1], "restore_vector must restore info."
        assert observations[1] == expected[-1][0], "restore_vector must leave the others alone."
        *_, infos = vec.step([JUNK, JUNK])  # the last turn: both are cut off in it
        last = [unbatch_info(infos, i) for i in (0, 1)]
        if vec.metadata["autoreset_mode"] == gym.vector.AutoresetMode.SAME_STEP:
            last = [info["final_info"] for info in last]
        assert last[0] == last[1], "a restored sub-environment must go on like the original."


CHECKS: dict[str, Callable[[Subject], None]] = {
    "gymnasium": check_gymnasium,
    "info": check_info,
    "freshness": check_freshness,
    "determinism": check_determinism,
    "selection": check_selection,
    "any_text": check_any_text,
    "formats": check_formats,
    "truncation": check_truncation,
    "snapshots": check_snapshots,
    "pickling": check_pickling,
    "other_process": check_other_process,
    "menu": check_menu,
    "oracle": check_oracle,
    "splits": check_splits,
    "gold": check_gold,
    "render": check_render,
    "vector": check_vector,
}
"""The promises by name, in the order in which they are tested."""
