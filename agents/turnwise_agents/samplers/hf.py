"""Sampling from any transformers causal language model, with a cache that lives across turns.

A conversation is a session: its keys and values stay in one row of a `RaggedCache`, and a turn
computes only the ids that the cache lacks. New ids enter as chunks padded on the left, so that the
last column predicts every row's next token; then all rows decode token by token, and finished rows
leave the computation.

Models whose layers do not all attend to the whole past (sliding windows, linear attention), and
attention kernels that take no mask, have no persistent cache here: their prompts are computed
anew every turn, by transformers' own cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import DynamicCache

from turnwise_agents.samplers.base import Request
from turnwise_agents.samplers.drawing import Draw
from turnwise_agents.samplers.kv_cache import RaggedCache
from turnwise_agents.types import Generation
from turnwise_envs.errors import UsageError

_MAX_CHUNK_TOKENS = 16_384
"""Padded tokens of one prefill forward; bounds its memory."""


@dataclass
class CacheStats:
    """Token counts since the sampler was made."""

    prefilled: int = 0
    """Prompt tokens that were computed."""
    reused: int = 0
    """Prompt tokens whose keys and values were already there."""
    generated: int = 0
    """Completion tokens."""
    forwards: int = 0
    """Calls of the model."""


@dataclass(slots=True)
class _Session:
    row: int
    ids: list[int] = field(default_factory=list)


class HFSampler:
    """Completes prompts with a transformers causal language model.

    `sampler_logprobs` are those of the temperature-scaled softmax over the *whole* vocabulary, in
    float32, also where `top_p` or `choices` cut the distribution that was drawn from: they are what
    the learner recomputes, and train without bias only if nothing was cut. At temperature 0 the
    likeliest token is taken and the log-probabilities are those of temperature 1.

    Args:
        model: the model; shared with the learner where both live in one process.
        stop_ids: ids that end a completion (kept as its last id), besides those that the model's
            own generation config names.
        pad_id: any id; its keys and values are never seen.
        persistent: keep the cache between calls; None does where the model allows it.
    """

    def __init__(
        self,
        model: Any,
        *,
        stop_ids: Sequence[int],
        pad_id: int = 0,
        persistent: bool | None = None,
    ) -> None:
        if not stop_ids:
            raise UsageError(
                "stop_ids must name at least one id, got none. Pass the tokenizer's end of turn."
            )
        self.model = model
        self.pad_id = pad_id
        self.counts = CacheStats()
        self._reported = CacheStats()
        self.version = 0
        self.device = next(model.parameters()).device
        config = model.config.get_text_config()
        self._vocab_size: int = config.vocab_size
        self._layers: int = config.num_hidden_layers
        possible = supports_persistent_cache(config)
        if persistent and not possible:
            raise UsageError(
                "persistent must be False for this model, got True. Its layers or its attention "
                "kernel cannot resume from a ragged cache (sdpa and eager, full attention can)."
            )
        self.persistent = possible if persistent is None else persistent
        self._is_stop = np.zeros(self._vocab_size + 1, dtype=bool)
        self._is_stop[[i for i in (*stop_ids, *_own_stop_ids(model)) if i < self._vocab_size]] = (
            True
        )
        self._cache = RaggedCache(self._layers, self.device)
        self._sessions: dict[str, _Session] = {}
        self._row_owner: list[str | None] = []

    # ---------------------------------------------------------------- sessions

    def fork(self, session_id: str, new_session_id: str) -> None:
        """Starts `new_session_id` with a copy of a session's cache; of nothing, if unknown."""
        source = self._sessions.get(session_id)
        if source is None or not source.ids or not self.persistent:
            return
        target = self._open(new_session_id)
        with torch.inference_mode():
            self._cache.copy_row(source.row, target.row)
        target.ids = list(source.ids)

    def close(self, session_ids: Sequence[str]) -> None:
        """Frees sessions; unknown ids are ignored."""
        for session_id in session_ids:
            session = self._sessions.pop(session_id, None)
            if session is not None:
                self._row_owner[session.row] = None
        if not self._sessions:
            self._row_owner.clear()
            self._cache.extent = 0

    def load(self, weights: Any, version: int) -> None:
        """Takes weights: the shared module itself, another module, or a state dict.

        A new `version` voids every cached key and value; the sessions themselves stay open.
        """
        if weights is not self.model:
            state = weights.state_dict() if isinstance(weights, nn.Module) else weights
            self.model.load_state_dict(state)
        if version != self.version or weights is not self.model:
            for session in self._sessions.values():
                session.ids = []
        self.version = version

    def _open(self, session_id: str) -> _Session:
        session = self._sessions.get(session_id)
        if session is None:
            if None in self._row_owner:
                row = self._row_owner.index(None)
                self._row_owner[row] = session_id
            else:
                row = len(self._row_owner)
                self._row_owner.append(session_id)
                self._cache.reserve(row + 1, self._cache.capacity - 1)
            session = self._sessions[session_id] = _Session(row)
        return session

    def stats(self) -> dict[str, float]:
        """Returns "cache_hit_share" and "sampler_forwards" since the last call."""
        now, before = self.counts, self._reported
        self._reported = replace(now)
        reused, prefilled = now.reused - before.reused, now.prefilled - before.prefilled
        return {
            "cache_hit_share": reused / max(1, reused + prefilled),
            "sampler_forwards": float(now.forwards - before.forwards),
        }

    # ---------------------------------------------------------------- generation

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """Completes every prompt; one `Generation` a request, in order.

        Raises:
            UsageError: If a prompt is empty, or two requests name the same session.
        """
        if not requests:
            return []
        _check(requests, self._vocab_size)
        with torch.inference_mode(), _eval_mode(self.model):
            draw = Draw(requests, self.device)
            if self.persistent:
                tokens, logprobs, lengths = self._generate_persistent(requests, draw)
            else:
                tokens, logprobs, lengths = self._generate_anew(requests, draw)
        self.counts.generated += int(lengths.sum())
        return [
            Generation(
                prompt_ids=request.prompt_ids,
                completion_ids=tokens[i, : lengths[i]].tolist(),
                sampler_logprobs=logprobs[i, : lengths[i]].tolist(),
                finish_reason="stop" if self._is_stop[tokens[i, lengths[i] - 1]] else "length",
                role=request.role,
                temperature=request.sampling.temperature,
                policy_version=self.version,
            )
            for i, request in enumerate(requests)
        ]

    def _generate_persistent(
        self, requests: Sequence[Request], draw: Draw
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        sessions = [self._open(r.session_id) for r in requests]
        starts = np.array(
            [_reusable(s.ids, r.prompt_ids) for s, r in zip(sessions, requests, strict=True)]
        )
        ends = np.array([len(r.prompt_ids) for r in requests])
        self.counts.reused += int(starts.sum())
        self.counts.prefilled += int((ends - starts).sum())
        self._cache.reserve(len(self._row_owner), int((ends + draw.limits).max()))
        live = _row_order(ends - starts, np.array([s.row for s in sessions]))
        self._to_front([sessions[i] for i in live])
        for session in sessions:
            session.ids = []  # void until the call has succeeded
        logits = self._prefill([requests[i].prompt_ids for i in live], starts[live], ends[live])

        tokens = np.zeros((len(requests), int(draw.limits.max())), dtype=np.int64)
        logprobs = np.zeros(tokens.shape, dtype=np.float32)
        lengths = np.zeros(len(requests), dtype=np.int64)
        positions = ends.copy()
        running = np.ones(len(requests), dtype=bool)
        for step in range(tokens.shape[1]):
            active = running[live]
            chosen, chosen_logprobs = draw.choose(logits, live, step)
            going = live[active]
            tokens[going, step] = chosen[active]
            logprobs[going, step] = chosen_logprobs[active]
            lengths[going] = step + 1
            running[going] = ~self._is_stop[chosen[active]] & (step + 1 < draw.limits[going])
            if not running.any():
                break
            live = self._drop_finished(live, running)
            logits = self._decode(tokens[live, step], positions[live], running[live])
            positions[live] += 1
        for i, session in enumerate(sessions):
            # The last token was sampled but never fed, so it has no keys yet.
            session.ids = requests[i].prompt_ids + tokens[i, : lengths[i] - 1].tolist()
        return tokens, logprobs, lengths

    def _to_front(self, sessions: list[_Session]) -> None:
        """Moves the sessions to rows 0, 1, ... by swapping whole rows."""
        owner = self._row_owner
        for target, session in enumerate(sessions):
            source = session.row
            if source != target:
                self._cache.swap(np.array([target]), np.array([source]))
                self._exchange(owner, target, source)

    def _exchange(self, owner: list[str | None], a: int, b: int) -> None:
        owner[a], owner[b] = owner[b], owner[a]
        for row in (a, b):
            name = owner[row]
            if name is not None:
                self._sessions[name].row = row

    def _prefill(
        self,
        prompts: list[list[int]],
        starts: npt.NDArray[np.int64],
        ends: npt.NDArray[np.int64],
    ) -> Tensor:
        """Feeds the uncached ids of rows 0 ... n-1, sorted by their number; last logits [n, V]."""
        outputs = []
        for first, last in _row_ranges(ends - starts):
            width = int((ends - starts)[first:last].max())
            ids = np.full((last - first, width), self.pad_id, dtype=np.int64)
            for i in range(first, last):
                chunk = prompts[i][starts[i] :]
                ids[i - first, width - len(chunk) :] = chunk
            positions = ends[first:last, None] - width + np.arange(width)[None, :]
            positions[positions < starts[first:last, None]] = -1
            outputs.append(self._forward(first, last, ids, positions))
        return torch.cat(outputs)

    def _drop_finished(
        self, live: npt.NDArray[np.int64], running: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.int64]:
        """Swaps running rows to the front and cuts the rest, once that saves a quarter."""
        active = running[live]
        count = int(active.sum())
        if count > 0.75 * len(live):
            return live
        left = np.flatnonzero(~active[:count])
        right = count + np.flatnonzero(active[count:])
        self._cache.swap(left, right)
        for a, b in zip(left.tolist(), right.tolist(), strict=True):
            self._exchange(self._row_owner, a, b)
        live = live.copy()
        live[left], live[right] = live[right], live[left]
        return live[:count]

    def _decode(
        self,
        last_tokens: npt.NDArray[np.int64],
        positions: npt.NDArray[np.int64],
        active: npt.NDArray[np.bool_],
    ) -> Tensor:
        at = np.where(active, positions, -1)
        return self._forward(0, len(at), last_tokens[:, None], at[:, None])

    def _forward(
        self,
        first: int,
        last: int,
        ids: npt.NDArray[np.int64],
        positions: npt.NDArray[np.int64],
    ) -> Tensor:
        """One call of the model on rows first ... last-1; logits of the last column [n, V]."""
        used = int(positions.max()) + 1
        at = torch.from_numpy(positions).to(self.device)
        self._cache.aim(first, last, used, at)
        at = at.clamp_min(0)
        # Padding sees position 0 only, which keeps its softmax finite; nothing reads the result.
        hidden = torch.arange(used, device=self.device) > at[:, None, :, None]
        dtype = self.model.dtype
        mask = torch.zeros(hidden.shape, dtype=dtype, device=self.device)
        mask.masked_fill_(hidden, torch.finfo(dtype).min)
        self.counts.forwards += 1
        outputs = self.model(
            input_ids=torch.from_numpy(ids).to(self.device),
            attention_mask=mask,
            position_ids=at,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = outputs.logits[:, -1]
        return logits

    def _generate_anew(
        self, requests: Sequence[Request], draw: Draw
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """The same without persistence: left-padded prompts and transformers' own cache."""
        count, width = len(requests), max(len(r.prompt_ids) for r in requests)
        ids = torch.full((count, width), self.pad_id, dtype=torch.long)
        mask = torch.zeros((count, width), dtype=torch.long)
        for i, request in enumerate(requests):
            ids[i, width - len(request.prompt_ids) :] = torch.tensor(request.prompt_ids)
            mask[i, width - len(request.prompt_ids) :] = 1
        self.counts.prefilled += int(mask.sum())
        tokens = np.zeros((count, int(draw.limits.max())), dtype=np.int64)
        logprobs = np.zeros(tokens.shape, dtype=np.float32)
        lengths = np.zeros(count, dtype=np.int64)
        running = np.ones(count, dtype=bool)
        cache = DynamicCache(config=self.model.config)
        ids, mask, rows = ids.to(self.device), mask.to(self.device), np.arange(count)
        for step in range(tokens.shape[1]):
            self.counts.forwards += 1
            outputs = self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=(mask.cumsum(-1) - 1).clamp_min(0)[:, -ids.shape[1] :],
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            chosen, chosen_logprobs = draw.choose(outputs.logits[:, -1], rows, step)
            tokens[running, step] = chosen[running]
            logprobs[running, step] = chosen_logprobs[running]
            lengths[running] = step + 1
            running &= ~self._is_stop[chosen] & (step + 1 < draw.limits)
            if not running.any():
                break
            ids = torch.from_numpy(chosen).to(self.device)[:, None]
            mask = torch.cat([mask, mask.new_ones(count, 1)], dim=1)
        return tokens, logprobs, lengths


def supports_persistent_cache(config: Any) -> bool:
    """Whether every layer attends to the whole past through a kernel that takes a mask."""
    if config._attn_implementation not in ("sdpa", "eager"):
        return False
    kinds = getattr(config, "layer_types", None)
    if kinds is not None:
        return all(kind == "full_attention" for kind in kinds)
    return getattr(config, "sliding_window", None) is None and not hasattr(config, "state_size")


def _own_stop_ids(model: Any) -> list[int]:
    ids = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    if ids is None:
        return []
    return [ids] if isinstance(ids, int) else list(ids)


def _check(requests: Sequence[Request], vocab_size: int) -> None:
    seen: set[str] = set()
    for request in requests:
        if not request.prompt_ids:
            raise UsageError(
                f"prompt_ids must hold at least one id, got none (session {request.session_id!r})."
            )
        if max(request.prompt_ids) >= vocab_size:
            raise UsageError(
                f"prompt_ids must be below the model's vocabulary ({vocab_size}), got "
                f"{max(request.prompt_ids)}. Use the tokenizer that belongs to the model."
            )
        if request.sampling.max_new_tokens < 1:
            raise UsageError(
                f"max_new_tokens must be at least 1, got {request.sampling.max_new_tokens}."
            )
        if request.session_id in seen:
            raise UsageError(
                f"session_id must be unique in a batch, got {request.session_id!r} twice."
            )
        seen.add(request.session_id)


def _reusable(cached: list[int], prompt: list[int]) -> int:
    """Length of the common prefix, but at least one id is left to compute."""
    limit = min(len(cached), len(prompt) - 1)
    if cached[:limit] == prompt[:limit]:
        return limit
    return next(i for i in range(limit) if cached[i] != prompt[i])


def _row_order(widths: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Keeps the requests in their rows' order, which moves nothing, where one range holds them."""
    if len(list(_row_ranges(np.sort(widths)))) == 1:
        return np.argsort(rows, kind="stable")
    return np.argsort(widths, kind="stable")


def _row_ranges(widths: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Cuts ascending chunk widths into ranges of little padding and bounded size."""
    first = 0
    for row in range(1, len(widths) + 1):
        if (
            row == len(widths)
            or widths[row] > 2 * widths[first] + 16
            or (row + 1 - first) * widths[row] > _MAX_CHUNK_TOKENS
        ):
            yield first, row
            first = row


@contextmanager
def _eval_mode(model: nn.Module) -> Iterator[None]:
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
