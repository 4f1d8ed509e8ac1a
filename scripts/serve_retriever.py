"""Serves a corpus in the form of Search-R1's retrieval server (see --help)."""

from turnwise_envs.search.server import main

if __name__ == "__main__":
    main()
