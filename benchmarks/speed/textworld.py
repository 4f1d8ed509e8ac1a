"""How fast TextWorld games are here and in the package itself, and how well the keys group states.

    python benchmarks/speed/textworld.py             # steps, resets, snapshots; beside the package
    python benchmarks/speed/textworld.py --keys      # aliasing and splitting of the keys

Both sides play the same random episodes of the same compiled games and ask for the same: text,
admissible commands, winning policy, intermediate reward, points. Ours computes its three keys, too.
Blocks of both sides alternate; every figure is the median over blocks, on one core.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
from key_groups import print_keys

import turnwise_envs
from turnwise_envs.textworld import env as textworld_env

sys.path.remove(str(Path(__file__).parent))  # or `import textworld` would find this very file

ID = "turnwise/TextWorld-v0"
KINDS = ("cooking", "coin_collector", "treasure_hunter", "custom")


def package(path: Path) -> Any:
    """Returns the package's own environment of a game."""
    import textworld

    infos = textworld.EnvInfos(
        feedback=True,
        objective=True,
        admissible_commands=True,
        policy_commands=True,
        intermediate_reward=True,
        score=True,
        max_score=True,
        won=True,
        lost=True,
    )
    return textworld.start(str(path), infos)


def seconds(call: Callable[[], object]) -> float:
    """Returns how long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def script(env: gym.Env, index: int, seed: int, steps: int) -> list[list[str]]:
    """Returns the commands of random episodes, `steps` in all."""
    rng, episodes, commands = random.Random(seed), [], []
    _, info = env.reset(options={"task_index": index})
    for _ in range(steps):
        commands.append(rng.choice(info["admissible_actions"]))
        _, _, terminated, _, info = env.step(commands[-1])
        if terminated:
            episodes.append(commands)
            commands = []
            _, info = env.reset(options={"task_index": index})
    return [*episodes, commands]


def play_package(env: Any, episodes: list[list[str]]) -> float:
    """Returns the seconds that the steps take, without the resets."""
    spent = 0.0
    for commands in episodes:
        env.reset()
        start = time.perf_counter()
        for command in commands:
            env.step(command)
        spent += time.perf_counter() - start
    return spent


def play_ours(env: gym.Env, index: int, episodes: list[list[str]]) -> float:
    """Returns the seconds that the steps take, without the resets."""
    spent = 0.0
    for commands in episodes:
        env.reset(options={"task_index": index})
        start = time.perf_counter()
        for command in commands:
            env.step(command)
        spent += time.perf_counter() - start
    return spent


def speed(blocks: int, steps: int) -> None:
    """Prints steps per second and reset times of both sides, and the ratios."""
    print(f"{'game':<17}{'package':>9}{'ours':>9}{'ratio':>7}   steps per second")
    for kind in KINDS:
        env = gym.make(ID, game=kind, max_turns=10**9)
        tasks = env.unwrapped.tasks
        theirs = package(tasks.open(tasks[0]))
        rates: dict[str, list[float]] = {"package": [], "ours": [], "ratio": []}
        for block in range(blocks):
            episodes = script(env, 0, block, steps)
            a, b = play_package(theirs, episodes), play_ours(env, 0, episodes)
            for side, rate in (("package", steps / a), ("ours", steps / b), ("ratio", a / b)):
                rates[side].append(rate)
        a, b, ratio = (statistics.median(rates[side]) for side in rates)
        print(f"{kind:<17}{a:>9,.0f}{b:>9,.0f}{ratio:>7.2f}")
    print(f"\n{'game':<17}{'package':>20}{'ours':>20}{'ratio':>7}   first and second reset, ms")
    for kind in KINDS:
        tasks = turnwise_envs.tasks(ID, "train", game=kind)
        firsts: dict[str, list[float]] = {"package": [], "ours": []}
        seconds_: dict[str, list[float]] = {"package": [], "ours": []}
        for index in range(5):
            path = tasks.open(tasks[index])
            theirs, ours = None, gym.make(ID, game=kind)
            options = {"task_index": index}

            def load(path: Path = path) -> None:
                nonlocal theirs
                theirs = package(path)
                theirs.reset()

            def reset(ours: gym.Env = ours, options: dict[str, int] = options) -> None:
                ours.reset(options=options)

            firsts["package"].append(seconds(load))
            seconds_["package"].append(seconds(theirs.reset))
            firsts["ours"].append(seconds(reset))
            seconds_["ours"].append(seconds(reset))
        cells = [
            f"{1e3 * statistics.median(times[side]):>10.2f}"
            for side in ("package", "ours")
            for times in (firsts, seconds_)
        ]
        ratio = statistics.median(firsts["ours"]) / statistics.median(seconds_["ours"])
        print(f"{kind:<17}{''.join(cells)}{ratio:>7.0f}   (our first to our second)")


def snapshots(turns: int = 20) -> None:
    """Prints what snapshot and restore cost in mid-episode, with the engine's state and without."""
    larger = {"recipe": 2, "take": 2, "go": 6, "open": True}
    env, other = (gym.make(ID, game="cooking", game_options=larger) for _ in range(2))
    _, info = env.reset(options={"task_index": 0})
    rng = random.Random(0)
    for _ in range(turns):
        moves = [c for c in info["admissible_actions"] if not c.startswith(("eat", "drop"))]
        _, _, _, _, info = env.step(rng.choice(moves))
    blob = turnwise_envs.snapshot(env)
    other = gym.make(
        ID, game="cooking", game_options={"recipe": 2, "take": 2, "go": 6, "open": True}
    )
    other.reset(options={"task_index": 0})
    taken = statistics.median(seconds(lambda: turnwise_envs.snapshot(env)) for _ in range(20))
    kept = statistics.median(seconds(lambda: turnwise_envs.restore(other, blob)) for _ in range(20))
    textworld_env._kept.clear()
    replayed = statistics.median(
        seconds(lambda: turnwise_envs.restore(other, blob)) for _ in range(5)
    )
    print(
        f"\nafter {turns} turns: snapshot {1e3 * taken:.2f} ms, {len(blob)} bytes; restore "
        f"{1e3 * kept:.1f} ms by the engine's state, {1e3 * replayed:.0f} ms by replay"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--keys", action="store_true", help="measure the keys instead")
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--steps", type=int, default=150, help="of each block")
    arguments = parser.parse_args()
    if arguments.keys:
        print_keys(ID, tasks=20, episodes=8)
    else:
        speed(arguments.blocks, arguments.steps)
        snapshots()


if __name__ == "__main__":
    main()
