"""Evaluation: any policy on fixed tasks, into a result file that others can check.

Every finished episode is appended to a JSONL file at once, so an interrupted evaluation continues
with `--resume` where it stopped, and every episode can be re-scored or viewed. The result file
beside it holds settings, figures with intervals, counts and provenance.
"""

from __future__ import annotations

import dataclasses
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from threading import local
from typing import Any

import gymnasium as gym

from turnwise_agents.endpoint import EndpointConfig, EndpointPolicy
from turnwise_agents.policies import (
    SIMPLE,
    Env,
    ImportedPolicy,
    Policy,
    PolicyFault,
    is_text_policy,
    keyed_seed,
)
from turnwise_agents.results import RESULT_SCHEMA, normalised, provenance, summarise, write_json
from turnwise_agents.types import Generation, Trajectory, Turn
from turnwise_envs import EnvironmentFault, Task, UsageError
from turnwise_envs.registration import env_class

TextPolicy = Callable[["EvaluateConfig"], Policy]


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """How a model plays; a run's folder as policy brings its own context settings."""

    context: str = "full"
    """"full" history, or "window"."""
    window: int = 4
    """Turns kept by the window context."""
    show_admissible: bool = False
    """List the admissible actions in every prompt."""
    system_prompt: bool = True
    """Send instruction and grammar as system message."""
    max_context_tokens: int = 4096
    """Prompt and completion together; an episode that needs more stops with "context"."""
    device: str = "auto"
    """"auto", "cpu", "cuda", "cuda:1", ..."""
    dtype: str = "float32"
    """"float32" or "bfloat16"."""


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """What is evaluated, on what, and where the result goes."""

    policy: str = "expert"
    """expert, random, null, openai:MODEL@BASE_URL, module:Class, a run's folder, or a Hugging Face
    folder or hub id."""
    env: str = "turnwise/Household-v0"
    """Registered environment id."""
    split: str = ""
    """Split of the tasks; empty takes the environment's first held-out one."""
    tasks: int = 64
    """First N tasks of the split, in order; 0 takes all."""
    task_ids: tuple[str, ...] = ()
    """Play these tasks instead."""
    episodes: int = 1
    """Episodes per task and seed."""
    seeds: tuple[int, ...] = (0,)
    """Seeds of worlds and policies; each plays all tasks."""
    env_kwargs: str = "{}"
    """JSON object of further arguments for gym.make, e.g. '{"size": "small"}'."""
    action_format: str = "plain"
    """plain, xml or tool_json."""
    instruction: str | None = None
    """Replaces the environment's instruction."""
    temperature: float = 1.0
    """Of models and endpoints; 0 is greedy."""
    top_p: float = 1.0
    """Nucleus mass of models and endpoints."""
    max_new_tokens: int = 64
    """Limit of one completion."""
    concurrency: int = 32
    """Episodes alive at once, of models and endpoints."""
    baselines: bool = False
    """Also play null, random and expert on the same tasks, for floor, ceiling, normalised score."""
    out: Path | None = None
    """Result file (.json); None names it after environment, split and policy under evaluations/."""
    resume: bool = False
    """Continue an interrupted evaluation: finished episodes are kept, errors are played again."""
    overwrite: bool = False
    """Replace an existing result."""
    model: ModelConfig = field(default_factory=ModelConfig)
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)


@dataclass(frozen=True)
class Job:
    """One episode to play."""

    task: Task
    seed: int
    episode: int

    @property
    def group_id(self) -> str:
        """Episodes of one task and seed form a group."""
        return f"{self.task.id}.s{self.seed}"

    @property
    def trajectory_id(self) -> str:
        """Unique within the evaluation."""
        return f"{self.group_id}.{self.episode}"


def parse_env_kwargs(text: str) -> dict[str, Any]:
    """Returns the arguments of a JSON object.

    Raises:
        UsageError: If it is none.
    """
    try:
        kwargs = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"""env_kwargs must be a JSON object such as '{{"size": "small"}}', """
            f"got {text!r} ({error})."
        ) from error
    if not isinstance(kwargs, dict):
        raise UsageError(f"env_kwargs must be a JSON object, got {text!r}.")
    return kwargs


