"""The environment contract: `TextEnv`, its info schema and its snapshots.

One `step` is one turn of the agent: raw completion in, observation text out.

    env = gym.make("turnwise/Household-v0", split="train")
    obs, info = env.reset(seed=0)                      # info: every key of INFO_KEYS, fresh objects
    obs, reward, terminated, truncated, info = env.step("go to fridge 1")

A family subclasses `TextEnv` and writes the hooks at its end; everything common to all worlds
(task selection, action formats, turn limit, info, snapshots) is here, once.
"""

from __future__ import annotations

import hashlib
import json
import operator
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import gymnasium as gym

from turnwise_envs.errors import SnapshotError, UnknownTaskError, UsageError
from turnwise_envs.formats import ActionFormat, Tool, make_action_format
from turnwise_envs.snapshots import SNAPSHOT_SCHEMA, decode_snapshot, restore, snapshot
from turnwise_envs.spaces import MAX_ACTION_CHARS, MAX_OBSERVATION_CHARS, TextSpace, cut_middle
from turnwise_envs.splits import Task, TaskSet, expect_split, shared_task_set

__all__ = [
    "COMMON_ARGUMENTS",
    "INFO_KEYS",
    "StepResult",
    "TextEnv",
    "digest",
    "restore",
    "snapshot",
]

INFO_KEYS = (
    "task_id",
    "state_key",
    "belief_key",
    "anchor_key",
    "action",
    "format_is_valid",
    "action_is_valid",
    "admissible_actions",
    "reward_components",
    "metrics",
    "cost",
    "success",
    "score",
    "verdict",
    "reference",
    "evidence",
)
"""Keys present in every `info`, on `reset` and on `step`; types and meanings: `TextEnv`."""

COMMON_ARGUMENTS = frozenset(
    {
        "split",
        "expose_reference",
        "action_format",
        "actions",
        "max_turns",
        "instruction",
        "render_mode",
    }
)
"""Constructor arguments of every world; all others choose its tasks and go to `task_set`."""


def digest(data: bytes | str) -> str:
    """Returns the house digest of `data`: 16 hexadecimal digits, equal in every process."""
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=8).hexdigest()


@dataclass(slots=True)
class StepResult:
    """What a world answers to one applicable or inapplicable (but parsed) action.

    Attributes:
        observation: the text shown to the agent.
        reward_components: named parts of this step's reward; the reward is their sum.
        terminated: whether the task has ended.
        action_is_valid: whether the action was applicable in this state.
        success: outcome so far.
        score: outcome so far, in [0, 1].
        verdict: the grader's reason code; empty while the episode runs.
        metrics: anything worth plotting that is not additive reward.
        cost: tokens, tool calls, money; no wall-clock time.
    """

    observation: str
    reward_components: dict[str, float] = field(default_factory=dict)
    terminated: bool = False
    action_is_valid: bool = True
    success: bool = False
    score: float = 0.0
    verdict: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)


