"""What the tests of TextWorld share: its own environment of a game, and the id."""

from pathlib import Path
from typing import Any

ID = "turnwise/TextWorld-v0"


def original(path: Path) -> Any:
    """TextWorld's own environment of a game, asked for all that ours tells."""
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


def game_file(**arguments: Any) -> Path:
    """The built file of the first training game of some arguments of the environment."""
    import turnwise_envs

    tasks = turnwise_envs.tasks(ID, "train", **arguments)
    return tasks.open(tasks[0])


CUSTOM = {"game": "custom", "game_options": {"nb_rooms": 2, "nb_objects": 4}}
"""A small game of two rooms, which many tests play."""
