"""How fast the repair world is: episodes, commands, snapshots; locally or with `--docker`.

    python benchmarks/speed/swe.py [--docker | --keys] [--rounds 20] [--image NAME]

Milliseconds, best and median of the rounds. "reset to first answer" is what an agent waits for: a
reset and its first command, which opens the sandbox and lays out the work tree. A warm container
was started before, in the background. The repository of the snapshots has 200 files of 100 lines,
all of them changed. With `--docker` an engine must run:

    python scripts/docker_engine.py python benchmarks/speed/swe.py --docker

With `--keys` it measures instead how well the keys group states.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import gymnasium as gym
from key_groups import print_keys

from turnwise_envs import restore, snapshot
from turnwise_envs.sandbox.engine import BASE_IMAGE, close_engine, engine
from turnwise_envs.swe.env import SWESandboxEnv

_AT_ONCE = 8
FILES = {f"package/part{i}.py": f"x = {i}\n".encode() * 100 for i in range(200)}


def make(arguments: argparse.Namespace) -> SWESandboxEnv:
    """Returns an environment of the chosen backend, its `TimeLimit` and the like taken off."""
    backend = "docker" if arguments.docker else "local"
    env = gym.make(
        "turnwise/SWESandbox-v0", backend=backend, image=arguments.image, max_turns=10_000
    ).unwrapped
    assert isinstance(env, SWESandboxEnv)
    return env


def timed(call: Callable[[], object], spent: list[float]) -> object:
    """Returns what the call returns, and notes its milliseconds."""
    start = time.perf_counter()
    result = call()
    spent.append(1000 * (time.perf_counter() - start))
    return result


def first_answer(env: SWESandboxEnv, index: int) -> None:
    """Resets, and runs the first command."""
    env.reset(options={"task_index": index})
    assert env.step("shell true")[0] == "exit code 0"


def measure(arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Returns the milliseconds of each kind of call."""
    names = ["reset", "reset to first answer", "`true`", "`test`"]
    names += ["snapshot, 200 files", "restore, 200 files", "cold reset to first answer"]
    spent: dict[str, list[float]] = {name: [] for name in names}
    env, other = make(arguments), make(arguments)
    first_answer(env, 0)
    for index in range(arguments.rounds):
        if arguments.docker:
            engine().warm()
        timed(lambda i=index: env.reset(options={"task_index": i}), spent["reset"])
        timed(lambda i=index: first_answer(env, i), spent["reset to first answer"])
        for _ in range(10):
            timed(lambda: env.step("shell true"), spent["`true`"])
        timed(lambda: env.step("test"), spent["`test`"])
        env._tree = {**env._tree, **FILES}
        blob = timed(lambda: snapshot(env), spent["snapshot, 200 files"])
        assert isinstance(blob, bytes)
        timed(lambda b=blob: restore(other, b), spent["restore, 200 files"])
        assert other._tree == env._tree
    env.close()
    other.close()
    for index in range(min(5, arguments.rounds) if arguments.docker else 0):
        close_engine()
        engine()
        timed(lambda i=index: first_answer(env, i), spent["cold reset to first answer"])
        env.close()
    return {name: times for name, times in spent.items() if times}


def at_once(arguments: argparse.Namespace) -> float:
    """Returns the commands a second of eight environments in threads."""
    envs = [make(arguments) for _ in range(_AT_ONCE)]
    each = 20

    def play(number: int) -> None:
        for _ in range(each):
            assert envs[number].step(f"shell echo {number}")[0].endswith(f"\n{number}")

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda i: first_answer(envs[i], i), range(_AT_ONCE)))
        start = time.perf_counter()
        list(pool.map(play, range(_AT_ONCE)))
        took_s = time.perf_counter() - start
    for env in envs:
        env.close()
    return _AT_ONCE * each / took_s


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--docker", action="store_true")
    parser.add_argument("--image", default=BASE_IMAGE)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--keys", action="store_true")
    arguments = parser.parse_args()
    if arguments.keys:
        print_keys("turnwise/SWESandbox-v0", tasks=8, episodes=8, actions="menu", max_turns=12)
        return
    print(f"{'milliseconds':34}{'best':>8}{'median':>8}")
    for name, spent in measure(arguments).items():
        print(f"{name:34}{min(spent):8.2f}{statistics.median(spent):8.2f}")
    print(f"{at_once(arguments):.0f} commands a second in {_AT_ONCE} environments at once")
    if arguments.docker:
        client = engine().client
        size_mb = client.inspect_image(arguments.image)["Size"] / 1e6
        driver = client.info()["Driver"]
        print(f"image {arguments.image} of {size_mb:.0f} MB, storage driver {driver}")


if __name__ == "__main__":
    main()
