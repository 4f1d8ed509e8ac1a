"""Runs a package's tests against many versions of it: `python trial.py TIMEOUT_S < VERSIONS`.

For making tasks, where nobody cheats: code and tests are in one process. Each line of VERSIONS is
a JSON object, path and text of the files that differ from those in the current folder; each line
of output is the list of the tests that fail, or null where a version does not come to an end.
"""

import io
import json
import os
import signal
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest


class Failures:
    """A pytest plugin that collects the ids of what fails."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Notes a test that failed in any of its phases."""
        if report.failed:
            path, _, name = report.nodeid.partition("::")
            self.found.append(f"{path.removesuffix('.py').replace('/', '.')}::{name}")

    def pytest_collectreport(self, report: Any) -> None:
        """Notes a file that cannot be imported."""
        if report.failed:
            self.found.append(report.nodeid)


def failures() -> list[str]:
    """Returns what fails in the current folder."""
    sys.path.insert(0, os.getcwd())
    sys.dont_write_bytecode = True
    plugin = Failures()
    options = ["-q", "-p", "no:cacheprovider", "-c", os.devnull]
    options += ["--rootdir=.", "--import-mode=importlib", "--assert=plain"]
    with redirect_stdout(io.StringIO()):
        code = pytest.main([*options, "tests", "held_out"], plugins=[plugin])
    if code != bool(plugin.found) and code != pytest.ExitCode.INTERRUPTED:
        raise RuntimeError(f"pytest ended with {code}")
    return sorted(set(plugin.found))


def main() -> None:
    """Answers every line."""
    timeout_s = float(sys.argv[1])
    for line in sys.stdin:
        changed = {Path(path): text for path, text in json.loads(line).items()}
        before = {path: path.read_text() for path in changed}
        for path, text in changed.items():
            path.write_text(text)
        results, far = os.pipe()
        child = os.fork()
        if child == 0:
            # Of the processor: on a busy machine a second by the clock is little.
            signal.setitimer(signal.ITIMER_PROF, timeout_s)
            signal.setitimer(signal.ITIMER_REAL, 20 * timeout_s)
            os.write(far, json.dumps(failures()).encode())
            os._exit(0)
        os.close(far)
        with os.fdopen(results, "rb") as pipe:
            answer = pipe.read().decode()
        os.waitpid(child, 0)
        for path, text in before.items():
            path.write_text(text)
        print(answer or "null", flush=True)


if __name__ == "__main__":
    main()
