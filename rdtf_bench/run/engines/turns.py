"""Decides which job of a run comes next. Imports no torch."""

from collections.abc import Callable, Sequence

from rdtf_bench.core.leases import Leases
from rdtf_bench.run.table.schedule import Job, ready


class Turns:
    """Hands out the jobs whose inputs are there and whose result nobody else is making, the longest first.

    `say` is told once of each job that waits for another run.
    """

    def __init__(self, jobs: Sequence[Job], leases: Leases, say: Callable[[str], None]) -> None:
        self._waiting = {job.name: job for job in jobs}
        self._done: set[str] = set()
        self._leases, self._say = leases, say
        self._told: set[str] = set()
        self._held: set[str | None] = set()
        self.others_work = False
        """Whether, at the last call of `next`, a job waited for a lease, which no job of this run sets free."""

    @property
    def are_left(self) -> bool:
        """Whether jobs wait that were not handed out yet."""
        return bool(self._waiting)

    def next(self, most: int | None = None) -> list[Job]:
        """Return the jobs that start now, at most this many. Their leases are held until they are finished."""
        starting: list[Job] = []
        self.others_work = False
        for job in ready(self._waiting.values(), self._done):
            if most is not None and len(starting) >= most:
                break
            if job.lease is None or self._leases.take(job.lease):
                starting.append(job)
                del self._waiting[job.name]
                self._held.add(job.lease)
            elif job.lease not in self._held:
                self.others_work = True
                if holder := self._leases.holder(job.lease):
                    self._say_once(job, holder)
        return starting

    def finished(self, job: Job) -> None:
        """Let the jobs start that waited for this one."""
        self._done.add(job.name)
        self._held.discard(job.lease)
        if job.lease is not None:
            self._leases.give_back(job.lease)

    def _say_once(self, job: Job, holder: str) -> None:
        if job.name not in self._told:
            self._told.add(job.name)
            self._say(f"{job.name}: another run is making it ({holder}); waiting for its result")
