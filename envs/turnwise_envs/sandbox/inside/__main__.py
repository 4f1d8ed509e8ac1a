"""Entry of the processes that build and serve a sandbox: `python inside boot|serve ARGUMENTS`."""

import sys

if sys.argv[1] == "boot":
    from boot import main
else:
    from serve import main

main(sys.argv[2])
