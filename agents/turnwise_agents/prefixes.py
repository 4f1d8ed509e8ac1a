"""Sequences that share their beginnings, laid out so that every shared token is computed once.

The beliefs of an episode are scored after every turn, and each prompt extends the one before it: T
turns of a conversation of L tokens would cost T forwards of up to L tokens. As a tree they cost one
forward of L tokens and the answers. A token of a tree sees its ancestors alone, and its position
is its depth, so its log-probability is that of its own sequence.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

SMALL_TREE = 512
"""Tokens up to which any sequences with a common first token share a tree."""


@dataclass
class TokenTree:
    """Some sequences as one tree.

    Attributes:
        ids: the tokens, each after the one it follows.
        parents: position of the token that each one follows, -1 for the first.
        paths: number of a sequence -> positions of its tokens, in order.
    """

    ids: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    paths: dict[int, list[int]] = field(default_factory=dict)


def token_trees(sequences: Sequence[Sequence[int]], max_tokens: int) -> list[TokenTree]:
    """Returns trees that hold every sequence once.

    Neighbours in lexicographic order share the longest beginnings, so the sequences are taken in
    that order, and one joins the tree of the one before it as long as the tree stays small: within
    `SMALL_TREE` tokens or twice its longest sequence (attention grows with the square of a tree's
    size), and within `max_tokens`.

    Args:
        sequences: non-empty lists of ids.
        max_tokens: limit of a tree that holds more than one sequence.
    """
    trees: list[TokenTree] = []
    before: list[int] = []
    longest = 0
    for number in sorted(range(len(sequences)), key=lambda i: list(sequences[i])):
        ids = list(sequences[number])
        shared = common_prefix(before, ids)
        longest = max(longest, len(ids))
        size = len(trees[-1].ids) + len(ids) - shared if trees else 0
        if not shared or size > min(max_tokens, max(SMALL_TREE, 2 * longest)):
            trees.append(TokenTree())
            before, shared, longest = [], 0, len(ids)
        tree = trees[-1]
        path = tree.paths[_last(tree)][:shared] if shared else []
        for token in ids[shared:]:
            tree.parents.append(path[-1] if path else -1)
            path.append(len(tree.ids))
            tree.ids.append(token)
        tree.paths[number] = path
        before = ids
    return trees


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """Returns the number of leading tokens that two lists share."""
    shortest = min(len(a), len(b))
    return bisect_left(range(1, shortest + 1), True, key=lambda n: a[:n] != b[:n])


def _last(tree: TokenTree) -> int:
    return next(reversed(tree.paths))
