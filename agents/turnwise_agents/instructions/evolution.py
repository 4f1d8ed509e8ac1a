"""The evolution of one world's instructions: attribution, reflection, verification."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from turnwise_agents.estimators.checks import expect_choice, expect_range
from turnwise_agents.instructions.failures import FailureBuffer
from turnwise_agents.instructions.population import (
    SEED,
    Instruction,
    Population,
    sampling_probabilities,
)
from turnwise_agents.instructions.proposers import Proposal, ProposalRequest, Proposer
from turnwise_agents.instructions.screen import Screen, lost_markers, markers
from turnwise_agents.policies import keyed_seed
from turnwise_agents.types import Group, RolloutSpec, Trajectory
from turnwise_envs.errors import DataError, UsageError

if TYPE_CHECKING:
    from turnwise_agents.algorithms.base import Metrics

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PopulationConfig:
    """How a population of instructions is drawn from, weighed and renewed.

    The paper does not state these numbers; all defaults are ours.
    """

    population_size: int = 8
    """Instructions of a world at most; 1 leaves the world's own."""
    instructions_file: str = ""
    """JSON file of instructions to begin with besides the world's own: a list, or an object of
    lists by environment id."""
    sampling_temperature: float = 0.1
    """tau of the softmax over weights, in units of `instruction_reward`."""
    sampling_epsilon: float = 0.05
    """Share of questions that draw uniformly, in [0, 1]."""
    weight_rate: float = 0.1
    """eta of the weights' moving average, per iteration, in [0, 1]."""
    instruction_reward: Literal["score", "return"] = "score"
    """What instructions are weighed and verified by: the environment's grade in [0, 1], or its
    episode return."""
    question_baseline: bool = False
    """Weigh by the difference to each question's own mean so far."""
    evolve_every: int = 25
    """K: iterations between two evolutions; 0 never evolves."""
    min_population: int = 2
    """Instructions that pruning leaves at least."""
    min_draws: int = 16
    """Questions that an instruction must have been drawn for before it can be pruned."""
    proposals: int = 4
    """m: candidates of an evolution at most."""
    verify_questions: int = 64
    """V: questions of a verification."""
    held_out_share: float = 0.1
    """Share of the training tasks that is kept for verification, in [0, 1); with 0 (for tables,
    which know nothing of tasks they were not trained on) it takes training questions, which are
    not trained on in that iteration."""
    failures_kept: int = 256
    """M: failed episodes in the buffer, over all instructions of a world."""
    failures_shown: int = 4
    """k: failed episodes that a proposer is shown."""
    max_instruction_chars: int = 1500
    """Longest instruction, in characters."""

    def __post_init__(self) -> None:
        checks = getattr(super(), "__post_init__", None)
        if checks is not None:
            checks()
        expect_choice("instruction_reward", self.instruction_reward, ("score", "return"))
        if not self.sampling_temperature > 0:
            raise UsageError(
                f"sampling_temperature must be positive, got {self.sampling_temperature}."
            )
        for name in ("sampling_epsilon", "weight_rate"):
            expect_range(name, getattr(self, name), 0.0, 1.0)
        expect_range("held_out_share", self.held_out_share, 0.0, 0.9)
        least = {"evolve_every": 0, "failures_shown": 0, "min_draws": 0}
        for name in (
            *("population_size", "min_population", "proposals", "verify_questions"),
            *("failures_kept", "max_instruction_chars", *least),
        ):
            if not getattr(self, name) >= least.get(name, 1):
                raise UsageError(
                    f"{name} must be at least {least.get(name, 1)}, got {getattr(self, name)}."
                )

    @property
    def evolves(self) -> bool:
        """Whether new instructions are ever proposed."""
        return self.population_size > 1 and self.evolve_every > 0


