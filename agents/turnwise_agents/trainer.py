"""The trainer: collects groups, asks the algorithm for credit and loss, takes steps.

It knows no algorithm. One iteration, top to bottom, is `Trainer.iterate`:

    plan -> rollouts (wave by wave) -> shape -> select -> assign_credit -> segments
         -> forward, loss, backward, step -> sampler.load -> observe
"""

from __future__ import annotations

import signal
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from turnwise_agents.algorithms.base import Algorithm, Metrics, Services
from turnwise_agents.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from turnwise_agents.learners.base import Learner
from turnwise_agents.metrics import credit_metrics, rollout_metrics
from turnwise_agents.rollout import Rollout, stream_key
from turnwise_agents.scorer import Scorer
from turnwise_agents.segments import count_norms, make_batch, microbatches, minibatches, segments
from turnwise_agents.task_pool import MixturePool
from turnwise_agents.types import Credit, Group, RolloutSpec, Segment, Trajectory
from turnwise_envs import UsageError

MAX_WAVES = 64


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """How long and in which portions to train."""

    seed: int = 0
    """Seed of every random stream of the run."""
    iterations: int = 100
    """Iterations (collect + update) in all."""
    max_env_steps: int = 0
    """Start no iteration once so many environment steps are taken, discarded and verification
    episodes counted; 0 sets no limit."""
    num_minibatches: int = 1
    """Optimiser steps per epoch; trajectories (or whole groups) are dealt out at random."""
    update_epochs: int = 1
    """Passes over an iteration's data."""
    micro_batch_tokens: int = 16384
    """Upper limit of rows times longest row in one forward; a matter of memory only."""
    recompute_old_logprobs: bool = False
    """Let the learner score the data before the update; needed where the sampler's
    log-probabilities differ from the learner's (another engine, another precision)."""
    checkpoint_every: int = 10
    """Iterations between checkpoints; 0 writes the last one only."""
    keep_checkpoints: int = 2
    """Newest checkpoints kept."""
    eval_every: int = 0
    """Iterations between evaluations; 0 evaluates never."""
    trajectories_every: int = 10
    """Iterations between recorded trajectories (for `turnwise view`); 0 records none."""


@dataclass
class EvalSet:
    """Held-out tasks that the run is evaluated on."""

    name: str
    rollout: Rollout
    specs: list[RolloutSpec]
    kinds: dict[tuple[str, str], str] = field(default_factory=dict)


