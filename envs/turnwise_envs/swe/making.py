"""Makes the tasks: chooses mutations, tries them against the tests, keeps what can be told apart.

    python -m turnwise_envs.swe.making [PACKAGE...]

writes `manifests/PACKAGE.jsonl`, one verified task a line. A task is kept where the tests come to
an end, and at least one but at most half of them fail; no two tasks of a package are the same text.
"""

import json
import sys
from itertools import pairwise
from pathlib import Path
from random import Random

from turnwise_envs.sandbox import Limits, SandboxFault, open_sandbox
from turnwise_envs.swe.library import PACKAGES, TASKS_PER_PACKAGE, Package, load_package
from turnwise_envs.swe.mutations import Mutation, find_mutations, mutated
from turnwise_envs.swe.tasks import MANIFESTS, all_tests

_TRIAL = Path(__file__).parent / "inside" / "trial.py"
_LIMITS = Limits(wall_s=7200, cpu_s=7200, memory_mb=2048, output_chars=50_000_000)
_TEST_TIMEOUT_S = 2.0
_SHARES = (0.6, 0.3, 0.1)
"""Of tasks with one, two and three bugs."""
_SMALLEST_BATCH = 12


def candidates(package: Package, count: int, rng: Random) -> list[tuple[Mutation, ...]]:
    """Returns distinct sets of mutations: every kind in turn, one to three at once."""
    singles = [m for path in package.code for m in _of(package, path)]
    by_kind: dict[str, list[Mutation]] = {}
    for mutation in singles:
        by_kind.setdefault(mutation.kind, []).append(mutation)
    for group in by_kind.values():
        rng.shuffle(group)
    turns = []
    while any(by_kind.values()):
        turns += [group.pop() for _, group in sorted(by_kind.items()) if group]
    chosen: dict[tuple[Mutation, ...], None] = {(mutation,): None for mutation in turns}
    for size, share in enumerate(_SHARES[1:], start=2):
        for _ in range(int(share * count * 2)):
            several = tuple(sorted(rng.sample(singles, size)))
            if all(_apart(package, a, b) for a, b in pairwise(several)):
                chosen[several] = None
    return list(chosen)


def _apart(package: Package, first: Mutation, second: Mutation) -> bool:
    """Says whether an edit of whole lines can undo one bug and leave the other."""
    between = package.code[first.path].decode()[first.end : second.start]
    return first.path != second.path or between.count("\n") > 2


def _of(package: Package, path: str) -> list[Mutation]:
    return find_mutations(path, package.code[path].decode())


def try_all(package: Package, sets: list[tuple[Mutation, ...]]) -> list[list[str] | None]:
    """Returns for each set the tests that fail; None where they do not come to an end.

    Raises:
        SandboxFault: If the trials did not.
    """
    lines = []
    for mutations in sets:
        version = mutated(package.code, mutations)
        changed = {m.path: version[m.path].decode() for m in mutations}
        lines.append(json.dumps(changed))
    files = {**package.code, **package.all_tests, "trial.py": _TRIAL.read_bytes()}
    with open_sandbox(limits=_LIMITS, files=files) as sandbox:
        argv = [sys.executable, "-B", "trial.py", f"{_TEST_TIMEOUT_S}"]
        env = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONHASHSEED": "0"}
        done = sandbox.run(argv, stdin="\n".join(lines).encode(), env=env)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    if len(results) != len(sets):
        raise SandboxFault(f"The trials ended early: {done.killed_by}, {done.stderr[-1000:]}")
    return results


def make(name: str, count: int = TASKS_PER_PACKAGE) -> list[dict[str, object]]:
    """Returns the verified tasks of a package, as the manifest has them.

    Raises:
        SandboxFault: If the package does not pass its own tests, or they could not be run.
    """
    package = load_package(name)
    (sound,) = try_all(package, [()])
    if sound:
        raise SandboxFault(f"{name} does not pass its own tests: {sound}")
    shares = [round(share * count) for share in _SHARES]
    shares[0] = count - sum(shares[1:])
    sets = candidates(package, count, Random(name))
    kept: list[dict[str, object]] = []
    for size, wanted in enumerate(shares, start=1):
        kept += _verified(package, [some for some in sets if len(some) == size], wanted)
    return kept


def _verified(
    package: Package, sets: list[tuple[Mutation, ...]], wanted: int
) -> list[dict[str, object]]:
    """Returns the first `wanted` sets that make a task, trying no more than it takes."""
    known = all_tests(package.name)
    kept: dict[tuple[bytes, ...], dict[str, object]] = {}
    tried = 0
    while tried < len(sets) and len(kept) < wanted:
        batch = sets[tried : tried + max(_SMALLEST_BATCH, wanted - len(kept))]
        tried += len(batch)
        for mutations, failing in zip(batch, try_all(package, batch), strict=True):
            if not failing or 2 * len(failing) > len(known) or not known.issuperset(failing):
                continue
            text = tuple(mutated(package.code, mutations).values())
            rows = [[m.path, m.start, m.end, m.text, m.kind] for m in mutations]
            row = {"package": package.name, "mutations": rows, "fails": failing, "of": len(known)}
            kept.setdefault(text, row)
    return list(kept.values())[:wanted]


def main() -> None:
    """Writes the manifests of the packages named, or of all."""
    for name in sys.argv[1:] or PACKAGES:
        rows = make(name)
        text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
        MANIFESTS.mkdir(exist_ok=True)
        (MANIFESTS / f"{name}.jsonl").write_text(text, encoding="utf-8")
        print(f"{name}: {len(rows)} tasks")


if __name__ == "__main__":
    main()
