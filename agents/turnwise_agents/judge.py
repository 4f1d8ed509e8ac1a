r"""Judges: a score for an episode that no program can verify.

    rules:FILE              regular expressions with points, no model, no network
    openai:MODEL@BASE_URL   an OpenAI-compatible endpoint

A rule file is JSON:

    {"low": 0, "high": 10, "start": 5,
     "rules": [{"pattern": "please|thank", "points": 1, "where": "action", "most": 3},
               {"pattern": "nothing happens", "points": -1, "where": "observation"}]}

Every turn that matches (ignoring case) earns the points, `most` turns at most; the score starts at
`start` and stays within [low, high]. `where` is "action" or "observation" (the answer to it).

A judge that fails, stalls or answers nonsense voids that episode, as broken infrastructure does: it
leaves statistics and gradient and is counted (`rollout/stop_error`), and the run goes on.
"""

from __future__ import annotations

import json
import logging
import math
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from turnwise_agents.endpoint import EndpointConfig, EndpointPolicy
from turnwise_agents.journal import Journal
from turnwise_agents.policies import PolicyFault, keyed_seed
from turnwise_agents.types import Group, Trajectory
from turnwise_envs.errors import DataError, UsageError

if TYPE_CHECKING:
    from turnwise_agents.algorithms.base import Services

_LOG = logging.getLogger(__name__)

JUDGE_FILE = "judge.jsonl"
CRITERIA = """\
You grade how well an agent did its task. Read the episode, then answer with one line

Score: X

where X is a number from {low:g} (failed) to {high:g} (done perfectly)."""
_SCORE = re.compile(r"score\s*:?\s*\**\s*(-?\d+(?:\.\d+)?)", re.IGNORECASE)


class Judge(Protocol):
    """Grades finished episodes. What it raises voids them; a UsageError ends the run."""

    def __call__(self, trajectories: Sequence[Trajectory]) -> list[float | None]:
        """Returns one score per episode, None where no sound one could be had."""
        ...


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Points for turns whose text matches a pattern; see the module's page."""

    pattern: str
    points: float
    where: Literal["action", "observation"] = "action"
    most: int | None = None

    def __post_init__(self) -> None:
        if self.where not in ("action", "observation"):
            raise UsageError(f'where must be "action" or "observation", got {self.where!r}.')
        for name in ("points", "most"):
            value = getattr(self, name)
            if not (_is_number(value) or (name == "most" and value is None)):
                raise UsageError(f"{name} of a rule must be a number, got {value!r}.")
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise UsageError(
                f"pattern must be a regular expression, got {self.pattern!r} ({error})."
            ) from error


