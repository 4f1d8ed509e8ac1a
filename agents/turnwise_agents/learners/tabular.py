"""A learner whose policy, value heads and further models are tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from turnwise_agents.algorithms.base import Outputs
from turnwise_agents.estimators.checks import expect_choice
from turnwise_agents.tabular import TabularVocabulary
from turnwise_agents.types import Segment
from turnwise_envs.errors import UsageError

_MASKED = -1e30
_STATE = ("values", "mean", "square", "steps")


@dataclass(frozen=True, kw_only=True)
class TabularLearnerConfig:
    """Optimiser of a tabular policy."""

    learning_rate: float = 1.0
    """In logits per step for "adam"; usually 0.3 to 3."""
    head_learning_rate: float = 0.1
    """Of value heads, in units of return per step for "adam"."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """"adam" keeps moments and step counts per row, and moves only rows of the minibatch."""
    betas: tuple[float, float] = (0.9, 0.99)
    """Decays of Adam's two moments, per visit of a row."""
    max_grad_norm: float = 0.0
    """Bound on the norm of each minibatch's gradient; 0 leaves it."""
    demonstrations: int = 0
    """Times that the world's demonstrator is asked at a new row and instruction, to fix where the
    policy begins (`turnwise_agents.heeding`); 0 begins uniform, and every instruction has rows of
    its own."""
    carelessness: float = 0.3
    """Share of random actions in that beginning, above 0 and at most 1."""

    def __post_init__(self) -> None:
        expect_choice("optimizer", self.optimizer, ("adam", "sgd"))
        if not 0 < self.carelessness <= 1:
            raise UsageError(
                f"carelessness must be above 0 and at most 1, got {self.carelessness}."
            )
        for name in ("learning_rate", "head_learning_rate", "max_grad_norm", "demonstrations"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} must be non-negative, got {getattr(self, name)}.")


class _Table:
    """[rows, width] float64 values with Adam's state, grown by doubling and updated by rows."""

    def __init__(self, width: int, *, trainable: bool, learning_rate: float, init: float = 0.0):
        self.trainable = trainable
        self.learning_rate = learning_rate
        self.init = init
        self.values = torch.zeros(0, width, dtype=torch.float64)
        self.mean = torch.zeros_like(self.values)
        self.square = torch.zeros_like(self.values)
        self.steps = torch.zeros(0, 1, dtype=torch.float64)
        self.pending: list[tuple[Tensor, Tensor]] = []

    def reserve(self, rows: int, width: int) -> None:
        """Makes room; new entries have the initial value."""
        old_rows, old_width = self.values.shape
        if rows <= old_rows and width <= old_width:
            return
        rows = old_rows if rows <= old_rows else max(64, rows, 2 * old_rows)
        width = old_width if width <= old_width else max(width, 2 * old_width)
        for name in _STATE:
            old: Tensor = getattr(self, name)
            columns = 1 if name == "steps" else width
            new = torch.full((rows, columns), self.init if name == "values" else 0.0).double()
            new[: old.shape[0], : old.shape[1]] = old
            setattr(self, name, new)

    def read(self, rows: Tensor, width: int) -> Tensor:
        """Returns [B, width] of the rows; differentiable where trainable."""
        if not (self.trainable and torch.is_grad_enabled()):
            return self.values[rows, :width]
        unique, inverse = torch.unique(rows, return_inverse=True)
        leaf = self.values[unique, :width].requires_grad_()
        self.pending.append((unique, leaf))
        return leaf[inverse]

    def take_gradient(self) -> tuple[Tensor, Tensor] | None:
        """Returns (rows, [rows, width] gradient) since the last call, or None."""
        parts = [(rows, leaf.grad) for rows, leaf in self.pending if leaf.grad is not None]
        self.pending = []
        if not parts:
            return None
        rows, inverse = torch.unique(torch.cat([r for r, _ in parts]), return_inverse=True)
        total = torch.zeros(len(rows), self.values.shape[1], dtype=torch.float64)
        start = 0
        for own, grad in parts:
            index = inverse[start : start + len(own)]
            total[:, : grad.shape[1]].index_add_(0, index, grad)
            start += len(own)
        return rows, total

    def update(self, rows: Tensor, grad: Tensor, config: TabularLearnerConfig) -> None:
        """Takes one step on some rows."""
        if config.optimizer == "sgd":
            self.values[rows] -= self.learning_rate * grad
            return
        beta1, beta2 = config.betas
        steps = self.steps[rows] + 1
        mean = beta1 * self.mean[rows] + (1 - beta1) * grad
        square = beta2 * self.square[rows] + (1 - beta2) * grad.square()
        self.steps[rows], self.mean[rows], self.square[rows] = steps, mean, square
        corrected = (square / (1 - beta2**steps)).sqrt() + 1e-12
        self.values[rows] -= self.learning_rate * (mean / (1 - beta1**steps)) / corrected

    def state_dict(self, rows: int) -> dict[str, Any]:
        self.reserve(rows, 0)
        tensors = {name: getattr(self, name)[:rows].clone() for name in _STATE}
        return {"trainable": self.trainable, "init": self.init, **tensors}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.trainable, self.init, self.pending = state["trainable"], state["init"], []
        for name in _STATE:
            setattr(self, name, state[name].clone())


