"""How fast the search world is, BM25 beside the bm25s package, and how well the keys group states.

    python benchmarks/speed/search.py               # steps, resets, snapshots; BM25 at 10,000
    python benchmarks/speed/search.py --large       # BM25 at 1,000,000 passages (minutes, 6 GB)
    python benchmarks/speed/search.py --keys        # aliasing and splitting of the keys

Rates are the best of several repeats on one core, through `gym.make`, with `info` complete (menu
and all three keys); the median is printed beside them. The policy is uniform over the menu; nearly
every search of it is new, so the cache of queries hardly helps. Both BM25s search one index with
the same five-word queries, taken in turn; ours gets text, the package words that are cut already.
"""

import argparse
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bm25s
import gymnasium as gym
import numpy as np
from household import call_rate, repeat, resident, step_rate
from key_groups import print_keys

import turnwise_envs
from turnwise_envs.search.articles import passages
from turnwise_envs.search.bm25 import BM25Index, tokenize
from turnwise_envs.search.corpus import Corpus
from turnwise_envs.search.tasks import shared_world
from turnwise_envs.search.world import World, WorldOptions

ID = "turnwise/MultiHopSearch-v0"
LARGE_ARTICLES = 481_000
"""Articles of a world of a million passages."""


def speed(repeats: int) -> None:
    """Prints the rates of the environment."""
    before, start = resident(), time.perf_counter()
    env = gym.make(ID, actions="menu")
    env.reset(seed=0)
    cold = time.perf_counter() - start
    corpus = env.unwrapped.retriever.corpus
    print(f"{ID}: {len(corpus):,} passages")
    print(f"  first make and reset {cold:.2f} s, {resident() - before:.0f} MB")
    start = time.perf_counter()
    gym.make(ID, actions="menu").reset(seed=1)
    print(f"  second environment   {1e3 * (time.perf_counter() - start):.1f} ms")
    print("  steps     ", repeat(lambda i: step_rate(env, i), repeats))
    print("  resets    ", repeat(lambda i: call_rate(env.reset, 300), repeats))
    print("  searches  ", repeat(lambda i: search_rate(env.unwrapped.retriever.index, i), repeats))
    env.reset(seed=0)
    env.step(env.unwrapped.expert_action())
    blob = turnwise_envs.snapshot(env)
    for name, call in (
        ("snapshot", lambda: turnwise_envs.snapshot(env)),
        ("restore", lambda: turnwise_envs.restore(env, blob)),
        ("expert", env.unwrapped.expert_action),
    ):
        best = max(call_rate(call, 200) for _ in range(repeats))
        print(f"  {name:<10} {1e3 / best:.3f} ms")


def search_rate(index: BM25Index, seed: int) -> float:
    """Returns five-word searches per second, none of them twice."""
    queries = iter(five_words(shared_world(WorldOptions()).corpus, 500, seed))
    return call_rate(lambda: index.search(next(queries), 3), 500)


def five_words(corpus: Corpus, count: int, seed: int) -> list[str]:
    """Returns queries of five different words that stand in one passage."""
    rng = random.Random(seed)
    queries: list[str] = []
    while len(queries) < count:
        words = list(dict.fromkeys(tokenize(corpus[rng.randrange(len(corpus))].text)))
        if len(words) >= 5:
            queries.append(" ".join(rng.sample(words, 5)))
    return queries


def beside_package(corpus: Corpus, count: int) -> None:
    """Prints milliseconds a query of ours and of bm25s, over one index on disk."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build_index(corpus, folder)
        measure_searches(corpus, folder, count)


def measure_searches(corpus: Corpus, folder: Path, count: int) -> None:
    """Prints the percentiles of every side, over the index in `folder`."""
    index = timed("open", lambda: BM25Index.open(folder))
    sides: dict[str, Callable[[str], object]] = {"ours": lambda query: index.search(query, 3)}
    for backend in ("numpy", "numba"):
        package = bm25s.BM25.load(folder, mmap=True, backend=backend, show_progress=False)
        sides[f"bm25s {backend}"] = lambda query, package=package: package.retrieve(
            [tokenize(query)], k=3, show_progress=False
        )
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for place, query in enumerate(five_words(corpus, count + 5, 0)):
        for name, search in sides.items():
            start = time.perf_counter()
            search(query)
            if place >= 5:  # the first ones load pages and compile
                spent[name].append(1e3 * (time.perf_counter() - start))
    ours = statistics.median(spent["ours"])
    print(f"  BM25 over {len(corpus):,} passages, {count} queries of five words, k = 3")
    for name, times in spent.items():
        p50, p99 = np.percentile(times, [50, 99])
        print(f"    {name:<12} p50 {p50:8.3f} ms   p99 {p99:8.3f} ms   ratio {p50 / ours:6.2f}")


def timed(name: str, make: Callable[[], Any]) -> Any:
    """Returns what `make` returns; prints how long it took and the memory held after it."""
    start = time.perf_counter()
    made = make()
    print(f"  {name:<10} {time.perf_counter() - start:7.1f} s, then {resident():7,.0f} MB held")
    return made


def generate(articles: int) -> Corpus:
    """Returns the corpus of a generated world; prints what it took."""
    world = timed("world", lambda: World(WorldOptions(articles)))
    return timed("corpus", lambda: Corpus.build(passages(world)))


def build_index(corpus: Corpus, folder: Path) -> None:
    """Writes the index of a corpus; prints what it took."""
    index = timed("index", lambda: BM25Index.build(corpus.texts()))
    timed("save", lambda: index.save(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(
        f"  {len(corpus):,} passages of {corpus.nbytes / 1e6:,.0f} MB, "
        f"{len(index.vocabulary):,} words, {len(index.indices):,} postings in "
        f"{index.nbytes / 1e6:,.0f} MB; peak {peak:,.0f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--keys", action="store_true", help="measure the keys instead")
    parser.add_argument("--large", action="store_true", help="measure a large corpus instead")
    parser.add_argument("--articles", type=int, default=LARGE_ARTICLES, help="of --large")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=10)
    arguments = parser.parse_args()
    if arguments.keys:
        print_keys(ID, tasks=70, episodes=8, actions="menu")
    elif arguments.large:
        beside_package(generate(arguments.articles), arguments.queries)
    else:
        speed(arguments.repeats)
        beside_package(shared_world(WorldOptions()).corpus, arguments.queries)


if __name__ == "__main__":
    main()