class Evolution:
    """The instructions of one world and all that is remembered for their sake.

    Args:
        config: sizes, rates and periods.
        env_id: the world.
        seed: its own instruction.
        public: what its agent is shown besides.
        given: further instructions to begin with.

    Attributes:
        population: all instructions.
        failures: the buffer.
        held_out: ids of held-out tasks met so far.

    Raises:
        UsageError: If a given instruction cannot stand beside the world's own.
    """

    def __init__(
        self,
        config: PopulationConfig,
        env_id: str,
        seed: str = "",
        public: str = "",
        given: Sequence[str] = (),
    ) -> None:
        if 1 + len(given) > config.population_size:
            raise UsageError(
                f"population_size must hold the world's own instruction and the {len(given)} given "
                f"ones of {env_id}, got {config.population_size}. Raise it, or give fewer."
            )
        for text in given:
            if lost := lost_markers(text, seed):
                raise UsageError(
                    f"A given instruction of {env_id} must keep the placeholders and tags of its "
                    f"own instruction and add no placeholder, got {text[:60]!r} (see "
                    f"{' '.join(lost)})."
                )
        self.config = config
        self.env_id = env_id
        self.seed, self.public = seed, public
        self.population = Population(seed, given)
        self.failures = FailureBuffer(max(1, config.failures_kept // config.population_size))
        self.held_out: list[str] = []
        self._questions: dict[str, list[float]] = {}

    # ------------------------------------------------------------------ drawing

    def draw(self, key: int) -> Instruction:
        """Returns the instruction of a question whose random stream has this key."""
        return self.population.draw(
            float(np.random.default_rng(key).random()),
            temperature=self.config.sampling_temperature,
            epsilon=self.config.sampling_epsilon,
        )

    def verification(self, iteration: int, tasks: Sequence[str], seed: int) -> list[RolloutSpec]:
        """Returns the episodes that compare candidates and incumbents, [] without candidates.

        All members play question i in one group, so that they meet the same random streams of the
        environment too. Questions are used again where there are fewer than asked for.

        Args:
            iteration: the current one.
            tasks: ids to choose the questions from.
            seed: the run's.
        """
        candidates = self.population.candidates
        if not candidates or not tasks:
            return []
        rng = np.random.default_rng(keyed_seed("verify", seed, iteration, self.env_id))
        order = [tasks[i] for i in rng.permutation(len(tasks))]
        members = [*self.population.living, *candidates]
        return [
            RolloutSpec(
                env_id=self.env_id,
                task_id=order[i % len(order)],
                group_id=f"{iteration}.verify.{self.env_id}.{i}",
                count=1,
                train=False,
                purpose="verify",
                **spoken(member),
            )
            for i in range(self.config.verify_questions)
            for member in members
        ]

    # ------------------------------------------------------------------ learning

    def reward_of(self, trajectory: Trajectory) -> float:
        """Returns what an instruction earns by an episode."""
        by_score = self.config.instruction_reward == "score"
        return trajectory.score if by_score else trajectory.episode_return

    def learn(self, groups: Iterable[Group], iteration: int) -> Metrics:
        """Moves the weights by an iteration's groups and keeps their failures."""
        rewards: dict[str, list[float]] = {}
        drawn: dict[str, int] = {}
        for group in groups:
            episodes = [(t, self.reward_of(t)) for t in group.valid]
            if not episodes:
                continue
            name = episodes[0][0].instruction_id
            drawn[name] = drawn.get(name, 0) + 1
            reward = self._against_question(group.task_id, [r for _, r in episodes])
            if reward is not None:
                rewards.setdefault(name, []).append(reward)
            if self.config.evolves:
                public = f"{self.seed}\n{self.public}"
                self.failures.add(episodes, iteration=iteration, public=public)
        self.population.reward(rewards, self.config.weight_rate)
        total = sum(drawn.values())
        return {
            f"share/{one.label}": drawn.get(one.id, 0) / total
            for one in self.population.living
            if total
        }

    def _against_question(self, task_id: str, rewards: Sequence[float]) -> float | None:
        """Returns a group's mean reward, minus the question's so far where that is asked for."""
        mean = float(np.mean(rewards))
        if not self.config.question_baseline:
            return mean
        seen = self._questions.setdefault(task_id, [0.0, 0.0])
        difference = mean - seen[1] if seen[0] else None
        seen[0] += 1.0
        seen[1] += (mean - seen[1]) / seen[0]
        return difference

    def conclude(self, groups: Iterable[Group], iteration: int) -> Metrics:
        """Decides on the candidates by the questions that all members finished."""
        candidates = self.population.candidates
        if not candidates:
            return {}
        members = {one.id for one in [*self.population.living, *candidates]}
        rows = []
        for group in groups:
            row = {t.instruction_id: self.reward_of(t) for t in group.valid}
            if members <= row.keys():
                rows.append(row)
        means = {name: float(np.mean([row[name] for row in rows])) for name in members if rows}
        incumbents = [means[one.id] for one in self.population.living if rows]
        entered = self.population.decide(means, iteration, max_size=self.config.population_size)
        metrics = {"verified": float(len(candidates)), "accepted": float(len(entered))}
        if rows:
            metrics["verified_best"] = max(means[one.id] for one in candidates)
            metrics["verified_median"] = float(median(incumbents))
        return metrics

    # ------------------------------------------------------------------ evolving

    def evolve(self, proposer: Proposer, iteration: int, seed: int) -> Metrics:
        """Prunes, asks for proposals, and makes candidates of the sound ones."""
        population, config = self.population, self.config
        pruned = population.prune(
            iteration, min_draws=config.min_draws, min_size=config.min_population
        )
        for one in pruned:
            self.failures.drop(one.id)
        count = min(config.proposals, config.population_size - len(population.living))
        metrics: Metrics = {"pruned": float(len(pruned)), "proposed": 0.0}
        if not count:
            return metrics
        request = self._request(count, f"{seed}|{iteration}|{self.env_id}")
        try:
            proposals = [checked(p) for p in proposer(request)]
        except Exception as error:
            # Whatever a proposer does, the run goes on.
            _LOG.warning("The proposer failed: %s: %s", type(error).__name__, error)
            return {**metrics, "proposer_failures": 1.0}
        metrics["proposer_failures"] = 0.0
        for proposal in proposals:
            if len(population.candidates) == count:
                break
            fault = self._screen(request).fault(proposal.text)
            if fault:
                metrics[f"rejected_{fault}"] = metrics.get(f"rejected_{fault}", 0.0) + 1.0
                continue
            known = {one.id for one in population.records}
            parents = [name for name in proposal.parents if name in known]
            population.propose(
                proposal.text.strip(), parents, iteration=iteration, note=proposal.note
            )
            metrics["proposed"] += 1.0
        return metrics

    def _request(self, count: int, key: str) -> ProposalRequest:
        parents = sorted(self.population.living, key=lambda one: -one.weight)
        return ProposalRequest(
            env_id=self.env_id,
            parents=parents,
            failures=self.failures.worst(parents[0].id, self.config.failures_shown),
            public=self.public,
            keep=sorted(markers(self.seed)),
            count=count,
            max_chars=self.config.max_instruction_chars,
            key=key,
        )

    def _screen(self, request: ProposalRequest) -> Screen:
        alive = [*self.population.living, *self.population.candidates]
        return Screen(
            seed=self.seed,
            public=f"{self.seed}\n{self.public}",
            known=[one.text for one in alive],
            secrets=self.failures.secrets(),
            failures=request.failures,
            max_chars=request.max_chars,
        )

    # ------------------------------------------------------------------ accounts

    def metrics(self) -> Metrics:
        """Returns the state of the population; see `algorithms.inspo`."""
        living = self.population.living
        weights = [one.weight for one in living]
        p = sampling_probabilities(
            weights,
            temperature=self.config.sampling_temperature,
            epsilon=self.config.sampling_epsilon,
        )
        return {
            "population": float(len(living)),
            "entropy": float(np.abs((p[p > 0] * np.log(p[p > 0])).sum())),
            "best_weight": max(weights),
            "mean_weight": float(np.mean(weights)),
            **{f"weight/{one.label}": one.weight for one in living},
        }

    def state_dict(self) -> dict[str, Any]:
        """Returns everything as plain data."""
        return {
            "population": self.population.state_dict(),
            "failures": self.failures.state_dict(),
            "held_out": list(self.held_out),
            "questions": {name: list(row) for name, row in self._questions.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Reverses `state_dict`."""
        self.population.load_state_dict(state["population"])
        self.failures.load_state_dict(state["failures"])
        # In place: the pool of training tasks adds to this very list.
        self.held_out[:] = state["held_out"]
        self._questions = {name: list(row) for name, row in state["questions"].items()}


def spoken(instruction: Instruction) -> dict[str, Any]:
    """Returns the fields of a `RolloutSpec` that an instruction fills."""
    own = instruction.id == SEED
    return {
        "instruction": None if own else instruction.text,
        "instruction_id": instruction.id,
    }


def checked(proposal: Any) -> Proposal:
    """Returns a proposal whose parents are names; anything else that a proposer says raises."""
    return Proposal(proposal.text, tuple(map(str, proposal.parents)), str(proposal.note))


def read_instructions(path: str) -> dict[str, list[str]]:
    """Returns the instructions of a file by environment id, "" for all; {} without a file.

    Raises:
        DataError: If it is no such file.
    """
    if not path:
        return {}
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        rows = data if isinstance(data, dict) else {"": data}
        if not all(isinstance(t, str) and t.strip() for own in rows.values() for t in own):
            raise ValueError("an instruction that is no text")
    except (OSError, TypeError, ValueError) as error:
        raise DataError(
            f"{path} must be JSON, a list of instructions or an object of such lists by "
            f"environment id, got {type(error).__name__}: {error}."
        ) from error
    return {name: list(own) for name, own in rows.items()}
