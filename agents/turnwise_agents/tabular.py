"""Tabular policies: rows are (environment, task, belief), columns the menu's actions.

Every other part of a run stays what it is: `prompt_ids` is [row], `completion_ids` is [column], so
rollout, segments, algorithms and trainer see ordinary token sequences of length two. It is the
laboratory for credit assignment: a whole run takes seconds, on a fixed set of training tasks (a
table cannot generalise to tasks it never met).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import torch

from turnwise_agents.answers import TabularAnswers
from turnwise_agents.context import PromptRequest
from turnwise_agents.heeding import Heeding
from turnwise_agents.types import Generation, RolloutSpec
from turnwise_envs.core import TextEnv, digest
from turnwise_envs.errors import DataError, UsageError

if TYPE_CHECKING:
    from turnwise_agents.learners.tabular import TabularLearner, TabularLearnerConfig
    from turnwise_agents.samplers.tabular import TabularSampler

POLICY_FILE = "tabular.pt"


class TabularVocabulary:
    """Numbers rows and columns, in order of first appearance; never forgets one.

    A row is (env_id, task_id, belief, menu) and its columns are that menu, sorted, so that a
    column means the same action whenever the row is met. Where a belief comes with another menu,
    that is another row.

    Args:
        heeding: the part of the policy that instructions fix, None for none.
    """

    def __init__(self, heeding: Heeding | None = None) -> None:
        self.heeding = heeding
        self._menus: list[list[str]] = []
        self._choices: list[list[int]] = []
        self._menu_ids: dict[tuple[str, ...], int] = {}
        self._rows: dict[tuple[str, str, str, int], int] = {}
        self._row_menus: list[int] = []

    def __len__(self) -> int:
        return len(self._row_menus)

    def row(self, env_id: str, task_id: str, belief: str, menu: Sequence[str]) -> int:
        """Returns the row's id, a new one if it was never met."""
        asked = tuple(menu)
        menu_id = self._menu_ids.get(asked)
        if menu_id is None:
            menu_id = self._menu_ids[asked] = self._add_menu(tuple(sorted(set(asked))))
        key = (env_id, task_id, belief, menu_id)
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = len(self._row_menus)
            self._row_menus.append(menu_id)
        return row

    def _add_menu(self, menu: tuple[str, ...]) -> int:
        menu_id = self._menu_ids.get(menu)
        if menu_id is None:
            menu_id = self._menu_ids[menu] = len(self._menus)
            self._menus.append(list(menu))
            self._choices.append(list(range(len(menu))))
        return menu_id

    def choices(self, row: int) -> list[int]:
        """Returns the columns of a row, [0 .. n - 1] (shared, not to be changed)."""
        return self._choices[self._row_menus[row]]

    def action(self, row: int, column: int) -> str:
        """Returns the action of a column."""
        return self._menus[self._row_menus[row]][column]

    def column(self, row: int, action: str) -> int:
        """Returns the column of an action.

        Raises:
            UsageError: If the row's menu does not hold it.
        """
        column = self.find_column(row, action)
        if column is None:
            menu = self._menus[self._row_menus[row]]
            raise UsageError(f"action must be on the menu of row {row} {menu}, got {action!r}.")
        return column

    def find_column(self, row: int, action: str) -> int | None:
        """Returns the column of an action, None if the row's menu does not hold it."""
        menu = self._menus[self._row_menus[row]]
        return menu.index(action) if action in menu else None

    def sizes(self) -> list[int]:
        """Returns the number of columns of every row."""
        return [len(self._choices[menu_id]) for menu_id in self._row_menus]

    def state_dict(self) -> dict[str, Any]:
        """Returns rows and menus as plain data."""
        state: dict[str, Any] = {
            "menus": [list(m) for m in self._menus],
            "rows": [list(k) for k in self._rows],
        }
        if self.heeding is not None:
            state["heeding"] = self.heeding.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Reverses `state_dict`, in place."""
        heeding = Heeding.from_state(state["heeding"]) if "heeding" in state else None
        self.__init__(heeding)  # type: ignore[misc]
        for menu in state["menus"]:
            self._add_menu(tuple(menu))
        for env_id, task_id, belief, menu_id in state["rows"]:
            self._rows[env_id, task_id, belief, menu_id] = len(self._row_menus)
            self._row_menus.append(menu_id)


class TabularContext:
    """The context of one episode: the row is the environment's `belief_key`.

    An instruction and a prompt patch select rows of their own (a patched prompt is trained at the
    row without the patch); where the vocabulary heeds instructions, the act's rows share what they
    learn, see `heeding.py`. In turns of several generations, those before the act choose among
    `thoughts`, and what they chose is part of the next row.
    """

    def __init__(
        self,
        vocabulary: TabularVocabulary,
        env: gym.Env[str, str],
        spec: RolloutSpec,
        thoughts: Sequence[str],
    ) -> None:
        world = env.unwrapped
        assert isinstance(world, TextEnv)
        self._vocabulary = vocabulary
        self._world = world
        self._format = world.action_format
        self._spec = spec
        self._allowed_thoughts = list(thoughts)
        self._suffix = ""
        if spec.instruction is not None or spec.instruction_id:
            self._suffix = "|instruction " + (spec.instruction_id or digest(spec.instruction or ""))
        self._patch = "|patch " + digest(spec.prompt_patch) if spec.prompt_patch else ""
        self._info: dict[str, Any] = {}
        self._thoughts = ""

    def begin(self, observation: str, info: dict[str, Any]) -> None:
        """Takes the first belief and menu."""
        self.observe(observation, info)

    def observe(self, observation: str, info: dict[str, Any]) -> None:
        """Takes the next belief and menu."""
        self._info = info
        self._thoughts = ""

    def _row(self, menu: Sequence[str], patch: str = "") -> int:
        belief = self._info["belief_key"] + self._suffix + self._thoughts + patch
        return self._vocabulary.row(self._spec.env_id, self._spec.task_id, belief, menu)

    def _heeding_row(self, menu: Sequence[str]) -> int:
        vocabulary, heeding, spec = self._vocabulary, self._vocabulary.heeding, self._spec
        assert heeding is not None
        told = self._world.instruction if spec.instruction is None else spec.instruction
        belief = self._info["belief_key"] + self._thoughts
        own = f"{belief}|told {digest(told)}"
        row = vocabulary.row(spec.env_id, spec.task_id, own, menu)
        if not heeding.knows(row):
            shared = vocabulary.row(spec.env_id, spec.task_id, belief, menu)
            columns = [vocabulary.action(row, c) for c in vocabulary.choices(row)]
            key = (spec.env_id, spec.task_id, belief)
            heeding.add(row, shared, heeding.logits(self._world, columns, told, *key))
        return row

    def request(self, role: str) -> PromptRequest:
        """Returns the row as a prompt, and its columns as choices.

        Raises:
            UsageError: If the environment has no menu.
        """
        menu = self._allowed_thoughts if role != "act" else self._info["admissible_actions"]
        if not menu:
            raise UsageError(
                f"{self._spec.env_id} must offer a menu of actions to a tabular policy, got "
                f'{menu!r}. Make it with actions="menu".'
            )
        heeds = self._vocabulary.heeding is not None and role == "act"
        row = self._heeding_row(menu) if heeds else self._row(menu)
        choices = self._vocabulary.choices(row)
        if not self._patch:
            return PromptRequest([row], None, choices)
        return PromptRequest([self._row(menu, self._patch)], [row], choices)

    def add(self, generation: Generation) -> None:
        """Fills the text; a thought becomes part of the next row."""
        row, column = generation.prompt_ids[0], generation.completion_ids[0]
        generation.text = self._vocabulary.action(row, column)
        if generation.role != "act":
            self._thoughts += f"|{generation.role} {generation.text}"

    def action_text(self, generation: Generation) -> str:
        """Returns the action in the environment's syntax."""
        return self._format.render(generation.text)

    def final_prompt_ids(self) -> list[int]:
        """Returns the row after the last observation (of no columns if there is no menu)."""
        return [self._row(self._info["admissible_actions"] or ())]


