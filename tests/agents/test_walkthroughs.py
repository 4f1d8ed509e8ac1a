"""The pages' Python blocks run, in order; their commands parse."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from turnwise_agents.cli_train import parse

ROOT = Path(__file__).resolve().parents[2]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S)


@pytest.mark.parametrize("page", ["README.md", "envs/README.md", "agents/README.md"])
def test_python_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = blocks(ROOT / page, "python")
    assert found
    namespace = {"__name__": "walkthrough"}
    for number, block in enumerate(found):
        exec(compile(block, f"{page}, block {number}", "exec"), namespace)


def commands() -> list[str]:
    joined = "\n".join(
        block for page in ("README.md", "agents/README.md") for block in blocks(ROOT / page, "sh")
    ).replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.startswith("turnwise train --algorithm")]


@pytest.mark.parametrize("command", commands())
def test_training_commands_parse(command):
    assert parse(shlex.split(command)[2:])


def test_memory_table_is_what_the_command_prints():
    printed = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "memory.py")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.strip() in (ROOT / "agents" / "README.md").read_text()


def test_memory_counts_the_weights_of_a_real_model():
    from transformers import Qwen2Config, Qwen2ForCausalLM

    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        from memory import Dimensions
    finally:
        sys.path.pop(0)
    config = Qwen2Config(
        vocab_size=100,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    )
    model = Qwen2ForCausalLM(config)
    assert Dimensions(32, 2, 4, 2, 48, 100, True).weights() == sum(
        p.numel() for p in model.parameters()
    )
