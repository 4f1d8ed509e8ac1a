"""The same as `turnwise train`."""

import sys

from turnwise_agents.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
