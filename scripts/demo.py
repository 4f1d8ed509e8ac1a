"""Warm start, then GiGPO, on a laptop: `make demo`."""

import dataclasses

import tyro

from turnwise_agents.demo import DemoConfig, free_folder, run_demo

if __name__ == "__main__":
    config = tyro.cli(DemoConfig, description=__doc__)
    run_demo(dataclasses.replace(config, run_dir=free_folder(config.run_dir)))
