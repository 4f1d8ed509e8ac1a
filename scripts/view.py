"""The same as `turnwise view`."""

import sys

from turnwise_agents.cli import main

if __name__ == "__main__":
    sys.exit(main(["view", *sys.argv[1:]]))