def make_env(env_id: str, **kwargs: Any) -> Env:
    """Is `gym.make` with an error that names what an environment does not take.

    Raises:
        UsageError: If the id or an argument is unknown.
    """
    env_class(env_id)
    try:
        return gym.make(env_id, **kwargs)
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise
        unknown = str(error).rpartition("argument ")[2]
        raise UsageError(
            f"env_kwargs must be arguments of {env_id}, got {unknown}. "
            "The class's documentation lists them."
        ) from error


class Evaluation:
    """An evaluation with everything checked, ready to be played.

    Args:
        config: what to evaluate.

    Raises:
        UsageError: If it cannot be played.
        UnknownTaskError: If split or task do not exist.
    """

    def __init__(self, config: EvaluateConfig) -> None:
        for name, least in (("tasks", 0), ("episodes", 1), ("concurrency", 1)):
            if getattr(config, name) < least:
                raise UsageError(f"{name} must be at least {least}, got {getattr(config, name)}.")
        if not config.seeds or len(set(config.seeds)) < len(config.seeds):
            raise UsageError(f"seeds must be different integers, got {config.seeds}.")
        if config.temperature < 0:
            raise UsageError(f"temperature must not be negative, got {config.temperature}.")
        self.config = config
        splits = env_class(config.env).splits
        self.split = config.split or splits[min(1, len(splits) - 1)]
        kwargs = parse_env_kwargs(config.env_kwargs)
        kwargs |= {"split": self.split, "action_format": config.action_format}
        if config.instruction is not None:
            kwargs["instruction"] = config.instruction
        self.env_kwargs = kwargs
        probe: Any = make_env(config.env, **kwargs)
        self.instruction: str = probe.unwrapped.instruction
        self.max_turns: int = probe.unwrapped.max_turns
        self.tasks = self._choose(probe.unwrapped.tasks)
        self.manifest_hash = (
            probe.unwrapped.tasks.manifest_hash if probe.unwrapped.tasks.finite else None
        )
        probe.close()
        self.jobs = [
            Job(task, seed, episode)
            for seed in config.seeds
            for task in self.tasks
            for episode in range(config.episodes)
        ]
        self.out = config.out or Path("evaluations") / f"{self._name()}.json"
        if self.out.suffix != ".json":
            raise UsageError(f"out must end in .json, got {self.out}.")
        self.records = self.out.with_suffix(".jsonl")

    def _choose(self, tasks: Any) -> list[Task]:
        config = self.config
        if config.task_ids:
            return [tasks.lookup(task_id) for task_id in config.task_ids]
        if not tasks.finite and not config.tasks:
            raise UsageError(f"tasks must be positive for the unbounded split {self.split!r}.")
        count = config.tasks if not tasks.finite else min(config.tasks or len(tasks), len(tasks))
        return [tasks[i] for i in range(count)]

    def _name(self) -> str:
        parts = (self.config.env.removeprefix("turnwise/"), self.split, self.config.policy)
        return "-".join(re.sub(r"[^\w.]+", "_", part).strip("_") for part in parts)

    def setting(self) -> dict[str, Any]:
        """Returns all that decides the numbers, as JSON data; a resumed evaluation must share it."""
        config = self.config
        return {
            "env": config.env,
            "env_kwargs": {k: self.env_kwargs[k] for k in sorted(self.env_kwargs)},
            "split": self.split,
            "manifest_hash": self.manifest_hash,
            "tasks": len(self.tasks),
            "task_ids": list(config.task_ids) or None,
            "episodes_per_task": config.episodes,
            "seeds": list(config.seeds),
            "max_turns": self.max_turns,
            "action_format": config.action_format,
            "instruction": self.instruction,
            "policy": config.policy,
            "decoding": None
            if config.policy in SIMPLE
            else {
                "temperature": config.temperature,
                "top_p": config.top_p,
                "max_new_tokens": config.max_new_tokens,
            },
            "model": None if is_text_policy(config.policy) else dataclasses.asdict(config.model),
        }

    # ---------------------------------------------------------------- what is there already

    def finished(self) -> dict[str, Trajectory]:
        """Prepares the files and returns the episodes that need not be played again.

        Raises:
            UsageError: If a result is there and neither resume nor overwrite is asked for, or the
                interrupted evaluation had other settings.
        """
        config = self.config
        if config.overwrite and not config.resume:
            self.records.unlink(missing_ok=True)
            self.out.unlink(missing_ok=True)
        if not self.out.exists():
            write_json(self.out, {"schema_version": RESULT_SCHEMA, "setting": self.setting()})
            self.records.write_text("")
            return {}
        if not config.resume:
            raise UsageError(
                f"out {self.out} exists already. Continue it with --resume, replace it with "
                "--overwrite, or choose another --out."
            )
        theirs, mine = json.loads(self.out.read_text())["setting"], self.setting()
        if differing := [k for k in mine if theirs.get(k) != mine[k]]:
            name = differing[0]
            raise UsageError(
                f"{name} must be as in the interrupted evaluation ({theirs.get(name)!r}), "
                f"got {mine[name]!r}. Repeat its settings, or choose another --out."
            )
        kept = {t.trajectory_id: t for t in read_whole_lines(self.records) if not t.failed}
        partial = self.records.with_name(self.records.name + ".partial")
        partial.write_text("".join(_line(t) for t in kept.values()), encoding="utf-8")
        partial.replace(self.records)
        return kept

    # ---------------------------------------------------------------- playing

    def run(self, progress: Callable[[int, int, int], None] | None = None) -> dict[str, Any]:
        """Plays what is left and returns the result, which is also written.

        Args:
            progress: called with (finished, all, errors) after every episode.
        """
        done = self.finished()
        started = time.perf_counter()
        left = [job for job in self.jobs if job.trajectory_id not in done]
        errors = 0
        with self.records.open("a", encoding="utf-8") as file:
            for trajectory in self._play(left):
                file.write(_line(trajectory))
                file.flush()
                done[trajectory.trajectory_id] = trajectory
                errors += trajectory.failed
                if progress is not None:
                    progress(len(done), len(self.jobs), errors)
        ordered = [done[job.trajectory_id] for job in self.jobs]
        result = {
            "schema_version": RESULT_SCHEMA,
            "setting": self.setting(),
            **summarise(ordered),
            "baselines": self._baselines() if self.config.baselines else None,
            "wall_time_s": round(time.perf_counter() - started, 3),
            "resumed_episodes": len(self.jobs) - len(left),
            "trajectories": self.records.name,
            "provenance": provenance(),
        }
        if result["baselines"] and result["overall"]:
            result["normalised_score"] = normalised(
                result["overall"]["score"]["mean"],
                result["baselines"]["random"]["score"]["mean"],
                result["baselines"]["expert"]["score"]["mean"],
            )
        write_json(self.out, result)
        return result

    def _play(self, jobs: Sequence[Job]) -> Iterator[Trajectory]:
        if is_text_policy(self.config.policy):
            return play_jobs(make_text_policy(self.config), jobs, self.config, self.env_kwargs)
        from turnwise_agents.evaluate_model import play_with_model

        return play_with_model(self.config, jobs, self.env_kwargs)

    def _baselines(self) -> dict[str, Any]:
        figures = {}
        for name, policy in SIMPLE.items():
            played = list(play_jobs(policy(), self.jobs, self.config, self.env_kwargs))
            figures[name] = summarise(played)["overall"]
        if any(value is None for value in figures.values()):
            raise UsageError(
                f"baselines need an environment with an expert, {self.config.env} has none."
            )
        return figures


