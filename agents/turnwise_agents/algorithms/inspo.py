"""INSPO: the instruction evolves together with the policy that follows it.

Zhou et al. 2025, "Agentic Policy Optimization via Instruction-Policy Co-Evolution",
arXiv:2512.01945.
Not the preference optimisation of the same name.

    p(j | q)  = softmax(w / tau)_j               one instruction per question q, for its whole group
    w_j      <- (1 - eta) w_j + eta * mean over the questions that drew j of (group's mean reward)
    every K iterations: drop the lower half by w; reflect on the failures of the best; propose m
    next iteration: candidates and incumbents play the same V held-out training questions, and a
    candidate enters if its mean is at least the incumbents' median

All rollouts of a group share question and instruction, so any group-relative advantage stays what
it is: credit, loss and every other rule are those of the algorithm underneath, GRPO for `inspo` and
any other by `inspo+NAME`, as in `--algorithm inspo+gigpo`. A population of one that cannot grow
adds nothing: such a run is the underlying algorithm's, number by number.

Each world of a mixture has a population of its own, which begins with the world's instruction and
what `instructions_file` gives. Held-out questions are training tasks, chosen by their ids, that
are never trained on and never shown to a proposer. Episodes of a verification are not trained on
and count as environment steps like all others. Evaluations play the instruction of the largest w.

What is open in the paper and chosen here (its text gives neither sizes nor rules in full):

- tau, eta, K, m, V, the sizes of population and buffer: see `PopulationConfig`.
- w is a moving average of rewards; it starts at the first rewards' mean, and at the population's
  mean for those that enter later. A share `sampling_epsilon` of the questions draws uniformly, so
  that no weight becomes stale. Rewards are the environment's score, in [0, 1], as tau expects.
- Questions differ in difficulty, which confounds w: `question_baseline` subtracts each question's
  own mean so far; questions met for the first time then move no weight.
- The world's own instruction, the best one, and those drawn less than `min_draws` times survive
  every pruning.
- A proposal enters the verification only if it keeps every placeholder and tag of the world's own
  instruction, is neither too long nor there already, holds no gold answer and no evidence of any
  failure in the buffer (they are hidden from proposers as well), and quotes no episode. Answers
  are known where the world has any (`expose_reference` is set for it).
- A proposer that fails, or proposes nothing sound, is asked again K iterations later.
- A tabular policy has rows of its own for every instruction, so that a candidate starts
  untrained; with `--learner.demonstrations N` it heeds instructions from the start, and they share
  what is learnt (`turnwise_agents/heeding.py`).

Explanation of the logged metrics, besides those of the algorithm underneath. Where there are
several worlds each has its own, `instructions/<env>/...`:

- `instructions/population`, `entropy`: living instructions; entropy of their probabilities, in
  nats.
- `instructions/weight/<id>`, `instructions/share/<id>`: w; share of the iteration's questions that
  drew it. The id is "seed" for the world's own instruction, i1, i2, ... for all others.
- `instructions/best_weight`, `mean_weight`: over the living.
- `instructions/proposed`, `rejected_<fault>`: sound proposals, and those with a fault
  (`screen.FAULTS`).
- `instructions/proposer_failures`: times that the proposer failed, which costs the iteration's
  evolution (over all worlds).
- `instructions/verified`, `accepted`, `pruned`: candidates that were verified, that entered; who
  was dropped.
- `instructions/verified_best`, `verified_median`: best candidate's mean and incumbents' median on
  the same questions. `verify_step_share`: share of the iteration's environment steps that this
  took.
- `time/evolution_s`: seconds of reflection, a remote proposer's waiting included.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, make_dataclass, replace
from typing import Any, ClassVar

from turnwise_agents.algorithms.base import (
    Algorithm,
    AlgorithmConfig,
    Metrics,
    Services,
    TaskPool,
)
from turnwise_agents.algorithms.grpo import GRPO, GRPOConfig
from turnwise_agents.context import system_message
from turnwise_agents.instructions.evolution import (
    Evolution,
    PopulationConfig,
    read_instructions,
    spoken,
)
from turnwise_agents.instructions.held_out import TrainingPool
from turnwise_agents.policies import keyed_seed
from turnwise_agents.types import Group, RolloutSpec
from turnwise_envs.errors import UsageError

FAILURES = "instructions/proposer_failures"

_VARIANTS: dict[type[Algorithm], type[Algorithm]] = {}


class InstructionEvolution(Algorithm):
    """What `INSPO` adds to the algorithm that comes after it in the order of its classes."""

    def __init__(self, config: Any = None, **kwargs: Any) -> None:
        super().__init__(config, **kwargs)
        self._given = read_instructions(self.config.instructions_file)
        self._worlds: dict[str, Evolution] = {}
        self._drawn: dict[str, dict[str, Any]] = {}
        if self.evolves:
            self.needs = replace(
                self.needs,
                services=self.needs.services | {"proposer"},
                wants=self.needs.wants | {"reference", "evidence"},
            )
        if self.active:
            self.needs = replace(self.needs, instruction=True, meet=self.meet)

    @property
    def evolves(self) -> bool:
        """Whether new instructions are ever proposed."""
        return bool(self.config.evolves)

    @property
    def active(self) -> bool:
        """Whether there is ever more than one instruction."""
        return self.evolves or any(self._given.values())

    def meet(self, env_id: str, world: Any) -> None:
        """Begins a world's population with its own instruction and the given ones.

        Raises:
            UsageError: If a given instruction lacks a placeholder or tag, or there are too many.
        """
        given = [*self._given.get("", ()), *self._given.get(env_id, ())]
        self._worlds[env_id] = Evolution(
            self.config, env_id, world.instruction, system_message(world, ""), given
        )

    def world(self, env_id: str) -> Evolution:
        """Returns the evolution of a world; one that was never met has an empty instruction."""
        if env_id not in self._worlds:
            self._worlds[env_id] = Evolution(self.config, env_id, given=self._given.get("", ()))
        return self._worlds[env_id]

    def plan(self, pool: TaskPool, finished: list[Group]) -> list[RolloutSpec]:
        """Gives every group its instruction, and adds the verification to the first wave."""
        if not self.active:
            return super().plan(pool, finished)
        share = self.config.held_out_share if self.evolves else 0.0
        questions = TrainingPool(pool, share, lambda env_id: self.world(env_id).held_out)
        specs = super().plan(questions, training(finished))
        if not finished:
            self._drawn = {}
        for spec in specs:
            if spec.group_id not in self._drawn:
                key = keyed_seed("instruction", pool.seed, spec.group_id)
                self._drawn[spec.group_id] = spoken(self.world(spec.env_id).draw(key))
            for name, value in self._drawn[spec.group_id].items():
                setattr(spec, name, value)
        return specs if finished else [*specs, *self._verification(pool)]

    def _verification(self, pool: TaskPool) -> list[RolloutSpec]:
        specs = []
        for env_id, world in self._worlds.items():
            if not world.population.candidates:
                continue
            tasks = world.held_out
            if not tasks:
                drawn = pool.draw(self.config.verify_questions)
                tasks = [task_id for name, task_id in drawn if name == env_id]
            specs += world.verification(pool.iteration, tasks, pool.seed)
        return specs

    def shape(self, groups: list[Group], services: Services) -> None:
        """Shapes what is trained on."""
        super().shape(training(groups), services)

    def select(self, groups: list[Group]) -> list[Group]:
        """Leaves out the verification."""
        return super().select(training(groups))

    def deploy(self, specs: list[RolloutSpec]) -> list[RolloutSpec]:
        """Plays the best instruction of every world."""
        if not self.active:
            return specs
        return [replace(s, **spoken(self.world(s.env_id).population.best)) for s in specs]

    def observe(self, groups: list[Group], services: Services) -> Metrics:
        """Weighs, verifies and, every K iterations, evolves."""
        metrics = super().observe(training(groups), services)
        if not self.active:
            return metrics
        started = time.perf_counter()
        for env_id, world in self._worlds.items():
            own = [g for g in groups if g.env_id == env_id]
            prefix = f"instructions/{env_id}/" if len(self._worlds) > 1 else "instructions/"
            found = self._learn(world, own, services)
            failures = found.pop("proposer_failures", 0.0)
            metrics.update({prefix + name: value for name, value in found.items()})
            metrics[FAILURES] = metrics.get(FAILURES, 0.0) + failures
        metrics["time/evolution_s"] = time.perf_counter() - started
        return metrics

    def _learn(self, world: Evolution, groups: list[Group], services: Services) -> Metrics:
        iteration = services.iteration
        metrics = world.learn(training(groups), iteration)
        tried = [g for g in groups if g.purpose == "verify"]
        metrics.update(world.conclude(tried, iteration))
        if tried:
            metrics["verify_step_share"] = steps(tried) / max(1, steps(groups))
        if self.evolves and (iteration + 1) % self.config.evolve_every == 0:
            assert services.proposer is not None
            metrics.update(world.evolve(services.proposer, iteration, services.seed))
        return {**metrics, **world.metrics()}

    def state_dict(self) -> dict[str, Any]:
        """Returns the underlying algorithm's state and every world's evolution."""
        worlds = {env_id: world.state_dict() for env_id, world in self._worlds.items()}
        return {"base": super().state_dict(), "instructions": worlds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Reverses `state_dict`."""
        super().load_state_dict(state["base"])
        for env_id, own in state["instructions"].items():
            self.world(env_id).load_state_dict(own)


