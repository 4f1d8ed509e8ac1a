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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from turnwise_agents.endpoint import EndpointConfig, EndpointPolicy
from turnwise_agents.policies import SIMPLE, ImportedPolicy, Policy, is_text_policy
from turnwise_agents.results import (
    RESULT_SCHEMA,
    normalised,
    provenance,
    summarise,
    task_set_record,
    write_json,
)
from turnwise_agents.text_rollout import Job, make_env, play_jobs
from turnwise_agents.types import Trajectory
from turnwise_envs import Task, UsageError
from turnwise_envs.registration import env_class


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
    num_threads: int | None = 1
    """Threads of torch on the CPU; another number rounds otherwise. None: torch's choice."""


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
    max_new_tokens: int | None = None
    """Limit of one completion; None takes the run's where the policy is a run's folder, else 64."""
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


def with_run_settings(config: EvaluateConfig) -> EvaluateConfig:
    """Fills in what is left open; where the policy is a run's folder, from its configuration.

    Raises:
        UsageError: If the run has no finished policy yet.
    """
    folder, tokens, model = Path(config.policy), 64, config.model
    if not is_text_policy(config.policy) and (folder / "checkpoints").is_dir():
        if not (folder / "policy").is_dir():
            raise UsageError(
                f"policy {folder} must be a finished run, got one without its policy. "
                f"Finish it with turnwise train --resume {folder}."
            )
        run = json.loads((folder / "config.json").read_text())
        tokens = run["max_new_tokens"]
        names = ("context", "window", "show_admissible", "max_context_tokens")
        system = run["system_prompt"]
        model = dataclasses.replace(
            model,
            **{name: run[name] for name in names},
            system_prompt=run["model"] != "tiny" if system is None else system,
        )
        config = dataclasses.replace(config, policy=str(folder / "policy"))
    return dataclasses.replace(config, model=model, max_new_tokens=config.max_new_tokens or tokens)


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
        self.config = config = with_run_settings(config)
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
        self.task_set = task_set_record(probe.unwrapped.tasks)
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
        return "-".join(re.sub(r"[^\w.-]+", "_", part).strip("_") for part in parts)

    def setting(self) -> dict[str, Any]:
        """Returns all that decides the numbers, as JSON data; a resumed one must share it."""
        config = self.config
        return {
            "env": config.env,
            "env_kwargs": {k: self.env_kwargs[k] for k in sorted(self.env_kwargs)},
            "split": self.split,
            **self.task_set,
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
        # A header without an episode is what an evaluation leaves that failed to start.
        started = self.records.exists() and self.records.stat().st_size > 0
        if not (self.out.exists() and started):
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
            return self._play_text(make_text_policy(self.config), jobs)
        from turnwise_agents.evaluate_model import play_with_model

        return play_with_model(self.config, jobs, self.env_kwargs)

    def _play_text(self, policy: Policy, jobs: Sequence[Job]) -> Iterator[Trajectory]:
        return play_jobs(
            policy,
            jobs,
            env_id=self.config.env,
            env_kwargs=self.env_kwargs,
            concurrency=self.config.concurrency,
        )

    def _baselines(self) -> dict[str, Any]:
        figures = {}
        for name, policy in SIMPLE.items():
            played = list(self._play_text(policy(), self.jobs))
            figures[name] = summarise(played)["overall"]
        if any(value is None for value in figures.values()):
            raise UsageError(f"baselines need an expert; {self.config.env} has none.")
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
            max_new_tokens=config.max_new_tokens or 64,
            config=config.endpoint,
            instruction=config.instruction,
        )
    return ImportedPolicy(config.policy)
