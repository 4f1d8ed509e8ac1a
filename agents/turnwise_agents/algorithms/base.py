"""The hooks of an algorithm: all that the trainer knows.

The trainer calls, per iteration: `plan` (wave by wave until it returns []), `shape`, `select`,
`assign_credit`, `loss` (per micro-batch), `observe`. An algorithm overrides what it changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from torch import Tensor

from turnwise_agents.batch import Batch
from turnwise_agents.types import Credit, Group, RolloutSpec
from turnwise_envs.errors import UsageError

if TYPE_CHECKING:
    from turnwise_agents.answers import AnswerWriter
    from turnwise_agents.instructions.proposers import Proposer
    from turnwise_agents.judge import Judge
    from turnwise_agents.learners.base import Learner
    from turnwise_agents.scorer import Scorer
    from turnwise_envs.core import TextEnv

Metrics = dict[str, float]


@dataclass(frozen=True)
class Contrast:
    """What makes one episode better than another.

    Attributes:
        outcome: what is compared: the episode's return, or the environment's grade.
        threshold: an outcome above it is a success and better than the others; None takes the
            higher of any two as the better one.
    """

    outcome: Literal["return", "score"]
    threshold: float | None = None

    def prefers(self, one: float, other: float) -> bool:
        """Returns whether outcome `one` is better than `other`."""
        if self.threshold is None:
            return one > other
        return one > self.threshold >= other


@dataclass(frozen=True)
class Needs:
    """What an algorithm needs; checked before the first rollout.

    Attributes:
        env: info keys that must not be None ("reference", "evidence", "admissible_actions").
        outputs: what `Learner.forward` must return besides logprobs ("entropy", "values").
        models: names of further models whose logprobs the loss reads ("ref").
        services: fields of `Services` that must not be None ("answers", "judge", "proposer").
        wants: info keys that are exposed where a world has them ("reference", "evidence").
        instruction: the prompts must show the instruction.
        meet: called with the env_id and the world of every environment; raises what a world lacks.
        rewards: sources of reward levels that must exist, see `turnwise_agents.levels`.
        contrast: the oracle's episode must be better than that of an agent that says nothing.
        whole: the unit that must not be cut across micro-batches.
    """

    env: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    wants: frozenset[str] = frozenset()
    instruction: bool = False
    meet: Callable[[str, TextEnv], None] | None = None
    rewards: frozenset[str] = frozenset()
    contrast: Contrast | None = None
    whole: Literal["segment", "group"] = "segment"


@dataclass
class Outputs:
    """What `Learner.forward` returns for a list of segments, padded to [B, L].

    Position t holds the value *of token t* (its log-probability given all tokens before it), so it
    aligns with `Segment.loss_mask`; position 0 is 0.

    Attributes:
        logprobs: [B, L] of the tokens, with gradient.
        entropy: [B, L] of the distribution that predicted the token, where asked for.
        values: [B, L] value head at the position that *predicts* the token, where asked for.
        models: name -> [B, L] logprobs of further models.
    """

    logprobs: Tensor
    entropy: Tensor | None = None
    values: Tensor | None = None
    models: dict[str, Tensor] = field(default_factory=dict)


class TaskPool(Protocol):
    """The task sets of the run with their sampling statistics."""

    @property
    def iteration(self) -> int:
        """Number of the current iteration."""
        ...

    @property
    def seed(self) -> int:
        """The run's seed."""
        ...

    def draw(self, count: int) -> list[tuple[str, str]]:
        """Returns `count` (env_id, task_id) pairs for this iteration, by a keyed random stream."""
        ...

    def lookup(self, env_id: str, task_id: str) -> Mapping[str, float]:
        """Returns the statistics of a task: "visits", "mean_return", "success_rate"."""
        ...

    def update(self, groups: list[Group]) -> None:
        """Adds finished groups to the statistics."""
        ...


class TextGenerator(Protocol):
    """Text generation by the policy itself, for reflection and proposals."""

    def __call__(self, prompts: list[str], max_new_tokens: int = 256) -> list[str]:
        """Returns one completion per prompt."""
        ...


@dataclass
class Services:
    """What `shape` and `observe` may use besides the records.

    Attributes:
        scorer: teacher-forced log-probabilities and values.
        learner: the learner, for algorithms that train further models.
        generate: text generation by the policy.
        judge: grades episodes of unverifiable tasks; None where the run has none.
        proposer: proposes instructions; None where the run has none.
        answers: writes gold answers as completions; None where the run has none.
        iteration: number of the current iteration.
        seed: the run's seed.
    """

    scorer: Scorer
    learner: Learner
    generate: TextGenerator
    judge: Judge | None = None
    proposer: Proposer | None = None
    answers: AnswerWriter | None = None
    iteration: int = 0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class AlgorithmConfig:
    """Fields every algorithm shares."""

    group_size: int = 8
    """Episodes per task."""
    groups_per_iteration: int = 16
    """Tasks per iteration."""

    def __post_init__(self) -> None:
        for name in ("group_size", "groups_per_iteration"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, got {getattr(self, name)}.")


class Algorithm:
    """Base of all algorithms: plans fixed groups, trains on all of them.

    Subclasses override `assign_credit` and `loss`, and any other hook they need.
    """

    Config: ClassVar[type[AlgorithmConfig]] = AlgorithmConfig
    needs: Needs = Needs()
    """The class's needs; an instance may set its own where they depend on the configuration."""

    def __init__(self, config: Any = None) -> None:
        self.config: Any = config if config is not None else self.Config()

    def setup(self, learner: Learner) -> None:
        """Adds heads and further models, before the first rollout."""

    def plan(self, pool: TaskPool, finished: list[Group]) -> list[RolloutSpec]:
        """Returns the next wave of rollouts; called again with all that came back, until []."""
        if finished:
            return []
        return self.draw_groups(pool, self.config.groups_per_iteration)

    def draw_groups(self, pool: TaskPool, count: int, first: int = 0) -> list[RolloutSpec]:
        """Returns `count` new groups of `group_size` episodes, numbered from `first`."""
        return [
            RolloutSpec(
                env_id=env_id,
                task_id=task_id,
                group_id=f"{pool.iteration}.{first + i}",
                count=self.config.group_size,
            )
            for i, (env_id, task_id) in enumerate(pool.draw(count))
        ]

    def shape(self, groups: list[Group], services: Services) -> None:
        """Writes named reward channels into the turns."""

    def select(self, groups: list[Group]) -> list[Group]:
        """Returns the groups to train on: drops, substitutes, replays, down-samples."""
        return [g for g in groups if g.purpose == "train"]

    def assign_credit(self, groups: list[Group]) -> list[Credit]:
        """Returns the credit of every valid trajectory of the iteration, from scalar records."""
        raise NotImplementedError

    def loss(self, outputs: Outputs, batch: Batch) -> tuple[Tensor, Metrics]:
        """Returns the SUM over the micro-batch divided by one of `batch.norms`, and metrics.

        Metrics are sums divided the same way, so that they add up over micro-batches.
        """
        raise NotImplementedError

    def observe(self, groups: list[Group], services: Services) -> Metrics:
        """Runs after the update; trains populations, trackers, reward models."""
        return {}

    def deploy(self, specs: list[RolloutSpec]) -> list[RolloutSpec]:
        """Returns an evaluation's episodes as the trained agent plays them."""
        return specs

    def state_dict(self) -> dict[str, Any]:
        """Returns everything persistent, as JSON data or tensors."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Reverses `state_dict`."""
