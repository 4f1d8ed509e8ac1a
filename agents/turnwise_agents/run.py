"""A training run from its configuration: what `turnwise train` calls.

`TrainConfig` is flat; the three nested parts (`trainer`, `algo`, `learner`) are flat too. Which
class `algo` and `learner` have depends on `algorithm` and `model`: `config_class` says it.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import turnwise_envs
from turnwise_agents.algorithms import load_algorithm
from turnwise_agents.algorithms.base import Algorithm, AlgorithmConfig, Services
from turnwise_agents.assembly import Parts, build_parts
from turnwise_agents.context import ContextConfig
from turnwise_agents.instructions.proposers import Proposer
from turnwise_agents.instructions.reflection import make_proposer
from turnwise_agents.judge import make_judge
from turnwise_agents.learners.hf import HFLearnerConfig
from turnwise_agents.learners.tabular import TabularLearnerConfig
from turnwise_agents.needs import check_needs
from turnwise_agents.results import task_set_record, write_json
from turnwise_agents.rollout import EnvPool, Rollout
from turnwise_agents.scorer import Scorer
from turnwise_agents.task_pool import MixturePool, TaskSource
from turnwise_agents.threads import use_threads
from turnwise_agents.tracking import make_tracker
from turnwise_agents.trainer import EvalSet, Trainer, TrainerConfig, specs_for_eval
from turnwise_agents.types import Group, RolloutSpec, Sampling
from turnwise_envs import TaskSet, UsageError


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything a run depends on; saved as `config.json` in its folder."""

    env: tuple[str, ...] = ("turnwise/HouseholdSmall-v0",)
    """Registered environment ids; several make a mixture."""
    env_weights: tuple[float, ...] = ()
    """Share of the tasks each environment gives; empty means equal shares."""
    env_kwargs: str = "{}"
    """JSON object of arguments for gym.make, for all environments of the run."""
    split: str = "train"
    """Split to train on."""
    num_tasks: int | None = None
    """Train on the first N tasks only: a fixed set of training tasks, to be named as such."""
    algorithm: str = "gigpo"
    """Name of an algorithm, or module:Class."""
    model: str = "tiny"
    """"tiny" (preset, no download), "tabular", or a Hugging Face folder or hub id."""
    run_dir: Path = Path("runs/latest")
    """Folder of the run: configuration, metrics, trajectories, checkpoints."""
    temperature: float = 1.0
    """Of the rollouts."""
    top_p: float = 1.0
    """Of the rollouts; keep 1 unless old log-probabilities are recomputed."""
    max_new_tokens: int = 24
    """Limit of one completion."""
    schedule: str = "lockstep"
    """"lockstep" (bit-exact) or "async" (slow environments do not hold up fast ones)."""
    max_concurrent: int = 128
    """Episodes alive at once."""
    eval_splits: tuple[str, ...] = ()
    """Held-out splits to evaluate on every `trainer.eval_every` iterations."""
    eval_tasks: int = 64
    """First N tasks of each held-out split."""
    eval_temperature: float = 1.0
    """Of the evaluation; 0 is greedy."""
    context: Literal["full", "window"] = "full"
    """"full" history, or "window"."""
    window: int = 2
    """Turns kept by the window context."""
    show_admissible: bool = False
    """List the admissible actions in every prompt."""
    system_prompt: bool | None = None
    """Send instruction and grammar as system message; None: yes, except for the tiny preset
    (there too, where instructions evolve)."""
    max_context_tokens: int = 1024
    """Prompt and completion together; an episode that needs more stops with "context"."""
    warm_start: bool = True
    """Warm-start the tiny preset on expert episodes before training."""
    judge: str = ""
    """Grades episodes of unverifiable tasks: "rules:FILE", "openai:MODEL@BASE_URL", or "" for
    none."""
    proposer: str = "clauses"
    """Proposes instructions to algorithms that evolve them: "clauses" or "clauses:FILE" (a library,
    no model), "policy", or "openai:MODEL@BASE_URL"."""
    num_threads: int | None = 1
    """Threads of torch on the CPU; another number rounds otherwise and draws other tokens in the
    end. None: torch's choice."""
    wandb: bool = False
    """Also log to Weights & Biases."""
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    algo: Any = field(default_factory=AlgorithmConfig)
    learner: Any = field(default_factory=HFLearnerConfig)


