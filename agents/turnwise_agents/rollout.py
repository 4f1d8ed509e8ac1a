"""Episodes: one coroutine each, generations batched over all of them.

`play_episode` is the whole life of an episode, read top to bottom. It awaits two things only: a
generation and an environment step. Two drivers serve them:

- `lockstep` (default): plain coroutines without an event loop. All live episodes wait, their
  requests form one batch in a fixed order, all go on. Same seed, same bytes.
- `async`: an event loop. Environments step in threads, a batch leaves when it is full or when
  nothing else can move; slow environments do not hold up fast ones, and bit-exactness is given up.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym

from turnwise_agents.context import Context, ContextFactory
from turnwise_agents.samplers.base import Request, Sampler
from turnwise_agents.threads import same_threads
from turnwise_agents.types import Generation, RolloutSpec, Sampling, StopReason, Trajectory, Turn
from turnwise_envs import EnvironmentFault, restore, snapshot


def stream_key(*parts: object) -> int:
    """Returns the 64-bit key of a random stream, equal in every process."""
    raw = hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(raw, "little")


class _Pending:
    """A generation that an episode waits for."""

    __slots__ = ("request", "result")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.result: Generation | None = None

    def __await__(self) -> Generator[_Pending, None, Generation]:
        yield self
        assert self.result is not None
        return self.result


class LockstepClient:
    """Serves episodes that `run_lockstep` drives."""

    async def generate(self, request: Request) -> Generation:
        """Waits for the batch that completes `request`."""
        return await _Pending(request)

    async def call(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """Calls an environment's method, here and now."""
        return function(*args, **kwargs)


class EnvPool:
    """Keeps environments between episodes, so that each is made once.

    Args:
        kwargs: arguments of `gym.make` per environment id.
    """

    def __init__(self, kwargs: dict[str, dict[str, Any]] | None = None) -> None:
        self.kwargs = kwargs or {}
        self._free: dict[str, list[gym.Env[str, str]]] = {}

    def acquire(self, env_id: str) -> gym.Env[str, str]:
        """Returns a free environment, making one if needed."""
        free = self._free.setdefault(env_id, [])
        return free.pop() if free else gym.make(env_id, **self.kwargs.get(env_id, {}))

    def release(self, env_id: str, env: gym.Env[str, str]) -> None:
        """Takes an environment back."""
        self._free.setdefault(env_id, []).append(env)

    def close(self) -> None:
        """Closes every free environment."""
        for envs in self._free.values():
            for env in envs:
                env.close()
        self._free.clear()


@dataclass(slots=True)
class Episode:
    """What `play_episode` is told besides its spec."""

    spec: RolloutSpec
    trajectory_id: str
    sampling: Sampling
    stream: tuple[object, ...]
    env_seed: int
    task_kind: str = ""
    record_admissible: bool = False
    meta: dict[str, Any] = field(default_factory=dict)


async def play_episode(
    episode: Episode, env: gym.Env[str, str], contexts: ContextFactory, client: Any
) -> Trajectory:
    """Plays one episode and returns its record; broken infrastructure gives stop="error"."""
    spec = episode.spec
    context = contexts.new(env, spec)
    record = Trajectory(
        env_id=spec.env_id,
        task_id=spec.task_id,
        group_id=spec.group_id,
        trajectory_id=episode.trajectory_id,
        turns=[],
        task_kind=episode.task_kind,
        instruction_id=spec.instruction_id,
        origin=spec.origin,
        purpose=spec.purpose,
        train=spec.train,
    )
    try:
        observation, info = await _begin(episode, env, context, record, client)
        stop: StopReason | None = None
        while stop is None:
            stop = _exhausted(episode, record)
            if stop is None:
                observation, info, stop = await _turn(
                    episode, env, contexts, context, record, client, observation, info
                )
        record.stop = stop
        record.success, record.score = info["success"], info["score"]
        record.verdict = info["verdict"] or stop
        record.reference, record.evidence = info["reference"], info["evidence"]
        record.final_observation = observation
        record.final_anchor_key = info["anchor_key"]
        record.final_prompt_ids = context.final_prompt_ids()
    except EnvironmentFault as fault:
        record.stop, record.error = "error", f"{type(fault).__name__}: {fault}"
        record.verdict = "error"
    return record


