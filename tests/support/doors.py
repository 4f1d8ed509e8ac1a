"""Three rooms with two doors each, the smallest world to learn in, and a trainer around it."""

import gymnasium as gym

from turnwise_agents.algorithms.base import Services
from turnwise_agents.learners.tabular import TabularLearnerConfig
from turnwise_agents.rollout import EnvPool, Rollout
from turnwise_agents.scorer import Scorer
from turnwise_agents.tabular import build_tabular
from turnwise_agents.task_pool import MixturePool, TaskSource
from turnwise_agents.trainer import Trainer, TrainerConfig
from turnwise_agents.types import Sampling
from turnwise_envs import StepResult, Task, TaskSet, TextEnv

ENV = "turnwise-test/Doors-v0"


class DoorTasks(TaskSet):
    def __len__(self):
        return 4

    def task(self, index):
        return Task(f"door-{index}", self.split, index, "doors", index)


class DoorsEnv(TextEnv):
    """Three rooms in a row, two doors each; the task's number says which door is right."""

    splits = ("train",)
    default_max_turns = 3

    @classmethod
    def task_set(cls, split, **options):
        return DoorTasks(split)

    def make_tasks(self):
        return DoorTasks(self.split)

    def start(self, task):
        self.room = 0
        self.right = 0
        return "room 0"

    def apply(self, action):
        if action not in ("left", "right"):
            return StepResult("There is no such door.", action_is_valid=False)
        wanted = "right" if self.task.index >> (self.room % 2) & 1 else "left"
        self.right += action == wanted
        self.room += 1
        done = self.room == 3
        won = done and self.right == 3
        return StepResult(
            f"room {self.room}",
            {"solved": 1.0} if won else {},
            terminated=done,
            success=won,
            score=float(won),
            verdict=("solved" if won else "lost") if done else "",
        )

    def keys(self):
        key = f"{self.task.id}.{self.room}.{self.right}"
        return key, key, key

    def get_world(self):
        return [self.room, self.right]

    def set_world(self, task, state):
        self.room, self.right = state

    def admissible_actions(self):
        return ["left", "right"]


if ENV not in gym.registry:
    gym.register(ENV, "doors:DoorsEnv", disable_env_checker=True)


def make_trainer(
    algorithm,
    iterations=3,
    seed=0,
    *,
    env_id=ENV,
    run_dir=None,
    portions=None,
    proposer=None,
    **kwargs,
):
    """Returns a trainer of a tabular policy; `portions` are further fields of its config."""
    learner, sampler, contexts = build_tabular(TabularLearnerConfig(learning_rate=1.0), seed)
    rollout = Rollout(
        sampler=sampler,
        contexts=contexts,
        envs=EnvPool({env_id: {"actions": "menu"}}),
        sampling=Sampling(max_new_tokens=1),
        seed=seed,
        record_admissible=True,
        **kwargs,
    )
    return Trainer(
        TrainerConfig(iterations=iterations, seed=seed, **(portions or {})),
        algorithm=algorithm,
        learner=learner,
        rollout=rollout,
        pool=MixturePool([TaskSource(env_id, DoorTasks("train"))], seed),
        services=Services(
            scorer=Scorer(learner), learner=learner, generate=None, proposer=proposer, seed=seed
        ),
        run_dir=run_dir,
    )
