"""`turnwise play`: a person plays an environment in the terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import tyro
from rich.columns import Columns
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from turnwise_agents.evaluate import parse_env_kwargs
from turnwise_agents.text_rollout import make_env
from turnwise_envs import UsageError, restore, snapshot

HELP = "Type an action, or  :actions  :hint  :undo  :help  :quit"


@dataclass(frozen=True, kw_only=True)
class PlayConfig:
    """Play an environment yourself."""

    env: Annotated[str, tyro.conf.Positional]
    """Registered environment id, e.g. turnwise/Household-v0."""
    split: str = "train"
    """Split of the task."""
    task_index: int | None = None
    """Number of the task in its split; None lets the seed choose."""
    task_id: str | None = None
    """Id of the task, instead."""
    seed: int = 0
    """Seed of task and world."""
    env_kwargs: str = "{}"
    """JSON object of further arguments for gym.make."""
    hints: bool = False
    """Show the expert's next action every turn."""


def main(arguments: Sequence[str]) -> int:
    """Runs `turnwise play`.

    Raises:
        UsageError: If the environment or an argument is unknown.
    """
    config = tyro.cli(
        PlayConfig,
        args=list(arguments),
        prog="turnwise play",
        description=f"Play an environment yourself. {HELP}",
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    Game(config, Console(highlight=False)).run()
    return 0


class Game:
    """One sitting.

    Args:
        config: what to play.
        console: where to.
        read: returns the next line; raises EOFError at the end.

    Attributes:
        env: the environment.
    """

    def __init__(
        self, config: PlayConfig, console: Console, read: Callable[[], str] | None = None
    ) -> None:
        if config.task_id is not None and config.task_index is not None:
            raise UsageError("task_id and task_index must not be given both. Leave one out.")
        self.config = config
        self.console = console
        self.read = read or self._read_line
        kwargs = {**parse_env_kwargs(config.env_kwargs), "split": config.split}
        self.env = make_env(config.env, **kwargs)
        self.world: Any = self.env.unwrapped
        self.observation = ""
        self.info: dict[str, Any] = {}
        self.episode_return = 0.0
        self.over = False
        self._past: list[tuple[bytes, float]] = []

    def run(self) -> None:
        """Plays until the episode's end, :quit, the end of input or Ctrl-C."""
        options: dict[str, Any] = {}
        if self.config.task_id is not None:
            options["task_id"] = self.config.task_id
        elif self.config.task_index is not None:
            options["task_index"] = self.config.task_index
        self.observation, self.info = self.env.reset(seed=self.config.seed, options=options)
        self._introduce()
        try:
            while self._turn():
                pass
        except (EOFError, KeyboardInterrupt):
            self.console.print()
        finally:
            self.env.close()
        if not self.over:
            self.console.print(Text("Left before the end.", style="dim"))

    def _turn(self) -> bool:
        line = self.read().strip()
        if line.startswith(":"):
            return self._command(line[1:].strip())
        if self.over:
            self.console.print(Text("The episode is over: :undo or :quit.", style="yellow"))
        elif line:
            self._step(line)
        return True

    def _step(self, action: str) -> None:
        self._past.append((snapshot(self.env), self.episode_return))
        completion = self.world.action_format.render(action)
        self.observation, reward, terminated, truncated, self.info = self.env.step(completion)
        self.episode_return += float(reward)
        self.over = terminated or truncated
        self._show(float(reward))

    def _command(self, name: str) -> bool:
        if name in ("quit", "q", "exit"):
            return False
        if name == "actions":
            self._actions()
        elif name == "hint":
            self._hint()
        elif name == "undo":
            self._undo()
        else:
            known = name in ("help", "h", "?")
            self.console.print(Text(HELP if known else f"There is no :{name}. {HELP}"))
            if known and self.world.grammar:
                self.console.print(Text(self.world.grammar, style="dim"))
        return True

    def _undo(self) -> None:
        if not self._past:
            self.console.print(Text("There is no turn to take back.", style="yellow"))
            return
        blob, self.episode_return = self._past.pop()
        self.observation, self.info = restore(self.env, blob)
        self.over = False
        self._show(0.0)

    def _actions(self) -> None:
        actions = self.info["admissible_actions"]
        if actions is None:
            self.console.print(Text("This world has no finite list of actions: :help", style="dim"))
            return
        texts = [Text(action, style="cyan") for action in actions]
        self.console.print(Columns(texts, padding=(0, 3)) if texts else Text("none"))

    def _hint(self) -> None:
        hint = None if self.over else self.world.expert_action()
        shown = "The expert knows no plan here." if hint is None else f"The expert: {hint}"
        self.console.print(Text(shown, style="magenta"))

    def _introduce(self) -> None:
        task = self.world.task
        title = f"{self.config.env} · {task.split} task {task.index}"
        title += f" · {task.kind}" if task.kind else ""
        if self.world.instruction:
            panel = Panel(Text(self.world.instruction), title=Text(title), title_align="left")
            self.console.print(panel)
        else:
            self.console.print(Text(title, style="bold"))
        self.console.print(Text(HELP, style="dim"))
        self._show(0.0)

    def _show(self, reward: float) -> None:
        info = self.info
        style = "" if info["action_is_valid"] and info["format_is_valid"] else "yellow"
        self.console.print(Text(self.observation, style=style))
        if reward:
            parts = ", ".join(f"{k} {v:+g}" for k, v in info["reward_components"].items())
            self.console.print(Text(f"reward {reward:+g} ({parts})", style="bold"))
        if self.over:
            style = "bold green" if info["success"] else "bold red"
            word = "Success" if info["success"] else "Failed"
            self.console.print(
                Text(
                    f"{word}: {info['verdict']}, return {self.episode_return:g} "
                    f"after {self.world.turn} turns.  :undo or :quit",
                    style=style,
                )
            )
        elif self.config.hints:
            self._hint()

    def _read_line(self) -> str:
        prompt = f"{self.world.turn + (not self.over)}/{self.world.max_turns} > "
        if sys.stdin.isatty():
            with contextlib.suppress(ImportError):
                import readline  # noqa: F401  (gives input() history and editing)
            return input(prompt)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        # A pipe echoes nothing; the transcript would not show what was answered.
        self.console.print(Text(prompt + line.rstrip("\n"), style="bold"))
        return line
