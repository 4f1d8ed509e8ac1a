"""The generated task sets of multi-hop search."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from turnwise_envs.errors import UsageError
from turnwise_envs.search import checksums
from turnwise_envs.search.articles import passages
from turnwise_envs.search.corpus import Corpus
from turnwise_envs.search.question import Question
from turnwise_envs.search.questions import QuestionSpace, kinds
from turnwise_envs.search.schema import WORLD
from turnwise_envs.search.world import World, WorldOptions
from turnwise_envs.splits import STREAM, GeneratedTaskSet, Task

TASKS_PER_SPLIT = 10_000
MAX_HOPS = 4
DEFAULT_HOPS = (1, 3)
SPLITS = ("train", "valid", "test", "ood_hops", "ood_relations")


class SharedWorld:
    """A world with its corpus and its question spaces, built once in a process.

    Args:
        options: what to generate.
    """

    def __init__(self, options: WorldOptions) -> None:
        self.world = World(options)
        self.corpus = Corpus.build(passages(self.world))
        self._spaces: dict[tuple[str, str, int], QuestionSpace] = {}

    def space(self, split: str, kind: str, count: int) -> QuestionSpace:
        """Returns the questions of one type of a split."""
        key = (split, kind, count)
        if key not in self._spaces:
            self._spaces[key] = QuestionSpace(self.world, split, kind, count)
        return self._spaces[key]


@lru_cache(maxsize=4)
def shared_world(options: WorldOptions) -> SharedWorld:
    """Returns the world with these options, the same object for everybody in this process."""
    return SharedWorld(options)


class SearchTasks(GeneratedTaskSet):
    """The generated questions of one split.

    Args:
        split: name of the split.
        hops: (least, most) facts in a chain.
        options: the world's.

    Raises:
        UsageError: If `hops` cannot be used.
    """

    def __init__(self, split: str, hops: Sequence[int], options: WorldOptions) -> None:
        self.world_options = options
        least, most = expect_hops(hops)
        super().__init__(
            split,
            generator=WORLD,
            options={
                "hops": [least, most],
                "num_articles": options.num_articles,
                "difficulty": options.difficulty,
            },
            kinds=kinds(split, least, most),
            size=None if split == STREAM else TASKS_PER_SPLIT,
        )

        self._tabled = (least, most) == DEFAULT_HOPS and options == WorldOptions()

    @property
    def shared(self) -> SharedWorld:
        """The world that is asked about."""
        return shared_world(self.world_options)

    @property
    def corpus(self) -> Corpus:
        """The passages of the world.

        Raises:
            EnvironmentFault: If what comes out differs from what this version committed to.
        """
        corpus = self.shared.corpus
        if self._tabled:
            checksums.check_corpus(corpus.digest)
        return corpus

    def build(self, task: Task) -> Question:
        """Builds the question of a task of this set."""
        count = -(-TASKS_PER_SPLIT // len(self.kinds))
        space = self.shared.space(self.split, task.kind, count)
        return space.question(task.index // len(self.kinds))

    def question(self, task: Task) -> Question:
        """Returns the question of a task of this set.

        Raises:
            EnvironmentFault: If what comes out differs from what this version committed to.
        """
        question = self.build(task)
        if self._tabled and self.size is not None:
            row = SPLITS.index(self.split) * TASKS_PER_SPLIT + task.index
            checksums.check_question(row, question)
        return question


def expect_hops(hops: Sequence[int]) -> tuple[int, int]:
    """Returns `hops` as (least, most).

    Raises:
        UsageError: If it is anything but two integers with 1 <= least <= most <= 4.
    """
    ok = (
        isinstance(hops, Sequence)
        and len(hops) == 2
        and all(type(hop) is int for hop in hops)
        and 1 <= hops[0] <= hops[1] <= MAX_HOPS
    )
    if not ok:
        raise UsageError(
            f"hops must be (least, most) with 1 <= least <= most <= {MAX_HOPS}, got {hops!r}."
        )
    return hops[0], hops[1]
