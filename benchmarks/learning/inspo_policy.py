"""Makes a tiny language model that heeds instructions, and measures how much they matter.

    python benchmarks/learning/inspo_policy.py

Makes `runs/warm-start/household-instructions`, relative to the working directory, unless it is
there, and writes `inspo_policy.md`: success by instruction, on training tasks, of the model and of
the demonstrator.

The model is warm-started on demonstrations in `turnwise/HouseholdSmall-v0` under the world's own
instruction with every set of up to two clauses of `inspo_clauses.json`, in turn. Five of the
clauses change what the demonstrator does (`turnwise_envs/household/explorer.py`), three it
overlooks.
"""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import tyro

import turnwise_envs
from turnwise_agents.assembly import build_parts
from turnwise_agents.cli_train import hide_loading_bars
from turnwise_agents.context import ContextConfig
from turnwise_agents.instructions.proposers import Clause, join_clauses
from turnwise_agents.learners.hf import HFLearnerConfig
from turnwise_agents.presets.tiny import prepare_tiny
from turnwise_agents.presets.warm_start import WarmStartConfig
from turnwise_agents.rollout import EnvPool, Rollout
from turnwise_agents.statistics import wilson_interval
from turnwise_agents.threads import use_threads
from turnwise_agents.types import RolloutSpec, Sampling
from turnwise_envs.household import HouseholdEnv

HERE = Path(__file__).resolve().parent
FOLDER = Path("runs/warm-start/household-instructions")
ENV = "turnwise/HouseholdSmall-v0"
ENV_KWARGS: dict[str, Any] = {"max_turns": 10}
"""Of the measurement. Demonstrations have the world's 20 turns: they show how tasks end."""
CONTEXT = ContextConfig(system_prompt=True, max_context_tokens=640)
CLAUSES = [Clause(text) for text in json.loads((HERE / "inspo_clauses.json").read_text())]
CLAUSE_SETS = [s for size in range(3) for s in itertools.combinations(CLAUSES, size)]
TASKS = 256
"""Of the measurement."""


def instruction(clauses: tuple[Clause, ...]) -> str:
    """Returns the world's own instruction and some clauses."""
    return join_clauses(HouseholdEnv.default_instruction, clauses)


def model_success(folder: Path, texts: list[str]) -> list[float]:
    """Returns the sampled success of the model under every instruction."""
    parts = build_parts(
        str(folder),
        learner=HFLearnerConfig(device="cpu"),
        context=CONTEXT,
        env_ids=[ENV],
        env_kwargs=ENV_KWARGS,
        run_dir=folder,
        seed=0,
    )
    rollout = Rollout(
        sampler=parts.sampler,
        contexts=parts.contexts,
        envs=EnvPool({ENV: ENV_KWARGS}),
        sampling=Sampling(max_new_tokens=12),
    )
    tasks = turnwise_envs.tasks(ENV, **ENV_KWARGS)
    rates = []
    for text in texts:
        specs = [
            RolloutSpec(env_id=ENV, task_id=tasks[i].id, group_id=str(i), count=1, instruction=text)
            for i in range(TASKS)
        ]
        rates.append(float(np.mean([t.success for t in rollout.run(specs, 0)])))
    return rates


def demonstrator_success(text: str) -> float:
    """Returns the demonstrator's success under an instruction."""
    env: Any = gym.make(ENV, **ENV_KWARGS, instruction=text).unwrapped
    rng = np.random.default_rng(0)
    won = 0
    for i in range(TASKS):
        env.reset(seed=i, options={"task_index": i})
        over = False
        while not over:
            _, _, terminated, truncated, info = env.step(env.demonstration_action(rng))
            over = terminated or truncated
        won += info["success"]
    return won / TASKS


def main(folder: Path = FOLDER) -> None:
    """Makes the model where it is not there yet, measures it and writes the page."""
    hide_loading_bars()
    use_threads(1)
    started = time.process_time()
    if not folder.exists():
        prepare_tiny(
            [ENV],
            {},
            folder,
            progress=lambda line: print(line, flush=True),
            context=CONTEXT,
            config=WarmStartConfig(
                max_steps=2000,
                demonstrations=8192,
                competent=0.8,
                max_sloppy_steps=0,
            ),
            instructions=[instruction(own) for own in CLAUSE_SETS],
        )
    print(f"{time.process_time() - started:.0f} CPU-seconds of warm start", flush=True)
    shown = [own for own in CLAUSE_SETS if len(own) < 2 or CLAUSES[1] in own]
    texts = [instruction(own) for own in shown]
    rows = sorted(
        zip(model_success(folder, texts), map(demonstrator_success, texts), shown, strict=True),
        key=lambda row: -row[0],
    )
    lines = [
        "# Success by instruction, of a warm-started tiny model",
        "",
        f"`python benchmarks/learning/inspo_policy.py`: sampled success on {TASKS} training tasks "
        f"of `{ENV}` with 10 turns, and its 95 % Wilson interval; beside it the demonstrator's, "
        "which was given the same instruction.",
        "",
        "| the world's instruction, and | model | demonstrator |",
        "|---|---|---|",
    ]
    for rate, shown_rate, own, *_ in rows:
        low, high = wilson_interval(round(rate * TASKS), TASKS)
        said = " ".join(clause.text for clause in own) or "nothing else"
        lines.append(f"| {said} | {rate:.3f} [{low:.3f}, {high:.3f}] | {shown_rate:.3f} |")
    page = "\n".join(lines) + "\n"
    (HERE / "inspo_policy.md").write_text(page)
    print(page)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