def evaluate(
    config: EvaluateConfig, progress: Callable[[int, int, int], None] | None = None
) -> dict[str, Any]:
    """Evaluates a policy, writes result and trajectories, returns the result."""
    return Evaluation(config).run(progress)


def read_whole_lines(file: Path) -> Iterator[Trajectory]:
    """Yields the records of a JSONL file; a last line that a kill cut short is left out."""
    if not file.exists():
        return
    for line in file.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n") and line.strip():
            yield Trajectory.from_dict(json.loads(line))


def _line(trajectory: Trajectory) -> str:
    return json.dumps(trajectory.to_dict()) + "\n"


def make_text_policy(config: EvaluateConfig) -> Policy:
    """Returns the policy that `config.policy` names (not a model)."""
    if config.policy in SIMPLE:
        return SIMPLE[config.policy]()
    if config.policy.startswith("openai:"):
        return EndpointPolicy(
            config.policy,
            temperature=config.temperature,
            top_p=config.top_p,
            max_new_tokens=config.max_new_tokens,
            config=config.endpoint,
            instruction=config.instruction,
        )
    return ImportedPolicy(config.policy)


def play_jobs(
    policy: Policy, jobs: Sequence[Job], config: EvaluateConfig, env_kwargs: dict[str, Any]
) -> Iterator[Trajectory]:
    """Yields episodes as they end; in threads where the policy allows it, else in order."""
    mine = local()

    def play(job: Job) -> Trajectory:
        if not hasattr(mine, "env"):
            mine.env = make_env(config.env, **env_kwargs)
        trajectory = play_text_episode(policy, mine.env, config.env, job)
        if trajectory.stop == "error":
            mine.env.close()
            del mine.env
        return trajectory

    if not policy.concurrent:
        yield from map(play, jobs)
        return
    waiting: set[Future[Trajectory]] = set()
    queue = iter(jobs)
    with ThreadPoolExecutor(config.concurrency, thread_name_prefix="episode") as pool:
        try:
            # Few are submitted at a time, so that an error or Ctrl-C leaves little to wait for.
            for job in queue:
                waiting.add(pool.submit(play, job))
                if len(waiting) >= config.concurrency:
                    finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in finished)
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in finished)
        except BaseException:
            for future in waiting:
                future.cancel()
            raise


