"""The same as `turnwise evaluate`."""

import sys

from turnwise_agents.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
