"""A population of instructions: who is drawn, who earns weight, who is pruned.

    p(j)  = (1 - epsilon) softmax(w / temperature)_j + epsilon / P
    w_j  <- (1 - rate) w_j + rate * mean reward of the questions that drew j

Every instruction ever proposed stays in the records with the iterations of its birth and death, so
that the ancestry can be drawn; only the living ones are sampled. Ids are never used twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from turnwise_agents.estimators.checks import expect_range
from turnwise_envs.errors import UsageError

SEED = ""
"""Id of the world's own instruction, as in the records of its episodes."""

Status = Literal["living", "candidate", "rejected", "pruned"]


def sampling_probabilities(
    weights: Sequence[float] | npt.NDArray[np.float64],
    *,
    temperature: float = 0.1,
    epsilon: float = 0.0,
) -> npt.NDArray[np.float64]:
    """Computes how likely each instruction is to be drawn for a question.

        p_j = (1 - epsilon) exp(w_j / temperature) / sum_k exp(w_k / temperature) + epsilon / P

    Args:
        weights: [P] importance weights w, in units of reward.
        temperature: in units of reward, positive; towards infinity all are equally likely.
        epsilon: share of draws that ignore the weights, in [0, 1].

    Returns:
        [P] float64 probabilities, which sum to 1.

    Raises:
        UsageError: If there is no instruction, or an option is out of range.

    References:
        Zhou et al. 2025, arXiv:2512.01945: the softmax; the uniform share is ours.
    """
    scores = np.asarray(weights, dtype=np.float64)
    if scores.ndim != 1 or not len(scores):
        raise UsageError(f"weights must have rank 1 and an entry, got shape {scores.shape}.")
    if not temperature > 0:
        raise UsageError(f"temperature must be positive, got {temperature}.")
    expect_range("epsilon", epsilon, 0.0, 1.0)
    exponentials = np.exp((scores - scores.max()) / temperature)
    return (1.0 - epsilon) * exponentials / exponentials.sum() + epsilon / len(scores)


@dataclass(slots=True, kw_only=True)
class Instruction:
    """An instruction and what is known of it.

    Attributes:
        id: never used twice in its world; "" is the world's own instruction.
        text: role and strategy shown to the agent.
        parents: ids of those it was made from.
        note: how it was made.
        born, died: iterations of its proposal, and of its pruning or rejection.
        status: "living" ones are drawn, "candidate" ones wait for their verification.
        draws: questions it was drawn for.
        mean_reward: over all of these.
        weight: w.
        verified: its mean reward on the verification's questions, None before.
    """

    id: str
    text: str
    parents: tuple[str, ...] = ()
    note: str = ""
    born: int = 0
    died: int | None = None
    status: Status = "living"
    draws: int = 0
    mean_reward: float = 0.0
    weight: float = 0.0
    verified: float | None = None

    @property
    def label(self) -> str:
        """The id, in words where it is empty."""
        return self.id or "seed"