class Trainer:
    """Runs an algorithm.

    Args:
        config: portions and periods.
        algorithm: the hooks.
        learner: takes the gradient steps.
        rollout: plays episodes; its sampler is loaded with the learner's weights.
        pool: the tasks.
        services: what the algorithm may use besides records.
        run_dir: where checkpoints go; None keeps nothing.
        track: called with (iteration, metrics) after every iteration.
        record: called with (iteration, groups) where trajectories are recorded.
        evals: held-out task sets.
    """

    def __init__(
        self,
        config: TrainerConfig,
        *,
        algorithm: Algorithm,
        learner: Learner,
        rollout: Rollout,
        pool: MixturePool,
        services: Services,
        run_dir: Path | None = None,
        track: Callable[[int, Metrics], None] | None = None,
        record: Callable[[int, list[Group]], None] | None = None,
        evals: Sequence[EvalSet] = (),
    ) -> None:
        self.config = config
        self.algorithm = algorithm
        self.learner = learner
        self.rollout = rollout
        self.pool = pool
        self.services = services
        self.run_dir = run_dir
        self.track = track
        self.record = record
        self.evals = list(evals)
        self.iteration = 0
        self.env_steps = 0
        self.generated_tokens = 0
        self._interrupted = False
        for name in sorted(algorithm.needs.services):
            if getattr(services, name) is None:
                raise UsageError(
                    f"{type(algorithm).__name__} needs services.{name}, which the run does not "
                    f"have. Pass Services({name}=...), or set the run's option for it."
                )
        algorithm.setup(learner)
        for name in sorted(algorithm.needs.models):
            learner.add_model(name)
        rollout.sampler.load(learner.weights(), learner.version)

    # ------------------------------------------------------------------ the loop

    def train(self) -> Metrics:
        """Runs the remaining iterations and returns the last metrics.

        The first Ctrl-C lets the running iteration finish, saves and returns; the second raises.
        """
        metrics: Metrics = {}
        restore_handler = self._catch_interrupt()
        try:
            if self.iteration == 0 and self.config.eval_every and self.evals:
                self._track(self.evaluate())
            while not self.finished:
                metrics = self.iterate()
                last = self.finished or self._interrupted
                every = self.config.eval_every
                if every and self.evals and (self.iteration % every == 0 or last):
                    metrics.update(self.evaluate())
                self._track(metrics)
                every = self.config.checkpoint_every
                due = every and self.iteration % every == 0
                # Ctrl-C may have come after `last` was decided; nothing may come after this.
                stop = self._interrupted
                if last or due or stop:
                    self.save()
                if stop:
                    break
        finally:
            restore_handler()
        return metrics

    @property
    def finished(self) -> bool:
        """Whether the iterations or the environment steps of the configuration are used up."""
        limit = self.config.max_env_steps
        spent = limit > 0 and self.env_steps >= limit
        return spent or self.iteration >= self.config.iterations

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the training early."""
        return self._interrupted

    def iterate(self) -> Metrics:
        """Runs one iteration: every hand-over of the design, in order."""
        started = time.perf_counter()
        self.pool.iteration = self.services.iteration = self.iteration
        groups = self.collect()
        self.pool.update(groups)
        collected = time.perf_counter()

        self.algorithm.shape(groups, self.services)
        chosen = self.algorithm.select(groups)
        credits = self.algorithm.assign_credit(chosen)
        if self.record is not None and self._due(self.config.trajectories_every):
            _write_advantages(chosen, credits)
            self.record(self.iteration, groups)
        credited = time.perf_counter()

        metrics = {**rollout_metrics(groups, chosen), **credit_metrics(credits)}
        metrics.update(self.update(chosen, credits))
        self.rollout.sampler.load(self.learner.weights(), self.learner.version)
        updated = time.perf_counter()

        metrics.update(self.algorithm.observe(groups, self.services))
        self.iteration += 1
        tokens = metrics["rollout/generated_tokens"]
        self.env_steps += int(metrics["rollout/env_steps"])
        self.generated_tokens += int(tokens)
        metrics.update(_sampler_stats(self.rollout.sampler))
        elapsed = time.perf_counter() - started
        metrics.update(_scorer_stats(self.services.scorer, elapsed))
        metrics.update(
            {
                "time/rollout_s": collected - started,
                "time/credit_s": credited - collected,
                "time/update_s": updated - credited,
                "time/iteration_s": elapsed,
                "time/tokens_per_s": tokens / max(collected - started, 1e-9),
                "time/env_steps_per_s": metrics["rollout/env_steps"]
                / max(collected - started, 1e-9),
                "total/env_steps": float(self.env_steps),
                "total/generated_tokens": float(self.generated_tokens),
            }
        )
        return metrics

    def collect(self) -> list[Group]:
        """Plays the algorithm's plan, wave by wave, until it returns []."""
        groups: dict[str, Group] = {}
        for _ in range(MAX_WAVES):
            specs = self.algorithm.plan(self.pool, list(groups.values()))
            if not specs:
                return list(groups.values())
            kinds = {(s.env_id, s.task_id): self.pool.kind(s.env_id, s.task_id) for s in specs}
            trajectories = self.rollout.run(
                specs,
                self.iteration,
                offsets={name: len(group.trajectories) for name, group in groups.items()},
                kinds=kinds,
            )
            for trajectory in trajectories:
                group = groups.setdefault(
                    trajectory.group_id,
                    Group(
                        group_id=trajectory.group_id,
                        env_id=trajectory.env_id,
                        task_id=trajectory.task_id,
                        trajectories=[],
                        purpose=trajectory.purpose,
                    ),
                )
                group.trajectories.append(trajectory)
        raise UsageError(
            f"{type(self.algorithm).__name__}.plan must return [] within {MAX_WAVES} waves. "
            "Bound the number of resampling rounds."
        )

    # ------------------------------------------------------------------ the update

    def update(self, groups: list[Group], credits: list[Credit]) -> Metrics:
        """Takes the optimiser steps of one iteration."""
        by_id = {credit.trajectory_id: credit for credit in credits}
        trained = [t for g in groups for t in g.valid if t.train and t.trajectory_id in by_id]
        items = [s for t in trained for s in segments(t, by_id[t.trajectory_id])]
        metrics: Metrics = {
            "rollout/segments_per_trajectory": len(items) / max(1, len(trained)),
            "loss/trained_tokens": float(sum(s.num_tokens for s in items)),
        }
        if not items:
            return metrics
        whole_groups = self.algorithm.needs.whole == "group"
        if self.config.recompute_old_logprobs:
            self._recompute_old_logprobs(items)
        totals: dict[str, float] = defaultdict(float)
        steps = 0
        for epoch in range(self.config.update_epochs):
            rng = np.random.default_rng(
                stream_key(self.config.seed, "update", self.iteration, epoch)
            )
            for minibatch in minibatches(
                items, self.config.num_minibatches, rng, whole_groups=whole_groups
            ):
                for name, value in self._step(minibatch, first=steps == 0).items():
                    totals[name] += value
                steps += 1
        gap = totals.pop("loss/sampler_logprob_gap", 0.0)
        metrics.update({name: value / steps for name, value in totals.items()})
        metrics["loss/sampler_logprob_gap"] = gap
        metrics["loss/optimiser_steps"] = float(steps)
        return metrics

    def _step(self, minibatch: list[Segment], *, first: bool) -> Metrics:
        needs = self.algorithm.needs
        norms = count_norms(minibatch)
        totals: dict[str, float] = defaultdict(float)
        for micro in microbatches(
            minibatch, self.config.micro_batch_tokens, whole_groups=needs.whole == "group"
        ):
            batch = make_batch(micro, norms, self.learner.device)
            outputs = self.learner.forward(micro, needs.outputs, needs.models)
            loss, metrics = self.algorithm.loss(outputs, batch)
            self.learner.backward(loss)
            totals["loss/total"] += float(loss.detach())
            for name, value in metrics.items():
                totals[name if "/" in name else f"loss/{name}"] += float(value)
            if first:
                with torch.no_grad():
                    gap = (outputs.logprobs - batch.sampler_logprobs).abs() * batch.loss_mask
                    totals["loss/sampler_logprob_gap"] += float(gap.sum()) / norms.tokens
        for name, value in self.learner.step().items():
            totals[f"loss/{name}"] += value
        return totals

    @torch.no_grad()
    def _recompute_old_logprobs(self, items: list[Segment]) -> None:
        for micro in microbatches(items, self.config.micro_batch_tokens, whole_groups=False):
            rows = self.learner.forward(micro).logprobs.float().cpu().tolist()
            for segment, row in zip(micro, rows, strict=True):
                segment.old_logprobs = [
                    value if trained else 0.0
                    for value, trained in zip(row, segment.loss_mask, strict=False)
                ]

    # ------------------------------------------------------------------ evaluation

    def evaluate(self) -> Metrics:
        """Plays the held-out sets with the current weights; their steps are not training steps."""
        metrics: Metrics = {}
        started = time.perf_counter()
        for held_out in self.evals:
            played = held_out.rollout.run(
                held_out.specs,
                stream_key("eval", held_out.name, self.iteration),
                kinds=held_out.kinds,
            )
            valid = [t for t in played if not t.failed]
            by_kind: dict[str, list[bool]] = defaultdict(list)
            for trajectory in valid:
                by_kind[trajectory.task_kind].append(trajectory.success)
            prefix = f"eval/{held_out.name}"
            metrics[f"{prefix}/success_rate"] = _mean([t.success for t in valid])
            metrics[f"{prefix}/episodic_return"] = _mean([t.episode_return for t in valid])
            metrics[f"{prefix}/episodic_length"] = _mean([len(t.turns) for t in valid])
            metrics[f"{prefix}/errors"] = float(len(played) - len(valid))
            for kind, successes in sorted(by_kind.items()):
                metrics[f"{prefix}/success_rate/{kind}"] = _mean(successes)
        metrics["time/eval_s"] = time.perf_counter() - started
        return metrics

    # ------------------------------------------------------------------ persistence

    def save(self) -> Path | None:
        """Writes a checkpoint of the last finished iteration."""
        if self.run_dir is None:
            return None
        return save_checkpoint(
            self.run_dir,
            self.iteration,
            {
                "learner": self.learner.state_dict(),
                "algorithm": self.algorithm.state_dict(),
                "pool": self.pool.state_dict(),
                "env_steps": self.env_steps,
                "generated_tokens": self.generated_tokens,
            },
            keep=self.config.keep_checkpoints,
        )

    def resume(self) -> int:
        """Loads the newest checkpoint, if any, and returns the iteration it goes on from."""
        path = latest_checkpoint(self.run_dir) if self.run_dir is not None else None
        if path is None:
            return 0
        state = load_checkpoint(path)
        self.learner.load_state_dict(state["learner"])
        self.algorithm.load_state_dict(state["algorithm"])
        self.pool.load_state_dict(state["pool"])
        self.env_steps = state["env_steps"]
        self.generated_tokens = state["generated_tokens"]
        self.iteration = state["iteration"]
        self.rollout.sampler.load(self.learner.weights(), self.learner.version)
        return self.iteration

    # ------------------------------------------------------------------ small things

    def _track(self, metrics: Metrics) -> None:
        if self.track is not None:
            self.track(self.iteration, metrics)

    def _due(self, every: int) -> bool:
        last = self.iteration == self.config.iterations - 1
        return bool(every) and (self.iteration % every == 0 or last)

    def _catch_interrupt(self) -> Callable[[], None]:
        """Turns the first Ctrl-C into a request to stop; only possible in the main thread."""

        def handler(number: int, frame: Any) -> None:
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = True

        try:
            previous = signal.signal(signal.SIGINT, handler)
        except ValueError:
            return lambda: None
        return lambda: (signal.signal(signal.SIGINT, previous), None)[1]