async def _begin(
    episode: Episode,
    env: gym.Env[str, str],
    context: Context,
    record: Trajectory,
    client: Any,
) -> tuple[str, dict[str, Any]]:
    """Resets, or replays the parent's turns as an untrained prefix and restores its snapshot."""
    branch = episode.spec.parent
    if branch is None:
        observation, info = await client.call(
            env.reset, seed=episode.env_seed, options={"task_id": episode.spec.task_id}
        )
        context.begin(observation, info)
        return observation, info
    observation, info = await client.call(restore, env, branch.snapshot, episode.env_seed)
    record.parent = (branch.trajectory.trajectory_id, branch.turn_index)
    prefix = branch.trajectory.turns[: branch.turn_index]
    begun = False
    for turn in prefix:
        seen = {"belief_key": turn.belief_key, "admissible_actions": turn.admissible_actions}
        full = {**info, **seen}
        if begun:
            context.observe(turn.observation, full)
        else:
            context.begin(turn.observation, full)
            begun = True
        copies = [
            Generation(**{**{s: getattr(g, s) for s in g.__slots__}, "trainable": False})
            for g in turn.generations
        ]
        for generation in copies:
            context.add(generation)
        fields = {name: getattr(turn, name) for name in turn.__slots__}
        record.turns.append(Turn(**{**fields, "generations": copies, "channels": {}}))
    if begun:
        context.observe(observation, info)
    else:
        context.begin(observation, info)
    return observation, info


def _exhausted(episode: Episode, record: Trajectory) -> StopReason | None:
    budget = episode.spec.budget
    if budget.max_turns is budget.max_tokens is budget.max_tool_calls is None:
        return None
    own = [turn for turn in record.turns if turn.trainable]
    if budget.max_turns is not None and len(own) >= budget.max_turns:
        return "turns"
    if budget.max_tokens is not None:
        used = sum(len(g.completion_ids) for turn in own for g in turn.generations)
        if used >= budget.max_tokens:
            return "tokens"
    if budget.max_tool_calls is not None:
        calls = sum(turn.cost.get("tool_calls", 0.0) for turn in own)
        if calls >= budget.max_tool_calls:
            return "tokens"
    return None


async def _turn(
    episode: Episode,
    env: gym.Env[str, str],
    contexts: ContextFactory,
    context: Context,
    record: Trajectory,
    client: Any,
    observation: str,
    info: dict[str, Any],
) -> tuple[str, dict[str, Any], StopReason | None]:
    """Generates (once per role), steps the environment, records the turn."""
    spec = episode.spec
    index = len(record.turns)
    saved = snapshot(env) if spec.keep_snapshots else None
    generations: list[Generation] = []
    for number, role in enumerate(spec.roles):
        prompt = context.request(role)
        room = contexts.max_context_tokens - len(prompt.prompt_ids)
        if room < episode.sampling.max_new_tokens:
            return observation, info, "context"
        generation = await client.generate(
            Request(
                session_id=record.trajectory_id,
                prompt_ids=prompt.prompt_ids,
                sampling=episode.sampling,
                stream=stream_key(*episode.stream, record.trajectory_id, index, number),
                choices=prompt.choices,
                role=role,
            )
        )
        generation.role = role
        generation.train_prompt_ids = prompt.train_prompt_ids
        generation.trainable = spec.train
        context.add(generation)
        generations.append(generation)
    answer = await client.call(env.step, context.action_text(generations[-1]))
    next_observation, reward, terminated, truncated, next_info = answer
    record.turns.append(
        Turn(
            turn_index=index,
            observation=observation,
            generations=generations,
            action=next_info["action"],
            state_key=info["state_key"],
            belief_key=info["belief_key"],
            anchor_key=info["anchor_key"],
            admissible_actions=info["admissible_actions"] if episode.record_admissible else None,
            format_is_valid=next_info["format_is_valid"],
            action_is_valid=next_info["action_is_valid"],
            reward=float(reward),
            reward_components=next_info["reward_components"],
            metrics=next_info["metrics"],
            cost=next_info["cost"],
            snapshot=saved,
        )
    )
    context.observe(next_observation, next_info)
    return next_observation, next_info, "env" if terminated else "turns" if truncated else None


def run_lockstep(
    episodes: Iterable[Coroutine[Any, Any, Trajectory]], sampler: Sampler, max_concurrent: int
) -> list[Trajectory]:
    """Drives episodes in a fixed order, one batch of generations at a time."""
    waiting: list[tuple[int, Coroutine[Any, Any, Trajectory], _Pending]] = []
    finished: dict[int, Trajectory] = {}
    queue = enumerate(episodes)

    def advance(number: int, episode: Coroutine[Any, Any, Trajectory]) -> None:
        try:
            waiting.append((number, episode, episode.send(None)))
        except StopIteration as stop:
            finished[number] = stop.value
            sampler.close([stop.value.trajectory_id])

    exhausted = False
    while True:
        while not exhausted and len(waiting) < max_concurrent:
            item = next(queue, None)
            if item is None:
                exhausted = True
            else:
                advance(*item)
        if not waiting:
            break
        batch, waiting = waiting, []
        generations = sampler.generate([pending.request for _, _, pending in batch])
        for (number, episode, pending), generation in zip(batch, generations, strict=True):
            pending.result = generation
            advance(number, episode)
    return [finished[number] for number in sorted(finished)]