class TextEnv(gym.Env[str, str]):
    """Base class of all turnwise environments.

    The agent passes its raw completion to `step`; the environment's `action_format` owns the
    syntax. A completion that cannot be parsed is a turn with an observation that says so, never an
    exception. `terminated` is the task's end; `truncated` the turn limit's, counted here because
    `gymnasium.wrappers.TimeLimit` forgets its count across a restore.

    `info` holds, on `reset` and `step`, always fresh objects:

    | key | type | meaning |
    |---|---|---|
    | `task_id` | str | the task's id in its `TaskSet` |
    | `state_key` | str | digest of what decides later observations and rewards |
    | `belief_key` | str | digest of what the agent has been shown that matters |
    | `anchor_key` | str | task-relevant projection for grouping states |
    | `action` | str | the parsed action ("" after reset) |
    | `format_is_valid`, `action_is_valid` | bool | it parsed; it was applicable |
    | `admissible_actions` | list[str] or None | the finite set where there is one |
    | `reward_components` | dict[str, float] | parts of this step's reward; they add up to it |
    | `metrics`, `cost` | dict[str, float] | for plots; for budgets |
    | `success`, `score`, `verdict` | bool, float, str | outcome so far; reason code at the end |
    | `reference`, `evidence` | list[str] or None | gold; only with `expose_reference=True` |

    Args of the constructor common to every world (all keyword only):
        split: which tasks `reset` draws from.
        expose_reference: whether `info` carries gold answers; never in an observation.
        action_format: "plain" (the text is the action), "xml", "tool_json", or an `ActionFormat`.
        actions: "text", or "menu" for a finite action set in `admissible_actions`.
        max_turns: turns after which the episode is truncated; None takes the world's default.
        instruction: role and strategy shown to the agent; None takes the world's.
        render_mode: "ansi" or None.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012 (Gymnasium's type)

    splits: ClassVar[tuple[str, ...]] = ("train",)
    default_max_turns: ClassVar[int] = 50
    default_instruction: ClassVar[str] = ""
    grammar: str = ""
    """The fixed description of legal actions, always appended to the instruction."""
    tools: tuple[Tool, ...] = ()
    """The same actions as JSON tools; worlds without any get one generic tool."""
    state_key_exact: ClassVar[bool] = True
    reward_names: tuple[str, ...] = ()
    """Every reward component that the world can give; if it names any, every `metrics/NAME` and
    `cost/NAME`, too. () where it does not say."""

    def __init__(
        self,
        *,
        split: str = "train",
        expose_reference: bool = False,
        action_format: str | ActionFormat = "plain",
        actions: str = "text",
        max_turns: int | None = None,
        instruction: str | None = None,
        render_mode: str | None = None,
    ) -> None:
        expect_split(split, self.splits)
        if actions not in ("text", "menu"):
            raise UsageError(f'actions must be "text" or "menu", got {actions!r}.')
        if max_turns is not None and (type(max_turns) is not int or max_turns < 1):
            raise UsageError(f"max_turns must be a positive integer or None, got {max_turns!r}.")
        if render_mode not in (None, "ansi"):
            raise UsageError(f'render_mode must be "ansi" or None, got {render_mode!r}.')
        self.split = split
        self.expose_reference = expose_reference
        self.action_format = make_action_format(action_format, self.tools)
        self.actions = actions
        self.max_turns = self.default_max_turns if max_turns is None else max_turns
        self.instruction = self.default_instruction if instruction is None else instruction
        self.render_mode = render_mode
        self.observation_space = TextSpace(MAX_OBSERVATION_CHARS)
        self.action_space = TextSpace(MAX_ACTION_CHARS)
        self.task: Task | None = None
        self.turn = 0
        self._over = True
        self._observation = ""
        self._result = StepResult("")
        self._action = ""
        self._format_is_valid = True
        self._tasks: TaskSet | None = None

    # ---------------------------------------------------------------- tasks

    @property
    def tasks(self) -> TaskSet:
        """The tasks of this environment's split (found on first use, shared in the process)."""
        if self._tasks is None:
            self._tasks = self.make_tasks()
        return self._tasks

    def _select_task(self, options: Mapping[str, Any]) -> Task:
        if unknown := set(options) - {"task_id", "task_index"}:
            raise UsageError(
                'reset options must be "task_id", "task_index" or "snapshot" (alone), '
                f"got {sorted(map(str, unknown))}."
            )
        if len(options) > 1:
            raise UsageError("reset options must name one task, got task_id and task_index.")
        if "task_id" in options:
            return self.tasks.lookup(options["task_id"])
        if "task_index" in options:
            try:
                index = operator.index(options["task_index"])
            except TypeError as error:
                raise UsageError(
                    f"task_index must be an integer, got {options['task_index']!r}."
                ) from error
            return self.tasks[index]
        return self.tasks.draw(self.np_random)

    def __getstate__(self) -> dict[str, Any]:
        # Task sets are shared in a process and can be large; a copy finds its own again.
        return {**self.__dict__, "_tasks": None}

    # ---------------------------------------------------------------- gymnasium

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Starts an episode.

        Args:
            seed: selects the task (unless `options` names one) and all randomness.
            options: `{"task_id": str}` or `{"task_index": int}` to play one task, or
                `{"snapshot": bytes}` to go on from a snapshot (what `turnwise_envs.restore` does).

        Returns:
            The first observation and `info`.

        Raises:
            UnknownTaskError: If the task does not exist in this split.
            UsageError: If `options` holds anything else.
            SnapshotError: If the snapshot is of another environment or damaged.
        """
        super().reset(seed=seed)
        options = options or {}
        self._over = True  # until the new episode stands
        if set(options) == {"snapshot"}:
            self._restore(options["snapshot"], reseeded=seed is not None)
            return self._observation, self._info()
        self.task = self._select_task(options)
        self.turn = 0
        self._action = ""
        self._format_is_valid = True
        self._observation = cut_middle(self.start(self.task), MAX_OBSERVATION_CHARS)
        self._result = StepResult(self._observation)
        self._over = False
        return self._observation, self._info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Plays one turn.

        Args:
            action: the agent's raw completion; any text is answered.

        Returns:
            observation, reward, terminated, truncated, info.

        Raises:
            gymnasium.error.ResetNeeded: If no episode is running.
            TypeError: If the action is not a string.
        """
        if self._over:
            raise gym.error.ResetNeeded("The episode is over. Call reset() before step().")
        if not isinstance(action, str):
            raise TypeError(
                f"action must be str, got {type(action).__name__}. "
                "Pass the agent's raw completion as text."
            )
        parsed = self.action_format.parse(action)
        if len(parsed.action) > MAX_ACTION_CHARS:
            # The completion may be longer: a long thought must not cut off the action after it.
            parsed.action = parsed.action[:MAX_ACTION_CHARS]
        self.turn += 1
        if parsed.error:
            old = self._result
            result = StepResult(
                parsed.error, action_is_valid=False, success=old.success, score=old.score
            )
        else:
            result = self.apply(parsed.action)
        self._action = parsed.action
        self._format_is_valid = not parsed.error
        self._result = result
        observation = result.observation
        if len(observation) > MAX_OBSERVATION_CHARS:
            observation = cut_middle(observation, MAX_OBSERVATION_CHARS)
        self._observation = observation
        truncated = not result.terminated and self.turn >= self.max_turns
        self._over = result.terminated or truncated
        if truncated and not result.verdict:
            result.verdict = "turn_limit"
        reward = float(sum(result.reward_components.values()))
        return observation, reward, result.terminated, truncated, self._info()

    def render(self) -> str | None:
        """Returns the last exchange as text where `render_mode="ansi"`."""
        if self.render_mode != "ansi":
            return None
        return f"> {self._action}\n{self._observation}" if self.turn else self._observation

    def _info(self) -> dict[str, Any]:
        result = self._result
        state_key, belief_key, anchor_key = self.keys()
        reference, evidence = self.gold() if self.expose_reference else (None, None)
        assert self.task is not None
        return {
            "task_id": self.task.id,
            "state_key": state_key,
            "belief_key": belief_key,
            "anchor_key": anchor_key,
            "action": self._action,
            "format_is_valid": self._format_is_valid,
            "action_is_valid": result.action_is_valid,
            "admissible_actions": self.admissible_actions(),
            "reward_components": dict(result.reward_components),
            "metrics": dict(result.metrics),
            "cost": dict(result.cost),
            "success": result.success,
            "score": result.score,
            "verdict": result.verdict,
            "reference": reference,
            "evidence": evidence,
        }

    # ---------------------------------------------------------------- snapshots

    def get_state(self) -> dict[str, Any]:
        """Returns everything this environment needs to go on, as JSON data (header included)."""
        if self.task is None:
            raise SnapshotError("There is no episode to snapshot. Call reset() first.")
        result = self._result
        return {
            "schema": SNAPSHOT_SCHEMA,
            "env_id": self._id(),
            "arguments": self.identity(),
            "task_id": self.task.id,
            "turn": self.turn,
            "over": self._over,
            "observation": self._observation,
            "action": self._action,
            "format_is_valid": self._format_is_valid,
            "result": {
                "reward_components": dict(result.reward_components),
                "terminated": result.terminated,
                "action_is_valid": result.action_is_valid,
                "success": result.success,
                "score": result.score,
                "verdict": result.verdict,
                "metrics": dict(result.metrics),
                "cost": dict(result.cost),
            },
            "rng": self.np_random.bit_generator.state,
            "world": self.get_world(),
        }

    def _restore(self, blob: bytes, *, reseeded: bool) -> None:
        try:
            state = decode_snapshot(blob)["env"]
            self._check_header(state)
            self.task = self.tasks.lookup(state["task_id"])
            self.turn = state["turn"]
            self._observation = state["observation"]
            self._action = state["action"]
            self._format_is_valid = state["format_is_valid"]
            self._result = StepResult(state["observation"], **state["result"])
            if not reseeded:
                self.np_random.bit_generator.state = state["rng"]
            self.set_world(self.task, state["world"])
            self._over = state["over"]
        except UnknownTaskError as error:
            raise SnapshotError(f"The snapshot's task does not exist here. {error}") from error
        except (AttributeError, LookupError, TypeError, OverflowError) as error:
            raise SnapshotError(
                f"The snapshot's content does not fit this environment ({error!r}). Take it again "
                "with the version that restores it."
            ) from error

    def _check_header(self, state: dict[str, Any]) -> None:
        for name, mine in (("schema", SNAPSHOT_SCHEMA), ("env_id", self._id())):
            if state[name] != mine:
                raise SnapshotError(
                    f"The snapshot's {name} must be {mine!r}, got {state[name]!r}. "
                    "Restore it into the environment that made it."
                )
        # Through JSON, as the snapshot went: a tuple among the arguments is a list there.
        arguments = json.loads(json.dumps(self.identity()))
        theirs = state["arguments"]
        differing = sorted(
            k for k in arguments.keys() | theirs.keys() if arguments.get(k) != theirs.get(k)
        )
        if differing:
            raise SnapshotError(
                f"The snapshot was made with other arguments: {', '.join(differing)} "
                f"was {[theirs.get(k) for k in differing]}, "
                f"here {[arguments.get(k) for k in differing]}."
            )

    def _id(self) -> str:
        return self.spec.id if self.spec is not None else type(self).__name__

    def identity(self) -> dict[str, Any]:
        """Returns the arguments that a snapshot's reader must share (JSON data)."""
        return {
            "split": self.split,
            "actions": self.actions,
            "action_format": self.action_format.name,
            "max_turns": self.max_turns,
        }

    # ---------------------------------------------------------------- hooks of a world

    @classmethod
    @abstractmethod
    def task_set(cls, split: str, **options: Any) -> TaskSet:
        """Returns the tasks of `split` (cheap: tasks are materialised lazily).

        Args:
            split: one of `cls.splits`, or "stream".
            **options: constructor arguments of this world, those of `COMMON_ARGUMENTS` left out;
                the ones that do not choose tasks are ignored.
        """

    def task_options(self) -> dict[str, Any]:
        """Returns the arguments of this instance that `task_set` takes (JSON data)."""
        return {}

    def make_tasks(self) -> TaskSet:
        """Returns the tasks of `self.split`."""
        return shared_task_set(type(self), self.split, self.task_options())

    @abstractmethod
    def start(self, task: Task) -> str:
        """Sets the world to the start of `task` and returns the first observation."""

    @abstractmethod
    def apply(self, action: str) -> StepResult:
        """Applies a parsed action. Answers any text; raises `EnvironmentFault` if broken."""

    @abstractmethod
    def keys(self) -> tuple[str, str, str]:
        """Returns (state_key, belief_key, anchor_key) of the current state."""

    @abstractmethod
    def get_world(self) -> Any:
        """Returns the world's mutable state as JSON data."""

    @abstractmethod
    def set_world(self, task: Task, state: Any) -> None:
        """Puts the world into `state`, which `get_world` returned for `task`."""

    def admissible_actions(self) -> list[str] | None:
        """Returns a fresh list of the finite action set (the menu in menu mode), or None."""
        return None

    def gold(self) -> tuple[list[str] | None, list[str] | None]:
        """Returns fresh lists (reference answers, evidence), None where there is none."""
        return None, None

    def answer_action(self, answer: str) -> str | None:
        """Returns the *action* that gives a final answer (not rendered), None where none is given.

        By default the tool named "answer" says how, where it has one parameter.
        """
        for tool in self.tools:
            if tool.name == "answer" and len(tool.parameters) == 1:
                return tool.action(dict.fromkeys(tool.parameters, answer))
        return None

    def expert_action(self) -> str | None:
        """Returns the oracle's next *action* (not rendered), or None where no plan is known."""
        return None

    def demonstration_action(self, rng: Any, instruction: str | None = None) -> str | None:
        """Returns a demonstrator's next action, for supervision; the oracle's by default.

        A world with hidden state overrides this with a demonstrator that uses only what the agent
        was shown: imitating an oracle's knowledge teaches guessing. One that heeds instructions
        follows `instruction`, the world's own unless given; most heed none.
        """
        return self.expert_action()

    def random_action(self, rng: Any) -> str:
        """Returns the floor policy's action: uniform over the admissible actions."""
        actions = self.admissible_actions()
        if not actions:
            return ""
        return actions[int(rng.integers(len(actions)))]
