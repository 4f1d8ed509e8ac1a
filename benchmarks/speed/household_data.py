"""How long it takes to open a folder of ALFWorld's size: 3,553 games, at first and indexed.

    python benchmarks/speed/household_data.py GAME              # a game.tw-pddl of a kitchen
    python benchmarks/speed/household_data.py --folder FOLDER   # a folder of games that is there

With GAME, a temporary folder is filled with different games of that scene: other goals, and the
objects on other surfaces, laid out as ALFWorld's `json_2.1.1/train`. Every opening is a process of
its own, so imports are measured, too, and shown apart. "Every byte" is what `turnwise data check`
does. Where the games were just written, the file system's cache is warm.
"""

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from turnwise_envs.household.survey import TASK_TYPES

GAMES = 3_553
OPEN = """
import sys, time
start = time.perf_counter()
import turnwise_envs
from turnwise_envs.household import loader, survey
imported = time.perf_counter()
if {every_byte}:
    survey.survey(__import__("pathlib").Path(sys.argv[1]), "train", every_byte=True)
else:
    tasks = turnwise_envs.tasks("turnwise/Household-v0", "train", data_dir=sys.argv[1])
opened = time.perf_counter()
print(imported - start, opened - imported)
"""
RESET = """
import sys, time
import gymnasium as gym, turnwise_envs
env = gym.make("turnwise/Household-v0", data_dir=sys.argv[1])
env.reset(options={"task_index": 0})
times = []
for index in range(1, 200):
    start = time.perf_counter()
    env.reset(options={"task_index": index % len(env.unwrapped.tasks)})
    times.append(time.perf_counter() - start)
print(min(times), sorted(times)[len(times) // 2])
"""


def variants(game: dict[str, str], count: int, seed: int = 0) -> "list[tuple[str, dict]]":
    """Returns (task type, game data) of `count` different games of one scene that can be solved."""
    text = game["pddl_problem"]
    start, end = text.index("(:init"), text.index("(:goal")
    facts = text[start:end]
    types = dict(re.findall(r"\(objectType (\S+) (\S+)Type\)", facts))
    kinds = dict(re.findall(r"\(receptacleType (\S+) (\S+)Type\)", facts))
    places = dict(re.findall(r"\(receptacleAtLocation (\S+) (\S+)\)", facts))
    fits = set(re.findall(r"\(canContain (\S+)Type (\S+)Type\)", facts))
    openable = set(re.findall(r"\(openable (\S+)\)", facts))
    able = {
        verb: set(re.findall(rf"\({flag} (\S+)\)", facts))
        for verb, flag in (("clean", "cleanable"), ("heat", "heatable"), ("cool", "coolable"))
    }
    movable = sorted(set(re.findall(r"\(pickupable (\S+)\)", facts)) & types.keys())
    surfaces = {
        o: sorted(r for r, kind in kinds.items() if (kind, types[o]) in fits and r not in openable)
        for o in movable
    }
    rng = random.Random(seed)
    made: list[tuple[str, dict]] = []
    seen: set[str] = set()
    while len(made) < count:
        init, at = facts, {}
        for o in rng.sample(movable, 6):
            if surfaces[o]:
                at[o] = rng.choice(surfaces[o])
                init = re.sub(rf"\((inReceptacle|objectAtLocation) {re.escape(o)} \S+\)", "", init)
                fact = f"(inReceptacle {o} {at[o]}) (objectAtLocation {o} {places[at[o]]})"
                init = f"{init.rstrip()[:-1]} {fact})\n"
        verb = rng.choice(("clean", "heat", "cool"))
        target = rng.choice(sorted(able[verb] & set(movable)))
        goals = sorted({kind for kind in kinds.values() if (kind, types[target]) in fits})
        goal = (
            f"(:goal (exists (?r - receptacle) (exists (?o - object) (and ({verb}able ?o) "
            f"(objectType ?o {types[target]}Type) (receptacleType ?r {rng.choice(goals)}Type) "
            f"(is{'Hot' if verb == 'heat' else verb.title()} ?o) (inReceptacle ?o ?r))))))"
        )
        problem = text[:start] + init + goal
        if problem not in seen:
            seen.add(problem)
            made.append((verb, {**game, "pddl_problem": problem}))
    return made


def fill(folder: Path, game: dict[str, str], count: int) -> None:
    """Writes games, with the labels that ALFWorld's loader asks for, below `folder`."""
    names = {ours: theirs for theirs, ours in TASK_TYPES.items()}
    for number, (kind, data) in enumerate(variants(game, count)):
        trial = folder / "json_2.1.1" / "train" / f"{names[kind]}-{number // 3}" / f"trial_{number}"
        trial.mkdir(parents=True)
        (trial / "game.tw-pddl").write_text(json.dumps(data))
        (trial / "traj_data.json").write_text(json.dumps({"task_type": names[kind]}))


def run(program: str, folder: Path, cache: Path) -> list[float]:
    """Runs a program on the folder in a new process; returns the seconds that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        env={**os.environ, "TURNWISE_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(word) for word in done.stdout.split()]


def measure(folder: Path, repeats: int) -> None:
    """Prints the times of all ways to open a folder."""
    opening = OPEN.replace("{every_byte}", "False")
    with tempfile.TemporaryDirectory() as scratch:
        for name, program, same in (
            ("first opening", opening, False),
            ("opening with the index", opening, True),
            ("every byte compared", OPEN.replace("{every_byte}", "True"), True),
        ):
            times = []
            count = repeats if same else max(1, repeats // 3)
            for i in range(count):
                cache = Path(scratch) / ("same" if same else f"first{i}")
                if same and not cache.exists():
                    (Path(scratch) / "first0").rename(cache)
                times.append(run(program, folder, cache))
            opened = [pair[1] for pair in times]
            print(
                f"{name:<24} {min(opened):7.3f} s (median {statistics.median(opened):.3f}; "
                f"import {min(pair[0] for pair in times):.2f} s)"
            )
        best, median = run(RESET, folder, Path(scratch) / "same")
        print(f"{'reset of a new game':<24} {1e3 * best:7.2f} ms (median {1e3 * median:.2f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("game", nargs="?", type=Path, help="a game.tw-pddl to make others of")
    parser.add_argument("--folder", type=Path, help="open this folder instead")
    parser.add_argument("--games", type=int, default=GAMES)
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    if (arguments.game is None) == (arguments.folder is None):
        parser.error("give GAME or --folder")
    if arguments.folder is not None:
        measure(arguments.folder.resolve(), arguments.repeats)
        return
    with tempfile.TemporaryDirectory() as scratch:
        fill(Path(scratch), json.loads(arguments.game.read_text()), arguments.games)
        print(f"{arguments.games} games")
        measure(Path(scratch), arguments.repeats)


if __name__ == "__main__":
    main()
