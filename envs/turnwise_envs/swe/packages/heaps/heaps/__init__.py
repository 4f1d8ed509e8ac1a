"""Priority queues: what is most urgent first, merging sorted streams, and planning jobs."""

from heaps.jobs import Job, Plan, plan
from heaps.queue import Queue
from heaps.streams import Median, largest, merge

__all__ = ["Job", "Median", "Plan", "Queue", "largest", "merge", "plan"]
