"""Transcripts: what an environment says to a list of completions, recorded and compared.

The tools of `turnwise_envs.testing` and of the golden files.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec

from turnwise_envs.snapshots import restore

JUNK = "no such action, surely"
"""A completion that no action format and no world knows."""

Transcript = list[list[Any]]
"""One list a turn: [observation, info] of the reset, then what each `step` returned."""


INFO_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("task_id", "state_key", "belief_key", "anchor_key"), (str,)),
    **dict.fromkeys(("action", "verdict"), (str,)),
    **dict.fromkeys(("format_is_valid", "action_is_valid", "success"), (bool,)),
    **dict.fromkeys(("admissible_actions", "reference", "evidence"), (list, type(None))),
    **dict.fromkeys(("reward_components", "metrics", "cost"), (dict,)),
    "score": (float,),
}
"""The exact types of every `info` value."""

AFTER_RESET: dict[str, Any] = {
    "action": "",
    "format_is_valid": True,
    "action_is_valid": True,
    "reward_components": {},
    "metrics": {},
    "cost": {},
    "success": False,
    "score": 0.0,
    "verdict": "",
}
"""What `info` says after every reset."""

ODD_TEXTS = (
    "",
    " \t\n ",
    "x" * 1_000_000,
    "".join(map(chr, range(32))) + "\x7f\x85\u2028",
    "взять яблоко",
    "打开冰箱",
    "افتح الثلاجة 🙂",
    "\ud800 lone \udc00 surrogates \ud800\udc00",
    '{"name": null, "arguments": []}',
    "<think><action></think></action><tool_call>",
    "{object} %s {0} \\",
)
"""Completions that every environment must answer."""


@dataclass(frozen=True)
class Subject:
    """An environment under test.

    Attributes:
        spec: how to make it.
        episodes: number of episodes or tasks that each sampling check plays.
        seed: of the first episode.
    """

    spec: EnvSpec
    episodes: int
    seed: int

    def make(self, **kwargs: Any) -> gym.Env[str, str]:
        """Makes a fresh environment, with Gymnasium's usual wrappers."""
        return gym.make(self.spec, **kwargs)

    @property
    def seeds(self) -> range:
        """One seed per episode."""
        return range(self.seed, self.seed + self.episodes)


def record(
    env: gym.Env[str, str], actions: Iterable[str], *, seed: int | None = None, reset: bool = True
) -> Transcript:
    """Plays `actions` and returns everything the environment said, as JSON data."""
    lines: Transcript = []
    if reset:
        lines.append(list(env.reset(seed=seed)))
    for action in actions:
        line: list[Any] = list(env.step(action))
        lines.append(line)
        if line[2] or line[3]:
            break
    return lines


def as_bytes(transcript: Transcript) -> bytes:
    """Returns a transcript's bytes, for comparisons across processes."""
    text = json.dumps(transcript, ensure_ascii=False, sort_keys=True)
    return text.encode("utf-8", "surrogatepass")


def script(subject: Subject, seed: int, limit: int = 12, **kwargs: Any) -> list[str]:
    """Returns completions that explore: the expert's and random actions in turn, some junk."""
    env = subject.make(**kwargs)
    inner: Any = env.unwrapped
    rng = np.random.default_rng(seed)
    env.reset(seed=seed)
    completions: list[str] = []
    over = False
    while not over and len(completions) < limit:
        if len(completions) % 4 == 3:
            completion = JUNK
        else:
            expert = inner.expert_action() if len(completions) % 2 == 0 else None
            action = inner.random_action(rng) if expert is None else expert
            completion = inner.action_format.render(action)
        _, _, terminated, truncated, _ = env.step(completion)
        completions.append(completion)
        over = terminated or truncated
    env.close()
    return completions


def half(completions: list[str]) -> tuple[list[str], list[str]]:
    """Returns the first and the second half."""
    middle = len(completions) // 2
    return completions[:middle], completions[middle:]


def expect_same(left: Transcript, right: Transcript, what: str) -> None:
    """Asserts that two transcripts are equal, byte for byte; names the first difference."""
    assert len(left) == len(right), f"{what}: got {len(right)} turns instead of {len(left)}."
    for turn, (one, two) in enumerate(zip(left, right, strict=True)):
        for part, a, b in zip(("observation", "reward"), one, two, strict=False):
            assert a == b, f"{what}: {part} of turn {turn} must be equal, got {a!r} and {b!r}."
        differing = [k for k in one[-1] if one[-1][k] != two[-1].get(k)]
        assert not differing, f"{what}: info of turn {turn} differs in {differing}."
    assert as_bytes(left) == as_bytes(right), f"{what}: the transcripts must be equal."


def expect_raises(error: type[Exception], call: Callable[[], Any], what: str) -> None:
    """Asserts that `call` raises `error` (or a subclass), and nothing else."""
    try:
        call()
    except error:
        return
    except Exception as other:
        raise AssertionError(f"{what} must raise {error.__name__}, got {other!r}.") from other
    raise AssertionError(f"{what} must raise {error.__name__}, got no error.")


def serve() -> None:
    """The other process of `testing.check_other_process`: job on stdin, transcripts on stdout."""
    job = json.load(sys.stdin)
    if job["id"] not in gym.registry:
        gym.register(job["id"], job["entry"], disable_env_checker=True)
    env = gym.make(job["id"], **job["kwargs"])
    replayed = record(env, job["completions"], seed=job["seed"])
    restore(env, bytes.fromhex(job["blob"]))
    print(json.dumps([replayed, record(env, job["after"], reset=False)]))


def golden_text(env_id: str, seed: int = 0) -> str:
    """Returns a whole expert episode of an id, with invalid actions in between, for golden files.

    Any change in observation text, reward, flags, keys or task choice shows as a changed line; such
    a change needs a new version of the id (`-v1`), and the file made anew by
    `scripts/make_golden.py`.
    """
    env = gym.make(env_id)
    inner: Any = env.unwrapped
    observation, info = env.reset(seed=seed)
    task = f"task_id={info['task_id']} manifest_hash={inner.tasks.manifest_hash}"
    lines = [f"# {env_id} split={inner.split} seed={seed} {task}"]
    lines += [_exchange(observation, info)]
    asides, turn, over = {1: JUNK, 2: "", 4: "look"}, 0, False
    while not over:
        completion = asides.pop(turn, None)
        if completion is None:
            completion = inner.action_format.render(inner.expert_action() or "")
        observation, reward, terminated, truncated, info = env.step(completion)
        turn, over = turn + 1, terminated or truncated
        lines.append(f"> {completion}")
        lines.append(
            f"reward={reward} {json.dumps(info['reward_components'])} terminated={terminated} "
            f"truncated={truncated} action_is_valid={info['action_is_valid']} "
            f"success={info['success']} score={info['score']} verdict={info['verdict']}"
        )
        lines.append(_exchange(observation, info))
    env.close()
    return "\n".join(lines) + "\n"


def _exchange(observation: str, info: dict[str, Any]) -> str:
    keys = " ".join(f"{key}={info[key]}" for key in ("state_key", "belief_key", "anchor_key"))
    menu = info["admissible_actions"]
    return (
        f"{observation}\n{keys}\nadmissible_actions={menu if menu is None else ', '.join(menu)}\n"
    )
