"""The two programs that judge a repair, each in a sandbox of its own, joined by a pipe.

`judge.py` runs the tests and never sees the agent's code; `worker.py` runs the agent's code and
never sees the tests. Standard library (and pytest, in the judge) only.
"""
