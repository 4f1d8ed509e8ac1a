"""The second level of GiGPO: steps that start from the same state are compared."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from difflib import SequenceMatcher
from typing import Any

import numpy as np
import numpy.typing as npt

from turnwise_agents.estimators.checks import expect_rank
from turnwise_agents.estimators.group_relative import (
    Std,
    encode_ids,
    group_relative_advantages,
)
from turnwise_agents.estimators.returns import Floats, Ints
from turnwise_envs.errors import UsageError

LARGE_GROUP = 10
"""Steps from which on an anchor group is large."""


def _expect_one_per_step(name: str, count: int, steps: int) -> None:
    if count != steps:
        raise UsageError(
            f"{name} must have one entry per step ({steps}), got {count}. "
            "Pass the key of the state before each step."
        )


def anchor_groups(group_ids: npt.NDArray[Any], anchors: Sequence[Hashable]) -> Ints:
    """Numbers the anchor groups: steps of one task group that start from the same anchor.

    Steps of one trajectory that return to an anchor are members too; steps of different task
    groups never share an anchor group.

    Args:
        group_ids: [S] int; the task group of each step.
        anchors: [S] what identifies the state before each step.

    Returns:
        [S] int, equal exactly where two steps share an anchor group.

    Raises:
        UsageError: If the lengths differ.

    References:
        GiGPO, arXiv:2505.10978, equation 6; the authors' code hashes the same way.
    """
    expect_rank(1, group_ids=group_ids)
    _expect_one_per_step("anchors", len(anchors), len(group_ids))
    ids = encode_ids(anchors)
    return group_ids * (int(ids.max(initial=0)) + 1) + ids


def similar_anchor_groups(
    group_ids: npt.NDArray[Any], observations: Sequence[str], *, threshold: float = 0.95
) -> Ints:
    """Numbers anchor groups of steps with similar observation texts.

    Greedy, in the order given: a step joins the *first* anchor group of its task group, in order
    of creation, whose representative (its first member) is similar enough, else it opens a new
    one. Similarity is difflib's ratio of (observation, representative). The result depends on the
    order of the steps; at worst every step is compared with every representative.

    Args:
        group_ids: [S] int; the task group of each step.
        observations: [S] text before each step.
        threshold: least similarity, between 0 and 1 (both excluded).

    Returns:
        [S] anchor group of each step, numbered by first appearance.

    Raises:
        UsageError: If the lengths differ or the threshold is out of range.

    References:
        The similarity option of the authors' code (search tasks use 0.9, its default is 0.95).
    """
    expect_rank(1, group_ids=group_ids)
    _expect_one_per_step("observations", len(observations), len(group_ids))
    if not 0.0 < threshold < 1.0:
        raise UsageError(f"threshold must be between 0 and 1 (both excluded), got {threshold}.")
    clusters: dict[int, list[tuple[int, SequenceMatcher[str]]]] = {}
    # Clusters are only ever appended, so an equal text always joins the same one again.
    known: dict[tuple[int, str], int] = {}
    count = 0
    found = np.empty(len(group_ids), dtype=np.int64)
    for i, key in enumerate(zip(group_ids.tolist(), observations, strict=True)):
        cluster = known.get(key)
        if cluster is None:
            group, text = key
            own = clusters.setdefault(group, [])
            cluster = _first_similar(text, own, threshold)
            if cluster is None:
                cluster = count
                count += 1
                own.append((cluster, SequenceMatcher(None, "", text)))
            known[key] = cluster
        found[i] = cluster
    return found


def _first_similar(
    text: str, clusters: Sequence[tuple[int, SequenceMatcher[str]]], threshold: float
) -> int | None:
    for cluster, matcher in clusters:
        matcher.set_seq1(text)
        # The two quick ratios are upper bounds: they only spare the dear comparison.
        if (
            matcher.real_quick_ratio() >= threshold
            and matcher.quick_ratio() >= threshold
            and matcher.ratio() >= threshold
        ):
            return cluster
    return None


def step_advantages(
    step_returns: Floats,
    anchor_ids: npt.NDArray[Any],
    *,
    normalize_std: bool = True,
    eps: float = 1e-6,
    std: Std = "unbiased",
) -> Floats:
    """Compares the return of each step with those of its anchor group.

        A^S_{i,t} = (G_{i,t} - mean(G_b)) / (std(G_b) + eps),    b = anchor group of step (i, t)

    A step that is alone in its anchor group gets 0. Without normalize_std the advantages of an
    anchor group sum to 0.

    Args:
        step_returns: [S] discounted return from each step on.
        anchor_ids: [S] int, from `anchor_groups`.
        normalize_std: whether to divide by the standard deviation (else the factor is 1).
        eps: added to the standard deviation, in units of return.
        std: "unbiased" or "population".

    Returns:
        [S] step advantages, in the order given.

    Raises:
        UsageError: If shapes differ.

    References:
        GiGPO, arXiv:2505.10978, equation 7; the authors' code agrees, with the unbiased std.
    """
    return group_relative_advantages(
        step_returns, anchor_ids, normalize_std=normalize_std, eps=eps, std=std
    )


def anchor_statistics(anchor_ids: npt.NDArray[Any]) -> dict[str, float]:
    """Returns how well steps meet.

    Returns:
        "merge_rate" (share of steps in anchor groups of two or more), "anchor_group_size" (mean
        number of steps of an anchor group), "singleton_share" and "large_group_share" (share of
        anchor groups with one step, with `LARGE_GROUP` and more); all 0 without steps.
    """
    expect_rank(1, anchor_ids=anchor_ids)
    if not len(anchor_ids):
        names = ("merge_rate", "anchor_group_size", "singleton_share", "large_group_share")
        return dict.fromkeys(names, 0.0)
    _, sizes = np.unique(anchor_ids, return_counts=True)
    return {
        "merge_rate": float(sizes[sizes > 1].sum() / len(anchor_ids)),
        "anchor_group_size": float(sizes.mean()),
        "singleton_share": float((sizes == 1).mean()),
        "large_group_share": float((sizes >= LARGE_GROUP).mean()),
    }