def config_class(algorithm: str = "gigpo", model: str = "tiny") -> type[TrainConfig]:
    """Returns `TrainConfig` with the nested types that this algorithm and model have."""
    algo = load_algorithm(algorithm).Config
    learner = TabularLearnerConfig if model == "tabular" else HFLearnerConfig
    kind = dataclasses.make_dataclass(
        "TrainConfig",
        [
            ("algorithm", str, field(default=algorithm)),
            ("model", str, field(default=model)),
            ("algo", algo, field(default_factory=algo)),
            ("learner", learner, field(default_factory=learner)),
        ],
        bases=(TrainConfig,),
        frozen=True,
        kw_only=True,
    )
    kind.__module__ = __name__
    return kind


def save_config(config: TrainConfig) -> None:
    """Writes `config.json` into the run's folder."""
    config.run_dir.mkdir(parents=True, exist_ok=True)
    data = dataclasses.asdict(config)
    data["run_dir"] = str(config.run_dir)
    (config.run_dir / "config.json").write_text(json.dumps(data, indent=1) + "\n")


def load_config(run_dir: Path) -> TrainConfig:
    """Reads a run's configuration.

    Raises:
        UsageError: If the folder holds no run, or one of another version.
    """
    file = run_dir / "config.json"
    try:
        data = json.loads(file.read_text())
    except FileNotFoundError as error:
        raise UsageError(f"{run_dir} must be a run's folder; it has no config.json.") from error
    except json.JSONDecodeError as error:
        raise UsageError(f"{file} must be JSON, got {error}. Restore it or start anew.") from error
    kind = config_class(data["algorithm"], data["model"])
    types = {f.name: f for f in dataclasses.fields(kind)}
    if unknown := sorted(set(data) - set(types)):
        raise UsageError(f"{file} has unknown fields {unknown}. Use the version that wrote it.")
    for name in ("trainer", "algo", "learner"):
        nested = types[name].default_factory()  # type: ignore[misc, operator]
        data[name] = dataclasses.replace(nested, **_tuples(nested, data[name]))
    for name in ("env", "env_weights", "eval_splits"):
        data[name] = tuple(data[name])
    data["run_dir"] = run_dir
    return kind(**data)


def _tuples(nested: Any, data: dict[str, Any]) -> dict[str, Any]:
    """JSON has no tuples: gives those fields back their type."""
    return {
        k: tuple(v) if isinstance(getattr(nested, k, None), tuple) and isinstance(v, list) else v
        for k, v in data.items()
    }


def save_tasks(run_dir: Path, task_sets: Mapping[str, TaskSet]) -> None:
    """Writes `tasks.json`: manifest hash and data version of every task set of a run."""
    write_json(run_dir / "tasks.json", {n: task_set_record(t) for n, t in task_sets.items()})


def check_tasks(run_dir: Path, task_sets: Mapping[str, TaskSet]) -> None:
    """Compares a run's task sets with those that it began with.

    Raises:
        UsageError: If a user's data has changed, or another version generates other tasks.
    """
    file = run_dir / "tasks.json"
    theirs = json.loads(file.read_text()) if file.exists() else {}
    for name, tasks in task_sets.items():
        mine = task_set_record(tasks)
        if name in theirs and theirs[name] != mine:
            raise UsageError(
                f"the tasks of {name} must be those that the run began with ({theirs[name]}), "
                f"got {mine}. Restore the data and the version, or start a new run."
            )


def check_config(config: TrainConfig) -> dict[str, Any]:
    """Checks what can be checked before anything is built; returns the environments' kwargs."""
    try:
        kwargs = json.loads(config.env_kwargs)
    except json.JSONDecodeError as error:
        raise UsageError(f"env_kwargs must be a JSON object, got {error}.") from error
    if not isinstance(kwargs, dict):
        raise UsageError(f"env_kwargs must be a JSON object, got {config.env_kwargs!r}.")
    if config.env_weights and len(config.env_weights) != len(config.env):
        raise UsageError(
            f"env_weights must have one entry per environment ({len(config.env)}), "
            f"got {len(config.env_weights)}."
        )
    if config.schedule not in ("lockstep", "async"):
        raise UsageError(f'schedule must be "lockstep" or "async", got {config.schedule!r}.')
    for name in ("num_tasks", "eval_tasks", "max_concurrent", "max_new_tokens", "window"):
        value = getattr(config, name)
        if value is not None and value < 1:
            raise UsageError(f"{name} must be positive, got {value}.")
    correction = getattr(config.algo, "importance_correction", "off")
    if correction != "off" and not config.trainer.recompute_old_logprobs:
        raise UsageError(
            f'importance_correction must be "off" without the learner\'s own log-probabilities, '
            f"got {correction!r}. Add --trainer.recompute-old-logprobs."
        )
    if config.temperature <= 0:
        raise UsageError(f"temperature must be positive for training, got {config.temperature}.")
    return kwargs


