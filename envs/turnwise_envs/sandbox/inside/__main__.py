"""Starts what builds or serves a sandbox: `python inside/__main__.py boot|serve DESCRIPTORS`."""

import sys

if sys.argv[1] == "boot":
    from boot import main
else:
    from serve import main

main(sys.argv[2])
