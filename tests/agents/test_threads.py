"""The number of threads decides how sums are rounded, so a run sets it and records it."""

import asyncio
import ctypes
import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from turnwise_agents.evaluate import EvaluateConfig, ModelConfig
from turnwise_agents.evaluate_model import load_model
from turnwise_agents.rollout import AsyncClient
from turnwise_agents.run import Run, config_class, load_config, save_config
from turnwise_envs import UsageError


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def tabular(run_dir, **fields):
    return config_class("grpo", "tabular")(run_dir=run_dir, num_tasks=2, **fields)


@pytest.mark.parametrize(
    ("fields", "threads"), [({}, 1), ({"num_threads": 3}, 3), ({"num_threads": None}, 2)]
)
def test_a_run_computes_with_one_thread_unless_told(tmp_path, fields, threads):
    run = Run(tabular(tmp_path, **fields))
    assert torch.get_num_threads() == threads
    run.envs.close()
    save_config(run.config)
    assert load_config(tmp_path).num_threads == run.config.num_threads


def test_so_does_an_evaluation(tmp_path):
    run = Run(tabular(tmp_path))
    run.parts.export(tmp_path / "policy")
    run.envs.close()
    config = EvaluateConfig(policy=str(tmp_path / "policy"))
    for given, threads in ((None, 2), (3, 3), (1, 1)):
        torch.set_num_threads(2)
        model = ModelConfig(num_threads=given)
        load_model(dataclasses.replace(config, model=model))
        assert torch.get_num_threads() == threads
    assert ModelConfig().num_threads == 1


def test_no_thread_is_an_error_before_anything_is_built(tmp_path):
    with pytest.raises(UsageError, match=r"num_threads must be positive, .* got 0"):
        Run(tabular(tmp_path / "run", num_threads=0))
    assert not (tmp_path / "run").exists()


def openmp_threads():
    """Returns how many threads OpenMP would use in the calling thread."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    found = {line.split()[-1] for line in lines if "libgomp" in line and "torch" in line}
    if not found:
        pytest.skip("this torch brings no libgomp")
    return ctypes.CDLL(found.pop()).omp_get_max_threads()


def test_the_sampler_s_own_thread_takes_the_number_over():
    class Counting:
        def generate(self, requests):
            return [openmp_threads() for _ in requests]

    async def generate():
        client = AsyncClient(Counting(), max_batch=1, threads=1)
        try:
            return await client.generate(None)
        finally:
            client.close()

    torch.set_num_threads(7)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(openmp_threads).result() != 7
    assert asyncio.run(generate()) == 7