class Run:
    """A run with everything built: `trainer` is ready to train.

    Args:
        config: what to build.
        resume: continue from the newest checkpoint in `config.run_dir`.
        progress: told what happens while the model is prepared.
    """

    def __init__(
        self,
        config: TrainConfig,
        *,
        resume: bool = False,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self.config = config
        self.progress = progress
        kwargs = check_config(config)
        use_threads(config.num_threads)
        self.algorithm: Algorithm = load_algorithm(config.algorithm)(config.algo)
        if config.model == "tabular":
            kwargs.setdefault("actions", "menu")
        needs = self.algorithm.needs
        if needs.instruction and config.system_prompt is False and config.model != "tabular":
            raise UsageError(
                f"system_prompt must be on for {config.algorithm}, got False: the policy would not "
                "see its instruction. Leave --no-system-prompt out."
            )
        if (needs.env | needs.wants) & {"reference", "evidence"}:
            kwargs["expose_reference"] = True
        self.env_kwargs = kwargs
        train_kwargs = {env: {**kwargs, "split": config.split} for env in config.env}
        self.envs = EnvPool(train_kwargs)
        sources = [
            TaskSource(
                env,
                turnwise_envs.tasks(env, **train_kwargs[env]),
                config.env_weights[i] if config.env_weights else 1.0,
                config.num_tasks,
            )
            for i, env in enumerate(config.env)
        ]
        self.pool = MixturePool(sources, config.trainer.seed)
        self.task_sets = {f"{s.env_id}/{config.split}": s.tasks for s in sources}
        self.worlds = check_needs(
            self.algorithm.needs,
            config.algorithm,
            self.envs,
            config.env,
            judge=config.judge,
            seed=config.trainer.seed,
        )
        self.parts = self.build()
        evals = [self.eval_set(env, split) for env in config.env for split in config.eval_splits]
        if resume:
            check_tasks(config.run_dir, self.task_sets)
        self.tracker = make_tracker(config.run_dir, wandb=config.wandb, resume=resume)
        self.trainer = Trainer(
            config.trainer,
            algorithm=self.algorithm,
            learner=self.parts.learner,
            rollout=self.rollout(self.envs, config.temperature),
            pool=self.pool,
            services=Services(
                scorer=Scorer(self.parts.learner),
                learner=self.parts.learner,
                generate=self.parts.generate,
                judge=make_judge(config.judge, config.run_dir),
                proposer=self.proposer(),
                answers=self.parts.contexts.answers(self.worlds),
                seed=config.trainer.seed,
            ),
            run_dir=config.run_dir,
            track=self.tracker.log,
            record=self.record,
            evals=evals,
        )
        if resume:
            self.tracker.truncate(self.trainer.resume())

    def build(self) -> Parts:
        """Builds model, learner, sampler and contexts."""
        config = self.config
        return build_parts(
            config.model,
            learner=config.learner,
            context=ContextConfig(
                kind=config.context,
                window=config.window,
                show_admissible=config.show_admissible,
                system_prompt=config.system_prompt
                if config.system_prompt is not None
                else config.model != "tiny" or self.algorithm.needs.instruction,
                max_context_tokens=config.max_context_tokens,
            ),
            env_ids=config.env,
            env_kwargs=self.env_kwargs,
            run_dir=config.run_dir,
            seed=config.trainer.seed,
            warm_start=config.warm_start,
            progress=self.progress,
            num_tasks=config.num_tasks,
        )

    def proposer(self) -> Proposer | None:
        """Returns what proposes instructions, None where the algorithm asks for none."""
        if "proposer" not in self.algorithm.needs.services:
            return None
        config = self.config
        return make_proposer(
            config.proposer, config.run_dir, self.parts.generate, model=config.model
        )

    def rollout(self, envs: EnvPool, temperature: float) -> Rollout:
        """Returns a rollout over `envs` with the run's sampler."""
        return Rollout(
            sampler=self.parts.sampler,
            contexts=self.parts.contexts,
            envs=envs,
            sampling=Sampling(
                temperature=temperature,
                top_p=self.config.top_p,
                max_new_tokens=self.config.max_new_tokens,
            ),
            seed=self.config.trainer.seed,
            schedule=self.config.schedule,
            max_concurrent=self.config.max_concurrent,
        )

    def eval_set(self, env_id: str, split: str) -> EvalSet:
        """Returns the first `eval_tasks` tasks of a held-out split."""
        kwargs = {**self.env_kwargs, "split": split}
        tasks = turnwise_envs.tasks(env_id, **kwargs)
        chosen = [tasks[i] for i in range(min(self.config.eval_tasks, len(tasks)))]
        self.task_sets[f"{env_id}/{split}"] = tasks
        several = len(self.config.env) > 1
        return EvalSet(
            name=f"{env_id}/{split}" if several else split,
            rollout=self.rollout(EnvPool({env_id: kwargs}), self.config.eval_temperature),
            specs=specs_for_eval(env_id, chosen, name=f"eval-{split}"),
            kinds={(env_id, task.id): task.kind for task in chosen},
        )

    def record(self, iteration: int, groups: Sequence[Group]) -> None:
        """Writes an iteration's trajectories for `turnwise view`."""
        folder = self.config.run_dir / "trajectories"
        folder.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(t.to_dict()) for group in groups for t in group.trajectories]
        (folder / f"iteration-{iteration:06d}.jsonl").write_text("\n".join(lines) + "\n")

    def train(self) -> dict[str, float]:
        """Trains to the end, exports the policy, returns the last metrics.

        Raises:
            KeyboardInterrupt: After Ctrl-C, once the running iteration is finished and saved.
        """
        try:
            metrics = self.trainer.train()
            if self.trainer.interrupted:
                raise KeyboardInterrupt(
                    f"Interrupted and saved after iteration {self.trainer.iteration}. "
                    f"Continue with: turnwise train --resume {self.config.run_dir}"
                )
            self.parts.export(self.config.run_dir / "policy")
            return metrics
        finally:
            self.tracker.close()
            self.envs.close()