class RuleJudge:
    """Grades by rules; see the module's page."""

    def __init__(
        self, rules: Sequence[Rule], *, low: float = 0.0, high: float = 10.0, start: float = 0.0
    ) -> None:
        if not all(map(_is_number, (low, high, start))) or not low <= start <= high:
            raise UsageError(f"start must be in [low, high] = [{low}, {high}], got {start!r}.")
        self.low, self.high, self.start = low, high, start
        self._rules = [(rule, re.compile(rule.pattern, re.IGNORECASE)) for rule in rules]

    @classmethod
    def from_file(cls, path: Path) -> RuleJudge:
        """Reads a rule file.

        Raises:
            DataError: If it is missing or no rule file.
            UsageError: If a rule cannot be.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            rules = [Rule(**rule) for rule in data.pop("rules")]
            return cls(rules, **data)
        except (OSError, TypeError, KeyError, AttributeError, json.JSONDecodeError) as error:
            raise DataError(
                f"{path} must be a JSON object with rules, got {type(error).__name__}: {error}. "
                "turnwise_agents.judge shows one."
            ) from error

    def __call__(self, trajectories: Sequence[Trajectory]) -> list[float | None]:
        """Returns the scores."""
        return [self._score(trajectory) for trajectory in trajectories]

    def _score(self, trajectory: Trajectory) -> float:
        texts = {
            "action": [turn.generations[-1].text for turn in trajectory.turns],
            "observation": observations(trajectory)[1:],
        }
        score = self.start
        for rule, pattern in self._rules:
            hits = sum(pattern.search(text) is not None for text in texts[rule.where])
            score += rule.points * (hits if rule.most is None else min(hits, rule.most))
        return min(self.high, max(self.low, score))


class EndpointJudge:
    """Asks an OpenAI-compatible endpoint, greedily, several episodes at a time.

    Replies are journalled by what was asked, so a resumed run is graded as it was.

    Args:
        name: "openai:MODEL@BASE_URL".
        journal: where replies are kept.
        criteria: the system's message, with {low} and {high}.
        low, high: bounds of a sound score.
        config: time-outs and repetitions; a judge that stays away costs what they add up to.
        concurrency: requests at a time.
        patience: requests of an iteration that may stay unanswered; the rest of it is then not
            asked for, so that a dead endpoint does not hold up the run for hours.
    """

    def __init__(
        self,
        name: str,
        journal: Journal,
        *,
        criteria: str = CRITERIA,
        low: float = 0.0,
        high: float = 10.0,
        config: EndpointConfig | None = None,
        concurrency: int = 8,
        patience: int = 8,
    ) -> None:
        self.name = name
        self.journal = journal
        self.low, self.high = low, high
        self.system = criteria.format(low=low, high=high)
        self.concurrency = concurrency
        self.patience = patience
        self._unanswered = 0
        self._endpoint = EndpointPolicy(
            name,
            temperature=0.0,
            max_new_tokens=256,
            config=config or EndpointConfig(timeout_s=60.0, max_retries=2),
        )

    def __call__(self, trajectories: Sequence[Trajectory]) -> list[float | None]:
        """Returns the scores; equal transcripts are asked once.

        Raises:
            UsageError: If the endpoint refuses the very first request: key, model or address.
        """
        texts = [transcript(trajectory) for trajectory in trajectories]
        keys = [self.journal.key(self.name, self.system, text) for text in texts]
        asked = zip(keys, texts, strict=True)
        open_requests = {k: t for k, t in asked if self.journal.get(k) is None}
        self._unanswered = 0
        with ThreadPoolExecutor(self.concurrency, thread_name_prefix="judge") as pool:
            replies = pool.map(self._ask, open_requests, open_requests.values())
            for key, reply in zip(open_requests, replies, strict=True):
                if reply is not None:
                    self.journal.add(key, reply)
        return [self.read(self.journal.get(key)) for key in keys]

    def _ask(self, key: str, text: str) -> str | None:
        if self._unanswered >= self.patience:
            return None
        messages = [
            {"role": "system", "content": self.system},
            {"role": "user", "content": text},
        ]
        try:
            answer = self._endpoint.complete(messages, key=key, seed=keyed_seed(key) & 0x7FFFFFFF)
        except PolicyFault:
            self._unanswered += 1
            return None
        except UsageError:
            # Refused. At the start that is a wrong setting; later, a judge that failed.
            if not len(self.journal):
                raise
            self._unanswered += 1
            return None
        return str(answer["text"])

    def read(self, reply: str | None) -> float | None:
        """Returns the last score in a reply, None if there is none within the bounds."""
        found = _SCORE.findall(reply or "")
        score = float(found[-1]) if found else math.nan
        return score if self.low <= score <= self.high else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def observations(trajectory: Trajectory) -> list[str]:
    """Returns the texts that the episode showed, the last one too: one more than turns."""
    return [*(turn.observation for turn in trajectory.turns), trajectory.final_observation]


def transcript(trajectory: Trajectory) -> str:
    """Returns an episode as text: observations and completions in turn, no gold answer."""
    shown = observations(trajectory)
    lines = [shown[0]]
    for turn, seen in zip(trajectory.turns, shown[1:], strict=True):
        lines += [f"> {turn.generations[-1].text}", seen]
    return "\n".join(lines)


class JudgeReward:
    """A reward shaper: the judge's score at each episode's last turn.

    Attributes:
        channel: name of the channel.
        immediate: no; the score flows back like any outcome.
        metrics: of the last call: "judge/score", "judge/void_share", "time/judge_s".
    """

    channel = "judge"
    immediate = False

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}

    def __call__(self, groups: list[Group], services: Services) -> None:
        """Writes the channel; an episode without a sound score is void."""
        assert services.judge is not None
        started = time.perf_counter()
        played = [t for g in groups if g.purpose == "train" for t in g.valid if t.turns]
        sound = []
        for trajectory, score in zip(played, _scores(services.judge, played), strict=True):
            if score is None:
                trajectory.stop, trajectory.verdict = "error", "error"
                trajectory.error = "The judge gave no sound score."
            else:
                trajectory.turns[-1].channels[self.channel] = score
                sound.append(score)
        self.metrics = {
            "judge/void_share": 1.0 - len(sound) / max(1, len(played)),
            "time/judge_s": time.perf_counter() - started,
        }
        if sound:
            self.metrics["judge/score"] = sum(sound) / len(sound)


def _scores(judge: Judge, trajectories: Sequence[Trajectory]) -> list[float | None]:
    """Returns what a judge says, None for each score that is not sound."""
    try:
        scores = list(judge(trajectories))
    except UsageError:
        raise
    except Exception as error:
        # Whatever a judge does, the run goes on.
        _LOG.warning("The judge failed: %s: %s", type(error).__name__, error)
        return [None] * len(trajectories)
    if len(scores) != len(trajectories):
        _LOG.warning("The judge gave %d scores for %d episodes.", len(scores), len(trajectories))
        return [None] * len(trajectories)
    return [float(s) if s is not None and _is_number(s) else None for s in scores]


def make_judge(name: str, run_dir: Path) -> Judge | None:
    """Returns the judge of a run.

    Args:
        name: "rules:FILE", "openai:MODEL@BASE_URL", or "" for none.
        run_dir: replies are journalled in `run_dir/judge.jsonl`.

    Raises:
        UsageError: If it is none of these.
    """
    if not name:
        return None
    kind, _, rest = name.partition(":")
    if kind == "rules" and rest:
        return RuleJudge.from_file(Path(rest))
    if kind == "openai":
        return EndpointJudge(name, Journal(run_dir / JUDGE_FILE))
    raise UsageError(f'judge must be "rules:FILE", "openai:MODEL@BASE_URL" or "", got {name!r}.')
