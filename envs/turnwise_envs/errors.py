"""Every exception that turnwise raises on purpose.

Each class inherits from `TurnwiseError` and from the builtin a caller would expect. A malformed
*action* of an agent is never an exception (it is an observation); a broken *infrastructure* always
is one, and never a reward of 0.
"""


class TurnwiseError(Exception):
    """Base of all turnwise exceptions."""


class UsageError(TurnwiseError, ValueError):
    """A caller passed something that cannot be used; the message says what to pass instead."""


class UnknownTaskError(TurnwiseError, LookupError):
    """A task id, a task index or a split does not exist."""


class DataError(TurnwiseError, ValueError):
    """A data file is missing, corrupt, or of another version; names file, place and remedy."""


class SnapshotError(TurnwiseError, ValueError):
    """A snapshot cannot be restored into this environment."""


class RecordingError(TurnwiseError, OSError):
    """A recording could not be written; what was written before is intact."""


class EnvironmentFault(TurnwiseError, RuntimeError):
    """The environment's own machinery broke; the episode is void and must not be scored."""


class DependencyNotInstalled(TurnwiseError, ImportError):
    """An optional dependency is missing; the message names the extra to install."""