class TabularLearner:
    """Tables behind the `Learner` protocol.

    A segment is [row] or [row, column]. Rows that were never trained have logits 0, and what the
    vocabulary's heeding of instructions fixes. Nothing but
    the rows of a minibatch is touched by a step, so its cost does not grow with the table.

    Args:
        config: the optimiser.
        vocabulary: shared with the contexts; part of the state.
    """

    scores_trees = False

    def __init__(self, config: TabularLearnerConfig, vocabulary: TabularVocabulary) -> None:
        self.config = config
        self.vocabulary = vocabulary
        self.device = torch.device("cpu")
        self.version = 0
        self._models = {"policy": _Table(1, trainable=True, learning_rate=config.learning_rate)}
        self._heads: dict[str, _Table] = {}
        self._sizes = torch.zeros(0, dtype=torch.int64)

    def _reserve(self) -> None:
        rows = len(self.vocabulary)
        if len(self._sizes) < rows:
            self._sizes = torch.tensor(self.vocabulary.sizes(), dtype=torch.int64)
        width = int(self._sizes.max()) if rows else 1
        for table in self._models.values():
            table.reserve(rows, width)
        for table in self._heads.values():
            table.reserve(rows, 1)

    def forward(
        self,
        segments: Sequence[Segment],
        needs: frozenset[str] = frozenset(),
        models: frozenset[str] = frozenset(),
        model: str = "policy",
    ) -> Outputs:
        """Returns per-token outputs; see `Learner.forward`.

        Raises:
            UsageError: If a segment is longer than two, a row or column is unknown, or a model or
                head was never added.
        """
        self._reserve()
        lengths = np.array([len(s.input_ids) for s in segments])
        if len(lengths) and not 1 <= lengths.min() <= lengths.max() <= 2:
            raise UsageError("A tabular segment must be [row] or [row, column], got a longer one.")
        rows = torch.tensor([s.input_ids[0] for s in segments], dtype=torch.int64)
        columns = torch.tensor([s.input_ids[-1] for s in segments], dtype=torch.int64)
        scored = torch.from_numpy(lengths == 2)
        columns = torch.where(scored, columns, 0)
        if len(rows) and int(rows.max()) >= len(self._sizes):
            raise UsageError(f"rows must be below {len(self._sizes)}, got {int(rows.max())}.")
        sizes = self._sizes[rows]
        asked = torch.tensor([s.loss_mask[-1] for s in segments], dtype=torch.bool)
        if bool((asked & scored & (columns >= sizes)).any()):
            raise UsageError("columns must be on the menu of their row, got a larger one.")
        columns = torch.where(columns < sizes, columns, 0)
        width = max(1, int(sizes.max())) if len(rows) else 1
        outside = torch.arange(width)[None, :] >= sizes.clamp(min=1)[:, None]
        trained, offset = self._heeded(rows, width)
        temperatures = torch.tensor([s.temperature for s in segments], dtype=torch.float64)

        def distribution(name: str) -> Tensor:
            logits = (self._table(name).read(trained, width) + offset) / temperatures[:, None]
            return logits.masked_fill(outside, _MASKED).log_softmax(dim=1)

        def spread(values: Tensor) -> Tensor:
            values = torch.where(scored, values, 0.0)
            return torch.stack([torch.zeros_like(values), values], dim=1)[:, : max(lengths)]

        def chosen(logs: Tensor) -> Tensor:
            return spread(logs.gather(1, columns[:, None])[:, 0])

        logs = distribution(model)
        outputs = Outputs(logprobs=chosen(logs))
        if "entropy" in needs:
            outputs.entropy = spread(-torch.where(outside, 0.0, logs.exp() * logs).sum(dim=1))
        if "values" in needs:
            outputs.values = spread(self._head("values").read(rows, 1)[:, 0])
        with torch.no_grad():
            outputs.models = {name: chosen(distribution(name)) for name in sorted(models)}
        return outputs

    def _heeded(self, rows: Tensor, width: int) -> tuple[Tensor, Tensor]:
        """Returns the [B] rows that are trained for `rows`, and [B or 1, width] fixed logits."""
        heeding = self.vocabulary.heeding
        if heeding is None:
            return rows, torch.zeros(1, width, dtype=torch.float64)
        asked = rows.numpy()
        fixed = heeding.fixed(asked, np.arange(width)[None, :])
        return torch.from_numpy(heeding.shared(asked)), torch.from_numpy(fixed)

    def _table(self, name: str) -> _Table:
        if name not in self._models:
            raise UsageError(
                f"model must be one of {sorted(self._models)}, got {name!r}. Call add_model first."
            )
        return self._models[name]

    def _head(self, name: str) -> _Table:
        if name not in self._heads:
            raise UsageError(
                f"head must be one of {sorted(self._heads)}, got {name!r}. Call add_head first."
            )
        return self._heads[name]

    def backward(self, loss: Tensor) -> None:
        """Adds the gradient of `loss` (nothing if it depends on no table)."""
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]

    def step(self) -> dict[str, float]:
        """Takes one optimiser step on every row with a gradient."""
        tables = [*self._models.values(), *self._heads.values()]
        found = [(table, table.take_gradient()) for table in tables]
        updates = [(table, *gradient) for table, gradient in found if gradient is not None]
        norm = float(sum(float(grad.square().sum()) for _, _, grad in updates)) ** 0.5
        limit = self.config.max_grad_norm
        scale = limit / norm if limit and norm > limit else 1.0
        for table, rows, grad in updates:
            table.update(rows, grad * scale, self.config)
        self.version += 1
        return {"grad_norm": norm, "learning_rate": self.config.learning_rate}

    def add_head(self, name: str, init: float = 0.0) -> None:
        """Adds a column of values, `init` in every row; does nothing if it is there."""
        rate = self.config.head_learning_rate
        self._heads.setdefault(name, _Table(1, trainable=True, learning_rate=rate, init=init))

    def add_model(
        self,
        name: str,
        init: str = "policy",
        trainable: bool = False,
        learning_rate_factor: float = 1.0,
    ) -> None:
        """Adds a copy of a model's table; does nothing if it is there."""
        if name in self._models:
            return
        self._reserve()
        rate = self.config.learning_rate * learning_rate_factor
        table = _Table(1, trainable=trainable, learning_rate=rate)
        source = self._table(init)
        table.reserve(*source.values.shape)
        table.values = source.values.clone()
        self._models[name] = table

    def weights(self) -> Any:
        """Returns the policy's logits, [rows, columns], as a shared numpy array."""
        self._reserve()
        return self._models["policy"].values.numpy()

    def state_dict(self) -> dict[str, Any]:
        """Returns tables, optimiser states and the vocabulary."""
        self._reserve()
        rows = len(self.vocabulary)
        return {
            "version": self.version,
            "vocabulary": self.vocabulary.state_dict(),
            "models": {name: table.state_dict(rows) for name, table in self._models.items()},
            "heads": {name: table.state_dict(rows) for name, table in self._heads.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Reverses `state_dict`.

        Raises:
            UsageError: If it is no tabular state, or its models or heads are others.
        """
        if "vocabulary" not in state:
            raise UsageError("The checkpoint must be of a tabular policy, got another model's.")
        owned = (("models", self._models), ("heads", self._heads))
        for kind, own in owned:
            if set(state[kind]) != set(own):
                raise UsageError(
                    f"The {kind} of the checkpoint must be {sorted(own)}, got "
                    f"{sorted(state[kind])}. Resume with the run's own configuration."
                )
        for kind, own in owned:
            for name, table in own.items():
                table.load_state_dict(state[kind][name])
        self.vocabulary.load_state_dict(state["vocabulary"])
        self._sizes = torch.zeros(0, dtype=torch.int64)
        self.version = state["version"]
