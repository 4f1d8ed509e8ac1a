"""The same as `turnwise play`."""

import sys

from turnwise_agents.cli import main

if __name__ == "__main__":
    sys.exit(main(["play", *sys.argv[1:]]))
