"""What an algorithm needs of worlds and run, checked before the first rollout."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from turnwise_agents.algorithms.base import Contrast, Needs
from turnwise_agents.answers import check_answers, gives_answers
from turnwise_agents.levels import fixed_source
from turnwise_envs.core import TextEnv
from turnwise_envs.errors import UsageError
from turnwise_envs.play import expert_policy, null_policy, play_episode, random_policy
from turnwise_envs.registration import env_class, env_ids

if TYPE_CHECKING:
    from turnwise_agents.rollout import EnvPool

CONTRAST_TASKS = 3
"""Tasks on which the oracle may show that outcomes differ; the first that does ends the check."""

_GOLD = frozenset({"reference", "evidence"})


def check_needs(
    needs: Needs, name: str, envs: EnvPool, env_ids: Sequence[str], *, judge: str = "", seed: int
) -> dict[str, Any]:
    """Returns the worlds by env_id, if they and the run have what the algorithm needs.

    Args:
        needs: what it needs.
        name: what the algorithm is called.
        envs: makes the environments.
        env_ids: those of the run.
        judge: the run's judge, "" for none.
        seed: of the episodes that are looked at.

    Raises:
        UsageError: If something is missing, saying what and which environments have it.
    """
    worlds: dict[str, Any] = {}
    if "judge" in needs.services and not judge:
        raise UsageError(
            f"{name} needs a judge with these options, got none. "
            "Set judge to rules:FILE or openai:MODEL@BASE_URL."
        )
    for env_id in env_ids:
        env = envs.acquire(env_id)
        _, info = env.reset(seed=seed)
        world: Any = env.unwrapped
        worlds[env_id] = world
        if missing := sorted(key for key in needs.env if info.get(key) is None):
            raise UsageError(
                f"{name} needs info[{missing[0]!r}], which {env_id} does not have. {_having(needs)}"
            )
        if "answers" in needs.services:
            try:
                check_answers(env_id, world)
            except UsageError as error:
                raise UsageError(f"{error} {_having(needs)}") from error
        if needs.meet is not None:
            needs.meet(env_id, world)
        _check_rewards(needs.rewards, name, env_id, env, seed)
        if needs.contrast is not None:
            _check_contrast(needs.contrast, name, env_id, env, seed)
        envs.release(env_id, env)
    return worlds


def environments_with(needs: Needs) -> list[str]:
    """Returns the registered ids whose worlds have the gold and the answer action needed."""
    hooks = {"gold" if key in _GOLD else key for key in needs.env}
    found = []
    for env_id in env_ids():
        world = env_class(env_id)
        own = all(getattr(world, hook, None) is not getattr(TextEnv, hook, None) for hook in hooks)
        if own and ("answers" not in needs.services or gives_answers(world)):
            found.append(env_id)
    return found


def _having(needs: Needs) -> str:
    having = environments_with(needs)
    return f"These have it: {', '.join(having)}." if having else "No registered environment has it."


def _check_rewards(sources: frozenset[str], name: str, env_id: str, env: Any, seed: int) -> None:
    """Raises if a reward level reads what the world does not report.

    Where a world does not say what it reports, an oracle's and a random agent's episode do.
    """
    wanted = sorted(source for source in sources if not fixed_source(source))
    declared: tuple[str, ...] = env.unwrapped.reward_names
    declares = {"/" in source for source in declared}  # components, metrics and costs apart
    unsure = [s for s in wanted if s not in declared and ("/" in s) not in declares]
    known = [*declared, *(_reported(env, seed) if unsure else ())]
    for source in wanted:
        if source not in known:
            having = [i for i in env_ids() if source in getattr(env_class(i), "reward_names", ())]
            others = f" These have it: {', '.join(having)}." if having else ""
            raise UsageError(
                f"{name} needs {source!r} for its reward levels, which {env_id} does not report. "
                f"It reports {', '.join(sorted(set(known))) or 'nothing'}.{others}"
            )


def _reported(env: Any, seed: int) -> set[str]:
    """Returns the sources that an oracle and a random agent meet in one episode each."""
    infos: list[dict[str, Any]] = []
    for policy in (expert_policy(env), random_policy(env, seed)):
        with suppress(UsageError):  # no plan is known for this task
            infos += play_episode(env, policy, seed=seed).infos
    records = {"": "reward_components", "cost/": "cost", "metrics/": "metrics"}
    return {prefix + key for prefix, r in records.items() for info in infos for key in info[r]}


def _check_contrast(contrast: Contrast, name: str, env_id: str, env: Any, seed: int) -> None:
    """Raises if no oracle's episode is preferred to that of an agent that says nothing.

    A world that knows no plan for a task cannot be asked.
    """
    seen = ""
    for offset in range(CONTRAST_TASKS):
        try:
            best = play_episode(env, expert_policy(env), seed=seed + offset)
        except UsageError:
            return
        idle = play_episode(env, null_policy(env), seed=seed + offset)
        outcomes = [
            e.episode_return if contrast.outcome == "return" else float(e.infos[-1]["score"])
            for e in (best, idle)
        ]
        if contrast.prefers(*outcomes):
            return
        seen = "the oracle {:g}, an agent that says nothing {:g}".format(*outcomes)
    above = "" if contrast.threshold is None else f" (successes lie above {contrast.threshold:g})"
    others = [e for e in environments_with(Needs(env=frozenset({"expert_action"}))) if e != env_id]
    raise UsageError(
        f"{name} needs outcomes that differ{above}; by {contrast.outcome}, {env_id} gives "
        f"{seen}. Choose another outcome or threshold, a judge, or one of the environments with "
        f"an oracle: {', '.join(others)}."
    )
