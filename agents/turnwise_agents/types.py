"""The records that travel from a rollout to the gradient.

A `Generation` is one call of the model; a `Turn` is one `env.step`; a `Trajectory` is an episode;
a `Group` holds trajectories that share task and start. The unit **rewarded** is a turn or a
trajectory; the unit **trained** is a `Segment` (`context.segments`). Every record carries explicit
ids: nothing infers a group from a stride.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

SCHEMA_VERSION = 1

FinishReason = Literal["stop", "length", "abort"]
StopReason = Literal["env", "turns", "context", "tokens", "time", "error"]
Origin = Literal["on_policy", "hinted", "retry", "replay", "demonstration"]
Purpose = Literal["train", "verify", "probe", "reflect"]


@dataclass(slots=True, kw_only=True)
class Sampling:
    """How completions are drawn.

    Attributes:
        temperature: divides the logits; 0 is greedy.
        top_p: nucleus mass; training wants 1.0 so that log-probabilities are exact.
        max_new_tokens: limit of one generation.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    max_new_tokens: int = 64


@dataclass(slots=True, kw_only=True)
class Budget:
    """Limits of one episode; None means the environment's own limit only."""

    max_turns: int | None = None
    max_tokens: int | None = None
    max_tool_calls: int | None = None


@dataclass(slots=True, kw_only=True)
class Branch:
    """Where a new episode starts inside an old one.

    Attributes:
        trajectory: the parent; its first `turn_index` turns become an untrained prefix.
        turn_index: the turn that the new episode plays first.
        snapshot: the environment's state before that turn.
    """

    trajectory: Trajectory
    turn_index: int
    snapshot: bytes


@dataclass(slots=True, kw_only=True)
class RolloutSpec:
    """A request for `count` episodes of one task; what `Algorithm.plan` returns.

    Attributes:
        env_id: registered environment id.
        task_id: the task in its TaskSet.
        group_id: the group the trajectories belong to (finished groups of equal id are extended).
        count: number of episodes.
        instruction: replaces the environment's instruction; None keeps it.
        instruction_id: name of that instruction.
        parent: continue from a snapshot of an earlier trajectory.
        prompt_patch: text added to the prompt for sampling only (a hint, a reflection); stripped
            from `Generation.train_prompt_ids`.
        budget: limits of turns, tokens and tool calls.
        sampling: overrides the run's sampling.
        roles: the generations of each turn; the last one acts.
        keep_snapshots: keep the environment's state before every turn (`Turn.snapshot`).
        train: whether these trajectories may enter the gradient.
        purpose: why they are sampled; all purposes count as environment steps.
        origin: what their trajectories are marked with.
    """

    env_id: str
    task_id: str
    group_id: str
    count: int
    instruction: str | None = None
    instruction_id: str = ""
    parent: Branch | None = None
    prompt_patch: str = ""
    budget: Budget = field(default_factory=Budget)
    sampling: Sampling | None = None
    roles: tuple[str, ...] = ("act",)
    keep_snapshots: bool = False
    train: bool = True
    purpose: Purpose = "train"
    origin: Origin = "on_policy"


@dataclass(slots=True, kw_only=True)
class Generation:
    """One call of the model.

    Attributes:
        prompt_ids: the exact ids the sampler saw.
        completion_ids: the sampled ids, the end-of-turn token included where it was sampled.
        sampler_logprobs: log-probability of each completion id at sampling, [len(completion_ids)].
        old_logprobs: the trainer's own, where recomputed; else None and the sampler's serve.
        finish_reason: "stop" (end token), "length" (limit), "abort".
        role: "act" passes its text to the environment; others think, summarise, reflect.
        trainable: whether its tokens may enter the loss.
        train_prompt_ids: the prompt to train on where it differs from `prompt_ids`.
        temperature: at which it was sampled.
        policy_version: number of the weights that sampled it.
        text: the decoded completion, without the end token.
    """

    prompt_ids: list[int]
    completion_ids: list[int]
    sampler_logprobs: list[float]
    old_logprobs: list[float] | None = None
    finish_reason: FinishReason = "stop"
    role: str = "act"
    trainable: bool = True
    train_prompt_ids: list[int] | None = None
    temperature: float = 1.0
    policy_version: int = 0
    text: str = ""


@dataclass(slots=True, kw_only=True)
class Turn:
    """One `env.step`: what was seen, generated, done and got.

    Attributes:
        turn_index: position in the trajectory.
        observation: the text the turn answered.
        generations: usually one; the last acts.
        action: the parsed action.
        state_key, belief_key, anchor_key: *before* the action.
        admissible_actions: before the action, where the run records them.
        format_is_valid, action_is_valid: it parsed; it was applicable.
        reward: sum of `reward_components`, *after* the action.
        reward_components, metrics, cost: after the action, as in `info`.
        channels: named rewards that `Algorithm.shape` adds, one float per turn or per token.
        snapshot: the environment's state before the action, where the spec asked for it.
    """

    turn_index: int
    observation: str
    generations: list[Generation]
    action: str = ""
    state_key: str = ""
    belief_key: str = ""
    anchor_key: str = ""
    admissible_actions: list[str] | None = None
    format_is_valid: bool = True
    action_is_valid: bool = True
    reward: float = 0.0
    reward_components: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)
    channels: dict[str, float | list[float]] = field(default_factory=dict)
    snapshot: bytes | None = None

    @property
    def trainable(self) -> bool:
        """Whether any generation of this turn may enter the loss."""
        return any(g.trainable for g in self.generations)


