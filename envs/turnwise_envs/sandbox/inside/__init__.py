"""The programs that run within a sandbox: standard library only, started as `python inside`.

Everything here is imported by an interpreter without site-packages, in tens of milliseconds; hence
`_socket` and `_signal` in place of their slower wrappers, no `typing`, and nothing from the rest of
the package.
"""
