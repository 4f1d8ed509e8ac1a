"""How well an environment's keys group states: aliasing and splitting."""

import random
import statistics
from collections import defaultdict
from typing import Any

import gymnasium as gym

NAMES = ("state_key", "belief_key", "anchor_key", "observation")


def print_keys(env_id: str, tasks: int, episodes: int, **arguments: Any) -> None:
    """Prints how `belief_key` and `anchor_key` group the states of noisy expert episodes.

    Groups are formed within a task, as GiGPO forms them. Aliasing: the share of visits whose key
    also covers a visit with another best next action of the oracle. Splitting: the mean number of
    keys over which the visits of one `state_key` are spread. `arguments` go to `gym.make`.
    """
    env = gym.make(env_id, **arguments)
    visits = {name: defaultdict(list) for name in NAMES}
    spread = {name: defaultdict(set) for name in NAMES}
    total = 0
    for index in range(tasks):
        for episode in range(episodes):
            rng = random.Random(1000 * index + episode)
            obs, info = env.reset(options={"task_index": index})
            over = False
            while not over:
                best = env.unwrapped.expert_action()
                for name in NAMES:
                    key = (index, obs if name == "observation" else info[name])
                    visits[name][key].append(best)
                    spread[name][index, info["state_key"]].add(key)
                total += 1
                noisy = best is None or rng.random() < 0.5
                action = rng.choice(info["admissible_actions"]) if noisy else best
                obs, _, terminated, truncated, info = env.step(action)
                over = terminated or truncated
    print(f"{env_id}: {total} visits, {tasks} tasks, {episodes} episodes each")
    print("  key          groups  mean size  alone  aliasing  splitting")
    for name in NAMES:
        groups = visits[name].values()
        alone = sum(len(group) for group in groups if len(group) == 1) / total
        aliased = sum(len(group) for group in groups if len(set(group)) > 1) / total
        split = statistics.mean(len(found) for found in spread[name].values())
        size = total / len(groups)
        print(
            f"  {name:<12} {len(groups):6d} {size:10.1f} {alone:6.3f} {aliased:9.3f} {split:10.2f}"
        )
