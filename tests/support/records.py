"""Episodes as records, with explicit token ids, for tests of credit and loss."""

from turnwise_agents.answers import Answer
from turnwise_agents.types import Generation, Group, Trajectory, Turn

OBSERVATION = 4
"""The id that every observation adds to the prompt."""


class GoldTokens:
    """Writes every gold answer as the same tokens."""

    def __init__(self, *ids):
        self.answer = Answer(ids)

    def write(self, env_id, answer, prompt_ids, prefix=""):
        return self.answer


def episode(name, completions, rewards, *, group="g", valid=None, **fields):
    """Returns a full-history episode: one turn per completion (a list of ids) and reward."""
    prompt, turns = [1, 2], []
    for index, (ids, reward) in enumerate(zip(completions, rewards, strict=True)):
        generation = Generation(
            prompt_ids=list(prompt),
            completion_ids=list(ids),
            sampler_logprobs=[-1.0 - 0.5 * i for i in range(len(ids))],
        )
        turns.append(
            Turn(
                turn_index=index,
                observation="",
                generations=[generation],
                reward=reward,
                action_is_valid=valid is None or valid[index],
            )
        )
        prompt += [*ids, OBSERVATION]
    return Trajectory(
        env_id="e",
        task_id="t",
        group_id=group,
        trajectory_id=name,
        turns=turns,
        final_prompt_ids=prompt,
        success=sum(rewards) > 0,
        **fields,
    )


def outcome(name, value, *, turns=2, tokens=2, **fields):
    """Returns an episode whose last turn alone is rewarded."""
    rewards = [0.0] * (turns - 1) + [float(value)]
    return episode(name, [[5] * tokens] * turns, rewards, **fields)


def group(*trajectories):
    """Returns the group of some episodes."""
    return Group(
        group_id=trajectories[0].group_id, env_id="e", task_id="t", trajectories=[*trajectories]
    )
