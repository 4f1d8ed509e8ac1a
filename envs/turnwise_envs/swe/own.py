"""Makes a task of a repository of one's own.

    python -m turnwise_envs.swe.own PATH STATEMENT [TEST...] > task.json

runs the tests in a sandbox as the repository is at HEAD (a folder that is no git repository: as it
is now) and prints the task: what fails must pass after the repair, what passes must still.
Then `gym.make("turnwise/SWESandbox-v0", data_dir="task.json")`.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from turnwise_envs.errors import DataError
from turnwise_envs.sandbox import Isolation
from turnwise_envs.swe.inprocess import run_in_process, run_limits
from turnwise_envs.swe.instances import TIMEOUT_S
from turnwise_envs.swe.protected import is_test_file
from turnwise_envs.swe.repositories import (
    is_repository,
    resolve_commit,
    tree_at,
    tree_of_folder,
)


def make_task(
    path: str | Path,
    statement: str,
    *,
    tests: Sequence[str] = (),
    test_command: str = "",
    timeout_s: float = TIMEOUT_S,
    isolation: Isolation = "auto",
) -> dict[str, Any]:
    """Returns a task over a repository, a row as `instances.parse_row` reads it.

    Args:
        path: of the repository, or of a folder that is none.
        statement: what the agent is told.
        tests: pytest's ids of what has to pass, or files; all test files where there are none.
        test_command: what the tool `test` runs; "" runs the files of the tests.
        timeout_s: processor seconds for all tests.
        isolation: as for `open_isolated`.

    Raises:
        DataError: If the tests cannot be run, or none of them fails.
        EnvironmentFault: If the sandbox broke.
    """
    path = Path(path).expanduser().resolve()
    if not path.is_dir():
        raise DataError(f"path must be a folder with a repository, got {path}.")
    commit = resolve_commit(path, "HEAD") if is_repository(path) else ""
    tree = tree_at(path, commit) if commit else tree_of_folder(path)
    named = [*tests] or sorted(file for file in tree if is_test_file(file))
    if not named:
        raise DataError(f"{path} must have tests: files test_*.py, or name them.")
    limits = run_limits(tree, timeout_s)
    report = run_in_process(tree, named, isolation=isolation, limits=limits)
    closed = sorted(name.partition("::")[0] for name in report.failed if name.endswith("::"))
    if report.exit_code not in (0, 1) or closed:
        why = f"{closed} cannot be imported" if closed else f"exit code {report.exit_code}"
        raise DataError(
            f"The tests of {path} must run in a sandbox: {why}. {report.output[-1500:].strip()}"
        )
    if not report.failed:
        raise DataError(
            f"{path} must have at least one test that fails, {len(report.passed)} pass. Write a "
            "test that shows what is to be repaired, and commit it."
        )
    row = {
        "instance_id": path.name,
        "repo": str(path),
        "base_commit": commit,
        "problem_statement": statement,
        "FAIL_TO_PASS": sorted(report.failed),
        "PASS_TO_PASS": sorted(report.passed),
        "timeout_s": timeout_s,
    }
    return row | ({"test_command": test_command} if test_command else {})


def main() -> None:
    """Prints a task."""
    if len(sys.argv) < 3:
        sys.exit("usage: python -m turnwise_envs.swe.own PATH STATEMENT [TEST...]")
    path, statement, *tests = sys.argv[1:]
    try:
        print(json.dumps(make_task(path, statement, tests=tests), indent=2))
    except DataError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