@dataclass(slots=True, kw_only=True)
class Trajectory:
    """One episode.

    Attributes:
        final_prompt_ids: the prompt after the last observation (bootstrap at truncation, last
            belief).
        final_observation: its text.
        stop: what ended it: "env" (task over), "turns", "context", "tokens", "time", "error".
        success, score, verdict: the outcome, as in `info`.
        task_kind: the task's type, for metrics.
        parent: id of the trajectory it branched from, and the turn.
        reference, evidence: gold, only where the algorithm asked for it; never recorded.
        error: the message where `stop == "error"`; such a trajectory enters no statistics.
    """

    env_id: str
    task_id: str
    group_id: str
    trajectory_id: str
    turns: list[Turn]
    final_prompt_ids: list[int] = field(default_factory=list)
    final_observation: str = ""
    final_anchor_key: str = ""
    stop: StopReason = "env"
    success: bool = False
    score: float = 0.0
    verdict: str = ""
    task_kind: str = ""
    instruction_id: str = ""
    origin: Origin = "on_policy"
    purpose: Purpose = "train"
    train: bool = True
    parent: tuple[str, int] | None = None
    reference: list[str] | None = None
    evidence: list[str] | None = None
    error: str = ""
    schema_version: int = SCHEMA_VERSION

    @property
    def episode_return(self) -> float:
        """Undiscounted sum of the environment's rewards."""
        return sum(turn.reward for turn in self.turns)

    @property
    def failed(self) -> bool:
        """Whether infrastructure broke: counted and shown, never in statistics or gradients."""
        return self.stop == "error"

    def to_dict(self) -> dict[str, Any]:
        """Returns JSON data; gold answers and snapshots are stripped."""
        data = asdict(self)
        del data["reference"], data["evidence"]
        for turn in data["turns"]:
            del turn["snapshot"]
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Trajectory:
        """Reverses `to_dict`."""
        if data.get("schema_version") != SCHEMA_VERSION:
            raise ValueError(
                f"schema_version must be {SCHEMA_VERSION}, got {data.get('schema_version')!r}. "
                "Read the file with the turnwise version that wrote it."
            )
        data = dict(data)
        data["turns"] = [
            Turn(**{**t, "generations": [Generation(**g) for g in t["generations"]]})
            for t in data["turns"]
        ]
        if data.get("parent") is not None:
            data["parent"] = tuple(data["parent"])
        return cls(**data)


@dataclass(slots=True, kw_only=True)
class Group:
    """Trajectories of one task that are compared with each other; any number of them."""

    group_id: str
    env_id: str
    task_id: str
    trajectories: list[Trajectory]
    purpose: Purpose = "train"

    @property
    def valid(self) -> list[Trajectory]:
        """The trajectories that enter statistics."""
        return [t for t in self.trajectories if not t.failed]


@dataclass(slots=True, kw_only=True)
class Credit:
    """The advantage of one trajectory.

    Attributes:
        trajectory_id: whose.
        turn: one advantage per turn, [T_i].
        token: optional, one list per turn aligned with the completion ids of its *trainable*
            generations in order; overrides `turn`.
        extras: further per-token numbers that the loss wants (value targets, ...), by name, laid
            out as `token`.
    """

    trajectory_id: str
    turn: list[float]
    token: list[list[float]] | None = None
    extras: dict[str, list[list[float]]] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Segment:
    """One token sequence to train on, cut from one trajectory.

    Attributes:
        input_ids: [L] all ids.
        loss_mask: [L] True where the model generated the token and it is trained on.
        turn_indices: [L] the turn that generated the token, -1 for prompt tokens.
        advantages: [L] 0 outside the mask.
        sampler_logprobs: [L] log-probability at sampling, 0 outside the mask.
        old_logprobs: [L] the trainer's before the update, 0 outside the mask.
        temperature: of the generations (one per segment).
        extras: name -> [L], from `Credit.extras`, 0 outside the mask.
        parents: [L] position of the token that each token follows, before it, -1 for the first;
            None where each follows the one before it. With it a segment is a tree of sequences
            that share their beginnings, for learners that `scores_trees`.
    """

    trajectory_id: str
    group_id: str
    input_ids: list[int]
    loss_mask: list[bool]
    turn_indices: list[int]
    advantages: list[float] = field(default_factory=list)
    sampler_logprobs: list[float] = field(default_factory=list)
    old_logprobs: list[float] = field(default_factory=list)
    temperature: float = 1.0
    extras: dict[str, list[float]] = field(default_factory=dict)
    parents: list[int] | None = None

    @property
    def num_tokens(self) -> int:
        """Number of tokens in the loss."""
        return sum(self.loss_mask)