def play_text_episode(policy: Policy, env: Env, env_id: str, job: Job) -> Trajectory:
    """Plays one episode and returns its record; broken machinery gives stop="error"."""
    record = Trajectory(
        env_id=env_id,
        task_id=job.task.id,
        group_id=job.group_id,
        trajectory_id=job.trajectory_id,
        turns=[],
        task_kind=job.task.kind,
        purpose="probe",
        train=False,
    )
    try:
        observation, info = env.reset(
            seed=keyed_seed("world", job.seed, job.trajectory_id) >> 32,
            options={"task_id": job.task.id},
        )
        actor = policy.new_episode(env, key=job.trajectory_id, seed=job.seed)
        over = False
        while not over:
            completion = actor.act(observation, info, env)
            before, seen = info, observation
            observation, reward, terminated, truncated, info = env.step(completion)
            record.turns.append(_turn(record, actor, completion, seen, before, info, float(reward)))
            over = terminated or truncated
            record.stop = "turns" if truncated else "env"
        record.success, record.score = info["success"], info["score"]
        record.verdict = info["verdict"] or record.stop
        record.final_observation = observation
        record.final_anchor_key = info["anchor_key"]
    except (EnvironmentFault, PolicyFault) as fault:
        record.stop, record.verdict = "error", "error"
        record.error = f"{type(fault).__name__}: {fault}"
    return record


def _turn(
    record: Trajectory,
    actor: Any,
    completion: str,
    observation: str,
    before: dict[str, Any],
    after: dict[str, Any],
    reward: float,
) -> Turn:
    generation = Generation(
        prompt_ids=[],
        completion_ids=[],
        sampler_logprobs=[],
        finish_reason=getattr(actor, "finish_reason", "stop"),
        trainable=False,
        text=completion,
    )
    return Turn(
        turn_index=len(record.turns),
        observation=observation,
        generations=[generation],
        action=after["action"],
        state_key=before["state_key"],
        belief_key=before["belief_key"],
        anchor_key=before["anchor_key"],
        format_is_valid=after["format_is_valid"],
        action_is_valid=after["action_is_valid"],
        reward=reward,
        reward_components=after["reward_components"],
        metrics=after["metrics"],
        cost={**after["cost"], **getattr(actor, "cost", {})},
    )
