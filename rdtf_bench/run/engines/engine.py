"""What a run asks of whatever works off its jobs. No torch."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from rich.console import Console

from rdtf_bench.run.table.context import Bench
from rdtf_bench.run.table.schedule import Job


@runtime_checkable
class Engine(Protocol):
    """Runs the jobs of one table, each after the jobs that it waits for."""

    def run(self, jobs: Sequence[Job], bench: Bench, console: Console, *, quiet: bool) -> float:
        """Return when every job has left its result in the store. The value is the peak memory in GiB: the sum over
        this process and all workers of the largest value that each of them reached.

        Raises ProtocolError before any other job where a row's options are wrong, and else what a job raises.
        """
        ...