class Population:
    """The instructions of one world.

    Args:
        seed: the world's own instruction, which is never pruned.
        given: further ones to begin with.
    """

    def __init__(self, seed: str, given: Sequence[str] = ()) -> None:
        self.records = [Instruction(id=SEED, text=seed, note="the world's own")]
        for text in given:
            self.records.append(Instruction(id=self._new_id(), text=text, note="given"))

    def _new_id(self) -> str:
        return f"i{len(self.records)}"

    def _with(self, status: Status) -> list[Instruction]:
        return [record for record in self.records if record.status == status]

    @property
    def living(self) -> list[Instruction]:
        """Those that are drawn, oldest first; never empty."""
        return self._with("living")

    @property
    def candidates(self) -> list[Instruction]:
        """Those that wait for their verification."""
        return self._with("candidate")

    @property
    def best(self) -> Instruction:
        """The living one of the largest weight, the oldest of several."""
        return max(self.living, key=lambda one: one.weight)

    def find(self, name: str) -> Instruction:
        """Returns the record of an id."""
        return next(record for record in self.records if record.id == name)

    def draw(self, u: float, *, temperature: float, epsilon: float) -> Instruction:
        """Returns the instruction that a number in [0, 1) falls on."""
        living = self.living
        weights = [one.weight for one in living]
        probabilities = sampling_probabilities(weights, temperature=temperature, epsilon=epsilon)
        index = int(np.searchsorted(np.cumsum(probabilities), u, side="right"))
        return living[min(index, len(living) - 1)]

    def reward(self, rewards: Mapping[str, Sequence[float]], rate: float) -> None:
        """Moves the weights of those that were drawn, and of no other.

        The very first rewards set all weights to their mean, so that none is ahead for having been
        drawn first.

        Args:
            rewards: id -> one reward per question that drew it.
            rate: of the moving average, in [0, 1].
        """
        if all(one.draws == 0 for one in self.records):
            every = [reward for own in rewards.values() for reward in own]
            start = float(np.mean(every)) if every else 0.0
            for one in self.living:
                one.weight = start
        for name, own in rewards.items():
            if own:
                one, mean = self.find(name), float(np.mean(own))
                one.weight = (1.0 - rate) * one.weight + rate * mean
                one.draws += len(own)
                one.mean_reward += (mean - one.mean_reward) * len(own) / one.draws

    def prune(self, iteration: int, *, min_draws: int, min_size: int) -> list[Instruction]:
        """Drops the lower half by weight, and returns who was dropped.

        The world's own instruction, the best one and those that were drawn for fewer than
        `min_draws` questions stay, and at least `min_size` in all. Of equal weights the younger
        goes first.
        """
        living = self.living
        youngest_first = sorted(reversed(living), key=lambda one: one.weight)
        best = self.best
        dropped = [
            one
            for one in youngest_first[: len(living) // 2]
            if one.id != SEED and one is not best and one.draws >= min_draws
        ][: max(0, len(living) - min_size)]
        for one in dropped:
            one.status, one.died = "pruned", iteration
        return dropped

    def propose(
        self, text: str, parents: Sequence[str], *, iteration: int, note: str = ""
    ) -> Instruction:
        """Adds a candidate; it is not drawn before it enters."""
        candidate = Instruction(
            id=self._new_id(),
            text=text,
            parents=tuple(parents),
            note=note,
            born=iteration,
            status="candidate",
        )
        self.records.append(candidate)
        return candidate

    def decide(
        self, means: Mapping[str, float], iteration: int, *, max_size: int
    ) -> list[Instruction]:
        """Lets candidates enter that do as well as the median incumbent; returns them.

        The best enter first, while there is room, with the mean weight of those that live; all
        other candidates are rejected.

        Args:
            means: id -> mean reward on the same questions, of incumbents and candidates; without
                any nobody enters.
            iteration: of the verification.
            max_size: of the population.
        """
        incumbents = [means[one.id] for one in self.living if one.id in means]
        for one in self.records:
            if one.id in means:
                one.verified = means[one.id]
        bar = float(np.median(incumbents)) if incumbents else np.inf
        ranked = sorted(self.candidates, key=lambda one: -means.get(one.id, -np.inf))
        mean_weight = float(np.mean([one.weight for one in self.living]))
        entered = []
        for one in ranked:
            if means.get(one.id, -np.inf) >= bar and len(self.living) < max_size:
                one.status, one.weight = "living", mean_weight
                entered.append(one)
            else:
                one.status, one.died = "rejected", iteration
        return entered

    def state_dict(self) -> list[dict[str, Any]]:
        """Returns all records as plain data."""
        return [asdict(record) for record in self.records]

    def load_state_dict(self, state: list[dict[str, Any]]) -> None:
        """Reverses `state_dict`."""
        self.records = [Instruction(**{**row, "parents": tuple(row["parents"])}) for row in state]
