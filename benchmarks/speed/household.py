"""How fast the household world is, and how well its keys group states.

    python benchmarks/speed/household.py                    # rates, snapshots, memory, vectors
    python benchmarks/speed/household.py --keys             # aliasing and splitting of the keys
    python benchmarks/speed/household.py --original GAME    # a game.tw-pddl beside ALFWorld's stack

Rates are the best of several repeats on one core, through `gym.make`, with `info` complete
(admissible commands and all three keys); the median is printed beside them.
"""

import argparse
import importlib
import json
import os
import random
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import gymnasium as gym
from key_groups import print_keys

import turnwise_envs

sys.path.remove(str(Path(__file__).parent))  # or the original would import textworld.py beside this

FULL, SMALL = "turnwise/Household-v0", "turnwise/HouseholdSmall-v0"


def repeat(measure: Callable[[int], float], repeats: int) -> str:
    """Returns "best (median m)" of the rates that `measure(i)` returns."""
    rates = [measure(i) for i in range(repeats)]
    return f"{max(rates):,.0f}/s (median {statistics.median(rates):,.0f})"


def step_rate(env: gym.Env, seed: int, steps: int = 4_000) -> float:
    """Returns steps per second of a uniformly random policy, resets not counted."""
    rng = random.Random(seed)
    spent, count = 0.0, 0
    _, info = env.reset(seed=seed)
    while count < steps:
        draws = [rng.random() for _ in range(50)]
        start = time.perf_counter()
        for draw in draws:
            actions = info["admissible_actions"]
            _, _, terminated, truncated, info = env.step(actions[int(draw * len(actions))])
            count += 1
            if terminated or truncated:
                break
        spent += time.perf_counter() - start
        if terminated or truncated:
            _, info = env.reset()
    return count / spent


def call_rate(call: Callable[[], object], calls: int) -> float:
    """Returns calls per second."""
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return calls / (time.perf_counter() - start)


def memory(env_id: str, count: int = 20) -> float:
    """Returns kilobytes of a live environment in mid-episode, beyond what all share."""
    warm = gym.make(env_id)
    step_rate(warm, 0, 2_000)
    for i in range(count):
        warm.reset(options={"task_index": i})  # layouts and tables of these tasks
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    envs = []
    for i in range(count):
        env = gym.make(env_id)
        _, info = env.reset(seed=i, options={"task_index": i})
        rng = random.Random(i)
        for _ in range(45):
            _, _, over, _, info = env.step(rng.choice(info["admissible_actions"]))
            if over:
                break
            if env.unwrapped.turn + 1 >= env.unwrapped.max_turns:
                break
        envs.append(env)
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return used / count / 1e3


def vector_rate(steps: int = 400, num_envs: int = 8) -> float:
    """Returns steps per second of an asynchronous vector, over all its environments."""
    vector = gym.make_vec(FULL, num_envs=num_envs, vectorization_mode="async")
    vector.reset(seed=0)
    commands = ["look", "inventory", "go to cabinet 1", "go to drawer 1", "go to garbagecan 1"]
    rng = random.Random(0)
    for _ in range(20):
        vector.step(tuple(rng.choice(commands) for _ in range(num_envs)))
    start = time.perf_counter()
    for _ in range(steps):
        vector.step(tuple(rng.choice(commands) for _ in range(num_envs)))
    rate = steps * num_envs / (time.perf_counter() - start)
    vector.close()
    return rate


def speed(repeats: int) -> None:
    """Prints every rate."""
    for env_id in (FULL, SMALL):
        env = gym.make(env_id)
        env.reset(seed=0)
        call_rate(env.reset, 2_000)  # layouts are built once and kept
        print(env_id)
        print("  steps     ", repeat(lambda i, env=env: step_rate(env, i), repeats))
        print("  resets    ", repeat(lambda i, env=env: call_rate(env.reset, 500), repeats))
        step_rate(env, 1, 30)
        blob = turnwise_envs.snapshot(env)
        turnwise_envs.restore(env, blob)
        for name, call in (
            ("snapshot", lambda env=env: turnwise_envs.snapshot(env)),
            ("restore", lambda env=env, blob=blob: turnwise_envs.restore(env, blob)),
            ("expert", env.unwrapped.expert_action),
        ):
            best = max(call_rate(call, 200) for _ in range(repeats))
            print(f"  {name:<10} {1e3 / best:.3f} ms")
        print(f"  memory     {memory(env_id):,.0f} kB a live environment")
    print("async vector of 8 full-size environments")
    print("  steps     ", repeat(lambda i: vector_rate(), 3))


