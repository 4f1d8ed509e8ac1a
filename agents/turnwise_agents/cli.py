"""The `turnwise` command. A subcommand is imported when it is called, so that all start fast."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

COMMANDS: dict[str, tuple[str, str]] = {
    "train": ("turnwise_agents.cli_train", "train an agent, or --resume a run"),
    "evaluate": ("turnwise_agents.cli_evaluate", "play fixed tasks, write a result file"),
    "play": ("turnwise_agents.play_terminal", "play an environment yourself"),
    "view": ("turnwise_agents.cli_view", "make one HTML page of trajectories"),
    "instructions": (
        "turnwise_agents.cli_instructions",
        "show how a run's instructions evolved",
    ),
    "data": (
        "turnwise_agents.cli_data",
        "check a folder of data, or export tasks as ALFWorld games",
    ),
    "envs": ("turnwise_agents.cli_envs", "list the registered environments"),
}
"""Name -> module with `main(arguments) -> exit status`, and what it does."""

USAGE_ERROR = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `turnwise COMMAND ...`.

    An error that the user can mend is one line on stderr; --traceback, or TURNWISE_TRACEBACK=1,
    shows where it came from.

    Args:
        arguments: without the program's name; None takes the command line's.

    Returns:
        The exit status: 0, 1 if nothing could be measured, 2 for a usage error, 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    traceback = os.environ.get("TURNWISE_TRACEBACK", "") not in ("", "0")
    if "--traceback" in words:
        words.remove("--traceback")
        traceback = True
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if words else USAGE_ERROR
    if words[0] == "--version":
        from importlib.metadata import version

        print(f"turnwise {version('turnwise')}")
        return 0
    if words[0] not in COMMANDS:
        return _fail(
            f"command must be one of {', '.join(COMMANDS)}, got {words[0]!r}. See turnwise --help."
        )
    try:
        return _run(words[0], words[1:])
    except KeyboardInterrupt as stop:
        message = str(stop) or "Interrupted; what was finished is saved."
        print(f"\n{message}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has gone; a second error at exit would only be noise.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if traceback or not _is_users(error):
            raise
        return _fail(str(error))


def _run(name: str, words: list[str]) -> int:
    module = importlib.import_module(COMMANDS[name][0])
    status: int = module.main(words)
    return status


def _is_users(error: Exception) -> bool:
    """Whether the message alone tells a user what to do; a bug keeps its traceback."""
    from turnwise_envs import TurnwiseError

    return isinstance(error, TurnwiseError | ValueError | OSError)


def _fail(message: str) -> int:
    print(f"turnwise: error: {' '.join(message.split())}", file=sys.stderr)
    return USAGE_ERROR


def usage() -> str:
    """Returns the text of `turnwise --help`."""
    lines = ["usage: turnwise COMMAND [options]", "", "commands:"]
    lines += [f"  {name:<12} {text}" for name, (_, text) in COMMANDS.items()]
    lines += [
        "",
        "options:",
        "  --help       this text; turnwise COMMAND --help lists a command's options",
        "  --version    the version",
        "  --traceback  show where an error came from (also TURNWISE_TRACEBACK=1)",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
