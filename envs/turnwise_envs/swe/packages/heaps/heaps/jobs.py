"""Jobs on machines that do one job at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from heaps.queue import Queue


@dataclass
class Job:
    """Something that can begin at `release` and takes `length`; smaller `rank` goes first."""

    name: str
    length: int
    release: int = 0
    rank: int = 0
    deadline: int | None = None


@dataclass
class Plan:
    """When each job begins, and on which machine."""

    begins: dict[str, int] = field(default_factory=dict)
    machines: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    late: list[str] = field(default_factory=list)
    """Jobs that end after their deadline, sorted."""

    @property
    def length(self) -> int:
        """When the last job ends."""
        return max(self.ends.values(), default=0)

    def idle(self, machine: int) -> int:
        """Returns how long a machine waits before its last job ends."""
        own = [name for name, number in self.machines.items() if number == machine]
        worked = sum(self.ends[name] - self.begins[name] for name in own)
        return max((self.ends[name] for name in own), default=0) - worked


def plan(jobs: Sequence[Job], machines: int = 1) -> Plan:
    """Gives each free machine the waiting job of the smallest rank, then of the shortest length."""
    if machines < 1:
        raise ValueError("there must be a machine")
    coming = sorted(jobs, key=lambda job: (job.release, job.name))[::-1]
    by_name = {job.name: job for job in jobs}
    free, waiting, result = Queue(), Queue(), Plan()
    for machine in range(machines):
        free.push(machine, (0, machine))
    while coming or len(waiting) > 0:
        machine = free.peek()
        now = free.priority(machine)[0]
        if len(waiting) == 0:
            now = max(now, coming[-1].release)
        while coming and coming[-1].release <= now:
            job = coming.pop()
            waiting.push(job.name, (job.rank, job.length, job.name))
        job = by_name[waiting.pop()]
        end = now + job.length
        result.begins[job.name], result.ends[job.name] = now, end
        result.machines[job.name] = machine
        free.push(machine, (end, machine))
        if job.deadline is not None and end > job.deadline:
            result.late.append(job.name)
    result.late.sort()
    return result