def train(config: TrainConfig) -> Path:
    """Starts a new run and trains it to the end; returns its folder.

    Raises:
        UsageError: If the configuration cannot be run, or the folder holds a run already.
    """
    check_config(config)
    if (config.run_dir / "config.json").exists():
        raise UsageError(
            f"run_dir {config.run_dir} holds a run already. "
            "Continue it with --resume, or choose another --run-dir."
        )
    run = Run(config)
    save_config(config)
    save_tasks(config.run_dir, run.task_sets)
    run.train()
    return config.run_dir


def resume(run_dir: Path) -> Path:
    """Continues an interrupted run from its newest checkpoint."""
    Run(load_config(run_dir), resume=True).train()
    return run_dir


def dry_run(config: TrainConfig) -> str:
    """Returns the resolved configuration, one rendered prompt and its token counts.

    Builds everything but the warm start, plays one reset and what the checks need, and leaves no
    run behind.
    """
    with tempfile.TemporaryDirectory() as scratch:
        shown = dataclasses.replace(config, run_dir=Path(scratch), warm_start=False)
        run = Run(shown)
        env_id, task_id = run.pool.draw(1)[0]
        env = run.envs.acquire(env_id)
        observation, info = env.reset(seed=config.trainer.seed, options={"task_id": task_id})
        spec = RolloutSpec(env_id=env_id, task_id=task_id, group_id="dry", count=1)
        context = run.parts.contexts.new(env, spec)
        context.begin(observation, info)
        prompt = context.request("act").prompt_ids
        run.tracker.close()
        run.envs.release(env_id, env)
        run.envs.close()
    data = dataclasses.asdict(config)
    data["run_dir"] = str(config.run_dir)
    tokenizer = run.parts.tokenizer
    rendered = observation if tokenizer is None else tokenizer.decode(prompt)
    episodes = config.algo.group_size * config.algo.groups_per_iteration
    return "\n".join(
        [
            "Resolved configuration:",
            json.dumps(data, indent=1),
            "",
            f"First prompt of task {task_id} of {env_id}:",
            rendered,
            "",
            f"Prompt: {len(prompt)} tokens. Completion: up to {config.max_new_tokens} a turn. "
            f"Context: up to {config.max_context_tokens}. "
            f"Episodes: {episodes} an iteration.",
        ]
    )