class TabularContexts:
    """Makes tabular contexts.

    Args:
        vocabulary: shared with learner and sampler.
        thoughts: what generations other than the act choose among.
    """

    max_context_tokens = 1 << 30

    def __init__(self, vocabulary: TabularVocabulary, thoughts: Sequence[str] = ("a", "b")) -> None:
        self.vocabulary = vocabulary
        self.thoughts = tuple(thoughts)

    def new(self, env: gym.Env[str, str], spec: RolloutSpec) -> TabularContext:
        """Returns the context of one episode."""
        return TabularContext(self.vocabulary, env, spec, self.thoughts)

    def answers(self, worlds: Mapping[str, TextEnv]) -> TabularAnswers:
        """Returns what writes answers for these worlds."""
        return TabularAnswers(self.vocabulary, worlds)


def build_tabular(
    config: TabularLearnerConfig, seed: int = 0
) -> tuple[TabularLearner, TabularSampler, TabularContexts]:
    """Returns learner, sampler and contexts around one empty vocabulary.

    `seed` is not used: a table starts without any draw. It is there because every policy is built
    from one.
    """
    from turnwise_agents.learners.tabular import TabularLearner
    from turnwise_agents.samplers.tabular import TabularSampler

    heeding = Heeding(config.demonstrations, config.carelessness) if config.demonstrations else None
    vocabulary = TabularVocabulary(heeding)
    return (
        TabularLearner(config, vocabulary),
        TabularSampler(vocabulary),
        TabularContexts(vocabulary),
    )


def no_text(prompts: list[str], max_new_tokens: int = 256) -> list[str]:
    """Stands in for text generation, which a table cannot do."""
    raise UsageError(
        "A tabular policy generates no text. Use a language model for algorithms that reflect or "
        "propose."
    )


def save_policy(learner: TabularLearner, folder: Path) -> None:
    """Writes the policy's table and vocabulary into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(learner.state_dict(), folder / POLICY_FILE)


def load_policy(
    folder: Path, config: TabularLearnerConfig | None = None
) -> tuple[TabularLearner, TabularSampler, TabularContexts]:
    """Reads what `save_policy` wrote, ready to play or to train on.

    Raises:
        DataError: If the file is missing or damaged.
    """
    from turnwise_agents.learners.tabular import TabularLearnerConfig

    file = folder / POLICY_FILE
    try:
        state = torch.load(file, weights_only=True)
    except Exception as error:
        raise DataError(
            f"{file} must hold a tabular policy, got {error}. Train one with --model tabular."
        ) from error
    learner, sampler, contexts = build_tabular(config or TabularLearnerConfig())
    for name, model in state["models"].items():
        if name != "policy":
            learner.add_model(name, trainable=model["trainable"])
    for name in state["heads"]:
        learner.add_head(name)
    learner.load_state_dict(state)
    sampler.load(learner.weights(), learner.version)
    return learner, sampler, contexts
