"""How fast sandboxes are: opening, commands, Python calls, files, and closing.

    python benchmarks/speed/sandbox.py [--rounds 20]

Milliseconds, best and median of the rounds, for every isolation that works here. The peer is a
bare `subprocess.run(["true"])`: what a command costs without any separation.
"""

import argparse
import statistics
import subprocess
import time
from collections.abc import Callable

from turnwise_envs.sandbox import PythonSession, Sandbox, SandboxFault, open_sandbox

FILES: dict[str, bytes | str] = {f"package/part{i}.py": f"x = {i}\n" * 100 for i in range(200)}


def timed(call: Callable[[], object], spent: list[float]) -> object:
    """Returns what the call returns, and notes its milliseconds."""
    start = time.perf_counter()
    result = call()
    spent.append(1000 * (time.perf_counter() - start))
    return result


def write_all(sandbox: Sandbox) -> None:
    """Writes 200 files of 100 lines."""
    for path, text in FILES.items():
        sandbox.write(path, text)


def first_answer(isolation: str) -> PythonSession:
    """Returns a session that has answered."""
    session = PythonSession(isolation)
    session.run("1")
    return session


def measure(isolation: str, rounds: int) -> dict[str, list[float]]:
    """Returns the milliseconds of each kind of call."""
    names = ("open", "first `true`", "`true`", "write 200 files", "close")
    spent: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        sandbox = timed(lambda: open_sandbox(isolation), spent["open"])
        assert isinstance(sandbox, Sandbox)
        timed(lambda s=sandbox: s.run(["true"]), spent["first `true`"])
        for _ in range(10):
            timed(lambda s=sandbox: s.run(["true"]), spent["`true`"])
        timed(
            lambda s=sandbox: [s.write(*item) for item in FILES.items()], spent["write 200 files"]
        )
        timed(sandbox.close, spent["close"])
    spent |= {"Python session, to first answer": [], "Python call": []}
    for _ in range(rounds):
        session = timed(lambda: first_answer(isolation), spent["Python session, to first answer"])
        assert isinstance(session, PythonSession)
        for _ in range(20):
            timed(lambda s=session: s.run("1 + 1"), spent["Python call"])
        session.close()
    return spent


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    bare: list[float] = []
    for _ in range(10 * rounds):
        timed(lambda: subprocess.run(["true"], check=True), bare)
    print(f"{'':14}{'milliseconds':34}{'best':>8}{'median':>8}")
    print(f"{'subprocess':14}{'`true`':34}{min(bare):8.2f}{statistics.median(bare):8.2f}")
    for isolation in ("bubblewrap", "namespaces", "none"):
        try:
            rows = measure(isolation, rounds)
        except SandboxFault as error:
            print(f"{isolation:14}does not work here: {error}")
            continue
        for name, spent in rows.items():
            print(f"{isolation:14}{name:34}{min(spent):8.2f}{statistics.median(spent):8.2f}")
        ratio = min(rows["`true`"]) / min(bare)
        print(f"{isolation:14}`true` costs {ratio:.1f} times the bare one (best of each)")


if __name__ == "__main__":
    main()