class AsyncClient:
    """Serves episodes on an event loop: steps in threads, generations in batches.

    Args:
        sampler: completes the batches, one at a time, in a thread of its own.
        max_batch: a batch leaves when it holds this many requests, or when every live episode
            that is not stepping waits.
        threads: number of environment threads.
    """

    def __init__(self, sampler: Sampler, *, max_batch: int, threads: int) -> None:
        self.sampler = sampler
        self.max_batch = max_batch
        self._queue: list[tuple[Request, asyncio.Future[Generation]]] = []
        self._stepping = 0
        self._generating = False
        self._env_threads = ThreadPoolExecutor(threads, thread_name_prefix="env")
        self._model_thread = ThreadPoolExecutor(
            1, thread_name_prefix="sampler", initializer=same_threads()
        )
        self._tasks: set[asyncio.Task[None]] = set()

    async def generate(self, request: Request) -> Generation:
        """Waits for the batch that completes `request`."""
        future: asyncio.Future[Generation] = asyncio.get_running_loop().create_future()
        self._queue.append((request, future))
        self._maybe_send()
        return await future

    async def call(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """Calls an environment's method in a thread."""
        self._stepping += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._env_threads, lambda: function(*args, **kwargs))
        finally:
            self._stepping -= 1
            asyncio.get_running_loop().call_soon(self._maybe_send)

    def _maybe_send(self) -> None:
        full = len(self._queue) >= self.max_batch
        if self._queue and not self._generating and (full or self._stepping == 0):
            batch, self._queue = self._queue[: self.max_batch], self._queue[self.max_batch :]
            self._generating = True
            task = asyncio.get_running_loop().create_task(self._send(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, batch: list[tuple[Request, asyncio.Future[Generation]]]) -> None:
        loop = asyncio.get_running_loop()
        try:
            generations = await loop.run_in_executor(
                self._model_thread, self.sampler.generate, [request for request, _ in batch]
            )
            for (_, future), generation in zip(batch, generations, strict=True):
                future.set_result(generation)
        except BaseException as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
        finally:
            self._generating = False
            loop.call_soon(self._maybe_send)

    def close(self) -> None:
        """Ends the threads."""
        self._env_threads.shutdown()
        self._model_thread.shutdown()


async def _run_async(
    episodes: Sequence[Coroutine[Any, Any, Trajectory]], max_concurrent: int
) -> list[Trajectory]:
    gate = asyncio.Semaphore(max_concurrent)

    async def gated(episode: Coroutine[Any, Any, Trajectory]) -> Trajectory:
        async with gate:
            return await episode

    return list(await asyncio.gather(*(gated(episode) for episode in episodes)))


@dataclass
class Rollout:
    """Plays specs: the one place that pairs environments, contexts and a sampler.

    Attributes:
        sampler: completes prompts.
        contexts: makes one context per episode.
        envs: the environments.
        sampling: used where a spec names none.
        seed: the run's seed.
        schedule: "lockstep" or "async".
        max_concurrent: episodes alive at once.
        record_admissible: keep the admissible actions in the turns.
    """

    sampler: Sampler
    contexts: ContextFactory
    envs: EnvPool
    sampling: Sampling
    seed: int = 0
    schedule: str = "lockstep"
    max_concurrent: int = 128
    record_admissible: bool = False

    def run(
        self,
        specs: Sequence[RolloutSpec],
        iteration: int,
        *,
        offsets: dict[str, int] | None = None,
        kinds: dict[tuple[str, str], str] | None = None,
    ) -> list[Trajectory]:
        """Plays every spec's episodes and returns them in order.

        Args:
            specs: what to play.
            iteration: part of every random stream's key.
            offsets: number of trajectories that a group already has, for groups that grow.
            kinds: (env_id, task_id) -> task type.
        """
        counts = dict(offsets or {})
        episodes: list[Episode] = []
        for spec in specs:
            for _ in range(spec.count):
                number = counts.get(spec.group_id, 0)
                counts[spec.group_id] = number + 1
                episodes.append(
                    Episode(
                        spec=spec,
                        trajectory_id=f"{spec.group_id}.{number}",
                        sampling=spec.sampling or self.sampling,
                        stream=(self.seed, iteration),
                        env_seed=stream_key(self.seed, iteration, spec.group_id) >> 33,
                        task_kind=(kinds or {}).get((spec.env_id, spec.task_id), ""),
                        record_admissible=self.record_admissible,
                    )
                )
        if self.schedule == "lockstep":
            lockstep = LockstepClient()
            return run_lockstep(
                (self._play(e, lockstep) for e in episodes), self.sampler, self.max_concurrent
            )
        client = AsyncClient(self.sampler, max_batch=self.max_concurrent, threads=16)
        try:
            return asyncio.run(
                _run_async([self._play(e, client) for e in episodes], self.max_concurrent)
            )
        finally:
            client.close()
            self.sampler.close([e.trajectory_id for e in episodes])

    async def _play(self, episode: Episode, client: Any) -> Trajectory:
        env = self.envs.acquire(episode.spec.env_id)
        trajectory = await play_episode(episode, env, self.contexts, client)
        if trajectory.failed:
            env.close()
        else:
            self.envs.release(episode.spec.env_id, env)
        return trajectory