@dataclass(frozen=True, kw_only=True)
class INSPOConfig(PopulationConfig, GRPOConfig):
    """Configuration of `INSPO`."""


class INSPO(InstructionEvolution, GRPO):
    """Group relative policy optimisation with co-evolving instructions."""

    Config: ClassVar[type[AlgorithmConfig]] = INSPOConfig


def with_instructions(base: type[Algorithm]) -> type[Algorithm]:
    """Returns an algorithm with co-evolving instructions.

    Raises:
        UsageError: If its instructions evolve already.
    """
    if issubclass(base, InstructionEvolution):
        raise UsageError(f"inspo+NAME must name another algorithm, got {base.__name__}.")
    if base in _VARIANTS:
        return _VARIANTS[base]
    config = make_dataclass(
        f"INSPO{base.Config.__name__}", [], bases=(PopulationConfig, base.Config), frozen=True
    )
    config.__doc__ = f"Configuration of {base.__name__} with co-evolving instructions."
    config.__module__ = __name__
    fields = {"Config": config, "__doc__": f"{base.__name__} with co-evolving instructions."}
    _VARIANTS[base] = type(f"INSPO{base.__name__}", (InstructionEvolution, base), fields)
    return _VARIANTS[base]


def training(groups: list[Group]) -> list[Group]:
    """Returns the groups that belong to no verification."""
    return [g for g in groups if g.purpose != "verify"]


def steps(groups: list[Group]) -> int:
    """Returns the number of turns played."""
    return sum(len(t.turns) for g in groups for t in g.trajectories)
