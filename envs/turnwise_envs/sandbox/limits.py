"""What a command may use, and what came of it."""

from dataclasses import dataclass, fields

from turnwise_envs.errors import EnvironmentFault, TurnwiseError, UsageError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one command, with all the processes it starts, may use.

    `memory_mb` bounds the data of each process (RLIMIT_DATA: an allocation fails) and, watched
    every 40 ms, the resident memory of all of them together (the tree is killed). `disk_mb` and the
    sandbox's other folders are fixed when it is opened; the rest may change from run to run.

    Not bounded: what the kernel keeps for open sockets and pipes (up to 1,024 descriptors a
    process). With `isolation="none"` there is no disk limit, and the number of processes is only
    watched. Before Linux 5.14 a trainer that is root has one count of processes for all its
    sandboxes together.
    """

    wall_s: float = 10.0
    """Seconds by the clock before the tree is killed."""
    cpu_s: float = 10.0
    """CPU seconds of the whole tree."""
    memory_mb: int = 512
    """Mebibytes of memory."""
    processes: int = 64
    """Processes and threads at one time."""
    file_mb: int = 64
    """Mebibytes of one file."""
    disk_mb: int = 256
    """Mebibytes in the work folder, and again as many in the temporary folder; both in memory."""
    output_chars: int = 20_000
    """Characters kept of each output stream; what is longer is cut in the middle, with a note."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            whole = field.type in (int, "int")
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
                kind = "a whole number" if whole else "a number"
                raise UsageError(f"{field.name} must be {kind}, got {value!r}.")
            if not 0 < value < 2**31:
                raise UsageError(
                    f"{field.name} must be positive and below 2**31, got {value!r}. "
                    "No limit can be switched off; choose a large one."
                )


@dataclass(frozen=True, kw_only=True)
class Completed:
    """What came of one command."""

    returncode: int
    """Exit status; minus the signal's number where a signal ended it, as in `subprocess`."""
    stdout: str
    """Standard output, decoded as UTF-8 (undecodable bytes replaced), cut in the middle."""
    stderr: str
    """Standard error, likewise."""
    killed_by: str | None
    """The limit that ended it: wall, cpu, memory, processes, file or output; else None."""
    wall_s: float
    """Seconds by the clock."""
    cpu_s: float
    """CPU seconds of the processes that have been waited for."""
    peak_memory_mb: float
    """The largest sample of the tree's memory, at least the largest process's own peak."""
    truncated: bool
    """Whether some of the output was left out."""

    @property
    def timed_out(self) -> bool:
        """Whether the clock or the CPU limit ended it."""
        return self.killed_by in ("wall", "cpu")


@dataclass(frozen=True, kw_only=True)
class PythonResult:
    """What came of one piece of code in a `PythonSession`."""

    output: str
    """What it printed to both streams, and the value of a last expression; cut in the middle."""
    error: str | None
    """The traceback, or why the session ended; None where the code ran to its end."""
    timed_out: bool
    """Whether a time limit ended it."""
    restarted: bool
    """Whether the session had to be started anew for this call, its variables lost."""


class SandboxFault(EnvironmentFault):
    """The sandbox itself broke or cannot be had here; says nothing about the code inside."""


class SandboxFileError(TurnwiseError, OSError):
    """A file of the work folder cannot be read or written: missing, refused, too large."""