def _write_advantages(groups: Sequence[Group], credits: Sequence[Credit]) -> None:
    """Adds each turn's advantage to its channels, for the viewer."""
    by_id = {credit.trajectory_id: credit for credit in credits}
    for trajectory in (t for g in groups for t in g.trajectories):
        credit = by_id.get(trajectory.trajectory_id)
        if credit is not None:
            for turn, advantage in zip(trajectory.turns, credit.turn, strict=True):
                turn.channels["advantage"] = float(advantage)


def _sampler_stats(sampler: Any) -> Metrics:
    stats = getattr(sampler, "stats", None)
    return {} if stats is None else {f"rollout/{name}": v for name, v in stats().items()}


def _scorer_stats(scorer: Scorer | None, elapsed_s: float) -> Metrics:
    """Returns what teacher-forced scoring cost: tokens, forwards, share of the iteration's time."""
    stats = {} if scorer is None else scorer.take_stats()
    if not stats.get("scored_tokens"):
        return {}
    return {
        "time/scoring_s": stats["scoring_s"],
        "time/scoring_share": stats["scoring_s"] / max(elapsed_s, 1e-9),
        "time/scored_tokens": stats["scored_tokens"],
        "time/scoring_forwards": stats["scoring_forwards"],
    }


def _mean(values: Sequence[float] | Sequence[bool]) -> float:
    return float(np.mean(values)) if len(values) else 0.0


def specs_for_eval(
    env_id: str, tasks: Sequence[Any], *, episodes: int = 1, name: str = "eval"
) -> list[RolloutSpec]:
    """Returns one probe spec per task."""
    return [
        RolloutSpec(
            env_id=env_id,
            task_id=task.id,
            group_id=f"{name}.{i}",
            count=episodes,
            train=False,
            purpose="probe",
        )
        for i, task in enumerate(tasks)
    ]


def trajectories_of(groups: Sequence[Group]) -> list[Trajectory]:
    """Returns all trajectories of some groups, in order."""
    return [t for g in groups for t in g.trajectories]
