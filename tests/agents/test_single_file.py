"""The linear file trains, stays short, and imports nothing of ours but the environments."""

import ast
import os
import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "scripts" / "grpo_single_file.py"


def test_it_is_short_and_imports_four_packages():
    text = FILE.read_text()
    assert len(text.splitlines()) <= 300
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.split(".")[0])
    assert found - set(sys.stdlib_module_names) == {
        "torch",
        "transformers",
        "gymnasium",
        "turnwise_envs",
    }


def test_it_trains():
    small = ["--warm-steps", "2", "--iterations", "2", "--tasks", "1", "--group-size", "2"]
    done = subprocess.run(
        [sys.executable, str(FILE), *small, "--max-turns", "2"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("success") == 2
