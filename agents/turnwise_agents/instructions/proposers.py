"""Who proposes new instructions: one interface, and a proposer that needs no model.

    clauses             recombines and edits a library of clauses, per world
    clauses:FILE        the same with a library of your own
    policy              the policy itself reflects (`reflection.py`)
    openai:MODEL@BASE_URL   any OpenAI-compatible model reflects

A library is JSON: an object of lists by environment id (a beginning of it is enough, "" is for all
worlds), or one list for all. A clause is a sentence, or `{"text": ..., "cue": PATTERN}`: where the
regular expression is found in failed episodes (or in their verdicts), the clause is proposed more
often.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from turnwise_agents.instructions.failures import Failure
from turnwise_agents.instructions.population import Instruction
from turnwise_agents.policies import keyed_seed
from turnwise_envs.errors import DataError

ATTEMPTS = 8
"""Edits tried for every proposal asked for; many give a text that is there already."""


@dataclass(frozen=True, kw_only=True)
class ProposalRequest:
    """What a proposer is told.

    Attributes:
        env_id: the world.
        parents: the best instructions, best first; at least one.
        failures: the worst episodes under the best one, answers hidden.
        public: what the agent is shown besides its instruction.
        keep: placeholders and tags that every instruction must hold.
        count: how many proposals are wanted.
        max_chars: longest instruction.
        key: names the request; random streams and journals depend on it.
    """

    env_id: str
    parents: Sequence[Instruction]
    failures: Sequence[Failure]
    public: str
    keep: Sequence[str]
    count: int
    max_chars: int
    key: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed instruction.

    Attributes:
        text: the whole instruction.
        parents: ids of those it was made from.
        note: how it was made, for the ancestry.
    """

    text: str
    parents: tuple[str, ...]
    note: str = ""


class Proposer(Protocol):
    """Proposes instructions. What it raises costs one iteration of evolution, not the run."""

    def __call__(self, request: ProposalRequest) -> list[Proposal]:
        """Returns proposals, any number of them, sound or not: they are examined afterwards."""
        ...


@dataclass(frozen=True, slots=True)
class Clause:
    """A sentence that an instruction may hold, and the failures that call for it."""

    text: str
    cue: str = ""

    def weight(self, failures: Sequence[Failure]) -> float:
        """Returns 1 and the number of failures that show the cue."""
        if not self.cue:
            return 1.0
        cue = re.compile(self.cue, re.IGNORECASE)
        return 1.0 + sum(bool(cue.search(f"{f.verdict}\n{f.transcript}")) for f in failures)


class ClauseProposer:
    """Adds, drops, swaps and recombines clauses, by a random stream of the request's key.

    An instruction is a base (what is no clause of the library) and clauses after it. What the
    failures show makes clauses that answer to it more likely.

    Args:
        library: clauses by the beginning of an environment id.
    """

    def __init__(self, library: Mapping[str, Sequence[Clause]]) -> None:
        self.library = library

    def clauses(self, env_id: str) -> list[Clause]:
        """Returns the clauses for a world."""
        return [c for start, own in self.library.items() if env_id.startswith(start) for c in own]

    def __call__(self, request: ProposalRequest) -> list[Proposal]:
        """Returns up to `count` different edits; fewer where the library is used up."""
        rng = np.random.default_rng(keyed_seed("clauses", request.key))
        clauses = self.clauses(request.env_id)
        found: dict[str, Proposal] = {}
        for _ in range(ATTEMPTS * request.count if clauses else 0):
            proposal = self._edit(request, clauses, rng)
            if proposal is not None and proposal.text not in {p.text for p in request.parents}:
                found.setdefault(proposal.text, proposal)
            if len(found) == request.count:
                break
        return list(found.values())

    def _edit(
        self, request: ProposalRequest, clauses: Sequence[Clause], rng: np.random.Generator
    ) -> Proposal | None:
        best = request.parents[0]
        base, present = split_clauses(best.text, clauses)
        absent = [c for c in clauses if c not in present]
        others = request.parents[1:]
        kinds = ["add"] * bool(absent) + ["drop"] * bool(present)
        kinds += ["swap"] * bool(absent and present) + ["recombine"] * bool(others)
        if not kinds:
            return None
        kind = kinds[int(rng.integers(len(kinds)))]
        parents: tuple[str, ...] = (best.id,)
        if kind == "recombine":
            other = others[int(rng.integers(len(others)))]
            theirs = split_clauses(other.text, clauses)[1]
            every = [*present, *(c for c in theirs if c not in present)]
            chosen = [c for c in every if rng.random() < 0.5]
            parents = (best.id, other.id)
        else:
            chosen = list(present)
            if kind in ("drop", "swap"):
                del chosen[int(rng.integers(len(chosen)))]
            if kind in ("add", "swap"):
                weights = np.array([c.weight(request.failures) for c in absent])
                chosen.append(absent[int(rng.choice(len(absent), p=weights / weights.sum()))])
        return Proposal(join_clauses(base, chosen), parents, kind)


def split_clauses(text: str, clauses: Sequence[Clause]) -> tuple[str, list[Clause]]:
    """Returns an instruction's base and its clauses, in the order of their places."""
    present = sorted((c for c in clauses if c.text in text), key=lambda c: text.index(c.text))
    for clause in present:
        text = text.replace(clause.text, " ", 1)
    return re.sub(r"[ \t]{2,}", " ", text).strip() if present else text, present


def join_clauses(base: str, clauses: Sequence[Clause]) -> str:
    """Returns the instruction of a base and some clauses."""
    return " ".join(part for part in (base, *(c.text for c in clauses)) if part)


def read_library(data: Any) -> dict[str, list[Clause]]:
    """Returns a library from JSON data.

    Raises:
        DataError: If it is none.
    """
    by_world = data if isinstance(data, dict) else {"": data}
    library: dict[str, list[Clause]] = {}
    try:
        for world, rows in by_world.items():
            library[world] = [
                Clause(row) if isinstance(row, str) else Clause(**row) for row in rows
            ]
            for clause in library[world]:
                if not isinstance(clause.text, str) or not clause.text.strip():
                    raise ValueError(f"clause {clause.text!r} is no sentence")
                re.compile(clause.cue)
    except (TypeError, ValueError, re.error) as error:
        raise DataError(
            f"A clause library must hold lists of sentences, got {type(error).__name__}: {error}. "
            "turnwise_agents.instructions.proposers describes one."
        ) from error
    if not any(library.values()):
        raise DataError("A clause library must hold at least one clause, got none.")
    return library


def load_library(path: Path | None = None) -> dict[str, list[Clause]]:
    """Returns the library of a file, or the one that comes with the package.

    Raises:
        DataError: If the file is missing or no library.
    """
    source = files("turnwise_agents.instructions") / "clauses.json" if path is None else path
    try:
        data = json.loads(source.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} must be a JSON file of clauses, got {error}.") from error
    return read_library(data)