def resident() -> float:
    """Returns megabytes of this process in memory (Linux)."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class Side:
    """The same calls for ours and for the original: `reset` and `step` return the commands."""

    def __init__(self, name: str, game: str) -> None:
        if name == "original":
            from turnwise_envs.household.parity import Original

            self._game = Original(game)
            self.reset = lambda: self._game.reset().admissible
            self.step = self._step_original
        else:
            self._env = gym.make(FULL, data_dir=game, max_turns=10**9)
            self.reset = lambda: self._env.reset()[1]["admissible_actions"]
            self.step = self._step_ours

    def _step_original(self, command: str) -> tuple[tuple[str, ...], bool]:
        reply = self._game.step(command)
        return reply.admissible, reply.done

    def _step_ours(self, command: str) -> tuple[list[str], bool]:
        _, _, done, _, info = self._env.step(command)
        return info["admissible_actions"], done


def measure_side(name: str, game: str, steps: int) -> dict[str, float]:
    """Returns the figures of one side, measured in this process, which has imported all it needs.

    Cold is from nothing but imports to the first observation; memory is what further live
    environments of the same game add.
    """
    if name == "original":
        for module in ("textworld.gym", "alfworld.agents.environment.alfred_tw_env"):
            importlib.import_module(module)
    else:
        gym.make(FULL).reset(seed=0)
    start = time.perf_counter()
    side = Side(name, game)
    commands = side.reset()
    cold = time.perf_counter() - start
    warm = 1 / call_rate(side.reset, 3 if name == "original" else 300)
    rng = random.Random(0)
    spent, commands = 0.0, side.reset()
    for _ in range(steps):
        command = rng.choice(commands)
        start = time.perf_counter()
        commands, done = side.step(command)
        spent += time.perf_counter() - start
        if done:
            commands = side.reset()
    before, more = resident(), 4 if name == "original" else 200
    live = []
    for _ in range(more):
        live.append(Side(name, game))
        commands = live[-1].reset()
        for _ in range(10):
            commands, _ = live[-1].step(rng.choice(commands))
    memory = (resident() - before) / more
    return {"cold": cold, "reset": warm, "steps": steps / spent, "memory": memory}


def beside_original(game: str) -> None:
    """Prints both sides and their ratios: every figure the median of three fresh processes."""
    sides = {}
    for name, steps in (("original", 200), ("ours", 20_000)):
        runs = []
        for _ in range(3):
            command = [sys.executable, __file__, "--side", name, str(steps), game]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            runs.append(json.loads(done.stdout.splitlines()[-1]))
        sides[name] = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    theirs, ours = sides["original"], sides["ours"]
    print(f"{'':<24}{'original':>12}{'ours':>12}{'ratio':>10}")
    for label, key, scale, more in (
        ("steps per second", "steps", 1, True),
        ("load and reset cold, ms", "cold", 1e3, False),
        ("reset again, ms", "reset", 1e3, False),
        ("MB an environment", "memory", 1, False),
    ):
        ratio = ours[key] / theirs[key] if more else theirs[key] / ours[key]
        print(f"{label:<24}{theirs[key] * scale:>12,.3g}{ours[key] * scale:>12,.5g}{ratio:>10,.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--keys", action="store_true", help="measure the keys instead")
    parser.add_argument(
        "--original", metavar="GAME", help="measure beside ALFWorld's stack instead"
    )
    parser.add_argument("--side", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--repeats", type=int, default=10)
    arguments = parser.parse_args()
    if arguments.side:
        name, steps, game = arguments.side
        print(json.dumps(measure_side(name, game, int(steps))))
    elif arguments.original:
        beside_original(arguments.original)
    elif arguments.keys:
        for env_id in (SMALL, FULL):
            print_keys(env_id, tasks=60, episodes=8)
    else:
        speed(arguments.repeats)


if __name__ == "__main__":
    main()
